//! The scripted upstream does what a script says, and refuses what the real one refuses.

use aisix_tests::{
    client::Client,
    upstream::{self, Answer, Ending, Flavour, Framing, Gate, RawUpstream, Reply, Step, Upstream},
};
use serde_json::{Value, json};

fn caller(upstream: &Upstream) -> Client {
    let credential = format!("Bearer {}", upstream::KEY);
    Client::anonymous(upstream.addr()).header("authorization", &credential)
}

#[tokio::test]
async fn a_request_is_recorded_as_it_came() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let body = r#"{ "messages":[{"role":"user","content":"hi"}],  "model":"text" }"#;
    let client = caller(&upstream).header("x-first", "1");
    let response = client.post_bytes("/v1/chat/completions?a=b", body).await;
    assert_eq!(response.status, 200);
    let request = upstream.exchange(0).await.request;
    assert_eq!(request.path, "/v1/chat/completions?a=b");
    assert_eq!(request.body, body);
    let names: Vec<_> = request
        .headers
        .keys()
        .map(http::HeaderName::as_str)
        .collect();
    assert_eq!(
        names,
        [
            "host",
            "authorization",
            "x-first",
            "content-type",
            "content-length"
        ]
    );
}

#[tokio::test]
async fn a_reply_waits_at_its_gate_while_what_came_before_has_arrived() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let gate = Gate::new();
    upstream.on(
        "text",
        Answer::text(["Hel", "lo"]).after(2, Step::Wait(gate.clone())),
    );
    let mut response = caller(&upstream).chat_stream("text", "hi").await;
    let mut content = async || {
        response
            .data()
            .await
            .map(|chunk| chunk["choices"][0]["delta"]["content"].clone())
    };
    assert_eq!(content().await, Some("".into()));
    assert_eq!(content().await, Some("Hel".into()));
    gate.reached().await;
    let exchange = upstream.exchange(0).await;
    assert!(exchange.going_on());
    gate.open();
    assert_eq!(content().await, Some("lo".into()));
    assert_eq!(content().await, Some(Value::Null));
    assert_eq!(content().await, None);
    assert_eq!(exchange.ended().await, Ending::Complete);
}

#[tokio::test]
async fn a_caller_who_leaves_is_seen_in_a_stream_and_before_any_answer() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    upstream.on("stalls", Answer::text(["Hel", "lo"]).after(2, Step::Stall));
    upstream.on("never", Reply::never());
    let mut response = caller(&upstream).chat_stream("stalls", "hi").await;
    response.data().await.expect("the first chunk has come");
    drop(response);
    upstream.exchange_for("stalls").await.closed().await;

    let client = caller(&upstream);
    let call = client.chat("never", "hi");
    let exchange = tokio::select! {
        _ = call => panic!("it never answers"),
        exchange = upstream.exchange_for("never") => exchange,
    };
    exchange.closed().await;
}

#[tokio::test]
async fn a_cut_reply_is_broken_off_and_not_ended() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    upstream.next(Reply::json(&json!({"id": "a long document"})).at_byte(5, Step::Cut));
    upstream.next(Answer::text(["Hel", "lo"]).after(1, Step::Cut));
    for _ in 0..2 {
        let mut response = caller(&upstream).chat_stream("text", "hi").await;
        assert_eq!(response.status, 200);
        assert!(
            response
                .piece()
                .await
                .expect("the first piece came")
                .is_some()
        );
        assert!(response.piece().await.is_err());
    }
    assert_eq!(upstream.exchange(0).await.ended().await, Ending::Cut);
}

#[tokio::test]
async fn every_framing_of_a_stream_is_written_as_said() {
    let framing = Framing {
        line_end: "\r\n",
        space: false,
        comments: 1,
        done: true,
    };
    let reply = framing.reply(&[json!("ö")]);
    assert_eq!(
        reply.body(),
        ": keep-alive\r\n\r\ndata:\"ö\"\r\n\r\n: keep-alive\r\n\r\ndata:[DONE]\r\n\r\n"
    );

    let upstream = Upstream::start(Flavour::OpenAi).await;
    let wanted = reply.body();
    upstream.next(reply.split_every(1));
    let mut response = caller(&upstream).chat_stream("text", "hi").await;
    assert_eq!(
        response.piece().await.expect("alive").as_deref(),
        Some(b":".as_slice()),
        "pieces travel alone"
    );
    assert_eq!(response.bytes().await, wanted[1..]);
}

#[tokio::test]
async fn a_raw_upstream_answers_what_no_server_would() {
    let nonsense = RawUpstream::start(vec![Step::Send("HTTP/1.1 banana\r\n\r\n".into())]).await;
    let client = Client::anonymous(nonsense.addr());
    let answer = client
        .raw(b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi")
        .await;
    assert_eq!(answer, "HTTP/1.1 banana\r\n\r\n");
}

#[tokio::test]
async fn openai_refuses_what_it_refuses() {
    let call = json!({"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let calls = json!({"role": "assistant", "content": null, "tool_calls": [call]});
    let user = json!({"role": "user", "content": "hi"});
    let tool = json!({"role": "tool", "tool_call_id": "1", "content": "done"});
    let with = |members: Value| {
        let mut body = json!({"model": "text", "messages": [user]});
        body.as_object_mut()
            .expect("an object")
            .extend(members.as_object().expect("an object").clone());
        body
    };
    let table = [
        (
            200,
            "",
            with(json!({"unknown_member": [1], "temperature": null, "seed": 0})),
        ),
        (
            200,
            "",
            with(json!({"messages": [user, calls, tool, user]})),
        ),
        (
            200,
            "",
            with(
                json!({"messages": [{"role": "developer", "content": [{"type": "text", "text": "x"}]}, user]}),
            ),
        ),
        (400, "model", json!({"messages": [user]})),
        (400, "messages", json!({"model": "text"})),
        (400, "messages", with(json!({"messages": []}))),
        (400, "messages", with(json!({"messages": "hi"}))),
        (
            400,
            "messages[0].role",
            with(json!({"messages": [{"role": "model", "content": "hi"}]})),
        ),
        (400, "messages[0].role", with(json!({"messages": [tool]}))),
        (400, "messages", with(json!({"messages": [user, calls]}))),
        (
            400,
            "messages[2].role",
            with(json!({"messages": [user, calls, user]})),
        ),
        (
            400,
            "messages[0].content",
            with(json!({"messages": [{"role": "user"}]})),
        ),
        (400, "temperature", with(json!({"temperature": 3}))),
        (400, "max_tokens", with(json!({"max_tokens": "5"}))),
        (400, "stream", with(json!({"stream": "yes"}))),
        (
            400,
            "stream_options",
            with(json!({"stream_options": {"include_usage": true}})),
        ),
        (400, "tool_choice", with(json!({"tool_choice": "auto"}))),
        (
            400,
            "tools[0].function",
            with(json!({"tools": [{"type": "function"}]})),
        ),
        (
            400,
            "response_format.json_schema",
            with(json!({"response_format": {"type": "json_schema"}})),
        ),
    ];
    refuses(Flavour::OpenAi, "/v1/chat/completions", &table).await;
    let table = [
        (200, "", json!({"model": "e", "input": [[1, 2], [3]]})),
        (400, "input", json!({"model": "e"})),
        (400, "input", json!({"model": "e", "input": []})),
        (400, "input", json!({"model": "e", "input": [1, "a"]})),
        (
            400,
            "encoding_format",
            json!({"model": "e", "input": "a", "encoding_format": "hex"}),
        ),
    ];
    refuses(Flavour::OpenAi, "/v1/embeddings", &table).await;
}

#[tokio::test]
async fn deepseek_refuses_its_own_things_besides() {
    let call = json!({"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let tool = json!({"role": "tool", "tool_call_id": "1", "content": "done"});
    let dropped = json!([{"role": "user", "content": "hi"}, {"role": "assistant", "tool_calls": [call]}, tool]);
    let mut replayed = dropped.clone();
    replayed[1]["reasoning_content"] = "".into();
    let hi = json!([{"role": "user", "content": "hi"}]);
    let picture = json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]);
    let schema = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {}}});
    let table = [
        (200, "", json!({"model": "m", "messages": replayed})),
        (
            200,
            "",
            json!({"model": "m", "messages": dropped, "thinking": {"type": "disabled"}}),
        ),
        (
            400,
            "messages[1].reasoning_content",
            json!({"model": "m", "messages": dropped}),
        ),
        (
            400,
            "max_completion_tokens",
            json!({"model": "m", "messages": hi, "max_completion_tokens": 5}),
        ),
        (
            400,
            "response_format.type",
            json!({"model": "m", "messages": hi, "response_format": schema}),
        ),
        (
            400,
            "messages",
            json!({"model": "m", "messages": hi, "response_format": {"type": "json_object"}}),
        ),
        (
            422,
            "messages[0].role",
            json!({"model": "m", "messages": [{"role": "developer", "content": "x"}]}),
        ),
        (
            422,
            "messages[0].content",
            json!({"model": "m", "messages": picture}),
        ),
    ];
    refuses(Flavour::DeepSeek, "/chat/completions", &table).await;
}

async fn refuses(flavour: Flavour, path: &str, table: &[(u16, &str, Value)]) {
    let upstream = Upstream::start(flavour).await;
    for (status, param, body) in table {
        let response = caller(&upstream).post(path, body).await;
        assert_eq!(response.status, *status, "{body}");
        let answer = response.json().await;
        assert_eq!(
            answer["error"]["param"].as_str().unwrap_or_default(),
            *param,
            "{body}"
        );
    }
}

#[tokio::test]
async fn the_head_is_checked_before_the_body() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let client = caller(&upstream);
    assert_eq!(client.post_bytes("/v1/nowhere", "{").await.status, 404);
    assert_eq!(client.get("/v1/chat/completions").await.status, 405);
    let wrong = client.clone().header("authorization", "Bearer sk-wrong");
    assert_eq!(
        wrong.post_bytes("/v1/chat/completions", "{").await.status,
        401
    );
    assert_eq!(
        Client::anonymous(upstream.addr())
            .get("/v1/models")
            .await
            .status,
        401
    );
    assert_eq!(
        client.post_bytes("/v1/chat/completions", "{").await.status,
        400
    );
    assert_eq!(
        upstream.exchanges().len(),
        5,
        "refused requests are recorded too"
    );
}
