//! A Messages caller at a provider of the same dialect: what goes through, byte for byte.

use aisix_tests::{
    client::Client,
    gateway::{self, Gateway, Setup},
    upstream::{self, Flavour, Reply, Upstream},
};

const MESSAGES: &str = "/v1/messages";

async fn started() -> (Upstream, Gateway, Client) {
    let upstream = Upstream::start(Flavour::Anthropic).await;
    let gateway = Gateway::start(Setup::new().provider(&upstream).models(["text"])).await;
    let client = Client::anonymous(gateway.proxy())
        .header("x-api-key", gateway::KEY)
        .header("anthropic-version", "2023-06-01");
    (upstream, gateway, client)
}

/// What no program would write the same way twice: spaces, order, numbers, escapes, unknown members.
const REQUEST: &str = r#"{ "max_tokens":100, "model": "text","messages":[{"content":"h\u0069","role":"user"}],  "temperature":5.0e-1}"#;
const ANSWER: &str = r#"{"usage": {"output_tokens":3,"input_tokens":4, "new_kind_of_tokens": 1.50},"type":"message","id":"msg_1","role":"assistant","model":"text","content":[{"type":"text","text":"h\u0069"}],"stop_reason":"end_turn","later": null}"#;
const STREAM: [&str; 4] = [
    ": a comment\n\nevent: message_start\ndata: {\"type\":\"message_start\", \"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"text\",\"content\":[],\"usage\":{\"input_tokens\":4,\"output_tokens\":1}}}\n\n",
    "event: never_heard_of\ndata:  {\"type\":\"never_heard_of\"}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":3}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
];

#[tokio::test]
async fn a_message_and_its_answer_travel_as_they_were_written() {
    let (upstream, _gateway, client) = started().await;
    upstream.next(Reply::bytes("application/json", ANSWER));
    let response = client.post_bytes(MESSAGES, REQUEST).await;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("x-aisix-fidelity"), Some("verbatim"));
    assert_eq!(response.text().await, ANSWER);

    let request = upstream.exchange(0).await.request;
    assert_eq!(request.path, MESSAGES);
    assert_eq!(request.body, REQUEST);
    assert_eq!(request.header("x-api-key"), Some(upstream::KEY));
    assert_eq!(request.header("anthropic-version"), Some("2023-06-01"));
    assert_eq!(request.header("authorization"), None);
}

#[tokio::test]
async fn a_stream_of_messages_travels_as_it_was_written() {
    let (upstream, _gateway, client) = started().await;
    upstream.next(Reply::stream("text/event-stream", STREAM));
    let request = REQUEST.replacen('{', "{\"stream\":true,", 1);
    let response = client.post_bytes(MESSAGES, request.clone()).await;
    assert_eq!(response.status, 200);
    assert_eq!(response.text().await, STREAM.concat());
    assert_eq!(upstream.exchange(0).await.request.body, request);
}
