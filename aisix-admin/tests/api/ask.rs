//! Short words for asking.

use aisix_admin::{Admin, AdminKeys};
use aisix_core::body::Body;
use aisix_sources::embedded::Embedded;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

pub(crate) const ADMIN_KEY: &str = "admin-key-of-the-tests";

/// A control plane over a store of its own.
pub(crate) struct Desk {
    pub(crate) admin: Admin,
    pub(crate) store: Embedded,
    _directory: TempDir,
}

/// An answer, read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) json: Value,
}

// === impl Desk ===

impl Desk {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Embedded::open(directory.path()).unwrap();
        let keys = AdminKeys::new([ADMIN_KEY, "another-admin-key"]);
        let admin = Admin::builder(store.clone()).keys(keys).build();
        Self {
            admin,
            store,
            _directory: directory,
        }
    }

    /// Another control plane in its place.
    pub(crate) fn with(self, admin: Admin) -> Self {
        Self { admin, ..self }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (head, body) = self
            .admin
            .clone()
            .oneshot(request)
            .await
            .unwrap()
            .into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            json: serde_json::from_str(&text).unwrap_or_default(),
            text,
        }
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, body: Value) -> Answer {
        self.ask_if(method, path, body, &[]).await
    }

    pub(crate) async fn ask_if(
        &self,
        method: &str,
        path: &str,
        body: Value,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {ADMIN_KEY}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Value::Null => Body::empty(),
            body => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
        };
        self.send(request.body(body).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, Value::Null).await
    }

    /// Puts a provider key `up` and a model `m` that uses it.
    pub(crate) async fn with_model(self) -> Self {
        let key = provider_key("up");
        let put = self.ask("PUT", "/aisix/admin/provider_keys/up", key).await;
        assert_eq!(put.status, 201, "{put:?}");
        let put = self
            .ask("PUT", "/aisix/admin/models/m", model("m", "up"))
            .await;
        assert_eq!(put.status, 201, "{put:?}");
        self
    }
}

// === impl Answer ===

impl Answer {
    pub(crate) fn etag(&self) -> &str {
        self.headers["etag"].to_str().unwrap()
    }

    pub(crate) fn message(&self) -> &str {
        self.json["error_msg"].as_str().unwrap()
    }

    /// The id in `key`.
    pub(crate) fn id(&self) -> &str {
        self.json["key"]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap()
    }
}

pub(crate) const SECRET: &str = "sk-upstream-0123456789";

pub(crate) fn provider_key(name: &str) -> Value {
    json!({"display_name": name, "provider": "openai", "api_key": SECRET})
}

pub(crate) fn model(name: &str, key: &str) -> Value {
    json!({"display_name": name, "provider": "openai", "model_name": "gpt", "provider_key_id": key})
}
