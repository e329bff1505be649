//! The login of one's own app as the gateway's: no second set of keys.
//!
//! ```sh
//! cargo run -p example-custom-auth
//! curl -i http://127.0.0.1:8080/llm/v1/chat/completions -H 'Cookie: session=alice-token' \
//!   -H 'Content-Type: application/json' \
//!   -d '{"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}'
//! ```
//!
//! The app's own middleware finds the user and puts it into the request's extensions; the gateway
//! only reads it there.

mod session;

use std::{error::Error, sync::Arc};

use aisix_core::{
    Error as CallError, ErrorKind, Gateway,
    auth::Authenticator,
    call::Caller,
    config::{Config, Entry, Kind, Snapshot, resource::RateLimit},
};
use aisix_providers::http::{Client, Settings};
use async_trait::async_trait;
use axum::{Router, middleware};
use http::request::Parts;
use serde_json::json;

use crate::session::{User, session};

// ANCHOR: authenticator
/// Makes a caller of the app's user.
struct Sessions;

#[async_trait]
impl Authenticator for Sessions {
    async fn authenticate(
        &self,
        head: &Parts,
        _: &Arc<Snapshot>,
    ) -> Result<Arc<Caller>, CallError> {
        let user = head.extensions.get::<User>();
        let user =
            user.ok_or_else(|| CallError::new(ErrorKind::Unauthenticated, "log in first"))?;
        let models = if user.is_guest { ["small-*"] } else { ["*"] };
        // Limits are counted under the caller's id, across requests.
        let rates = RateLimit {
            rpm: Some(30),
            ..RateLimit::default()
        };
        let caller = Caller::builder(format!("user:{}", user.name)).name(user.name);
        Ok(Arc::new(caller.models(models).rate_limit(&rates).build()))
    }
}
// ANCHOR_END: authenticator

fn gateway() -> Result<Gateway, Box<dyn Error>> {
    let provider_key = json!({"display_name": "key", "provider": "mock", "api_key": "unused"});
    let model = |name: &str| {
        Entry::new(
            Kind::Model,
            name,
            json!({
                "display_name": name, "provider": "mock", "model_name": "mock", "provider_key_id": "key",
            }),
        )
    };
    let config = Config::builder()
        .providers(aisix_providers::registry())
        .fixed([
            Entry::new(Kind::ProviderKey, "key", provider_key),
            model("demo"),
            model("small-demo"),
        ])?;
    let client = Client::new(Settings::default())?;
    Ok(Gateway::builder(config)
        .authenticator(Sessions)
        .transport(client)
        .build()?)
}

fn app() -> Result<Router, Box<dyn Error>> {
    let app = Router::new().nest_service("/llm", gateway()?);
    Ok(app.layer(middleware::from_fn(session)))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, app()?).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
