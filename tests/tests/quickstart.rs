//! `aisix quickstart`, as somebody meets it who has just built it.

use aisix_tests::{
    client::Client,
    gateway::{self, Gateway, Signal},
    within,
};
use serde_json::{Value, json};
use tokio::process::Command;

async fn quickstart(env: &[(&str, &str)]) -> Gateway {
    let mut command = gateway::command();
    command.arg("quickstart").envs(env.iter().copied()).envs([
        ("AISIX_PROXY__ADDR", "127.0.0.1:0"),
        (
            "AISIX_OBSERVABILITY__METRICS__PROMETHEUS__ADDR",
            "127.0.0.1:0",
        ),
    ]);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let gateway = Gateway::launch(command, directory).await;
    gateway.unwrap_or_else(|printed| panic!("it did not start:\n{printed}"))
}

/// The key that it printed.
fn key(gateway: &Gateway) -> String {
    let printed = gateway.printed();
    let key = printed
        .lines()
        .find_map(|line| line.trim().strip_prefix("key "));
    key.expect("a key is printed").trim().to_owned()
}

/// The `curl` command that it printed, with its continuation lines.
fn curl(gateway: &Gateway) -> String {
    let printed = gateway.printed();
    let start = printed.find("curl http").expect("a curl line is printed");
    let lines = printed[start..].split_inclusive('\n');
    let mut more = true;
    let command = lines.take_while(|line| std::mem::replace(&mut more, line.ends_with("\\\n")));
    command.collect()
}

#[tokio::test]
async fn the_line_that_is_printed_works_as_pasted() {
    let gateway = quickstart(&[]).await;
    let line = curl(&gateway);
    let shell = Command::new("bash").args(["-c", &line]).output();
    let output = within("curl", shell).await.expect("bash is there");
    let answer: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{line}\nanswered {output:?}"));
    let said = &answer["choices"][0]["message"]["content"];
    assert!(
        said.as_str().is_some_and(|text| text.contains("mock")),
        "{answer}"
    );
    assert!(
        answer["usage"]["total_tokens"]
            .as_u64()
            .is_some_and(|sum| sum > 0),
        "{answer}"
    );
}

#[tokio::test]
async fn every_start_has_a_key_of_its_own_and_no_other_opens_it() {
    let (one, two) = tokio::join!(quickstart(&[]), quickstart(&[]));
    assert_ne!(key(&one), key(&two));
    for (credential, status) in [(key(&one), 401), (key(&two), 200)] {
        let client = Client::anonymous(two.proxy()).header("x-api-key", &credential);
        assert_eq!(client.chat("mock", "hi").await.status, status);
    }
}

#[tokio::test]
async fn models_appear_when_their_key_is_in_the_environment() {
    let secrets = [
        ("OPENAI_API_KEY", "sk-open"),
        ("DEEPSEEK_API_KEY", "sk-deep"),
    ];
    let statuses = [[404, 404], [502, 404], [502, 502]];
    for (given, statuses) in statuses.into_iter().enumerate() {
        let env = &secrets[..given];
        // Nobody listens there, so nothing leaves the machine.
        let nowhere = [("HTTPS_PROXY", "http://127.0.0.1:1")];
        let gateway = quickstart(&[env, &nowhere].concat()).await;
        let client = Client::anonymous(gateway.proxy()).header("x-api-key", &key(&gateway));
        for (model, status) in ["gpt-4o-mini", "deepseek-chat"].into_iter().zip(statuses) {
            assert_eq!(
                client.chat(model, "hi").await.status,
                status,
                "{env:?} {model}"
            );
        }
        let printed = gateway.printed();
        assert!(
            !printed.contains("sk-open") && !printed.contains("sk-deep"),
            "{printed}"
        );
    }
}

#[tokio::test]
async fn the_mock_does_as_it_is_told() {
    let gateway = quickstart(&[]).await;
    let client = Client::anonymous(gateway.proxy()).header("x-api-key", &key(&gateway));
    let ask = async |stream: bool, script: Value| {
        let messages = json!([{"role": "user", "content": "hi"}]);
        let body = json!({"model": "mock", "stream": stream, "messages": messages, "mock": script});
        client.post("/v1/chat/completions", &body).await
    };
    let said = ask(false, json!({"text": "as told"})).await.json().await;
    assert_eq!(said["choices"][0]["message"]["content"], "as told");

    let call = json!({"name": "weather", "arguments": {"city": "Paris"}});
    let called = ask(false, json!({"tool_call": call})).await.json().await;
    let function = &called["choices"][0]["message"]["tool_calls"][0]["function"];
    assert_eq!(function["arguments"], "{\"city\":\"Paris\"}");

    let mut stream = ask(true, json!({"text": "abcdefgh", "chunks": 4})).await;
    let mut pieces = Vec::new();
    while let Some(chunk) = stream.data().await {
        let piece = chunk["choices"][0]["delta"]["content"]
            .as_str()
            .map(str::to_owned);
        pieces.extend(piece.filter(|piece| !piece.is_empty()));
    }
    assert_eq!(pieces, ["ab", "cd", "ef", "gh"]);

    let cut = ask(true, json!({"text": "a b c", "cut_after": 2}))
        .await
        .text()
        .await;
    assert!(
        cut.contains("event: error") && !cut.contains("[DONE]"),
        "{cut}"
    );
    for (script, status) in [
        (json!({"error": 429}), 429),
        (json!({"malformed": true}), 502),
    ] {
        assert_eq!(ask(false, script.clone()).await.status, status, "{script}");
    }
}

#[tokio::test]
async fn metrics_are_where_it_says() {
    let gateway = quickstart(&[]).await;
    let url = format!("http://{}/metrics", gateway.metrics_listener());
    assert!(gateway.printed().contains(&url), "{url} is not printed");
    assert!(
        gateway
            .metrics()
            .await
            .contains("# TYPE aisix_config_last_reload_successful gauge")
    );
}

#[tokio::test]
async fn an_interrupt_ends_it_at_once_and_in_order() {
    let mut gateway = quickstart(&[]).await;
    let started = std::time::Instant::now();
    gateway.signal(Signal::INT);
    assert!(gateway.exited().await.success());
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
}
