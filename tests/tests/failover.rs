//! Targets that are broken below HTTP: another one takes over, and the caller does not notice.

use std::net::SocketAddr;

use aisix_tests::{
    client::Client,
    gateway::{Gateway, Setup},
    tls::{Certificate, Front},
    upstream::{self, Answer, Flavour, Message, RawUpstream, Step, Upstream},
    within,
};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// A gateway with a group for each address: the target there comes first, and one that is well behind it.
async fn house(addresses: &[(&str, String)]) -> (Upstream, Gateway) {
    let well = Upstream::start(Flavour::OpenAi).await;
    // Nothing but the time to connect ends an attempt within the test.
    let config = json!({"upstream": {"connect_timeout_ms": 200}});
    let mut setup = Setup::new().provider(&well).models(["text"]).config(config);
    for (name, address) in addresses {
        let key = json!({"display_name": name, "provider": "openai", "api_base": address, "api_key": upstream::KEY});
        let at = json!({"model_name": "text", "provider_key": name, "timeout": 600_000});
        let targets = json!([{"model": format!("at {name}")}, {"model": "text"}]);
        let group = json!({"display_name": name, "routing": {"targets": targets}});
        setup = setup
            .entry("provider_keys", key)
            .model(&format!("at {name}"), at)
            .entry("models", group);
    }
    (well, Gateway::start(setup).await)
}

/// Asks each group both ways: the second target has answered, after one attempt at the first.
async fn are_taken_over(gateway: &Gateway, groups: &[(&str, String)]) {
    for (name, _) in groups {
        for streamed in [false, true] {
            let id = format!("{}-{streamed}", name.replace(' ', "-"));
            let client = Client::new(gateway.proxy()).header("x-aisix-request-id", &id);
            let answer = async {
                match streamed {
                    true => client.chat_stream(name, "hi").await,
                    false => client.chat(name, "hi").await,
                }
            };
            let response = within(name, answer).await;
            assert_eq!(response.status, 200, "{id}");
            assert_eq!(response.header("x-aisix-served-by"), Some("text"), "{id}");
            assert!(!response.text().await.contains("error"), "{id}");
        }
        let line = gateway
            .access_log(&format!("{}-false", name.replace(' ', "-")))
            .await;
        assert_eq!(line["routing_attempt_count"], 2, "{line}");
    }
}

/// A port on which nobody listens.
async fn closed() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    listener
        .and_then(|it| it.local_addr())
        .expect("loopback has a free port")
}

/// A port that takes no connections and refuses none: its queue is full.
async fn black_hole() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().expect("there are sockets");
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(any).expect("loopback has a free port");
    let listener = socket.listen(1).expect("it is bound");
    let address = listener.local_addr().expect("it is bound");
    let mut queue = Vec::new();
    let moment = std::time::Duration::from_millis(100);
    while let Ok(Ok(connection)) = tokio::time::timeout(moment, TcpStream::connect(address)).await {
        queue.push(connection);
        assert!(queue.len() < 100, "its queue does not fill");
    }
    (address, listener, queue)
}

#[tokio::test]
async fn who_cannot_be_connected_is_passed_over_in_the_time_to_connect() {
    let (hole, _listener, _queue) = black_hole().await;
    let plain =
        RawUpstream::start(vec![Step::Send("HTTP/1.1 400 Bad Request\r\n\r\n".into())]).await;
    let certificate = Certificate::new("elsewhere.test");
    let untrusted = Front::start(plain.addr(), &certificate).await;
    let groups = [
        ("refused", format!("http://{}/v1", closed().await)),
        ("black hole", format!("http://{hole}/v1")),
        ("no such name", "http://nowhere.invalid/v1".to_owned()),
        ("no TLS there", format!("https://{}/v1", plain.addr())),
        ("untrusted", format!("https://{}/v1", untrusted.addr())),
    ];
    let (_well, gateway) = house(&groups).await;
    are_taken_over(&gateway, &groups).await;
}

#[tokio::test]
async fn who_breaks_off_in_any_phase_before_its_content_is_taken_over() {
    let head = |kind: &str| {
        format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: 1000\r\n\r\n")
    };
    let phases = [
        ("at once", String::new()),
        ("within the head", "HTTP/1.1 200 O".to_owned()),
        ("behind the head", head("text/event-stream")),
        (
            "within an answer",
            head("application/json") + r#"{"id": "chatcmpl-1", "#,
        ),
        (
            "within an event",
            head("text/event-stream") + "data: {\"id\": \"chatcmpl-1",
        ),
        ("no HTTP", "banana\r\n\r\n".to_owned()),
    ];
    let mut broken = Vec::new();
    let mut groups = Vec::new();
    for (name, said) in phases {
        let upstream = RawUpstream::start(vec![Step::Send(said.into()), Step::Cut]).await;
        groups.push((name, upstream.base_url()));
        broken.push(upstream);
    }
    let (_well, gateway) = house(&groups).await;
    are_taken_over(&gateway, &groups).await;
}

#[tokio::test]
async fn a_stream_that_breaks_after_content_is_gone_on_with() {
    let first = Upstream::start(Flavour::OpenAi).await;
    first.on(
        "text",
        Answer::text(["Once upon a time ", "there was"]).after(3, Step::Cut),
    );
    let second = Upstream::start(Flavour::Anthropic).await;
    second.on("claude", Message::text(&["a time there was", " a king"]));
    let key = json!({
        "display_name": "second",
        "provider": "anthropic",
        "api_base": second.base_url(),
        "api_key": upstream::KEY,
    });
    let claude = json!({"provider": "anthropic", "model_name": "claude", "provider_key": "second"});
    let routing =
        json!({"targets": [{"model": "text"}, {"model": "claude"}], "continue_on_break": true});
    let setup = Setup::new()
        .provider(&first)
        .models(["text"])
        .entry("provider_keys", key)
        .model("claude", claude)
        .entry(
            "models",
            json!({"display_name": "chat", "routing": routing}),
        );
    let gateway = Gateway::start(setup).await;
    let client = Client::new(gateway.proxy()).header("x-aisix-request-id", "broken");
    let text = client.chat_stream("chat", "hi").await.text().await;
    assert!(text.contains("\n: continued\n"), "{text}");
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    let events = text.lines().filter_map(|line| line.strip_prefix("data: {"));
    let pieces = events.map(|event| {
        let event: Value = serde_json::from_str(&format!("{{{event}")).expect("JSON");
        let piece = event["choices"][0]["delta"]["content"].as_str();
        piece.unwrap_or_default().to_owned()
    });
    let said: String = pieces.collect();
    assert_eq!(said, "Once upon a time there was a king", "{text}");

    let asked = second.exchange_for("claude").await.request.json();
    let messages = asked["messages"].as_array().expect("a list");
    let last = messages.last().expect("there are two");
    assert_eq!(last["role"], "assistant", "{asked}");
    assert!(
        last.to_string().contains("Once upon a time there was"),
        "{asked}"
    );
    let line = gateway.access_log("broken").await;
    assert_eq!(line["marks"]["stream_continued"], "claude", "{line}");
    let attempts = line["attempts"].as_array().map_or(0, Vec::len);
    assert_eq!(attempts, 2, "{line}");
}
