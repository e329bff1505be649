//! What a provider may answer when it is broken: a clear error, or the right reading of an odd framing.

use aisix_tests::{
    client::{Client, Response},
    gateway::{Gateway, Setup},
    upstream::{Answer, Flavour, Framing, RawUpstream, Reply, Step, Upstream},
};
use serde_json::{Value, json};

async fn house() -> (Upstream, Gateway) {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let setup = Setup::new().provider(&upstream).models(["text"]);
    let setup = setup.model(
        "hasty",
        json!({"model_name": "text", "stream_timeout": 200}),
    );
    // Each fault is to be seen, and not mended by another attempt.
    let setup = setup.config(json!({"upstream": {"retries": 0}}));
    let gateway = Gateway::start(setup).await;
    (upstream, gateway)
}

async fn ask(gateway: &Gateway, streamed: bool) -> Response {
    let client = Client::new(gateway.proxy());
    if streamed {
        client.chat_stream("text", "hi").await
    } else {
        client.chat("text", "hi").await
    }
}

/// The text that the chunks of a stream carry, read as the format allows, and whether it ended well.
fn read(stream: &str) -> (String, bool) {
    let lines = stream.replace("\r\n", "\n").replace('\r', "\n");
    let payloads = lines
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .map(str::trim_start);
    let (mut text, mut done) = (String::new(), false);
    for payload in payloads {
        if payload == "[DONE]" {
            done = true;
            continue;
        }
        let chunk: Value = serde_json::from_str(payload).expect("every payload is JSON");
        text.push_str(
            chunk["choices"][0]["delta"]["content"]
                .as_str()
                .unwrap_or_default(),
        );
    }
    (text, done)
}

#[tokio::test]
async fn a_reply_that_is_no_answer_is_a_bad_gateway() {
    let (upstream, gateway) = house().await;
    let table = [
        ("HTML", Reply::html("<html><body>Bad gateway</body></html>")),
        (
            "truncated JSON",
            Reply::bytes("application/json", r#"{"id":"chatcmpl-1","choices":["#),
        ),
        ("an empty body", Reply::bytes("application/json", "")),
        (
            "an error with status 200",
            Reply::error(200, "server_error", None, "overloaded"),
        ),
        (
            "an error with HTML",
            Reply::html("<html>nginx</html>").status(503),
        ),
        (
            "a closed connection",
            Reply::json(&json!({})).before(Step::Cut),
        ),
    ];
    for (what, reply) in table {
        for streamed in [false, true] {
            upstream.next(reply.clone());
            let response = ask(&gateway, streamed).await;
            assert_eq!(response.status, 502, "{what}, streamed: {streamed}");
            let answer = response.json().await;
            assert!(answer["error"]["type"].is_string(), "{what}: {answer}");
            assert!(!answer.to_string().contains("html"), "{what}: {answer}");
        }
    }
    assert_eq!(ask(&gateway, false).await.status, 200);
}

#[tokio::test]
async fn a_provider_that_speaks_no_http_or_is_not_there_is_a_bad_gateway() {
    let nonsense = RawUpstream::start(vec![Step::Send("banana\r\n\r\n".into())]).await;
    let gone = RawUpstream::start(Vec::new()).await.base_url();
    for base in [nonsense.base_url(), gone] {
        let key = json!({"display_name": "upstream", "provider": "openai", "api_base": base, "api_key": "sk"});
        let gateway =
            Gateway::start(Setup::new().entry("provider_keys", key).models(["text"])).await;
        let response = ask(&gateway, false).await;
        assert_eq!(response.status, 502, "{base}");
        assert_eq!(
            response.json().await["error"]["type"],
            "transport_error",
            "{base}"
        );
    }
}

#[tokio::test]
async fn a_body_cut_short_never_looks_complete() {
    let (upstream, gateway) = house().await;
    upstream.next(Reply::json(&json!({"id": "chatcmpl-1", "choices": []})).at_byte(10, Step::Cut));
    let mut response = ask(&gateway, false).await;
    if response.status == 200 {
        while let Ok(piece) = response.piece().await {
            assert!(piece.is_some(), "the body ended as if it were complete");
        }
    } else {
        assert_eq!(response.status, 502);
    }
}

#[tokio::test]
async fn a_stream_cut_or_silent_midway_ends_with_an_error_event() {
    let (upstream, gateway) = house().await;
    for (model, step, kind) in [
        ("text", Step::Cut, None),
        ("hasty", Step::Stall, Some("timeout")),
    ] {
        upstream.next(Answer::text(["Hel", "lo"]).after(2, step));
        let response = Client::new(gateway.proxy()).chat_stream(model, "hi").await;
        assert_eq!(response.status, 200);
        let stream = response.text().await;
        assert_eq!(read(&stream), ("Hel".to_owned(), false), "{stream}");
        let (_, payload) = stream
            .rsplit_once("event: error\ndata: ")
            .expect("an error event");
        let event: Value =
            serde_json::from_str(payload.trim_end()).expect("the error event comes last");
        assert!(event["error"]["message"].is_string(), "{event}");
        assert!(
            kind.is_none_or(|kind| event["error"]["type"] == kind),
            "{event}"
        );
    }
    upstream.exchange(1).await.closed().await;
}

#[tokio::test]
async fn every_framing_that_the_format_allows_is_understood() {
    let (upstream, gateway) = house().await;
    let plain = Framing::default();
    let table = [
        Framing {
            line_end: "\r\n",
            ..plain
        },
        Framing {
            line_end: "\r",
            ..plain
        },
        Framing {
            space: false,
            ..plain
        },
        Framing {
            comments: 10_000,
            ..plain
        },
        Framing {
            line_end: "\r\n",
            space: false,
            comments: 3,
            ..plain
        },
    ];
    let long = "ö€😀".repeat(350_000);
    for framing in table {
        for split in [None, Some(1), Some(7)] {
            let split = split.filter(|_| framing.comments < 100);
            let answer = Answer::text(["Hel", "lo wörld €😀"])
                .usage(7, 2)
                .framing(framing);
            upstream.next(aisix_tests::upstream::Script::new(move |request| {
                let reply = answer.reply_to(request);
                split.map_or(reply.clone(), |size| reply.split_every(size))
            }));
            let response = ask(&gateway, true).await;
            let id = response
                .header("x-aisix-request-id")
                .expect("always sent")
                .to_owned();
            let stream = response.text().await;
            assert_eq!(
                read(&stream),
                ("Hello wörld €😀".to_owned(), true),
                "{framing:?} in {split:?}"
            );
            assert!(
                !stream.contains("prompt_tokens\":7"),
                "usage was not asked for: {framing:?} in {split:?}"
            );
            assert_eq!(
                gateway.access_log(&id).await["total_tokens"],
                9,
                "{framing:?} in {split:?}"
            );
        }
    }
    upstream.next(Answer::text([long.clone()]));
    assert!(
        read(&ask(&gateway, true).await.text().await) == (long, true),
        "a long event came out different"
    );
}
