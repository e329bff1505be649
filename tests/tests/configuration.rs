//! `config.yaml`, its other formats, and the variables that override it.

use std::fs;

use aisix_tests::{
    client::Client,
    etcd::Etcd,
    gateway::{self, Gateway, KEY, Setup},
    upstream::{self, Answer, Flavour, Upstream},
};
use serde_json::{Value, json};

const CHAT: &str = "/v1/chat/completions";

const YAML: &str = "
resources_file: resources.yaml
proxy: {addr: '127.0.0.1:0', request_body_limit_bytes: 7}
observability: {metrics: {prometheus: {addr: '127.0.0.1:0'}}}
";
const TOML: &str = "
resources_file = 'resources.yaml'
proxy = {addr = '127.0.0.1:0', request_body_limit_bytes = 7}
observability.metrics.prometheus.addr = '127.0.0.1:0'
";
const JSON: &str = r#"{
    "resources_file": "resources.yaml",
    "proxy": {"addr": "127.0.0.1:0", "request_body_limit_bytes": 7},
    "observability": {"metrics": {"prometheus": {"addr": "127.0.0.1:0"}}}
}"#;

#[tokio::test]
async fn a_file_is_read_in_each_format_by_flag_and_by_variable() {
    for (name, text) in [
        ("c.yaml", YAML),
        ("c.yml", YAML),
        ("c.toml", TOML),
        ("c.json", JSON),
    ] {
        for by_variable in [false, true] {
            let directory = tempfile::tempdir().expect("a temporary directory");
            let (file, resources) = (directory.path().join(name), "_format_version: '1'\n");
            fs::write(&file, text).expect("the directory is writable");
            fs::write(directory.path().join("resources.yaml"), resources).expect("writable");
            let mut command = gateway::command();
            match by_variable {
                true => command.env("AISIX_CONFIG", &file),
                false => command.arg("-c").arg(&file),
            };
            let gateway = Gateway::launch(command, directory).await;
            let gateway = gateway.unwrap_or_else(|printed| panic!("{name}: {printed}"));
            let client = Client::anonymous(gateway.proxy());
            assert_eq!(
                client.post_bytes(CHAT, "1234567").await.status,
                401,
                "{name}"
            );
            assert_eq!(
                client.post_bytes(CHAT, "12345678").await.status,
                413,
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn a_variable_wins_over_the_file_and_an_unknown_one_is_told_and_ignored() {
    let setup = Setup::new()
        .config(json!({"proxy": {"request_body_limit_bytes": 7}}))
        .env("AISIX_PROXY__REQUEST_BODY_LIMIT_BYTES", "3")
        .env("AISIX_OBSERVABILITY__METRICS__PROMETHEUS__PATH", "/m")
        .env("AISIX_DP_BUDGET_STALE_MAX_SECONDS", "60")
        .env("AISIX_PROXY__COLOUR", "blue-ish");
    let gateway = Gateway::start(setup).await;
    let client = Client::anonymous(gateway.proxy());
    assert_eq!(client.post_bytes(CHAT, "1234").await.status, 413);
    let metrics = Client::anonymous(gateway.metrics_listener());
    assert_eq!(metrics.get("/m").await.status, 200);
    assert_eq!(metrics.get("/metrics").await.status, 404);
    for variable in ["AISIX_DP_BUDGET_STALE_MAX_SECONDS", "AISIX_PROXY__COLOUR"] {
        let told = |line: &Value| {
            let message = line["message"].as_str().unwrap_or_default();
            line["level"] == "WARN" && message.contains(variable)
        };
        gateway.logged(variable, told).await;
    }
    let printed = gateway.printed();
    assert!(
        !printed.contains("blue-ish"),
        "a value was printed: {printed}"
    );
}

#[tokio::test]
async fn a_later_revisions_keys_warn_and_do_not_stop_the_start() {
    let later = json!({
        "observability": {"debug": {"enabled": true}, "heap_profiling": {"enabled": false}, "metrics": {"labels": {}}},
        "proxy": {"listeners": []},
        "etcd": {"request_timeout_ms": null},
    });
    let gateway = Gateway::start(Setup::new().config(later)).await;
    for key in [
        "observability.debug",
        "observability.heap_profiling",
        "observability.metrics.labels",
        "proxy.listeners",
    ] {
        let told = |line: &Value| {
            let message = line["message"].as_str().unwrap_or_default();
            line["level"] == "WARN" && message.contains(&format!("`{key}`"))
        };
        gateway.logged(key, told).await;
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_settings_is_told_at_once_and_ends_with_1() {
    let wrong = json!({
        "proxy": {"addres": "127.0.0.1:0", "workers": 0, "real_ip": {"trusted_proxies": ["10.0.0.0/99"]}},
        "upstream": {"timeout": 5, "tls": {"client_cert_file": "cert.pem"}},
        "admin": {"enabled": true, "admin_keys": ["top-secret", ""]},
        "cache": {"backend": "redis"},
        "managed": {"enabled": true},
        "observability": {"metrics": {"otlp": {"enabled": true}}},
    });
    let printed = Gateway::try_start(Setup::new().config(wrong)).await;
    let printed = printed.expect_err("nothing of this is right");
    let expected = [
        "exit status: 1",
        "`proxy.addres` is not a known key; did you mean `proxy.addr`?",
        "`proxy.workers`",
        "`proxy.real_ip.trusted_proxies[0]`",
        "`upstream.timeout` is not a known key; did you mean `upstream.timeout_ms`?",
        "`upstream.tls.client_cert_file` needs `upstream.tls.client_key_file`",
        "`admin.admin_keys[1]` must not be empty",
        "`cache.backend` `redis` needs `cache.redis`",
        "`managed.enabled` is not supported yet",
        "`observability.metrics.otlp.enabled` is not supported yet",
    ];
    for expected in expected {
        assert!(
            printed.contains(expected),
            "{expected} is missing in\n{printed}"
        );
    }
    assert!(!printed.contains("top-secret"), "{printed}");
}

#[tokio::test]
async fn a_start_that_cannot_be_says_why() {
    let missing = gateway::run(&["--config", "/nowhere/config.yaml"]).await;
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("/nowhere/config.yaml"));
    assert_eq!(gateway::run(&["--colour"]).await.status.code(), Some(2));

    let first = Gateway::start(Setup::new()).await;
    let busy = first.metrics_listener().to_string();
    let metrics = json!({"observability": {"metrics": {"prometheus": {"addr": busy}}}});
    let printed = Gateway::try_start(Setup::new().config(metrics))
        .await
        .expect_err("in use");
    assert!(
        printed.contains("exit status: 1") && printed.contains(&busy),
        "{printed}"
    );

    let version = gateway::run(&["--version"]).await;
    assert!(version.stdout.starts_with(b"aisix 0."), "{version:?}");
}

#[tokio::test]
async fn a_variable_that_is_wrong_is_named() {
    let setup = Setup::new()
        .env("AISIX_PROXY__WORKERS", "many")
        .env("AISIX_UPSTREAM__TIMEOUT_MS", "-1");
    let printed = Gateway::try_start(setup).await.expect_err("both are wrong");
    for variable in ["AISIX_PROXY__WORKERS", "AISIX_UPSTREAM__TIMEOUT_MS"] {
        assert!(
            printed.contains(&format!("(set by {variable})")),
            "{printed}"
        );
    }
}

#[tokio::test]
async fn a_file_of_the_first_generation_serves_what_the_first_generation_wrote() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    upstream.on("text", Answer::text(["Hello"]));
    let etcd = Etcd::start().await;
    let model = json!({"name": "gpt", "model": "openai/text",
        "provider_config": {"api_key": upstream::KEY, "api_base": upstream.base_url()}});
    etcd.put("/first/models/1", &model.to_string()).await;
    let key = json!({"key": KEY, "allowed_models": ["gpt"]});
    etcd.put("/first/apikeys/2", &key.to_string()).await;

    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("config.yaml");
    let config = json!({
        "deployment": {
            "etcd": {"host": [etcd.endpoint()], "prefix": "/first", "timeout": 30},
            "admin": {"admin_key": [{"key": "first-admin-key"}]},
        },
        "server": {"proxy": {"listen": "127.0.0.1:0", "tls": {"enabled": false}}, "admin": {"listen": "127.0.0.1:0"}},
    });
    fs::write(&file, config.to_string()).expect("the directory is writable");
    let mut command = gateway::command();
    command.arg("-c").arg(&file);
    // Without a variable there would be no such listener, which the harness waits for.
    command.env("AISIX_OBSERVABILITY__METRICS__PROMETHEUS__ENABLED", "true");
    command.env(
        "AISIX_OBSERVABILITY__METRICS__PROMETHEUS__ADDR",
        "127.0.0.1:0",
    );
    let gateway = Gateway::launch(command, directory).await;
    let gateway = gateway.unwrap_or_else(|printed| panic!("{printed}"));
    assert_eq!(
        Client::new(gateway.proxy()).chat("gpt", "hi").await.status,
        200
    );
    let told = |line: &Value| {
        let message = line["message"].as_str().unwrap_or_default();
        line["level"] == "WARN" && message.contains("`deployment.etcd.host` is `etcd.endpoints`")
    };
    gateway.logged("what it is today", told).await;
    let log = gateway.log();
    assert_eq!(log.iter().filter(|line| told(line)).count(), 1, "once");
    let admin = log.iter().find(|line| line["listener"] == "admin");
    let admin = admin.and_then(|line| line["addr"].as_str()?.parse().ok());
    let admin = Client::anonymous(admin.expect("an address"));
    let listed = admin
        .header("x-api-key", "first-admin-key")
        .get("/aisix/admin/models")
        .await;
    assert_eq!(listed.json().await["total"], 1);
    assert!(!gateway.printed().contains("first-admin-key"));
}
