//! The control plane of the real binary: embedded store, admin listener, restarts.

use std::{fs, os::unix::fs::PermissionsExt, sync::Arc};

use aisix_tests::{
    client::{Client, Response},
    gateway::{self, ADMIN_KEY, Gateway, KEY, Setup, Signal},
    tls::Certificate,
    upstream::{self, Answer, Flavour, Upstream},
    within,
};
use http::{Method, StatusCode};
use serde_json::{Value, json};

async fn put(admin: &Client, path: &str, document: &Value) -> Response {
    let json = admin.clone().header("content-type", "application/json");
    let path = format!("/aisix/admin/{path}");
    json.send(Method::PUT, &path, document.to_string().into())
        .await
}

/// What was acknowledged is served.
async fn at_once(status: u16, ask: impl AsyncFn() -> Response) {
    assert_eq!(ask().await.status.as_u16(), status);
}

fn one_document(upstream: &Upstream) -> Value {
    json!({"name": "gpt", "model": "openai/text",
        "provider_config": {"api_key": upstream::KEY, "api_base": upstream.base_url()}})
}

#[tokio::test]
async fn what_administrators_write_is_served_and_survives_a_kill() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    upstream.on("text", Answer::text(["Hello"]));
    let gateway = Gateway::start(Setup::embedded()).await;
    let admin = gateway.administrator().await;

    let made = admin
        .post("/aisix/admin/models", &one_document(&upstream))
        .await;
    assert_eq!(made.status, 201);
    let model = made.json().await["key"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let key = json!({"key": KEY, "allowed_models": ["*"]});
    let made = admin.post("/aisix/admin/apikeys", &key).await.json().await;
    assert_eq!(made["plaintext"], KEY);
    let client = Client::new(gateway.proxy());
    at_once(200, async || client.chat("gpt", "hi").await).await;

    let patch = admin
        .clone()
        .header("content-type", "application/merge-patch+json");
    let path = format!("/aisix/admin{model}");
    let renamed = patch
        .send(Method::PATCH, &path, r#"{"display_name": "other"}"#.into())
        .await;
    assert_eq!(renamed.status, 200);
    at_once(404, async || client.chat("gpt", "hi").await).await;
    assert_eq!(client.chat("other", "hi").await.status, 200);

    let store = gateway.directory().join("aisix-data/store.redb");
    let mode = fs::metadata(store)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let printed = gateway.printed();
    assert!(
        !printed.contains(ADMIN_KEY) && !printed.contains(upstream::KEY),
        "{printed}"
    );

    let directory = gateway.kill().await;
    let again = Gateway::try_start_in(Setup::embedded(), directory).await;
    let again = again.unwrap_or_else(|printed| panic!("{printed}"));
    let client = Client::new(again.proxy());
    assert_eq!(
        client.chat("other", "hi").await.status,
        200,
        "at once: it was there at the start"
    );
    let admin = again.administrator().await;
    let history = admin.get("/aisix/admin/history").await.json().await;
    assert_eq!(history["total"], 3, "{history}");
}

#[tokio::test]
async fn a_revoked_key_and_a_rotated_one() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    upstream.on("text", Answer::text(["Hello"]));
    let gateway = Gateway::start(Setup::embedded()).await;
    let admin = gateway.administrator().await;
    admin
        .post("/aisix/admin/models", &one_document(&upstream))
        .await;
    let document = json!({"key": KEY, "allowed_models": ["*"]});
    put(&admin, "api_keys/me", &document).await;
    let old = Client::new(gateway.proxy());
    at_once(200, async || old.chat("gpt", "hi").await).await;

    let rotate = "/aisix/admin/api_keys/me/rotate";
    let rotated = admin
        .post(rotate, &json!({"grace_seconds": 600}))
        .await
        .json()
        .await;
    let new = rotated["plaintext"].as_str().expect("told once").to_owned();
    let bearer = format!("Bearer {new}");
    let new = Client::anonymous(gateway.proxy()).header("authorization", &bearer);
    at_once(200, async || new.chat("gpt", "hi").await).await;
    assert_eq!(old.chat("gpt", "hi").await.status, 200, "both work");

    admin.post(rotate, &json!({"grace_seconds": 0})).await;
    at_once(401, async || new.chat("gpt", "hi").await).await;
    assert_eq!(old.chat("gpt", "hi").await.status, 401, "neither works");
}

#[tokio::test]
async fn acknowledged_writes_survive_a_kill_in_the_middle_of_them() {
    let gateway = Gateway::start(Setup::embedded()).await;
    let admin = gateway.administrator().await;
    let addr = gateway.admin().await;
    let (sender, mut acknowledged) = tokio::sync::mpsc::unbounded_channel();
    for writer in 0..4 {
        let sender = sender.clone();
        tokio::spawn(async move {
            for n in 0_u32.. {
                // A bare connection: the process dies in the middle of an answer.
                let body = r#"{"allowed_models": []}"#;
                let request = format!(
                    "PUT /aisix/admin/api_keys/{writer}-{n} HTTP/1.1\r\nhost: a\r\nx-api-key: {ADMIN_KEY}\r\n\
                     content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                if !exchange(addr, request)
                    .await
                    .is_some_and(|answer| answer.starts_with("HTTP/1.1 201"))
                {
                    return;
                }
                if sender.send(format!("/api_keys/{writer}-{n}")).is_err() {
                    return;
                }
            }
        });
    }
    drop(sender);
    let mut known = Vec::new();
    while known.len() < 100 {
        known.push(
            within("a write", acknowledged.recv())
                .await
                .expect("it goes on"),
        );
    }
    drop(admin);
    let directory = gateway.kill().await;
    while let Some(late) = within("the last writes", acknowledged.recv()).await {
        known.push(late);
    }

    let again = Gateway::try_start_in(Setup::embedded(), directory).await;
    let again = again.unwrap_or_else(|printed| panic!("{printed}"));
    let admin = again.administrator().await;
    let list = admin.get("/aisix/admin/api_keys").await.json().await;
    let found: Vec<&str> = list["list"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|it| it["key"].as_str())
        .collect();
    for key in &known {
        assert!(found.contains(&key.as_str()), "{key} was acknowledged");
    }
}

/// What comes back on a connection of its own; `None` when it breaks.
async fn exchange(addr: std::net::SocketAddr, request: String) -> Option<String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut socket = tokio::net::TcpStream::connect(addr).await.ok()?;
    socket.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.ok()?;
    Some(answer)
}

#[tokio::test]
async fn a_second_process_on_the_same_directory_is_told_so() {
    let first = Gateway::start(Setup::embedded()).await;
    let data = first.directory().join("aisix-data").display().to_string();
    let second = Setup::embedded().config(json!({"data_dir": data}));
    let printed = Gateway::try_start(second).await.expect_err("it is in use");
    assert!(printed.contains("exit status: 1"), "{printed}");
    assert!(
        printed.contains("store.redb is in use by another process"),
        "{printed}"
    );
}

#[tokio::test]
async fn without_a_configured_key_one_is_told_at_the_first_start_only() {
    let no_keys = || Setup::embedded().config(json!({"admin": {"admin_keys": []}}));
    let first = Gateway::start(no_keys()).await;
    let line = first
        .told("the admin key", |line| {
            line.trim_start().starts_with("admin key ")
        })
        .await;
    let key = line.rsplit(' ').next().unwrap_or_default().to_owned();
    let made_up = |addr| Client::anonymous(addr).header("x-api-key", &key);
    let answer = made_up(first.admin().await)
        .get("/aisix/admin/models")
        .await;
    assert_eq!(answer.status, 200, "{line}");
    assert_eq!(
        first
            .administrator()
            .await
            .get("/aisix/admin/models")
            .await
            .status,
        401
    );
    let file = first.directory().join("aisix-data/admin-key.sha256");
    // It is told first and remembered then.
    within("the hash", async {
        while !file.exists() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!fs::read_to_string(&file).expect("readable").contains(&key));
    assert_eq!(
        fs::metadata(&file).expect("there").permissions().mode() & 0o777,
        0o600
    );

    let directory = first.kill().await;
    let again = Gateway::try_start_in(no_keys(), directory).await;
    let again = again.unwrap_or_else(|printed| panic!("{printed}"));
    assert_eq!(
        made_up(again.admin().await)
            .get("/aisix/admin/models")
            .await
            .status,
        200
    );
    assert!(
        !again.printed().contains("admin key"),
        "{}",
        again.printed()
    );
}

#[tokio::test]
async fn bare_aisix_serves_on_this_machine_and_keeps_what_it_is_told() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut command = gateway::command();
    // The default ports may be taken where tests run; that they are the default is a test of the settings.
    for listener in [
        "PROXY__ADDR",
        "ADMIN__ADDR",
        "OBSERVABILITY__METRICS__PROMETHEUS__ADDR",
    ] {
        command.env(format!("AISIX_{listener}"), "127.0.0.1:0");
    }
    let gateway = Gateway::launch(command, directory).await;
    let mut gateway = gateway.unwrap_or_else(|printed| panic!("{printed}"));
    let line = gateway
        .told("the admin key", |line| {
            line.trim_start().starts_with("admin key ")
        })
        .await;
    let key = line.rsplit(' ').next().unwrap_or_default();
    let admin = Client::anonymous(gateway.admin().await).header("x-api-key", key);

    // The commands that it tells work as they are.
    let model =
        json!({"name": "mock", "model": "mock/mock", "provider_config": {"api_key": "none"}});
    assert_eq!(admin.post("/aisix/admin/models", &model).await.status, 201);
    let made = admin
        .post("/aisix/admin/api_keys", &json!({"allowed_models": ["*"]}))
        .await;
    let caller = made.json().await["plaintext"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let client = Client::anonymous(gateway.proxy()).header("x-api-key", &caller);
    at_once(200, async || client.chat("mock", "hi").await).await;
    assert!(gateway.directory().join("aisix-data/store.redb").is_file());

    gateway.signal(Signal::HUP);
    let told = |line: &Value| line["message"] == "there is nothing to reload";
    gateway.logged("the answer to SIGHUP", told).await;
    gateway.signal(Signal::TERM);
    assert!(gateway.exited().await.success());
}

#[tokio::test]
async fn a_file_is_shown_to_administrators_and_written_elsewhere() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let admin =
        json!({"admin": {"enabled": true, "addr": "127.0.0.1:0", "admin_keys": [ADMIN_KEY]}});
    let setup = Setup::new()
        .config(admin)
        .provider(&upstream)
        .models(["text"]);
    let gateway = Gateway::start(setup.clone()).await;
    let admin = gateway.administrator().await;
    let keys = admin.get("/aisix/admin/provider_keys").await;
    let text = keys.text().await;
    assert!(
        text.contains("\"total\":1") && !text.contains(upstream::KEY),
        "{text}"
    );

    let refused = admin
        .post("/aisix/admin/apikeys", &json!({"allowed_models": []}))
        .await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let message = refused.json().await["error_msg"].to_string();
    assert!(
        message.contains("resources.yaml: change them there"),
        "{message}"
    );

    gateway.write_resources(&setup.models(["another"]));
    gateway.reloaded(1).await;
    assert_eq!(
        admin
            .get("/admin/v1/models")
            .await
            .json()
            .await
            .as_array()
            .map(Vec::len),
        Some(2)
    );
}

#[tokio::test]
async fn the_admin_listener_has_probes_and_a_playground_for_callers() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    upstream.on("text", Answer::text(["Hello"]));
    let gateway = Gateway::start(Setup::embedded()).await;
    let admin = gateway.administrator().await;
    for probe in ["/livez", "/readyz"] {
        assert_eq!(
            Client::anonymous(gateway.admin().await)
                .get(probe)
                .await
                .text()
                .await,
            "ok"
        );
    }
    admin
        .post("/aisix/admin/models", &one_document(&upstream))
        .await;
    admin
        .post(
            "/aisix/admin/apikeys",
            &json!({"key": KEY, "allowed_models": ["*"]}),
        )
        .await;
    at_once(200, async || {
        Client::new(gateway.proxy()).chat("gpt", "hi").await
    })
    .await;

    let body = json!({"model": "gpt", "messages": [{"role": "user", "content": "hi"}]});
    let path = "/playground/chat/completions";
    let caller = Client::new(gateway.admin().await);
    let answer = caller.post(path, &body).await.json().await;
    assert_eq!(
        answer["choices"][0]["message"]["content"], "Hello",
        "{answer}"
    );
    // The administrator's key is no caller's, nor the other way round.
    assert_eq!(admin.post(path, &body).await.status, 401);
    assert_eq!(caller.get("/aisix/admin/models").await.status, 401);
    assert_eq!(caller.post("/v1/chat/completions", &body).await.status, 404);
}

#[tokio::test]
async fn a_storm_of_writes_fails_no_request() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    upstream.on("text", Answer::text(["Hello"]));
    let gateway = Arc::new(Gateway::start(Setup::embedded()).await);
    let admin = gateway.administrator().await;
    admin
        .post("/aisix/admin/models", &one_document(&upstream))
        .await;
    put(
        &admin,
        "api_keys/me",
        &json!({"key": KEY, "allowed_models": ["*"]}),
    )
    .await;
    let client = Client::new(gateway.proxy());
    at_once(200, async || client.chat("gpt", "hi").await).await;

    let storm = (0..8).map(|writer| {
        let admin = admin.clone();
        tokio::spawn(async move {
            for n in 0..50 {
                let document = json!({"key": format!("sk-{writer}-{n}"), "allowed_models": []});
                let answer = put(&admin, &format!("api_keys/{writer}"), &document).await;
                assert!(answer.status.is_success(), "{}", answer.text().await);
            }
        })
    });
    let mut storm: Vec<_> = storm.collect();
    while storm.iter().any(|writer| !writer.is_finished()) {
        assert_eq!(client.chat("gpt", "hi").await.status, 200);
    }
    for writer in storm.drain(..) {
        writer.await.expect("every write was taken");
    }
    let last = Client::anonymous(gateway.proxy()).header("x-api-key", "sk-7-49");
    at_once(403, async || last.chat("gpt", "hi").await).await;
    let gone = Client::anonymous(gateway.proxy()).header("x-api-key", "sk-7-48");
    assert_eq!(gone.chat("gpt", "hi").await.status, 401);
}

#[tokio::test]
async fn status_tells_what_is_served() {
    let gateway = Gateway::start(Setup::embedded()).await;
    let admin = gateway.administrator().await;
    let metrics = Client::anonymous(gateway.metrics_listener());
    let status = metrics.get("/status/config").await.json().await;
    assert_eq!(
        (&status["state"], &status["source"]["type"]),
        (&json!("empty"), &json!("embedded"))
    );
    let hash = status["applied"]["config_hash"].clone();

    admin
        .post("/aisix/admin/api_keys", &json!({"allowed_models": []}))
        .await;
    let status = metrics.get("/status/config").await.json().await;
    assert_eq!(status["state"], "synced", "{status}");
    assert_eq!(status["applied"]["applied_revision"], 1);
    assert_eq!(status["applied"]["resource_counts"], json!({"api_keys": 1}));
    assert_ne!(status["applied"]["config_hash"], hash);
    assert_eq!(
        (&status["rejected"], &status["last_reload"]["successful"]),
        (&json!([]), &json!(true))
    );
    let told = admin.get("/aisix/admin/status").await.json().await;
    assert_eq!(
        (&told["revision"], &told["config"]["applied"]),
        (&json!(1), &status["applied"])
    );
    assert!(told["age_seconds"].as_u64() < Some(60), "{told}");
    let text = gateway.metrics().await;
    assert!(text.contains("aisix_config_applied_revision 1\n"), "{text}");
    let info = format!(
        "aisix_config_hash_info{{hash={}}} 1\n",
        status["applied"]["config_hash"]
    );
    assert!(text.contains(&info), "{info} is missing in\n{text}");
}

#[tokio::test]
async fn the_health_of_models_is_told_on_both_listeners() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let gateway = Gateway::start(Setup::embedded()).await;
    let admin = gateway.administrator().await;
    let metrics = Client::anonymous(gateway.metrics_listener());
    let health = async || admin.get("/admin/v1/health").await.json().await;
    let nothing = json!({"status": "ok", "models": [],
        "config": {"snapshot_revision": 0, "snapshot_age_seconds": 0}});
    assert_eq!(health().await, nothing);

    put(&admin, "models/gpt", &one_document(&upstream)).await;
    let mut odd = one_document(&upstream);
    odd["name"] = "odd".into();
    odd["model"] = "nobody/odd".into();
    odd["provider_config"] = json!({"api_key": "k"});
    put(&admin, "models/odd", &odd).await;
    let reason = "no provider \"nobody\" can serve this model";
    let models = json!([
        {"id": "gpt", "display_name": "gpt", "kind": "direct", "status": "healthy", "in_flight": 0},
        {"id": "odd", "display_name": "odd", "kind": "direct", "status": "unhealthy", "status_reason": reason},
    ]);
    assert_eq!(metrics.get("/status/models").await.json().await, models);
    let told = admin.get("/admin/v1/models/status").await;
    assert_eq!(told.json().await, models);
    let told = admin.get("/aisix/admin/status").await.json().await;
    assert_eq!(told["models"], models);
    assert_eq!(health().await["status"], "degraded");
    assert_eq!(
        health().await["models"][1],
        json!({"id": "odd", "name": "odd", "health": 2})
    );
    assert_eq!(health().await["config"]["snapshot_revision"], 2);
    let refused = Client::anonymous(gateway.admin().await);
    assert_eq!(refused.get("/admin/v1/health").await.status, 401);
}

#[tokio::test]
async fn status_tells_of_a_file_that_was_refused() {
    let gateway = Gateway::start(Setup::new()).await;
    let metrics = Client::anonymous(gateway.metrics_listener());
    gateway.write_resources(&Setup::new().entry("models", json!({"colour": 1})));
    let refused = |line: &Value| {
        let message = line["message"].as_str().unwrap_or_default();
        message.starts_with("resources file reload failed")
    };
    gateway.logged("the refusal", refused).await;
    let status = metrics.get("/status/config").await.json().await;
    assert_eq!(
        (&status["state"], &status["source"]["type"]),
        (&json!("out_of_sync"), &json!("file"))
    );
    let error = status["last_failure"]["error"].as_str().unwrap_or_default();
    assert!(error.contains("models[0]"), "{status}");
    assert_eq!(
        metrics.get("/status/ready").await.status,
        200,
        "the previous one serves"
    );
    gateway.write_resources(&Setup::new());
    gateway.reloaded(1).await;
    let status = metrics.get("/status/config").await.json().await;
    assert_eq!(status["state"], "synced", "{status}");
}

#[tokio::test]
async fn administrators_may_come_by_tls_and_a_bomb_does_not_go_off() {
    use async_compression::{Level, tokio::write::GzipEncoder};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let files = tempfile::tempdir().expect("a temporary directory");
    let certificate = Certificate::new("localhost");
    let (cert, key) = certificate.write(files.path());
    let tls = json!({"admin": {"tls": {"cert_file": cert, "key_file": key}}});
    let gateway = Gateway::start(Setup::embedded().config(tls)).await;
    let addr = gateway.admin().await;
    let ask = async |head: &str, body: &[u8]| {
        let stream = certificate.connect(addr, "http/1.1").await;
        let mut stream = stream.expect("the certificate is ours");
        let request = format!(
            "{head} HTTP/1.1\r\nhost: localhost\r\nx-api-key: {ADMIN_KEY}\r\n\
             content-type: application/json\r\ncontent-encoding: gzip\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream
            .write_all(request.as_bytes())
            .await
            .expect("it reads");
        stream.write_all(body).await.ok();
        let mut answer = Vec::new();
        within("the answer", stream.read_to_end(&mut answer))
            .await
            .ok();
        String::from_utf8_lossy(&answer).into_owned()
    };
    let gzip = async |text: Vec<u8>| {
        let mut encoder = GzipEncoder::with_quality(Vec::new(), Level::Fastest);
        encoder.write_all(&text).await.expect("memory");
        encoder.shutdown().await.expect("memory");
        encoder.into_inner()
    };
    let good = gzip(br#"{"allowed_models": []}"#.to_vec()).await;
    let answer = ask("PUT /aisix/admin/api_keys/me", &good).await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");

    // 64 MiB in a few hundred KiB.
    let bomb = gzip(vec![b' '; 64 << 20]).await;
    let before = gateway.resident_kib();
    let answer = ask("PUT /aisix/admin/api_keys/bomb", &bomb).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("the body is larger than 2 MiB"), "{answer}");
    assert!(
        gateway.resident_kib() < before + 32 * 1024,
        "it was not unpacked"
    );

    let plain = Client::anonymous(addr)
        .raw(b"GET /livez HTTP/1.1\r\n\r\n")
        .await;
    assert!(!plain.contains("200"), "plain HTTP is not spoken: {plain}");
}

/// An API key of about 900 KiB.
fn bulky() -> Value {
    let models = (0..58_000).map(|n| format!("model-{n:07}"));
    json!({"allowed_models": models.collect::<Vec<_>>()})
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_nothing_else_and_room_heals_it() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    upstream.on("text", Answer::text(["Hello"]));
    let setup = || Setup::embedded().after("trap '' XFSZ");
    let gateway = Gateway::start(setup()).await;
    let admin = gateway.administrator().await;
    put(&admin, "models/gpt", &one_document(&upstream)).await;
    let caller = json!({"key": KEY, "allowed_models": ["*"]});
    put(&admin, "api_keys/me", &caller).await;
    let client = Client::new(gateway.proxy());
    at_once(200, async || client.chat("gpt", "hi").await).await;

    let file = gateway.directory().join("aisix-data/store.redb");
    let full = fs::metadata(file).expect("it is there").len();
    gateway.limit_files(Some(full));
    let (bulky, mut made) = (bulky(), Vec::new());
    let refused = loop {
        assert!(made.len() < 20, "the disk is never full");
        let id = format!("api_keys/{}", made.len());
        let answer = put(&admin, &id, &bulky).await;
        match answer.status.as_u16() {
            201 => made.push(format!("/{id}")),
            status => break (status, answer.text().await),
        }
    };
    assert_eq!(refused.0, 500);
    assert!(
        refused.1.contains("store error: cannot write"),
        "{}",
        refused.1
    );
    at_once(200, async || client.chat("gpt", "hi").await).await;
    let keys = async |admin: &Client| {
        let list = admin.get("/aisix/admin/api_keys").await.json().await;
        let list = list["list"].as_array().into_iter().flatten();
        let keys = list.filter_map(|it| it["key"].as_str().map(str::to_owned));
        keys.collect::<Vec<_>>()
    };
    made.insert(0, "/api_keys/me".to_owned());
    assert_eq!(keys(&admin).await, made);
    assert_eq!(admin.get("/aisix/admin/history").await.status, 200);

    gateway.limit_files(None);
    assert_eq!(put(&admin, "api_keys/late", &bulky).await.status, 201);
    made.push("/api_keys/late".to_owned());

    // Nothing can be written at all, not even in place.
    let last = json!({"allowed_models": []});
    gateway.limit_files(Some(0));
    for _ in 0..3 {
        assert_eq!(put(&admin, "api_keys/none", &last).await.status, 500);
    }
    at_once(200, async || client.chat("gpt", "hi").await).await;
    assert_eq!(keys(&admin).await, made);
    gateway.limit_files(None);
    let history = admin.get("/aisix/admin/history").await.json().await;
    assert_eq!(history["total"], made.len() + 1, "the model too: {history}");
    assert_eq!(put(&admin, "api_keys/last", &last).await.status, 201);
    made.push("/api_keys/last".to_owned());
    let directory = gateway.kill().await;
    let again = Gateway::try_start_in(setup(), directory).await;
    let again = again.unwrap_or_else(|printed| panic!("{printed}"));
    assert_eq!(keys(&again.administrator().await).await, made);
}

#[tokio::test]
async fn garbage_is_refused_plainly_and_changes_nothing() {
    let gateway = Gateway::start(Setup::embedded()).await;
    let bare = Client::anonymous(gateway.admin().await);
    let key = format!("authorization: Bearer {ADMIN_KEY}\r\n");
    let json = "content-type: application/json\r\n";
    let long = "x".repeat(10_000);
    let endless = "x".repeat(100_000);
    let head = |line: &str, fields: &str| {
        let line = format!("{line}\r\nhost: a\r\nconnection: close\r\n{key}{fields}\r\n");
        line.into_bytes()
    };
    let with = |line: &str, fields: &str, body: &[u8]| {
        let length = format!("content-length: {}\r\n{json}{fields}", body.len());
        [&head(line, &length), body].concat()
    };
    let put = |path: &str| {
        let line = format!("PUT /aisix/admin/api_keys/{path} HTTP/1.1");
        with(&line, "", b"{\"allowed_models\": []}")
    };
    let get = |path: &str| head(&format!("GET {path} HTTP/1.1"), "");
    let cases: Vec<(&str, Vec<u8>, &[u16])> = vec![
        ("an encoded slash", get("/aisix/admin/models/a%2Fb"), &[404]),
        ("an encoded slash, written", put("a%2Fb"), &[400]),
        ("an encoded way up", put("%2e%2e%2fmodels%2fx"), &[400]),
        ("a dot", put("."), &[400]),
        ("a way up", put("../models/x"), &[404]),
        ("a way up and down", get("/aisix/admin/../admin/models"), &[404]),
        ("an empty id", put(""), &[404]),
        ("NUL", get("/aisix/admin/models/%00"), &[404]),
        ("NUL, written", put("a%00b"), &[400]),
        ("a bare NUL", put("a\0b"), &[400]),
        ("no UTF-8", put("%ff"), &[404]),
        ("no UTF-8 in a parameter", get("/aisix/admin/models?name=%ff"), &[400]),
        ("half an escape", put("%2"), &[400]),
        ("a long id", get(&format!("/aisix/admin/models/{long}")), &[404]),
        ("a long id, written", put(&long), &[400]),
        ("an endless path", put(&endless), &[414, 431]),
        ("an endless field", head("GET /aisix/admin/models HTTP/1.1", &format!("x: {endless}\r\n")), &[431]),
        ("a parameter twice", get("/aisix/admin/models?page=0&page=1"), &[200]),
        ("a parameter twice, wrong", get("/aisix/admin/models?page=1&page=0"), &[400]),
        ("HTTP/1.0", head("GET /aisix/admin/models HTTP/1.0", ""), &[200]),
        ("HTTP/1.0 without a host", format!("GET /aisix/admin/models HTTP/1.0\r\n{key}\r\n").into(), &[200]),
        ("HEAD", head("HEAD /aisix/admin/models HTTP/1.1", ""), &[200]),
        ("OPTIONS", head("OPTIONS /aisix/admin/models HTTP/1.1", ""), &[405]),
        ("OPTIONS *", head("OPTIONS * HTTP/1.1", ""), &[404]),
        ("TRACE", head("TRACE /aisix/admin/models HTTP/1.1", ""), &[405]),
        ("a method of its own", head("BREW /aisix/admin/models HTTP/1.1", ""), &[405]),
        ("a body that is no JSON", with("PUT /aisix/admin/api_keys/x HTTP/1.1", "", b"\xff\x00{"), &[400]),
        ("a JSON of another kind", with("PUT /aisix/admin/api_keys/x HTTP/1.1", "", b"[]"), &[400]),
        ("deep JSON", with("PUT /aisix/admin/api_keys/x HTTP/1.1", "", &b"[".repeat(100_000)), &[400]),
        ("a form", head("POST /aisix/admin/api_keys HTTP/1.1", "content-type: text/plain\r\ncontent-length: 2\r\n\r\n{}"), &[415]),
        ("too much", head("POST /aisix/admin/api_keys HTTP/1.1", &format!("{json}content-length: 2097153\r\n")), &[413]),
        ("two lengths", head("POST /aisix/admin/api_keys HTTP/1.1", &format!("{json}content-length: 2\r\ncontent-length: 3\r\n")), &[400]),
        ("another scheme", format!("GET /aisix/admin/models HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Basic {ADMIN_KEY}\r\n\r\n").into(), &[401]),
        ("half a key", format!("GET /aisix/admin/models HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-api-key: {}\r\n\r\n", &ADMIN_KEY[1..]).into(), &[401]),
    ];
    for (what, request, wanted) in cases {
        let answer = bare.raw(&request).await;
        let status = answer
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        assert!(
            status.is_some_and(|status| wanted.contains(&status)),
            "{what}: {answer}"
        );
        assert!(answer.len() < 2_048, "{what}: {} bytes", answer.len());
        if what == "HEAD" {
            assert!(answer.ends_with("\r\n\r\n"), "{answer}");
        }
        if what == "OPTIONS" {
            assert!(answer.contains("allow: GET, HEAD, POST"), "{answer}");
        }
    }
    let admin = gateway.administrator().await;
    let history = admin.get("/aisix/admin/history").await.json().await;
    assert_eq!(history["total"], 0, "{history}");
}
