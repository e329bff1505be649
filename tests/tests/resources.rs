//! `resources.yaml`: what is accepted, how a refusal reads, and reloads under traffic.

use std::{fs, process::Output};

use aisix_tests::{
    client::Client,
    gateway::{self, Gateway, Setup, Signal},
    upstream::{self, Answer, Flavour, Gate, Step, Upstream},
    within,
};
use serde_json::{Value, json};

/// Runs `aisix validate` on a text, with these variables; the file's path becomes `FILE`.
async fn validate(text: &str, env: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("resources.yaml");
    fs::write(&file, text).expect("the directory is writable");
    let mut command = gateway::command();
    command
        .args(["validate", "--resources"])
        .arg(&file)
        .envs(env.iter().copied());
    let Output {
        status,
        stdout,
        stderr,
    } = within("validate", command.output())
        .await
        .expect("it starts");
    let printed =
        |bytes| String::from_utf8_lossy(bytes).replace(&file.display().to_string(), "FILE");
    (status.code(), printed(&stdout), printed(&stderr))
}

#[tokio::test]
async fn a_good_file_is_counted_and_reads_the_environment() {
    let text = "
_format_version: '1'
provider_keys: [{display_name: up, provider: openai, api_key: 'sk-${SECRET}-$$x', api_base: 'http://${HOST}/v1'}]
models: [{display_name: m, provider: openai, model_name: gpt, provider_key: up}]
api_keys: [{display_name: me, key_env: CALLER, allowed_models: [m]}]
";
    let env = [("SECRET", "s"), ("HOST", "h"), ("CALLER", "sk-me")];
    let (code, out, err) = validate(text, &env).await;
    assert_eq!(
        (code, out.as_str(), err.as_str()),
        (Some(0), "OK: FILE loaded 3 resource(s)\n", "")
    );

    let (code, out, err) = validate(text, &[("SECRET", ""), ("HOST", "h")]).await;
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(
        err.starts_with("resources file FILE: 2 error(s):\n"),
        "{err}"
    );
    assert!(
        err.contains("provider_keys[0] (\"up\"): ") && err.contains("SECRET"),
        "{err}"
    );
    assert!(
        err.contains("api_keys[0] (\"me\"): ") && err.contains("CALLER"),
        "{err}"
    );
}

#[tokio::test]
async fn every_error_is_told_with_its_place() {
    let text = "
_format_version: 1
colours: []
provider_keys: [{display_name: up, api_key: top-secret, secret: top-secret, id: x}]
models:
- {display_name: m, provider: openai, model_name: gpt, provider_key: nobody}
- {display_name: m, provider: openai, model_name: gpt, provider_key: up, time_out: 5}
- {display_name: s, provider: Open AI, model_name: 5, provider_key: up, rate_limit: {rpm: -1}}
api_keys: [{display_name: me, key_hash: abc, allowed_models: [m, absent]}]
";
    let (code, out, err) = validate(text, &[]).await;
    assert_eq!((code, out.as_str()), (Some(1), ""));
    let (head, rest) = err.split_once('\n').expect("more than a line");
    let lines: Vec<_> = rest.lines().collect();
    assert_eq!(
        head,
        format!("resources file FILE: {} error(s):", lines.len())
    );
    assert!(lines.iter().all(|line| line.starts_with("  - ")), "{err}");
    for (place, word) in [
        ("(file)", "_format_version"),
        ("(file)", "colours"),
        ("provider_keys[0] (\"up\")", "`id`"),
        ("provider_keys[0] (\"up\")", "`secret`"),
        ("models[0] (\"m\")", "nobody"),
        ("models[1] (\"m\")", "the same as that of models[0]"),
        ("models[1] (\"m\")", "did you mean `timeout`"),
        ("models[2] (\"s\")", "`provider`"),
        ("models[2] (\"s\")", "`model_name`"),
        ("models[2] (\"s\")", "`rate_limit.rpm`"),
        ("api_keys[0] (\"me\")", "`key_hash`"),
        ("api_keys[0] (\"me\")", "absent"),
    ] {
        let told = |line: &&str| line.starts_with(&format!("  - {place}: ")) && line.contains(word);
        assert!(
            lines.iter().any(told),
            "{place} {word} is missing in\n{err}"
        );
    }
    assert!(!err.contains("top-secret"), "{err}");
}

#[tokio::test]
async fn what_a_later_version_brings_is_not_supported_yet() {
    let key = "display_name: k, key_env: CALLER, allowed_models: []";
    let keys = [
        "allowed_routes: ['*']",
        "allowed_agents: ['*']",
        "mcp_access: {allow: ['*']}",
        "mcp_rate_limits: {a: {rpm: 1}}",
        "jwt_provider: a, jwt_subject: b",
    ];
    let kinds = [
        "mcp_servers",
        "a2a_agents",
        "observability_exporters",
        "oidc_providers",
        "claim_mappings",
        "passthrough_routes",
        "mcp_auth_settings",
    ];
    let entries = keys
        .map(|more| format!("api_keys: [{{{key}, {more}}}]"))
        .into_iter()
        .chain(kinds.map(|kind| format!("{kind}: [{{name: a}}]")));
    for entry in entries {
        let text = format!(
            "_format_version: '1'\nprovider_keys: [{{display_name: up, api_key: x}}]\n{entry}\n"
        );
        let (code, _, err) = validate(&text, &[("CALLER", "sk-me")]).await;
        assert_eq!(code, Some(1), "{entry}");
        assert!(err.contains("not supported yet"), "{entry}:\n{err}");
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_an_error_of_the_file() {
    for text in [
        "",
        "[]",
        "a: [",
        "_format_version: '1'\n_format_version: '1'\n",
        "_format_version: '2'\n",
        "models: []\n",
    ] {
        let (code, out, err) = validate(text, &[]).await;
        assert_eq!((code, out.as_str()), (Some(1), ""), "{text:?}: {err}");
        assert!(err.contains("resources file FILE"), "{text:?}: {err}");
    }
    let nowhere = gateway::run(&["validate", "--resources", "/nowhere"]).await;
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("/nowhere"));
}

#[tokio::test]
async fn secrets_come_from_the_environment_and_are_not_printed() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let key = json!({"display_name": "upstream", "provider": "openai", "api_key": "${SECRET}", "api_base": upstream.base_url()});
    let caller = json!({"display_name": "env", "key_env": "CALLER", "allowed_models": ["*"]});
    let setup = Setup::new()
        .entry("provider_keys", key)
        .entry("api_keys", caller)
        .models(["text"]);
    let gateway = Gateway::start(
        setup
            .env("SECRET", upstream::KEY)
            .env("CALLER", "sk-of-env"),
    )
    .await;
    let client = Client::anonymous(gateway.proxy()).header("x-api-key", "sk-of-env");
    assert_eq!(client.chat("text", "hi").await.status, 200);
    let printed = gateway.printed();
    assert!(
        !printed.contains(upstream::KEY) && !printed.contains("sk-of-env"),
        "{printed}"
    );
}

/// A gateway with one model and a caller who will go.
fn setup(upstream: &Upstream) -> Setup {
    Setup::new().provider(upstream).models(["text"])
}

fn with_guest(setup: Setup) -> Setup {
    setup.key("guest", "sk-guest", json!({"allowed_models": ["*"]}))
}

#[tokio::test]
async fn a_reload_by_signal_or_by_file_drops_nobody() {
    type Change = fn(&Gateway, &Setup);
    let table: [(&str, Change); 3] = [
        ("SIGHUP", |gateway, setup| {
            fs::write(gateway.resources_file(), setup.resources()).expect("writable");
            gateway.signal(Signal::HUP);
        }),
        ("a file renamed", |gateway, setup| {
            gateway.write_resources(setup);
        }),
        ("a file written", |gateway, setup| {
            fs::write(gateway.resources_file(), setup.resources()).expect("writable");
        }),
    ];
    for (how, change) in table {
        let upstream = Upstream::start(Flavour::OpenAi).await;
        let gateway = Gateway::start(with_guest(setup(&upstream))).await;
        let (client, guest) = (
            Client::new(gateway.proxy()),
            Client::anonymous(gateway.proxy()).header("x-api-key", "sk-guest"),
        );
        let gate = Gate::new();
        upstream.next(Answer::text(["Hel", "lo"]).after(2, Step::Wait(gate.clone())));
        let mut stream = guest.chat_stream("text", "hi").await;
        stream.data().await.expect("a first chunk");
        gate.reached().await;

        change(&gateway, &setup(&upstream).models(["new"]));
        gateway.reloaded(1).await;
        assert_eq!(client.chat("new", "hi").await.status, 200, "{how}");
        assert_eq!(guest.chat("text", "hi").await.status, 401, "{how}");
        assert!(upstream.exchange(0).await.going_on(), "{how}");
        gate.open();
        let rest = stream.text().await;
        assert!(
            rest.contains("\"lo\"") && rest.ends_with("data: [DONE]\n\n"),
            "{how}: {rest}"
        );
    }
}

#[tokio::test]
async fn a_bad_file_is_told_and_the_good_one_keeps_serving() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let gateway = Gateway::start(with_guest(setup(&upstream))).await;
    let bad = setup(&upstream)
        .models(["new"])
        .entry("models", json!({"colour": 1}));
    gateway.write_resources(&bad);
    let told = |line: &Value| {
        let message = line["message"].as_str().unwrap_or_default();
        line["level"] == "WARN"
            && message.contains("resources file reload failed — keeping the previous snapshot")
            && message.contains("models[2]")
    };
    gateway.logged("the refusal", told).await;
    let guest = Client::anonymous(gateway.proxy()).header("x-api-key", "sk-guest");
    assert_eq!(guest.chat("text", "hi").await.status, 200);
    assert_eq!(guest.chat("new", "hi").await.status, 404);
    assert!(
        gateway
            .metrics()
            .await
            .contains("aisix_config_last_reload_successful 0")
    );

    let chain = json!({"name": "default", "plugins": [{"name": "nobody"}]});
    gateway.write_resources(&setup(&upstream).models(["new"]).entry("gateways", chain));
    let told = |line: &Value| {
        let message = line["message"].as_str().unwrap_or_default();
        message.contains("gateways[0] (\"default\"): `plugins[0].name` is no known hook")
    };
    gateway.logged("the refusal of the chain", told).await;
    assert_eq!(guest.chat("new", "hi").await.status, 404);

    gateway.write_resources(&setup(&upstream).models(["new"]));
    gateway.reloaded(1).await;
    assert_eq!(guest.chat("text", "hi").await.status, 401);
    assert!(
        gateway
            .metrics()
            .await
            .contains("aisix_config_last_reload_successful 1")
    );
}
