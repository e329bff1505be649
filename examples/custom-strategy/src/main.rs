//! A strategy of one's own: models are filled one after the other, such as machines that are paid for before a cloud
//! that is paid by the token.
//!
//! ```sh
//! cargo run -p example-custom-strategy
//! curl -i http://127.0.0.1:8080/v1/chat/completions -H 'Authorization: Bearer sk-demo' \
//!   -H 'Content-Type: application/json' \
//!   -d '{"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}'
//! ```

use std::error::Error;

use aisix_core::{
    Gateway,
    balance::{Facts, Member, Order, Picker, Random, Strategies, Strategy, View},
    config::{Config, Entry, KeyHash, Kind},
};
use aisix_providers::http::{Client, Settings};
use axum::Router;
use serde_json::json;

// ANCHOR: strategy
/// Fills targets one after the other: each takes as many calls at a time as its weight says before the next one
/// gets any. When all are full, the least full one is next.
struct FillUp;

/// What is kept for the targets of one tier.
struct Filling {
    room: Vec<u32>,
}

impl Strategy for FillUp {
    fn name(&self) -> &'static str {
        "fill_up"
    }

    fn picker(&self, members: &[Member]) -> Box<dyn Picker> {
        let room = members.iter().map(|member| member.weight.max(1));
        Box::new(Filling {
            room: room.collect(),
        })
    }
}

impl Picker for Filling {
    fn order(&self, _: &Facts<'_>, views: &[View], _: &mut Random, order: &mut Order) {
        // The smallest number comes first, and of equal ones the target that was declared first.
        order.rank(views, |place, view| {
            let fill = f64::from(view.in_flight) / f64::from(self.room[place]);
            if fill < 1.0 { 0.0 } else { fill }
        });
    }
}
// ANCHOR_END: strategy

fn gateway() -> Result<Gateway, Box<dyn Error>> {
    let client = Client::new(Settings::default())?;
    Ok(Gateway::builder(config()?).transport(client).build()?)
}

// ANCHOR: config
fn config() -> Result<Config, Box<dyn Error>> {
    let provider_key = json!({"display_name": "key", "provider": "mock", "api_key": "unused"});
    let model = |name: &str| {
        json!({
            "display_name": name,
            "provider": "mock",
            "model_name": "mock",
            "provider_key_id": "key",
        })
    };
    let group = json!({
        "display_name": "chat",
        "routing": {
            "strategy": "fill_up",
            "targets": [{"model": "own", "weight": 2}, {"model": "cloud"}],
        },
    });
    let api_key = json!({"key_hash": KeyHash::of("sk-demo").to_hex(), "allowed_models": ["*"]});
    Ok(Config::builder()
        .providers(aisix_providers::registry())
        .strategies(Strategies::new().strategy(FillUp)?)
        .fixed([
            Entry::new(Kind::ProviderKey, "key", provider_key),
            Entry::new(Kind::Model, "own", model("own")),
            Entry::new(Kind::Model, "cloud", model("cloud")),
            Entry::new(Kind::Model, "chat", group),
            Entry::new(Kind::ApiKey, "me", api_key),
        ])?)
}
// ANCHOR_END: config

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, Router::new().fallback_service(gateway()?)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use aisix_core::body::Body;
    use http::{Request, Response};
    use tower::ServiceExt;

    use super::*;

    async fn ask(gateway: &Gateway) -> Response<Body> {
        let body = json!({"model": "chat", "stream": true, "messages": [{"role": "user", "content": "Hello"}]});
        let request = Request::post("/v1/chat/completions")
            .header("authorization", "Bearer sk-demo")
            .body(Body::from(body.to_string()))
            .unwrap();
        gateway.clone().oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn the_second_target_gets_calls_when_the_first_is_full() {
        let gateway = gateway().unwrap();
        let mut under_way = Vec::new();
        for _ in 0..4 {
            under_way.push(ask(&gateway).await);
        }
        let served_by = |response: &Response<Body>| response.headers()["x-aisix-served-by"].clone();
        let names: Vec<_> = under_way.iter().map(served_by).collect();
        assert_eq!(names, ["own", "own", "cloud", "own"]);
        // Two of three replies end, so that the first target has room again.
        under_way.retain(|response| served_by(response) == "cloud");
        assert_eq!(served_by(&ask(&gateway).await), "own");
    }
}
