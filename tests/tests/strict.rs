//! The scripted upstreams of Gemini, Anthropic and OpenAI's responses: what they refuse, what they take, and what they answer.

use aisix_tests::{
    client::{Client, Response},
    upstream::{self, Candidate, Flavour, Output, Upstream, candidate},
};
use serde_json::{Value, json};

const GENERATE: &str = "/v1beta/models/gemini-3-x:generateContent";

/// `base` with these members in place of its own.
fn with(base: &Value, members: Value) -> Value {
    let mut body = base.clone();
    let all = body.as_object_mut().expect("an object");
    all.extend(members.as_object().expect("an object").clone());
    body
}

/// Every body is taken where no words are given, and refused with these words otherwise.
async fn refuses(client: &Client, path: &str, table: &[(&str, Value)]) {
    for (words, body) in table {
        let response = client.post(path, body).await;
        let (status, answer) = (response.status, response.json().await);
        let wanted = if words.is_empty() { 200 } else { 400 };
        assert_eq!(status, wanted, "{body}\n{answer}");
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains(words), "{body}\n{message}");
    }
}

async fn gemini() -> (Upstream, Client) {
    let upstream = Upstream::start(Flavour::Gemini).await;
    let client = Client::anonymous(upstream.addr()).header("x-goog-api-key", upstream::KEY);
    (upstream, client)
}

#[tokio::test]
async fn gemini_refuses_members_that_it_does_not_know() {
    let (_upstream, client) = gemini().await;
    let hi = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]});
    let declared = |members: Value| {
        let function = with(&json!({"name": "f"}), members);
        with(
            &hi,
            json!({"tools": [{"functionDeclarations": [function]}]}),
        )
    };
    let answers = |members: Value| {
        let json = json!({"responseMimeType": "application/json"});
        with(&hi, json!({"generationConfig": with(&json, members)}))
    };
    let real = json!({"$schema": "x", "type": ["object", "null"], "properties": {"a": {"const": 1}}, "additionalProperties": false});
    let subset =
        json!({"type": "OBJECT", "properties": {"a": {"type": "string", "nullable": true}}});
    let inner = json!({"type": "object", "properties": {"a": {"type": "string", "$ref": "#"}}});
    let table = [
        ("", hi.clone()),
        (
            "Unknown name \"messages\": Cannot find field.",
            with(&hi, json!({"messages": []})),
        ),
        (
            "Unknown name \"type\" at 'contents[0].parts[0]': Cannot find field.",
            json!({"contents": [{"role": "user", "parts": [{"type": "text", "text": "hi"}]}]}),
        ),
        (
            "Unknown name \"max_tokens\" at 'generation_config': Cannot find field.",
            with(&hi, json!({"generationConfig": {"max_tokens": 5}})),
        ),
        (
            "",
            with(
                &hi,
                json!({"generation_config": {"max_output_tokens": 5, "seed": null}}),
            ),
        ),
        (
            "Invalid value at 'generation_config.temperature'",
            with(&hi, json!({"generationConfig": {"temperature": "hot"}})),
        ),
        (
            "Unknown name \"$schema\" at 'tools[0].function_declarations[0].parameters': Cannot find field.",
            declared(json!({"parameters": real})),
        ),
        (
            "Unknown name \"$ref\" at 'tools[0].function_declarations[0].parameters.properties[a].value'",
            declared(json!({"parameters": inner})),
        ),
        ("", declared(json!({"parameters": subset}))),
        ("", declared(json!({"parametersJsonSchema": real}))),
        (
            "mutually exclusive",
            declared(json!({"parameters": subset, "parametersJsonSchema": real})),
        ),
        (
            "should be non-empty for OBJECT type",
            declared(json!({"parameters": {"type": "object"}})),
        ),
        ("Invalid function name", declared(json!({"name": "a b"}))),
        (
            "Unknown name \"$schema\" at 'generation_config.response_schema'",
            answers(json!({"responseSchema": real})),
        ),
        ("", answers(json!({"responseJsonSchema": real}))),
        (
            "response mime type",
            with(
                &hi,
                json!({"generationConfig": {"responseJsonSchema": real}}),
            ),
        ),
        (
            "only one of thinking budget and thinking level",
            with(
                &hi,
                json!({"generationConfig": {"thinkingConfig": {"thinkingLevel": "low", "thinkingBudget": 1}}}),
            ),
        ),
        (
            "without function_declarations",
            with(
                &hi,
                json!({"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}),
            ),
        ),
    ];
    refuses(&client, GENERATE, &table).await;
    let level = json!({"generationConfig": {"thinkingConfig": {"thinkingLevel": "low"}}});
    let table = [("Thinking level is not supported", with(&hi, level))];
    refuses(
        &client,
        "/v1beta/models/gemini-2.5-flash:generateContent",
        &table,
    )
    .await;
}

#[tokio::test]
async fn gemini_refuses_a_conversation_out_of_order() {
    let (_upstream, client) = gemini().await;
    let user = json!({"role": "user", "parts": [{"text": "hi"}]});
    let model = json!({"role": "model", "parts": [{"text": "hello"}]});
    let call = json!({"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2ln"});
    let bare = json!({"functionCall": {"name": "f", "args": {}}});
    let result = json!({"functionResponse": {"name": "f", "response": {"result": 1}}});
    let other = json!({"functionResponse": {"name": "g", "response": {}}});
    let text = json!({"functionResponse": {"name": "f", "response": "sunny"}});
    let said = |role: &str, parts: &[&Value]| json!({"role": role, "parts": parts});
    let of = |contents: &[&Value]| json!({ "contents": contents });
    let table = [
        ("", of(&[&user, &model, &user])),
        ("contents is not specified", json!({})),
        ("contents is not specified", of(&[])),
        (
            "valid role",
            of(&[&said("assistant", &[&json!({"text": "a"})])]),
        ),
        ("alternate", of(&[&model, &user])),
        ("alternate", of(&[&user, &user])),
        ("must not be empty", of(&[&said("user", &[])])),
        (
            "required oneof field 'data'",
            of(&[&said("user", &[&json!({"text": ""})])]),
        ),
        (
            "required oneof field 'data'",
            of(&[&said("user", &[&json!({})])]),
        ),
        (
            "already set",
            of(&[&said(
                "user",
                &[&json!({"text": "a", "functionCall": {"name": "f"}})],
            )]),
        ),
        (
            "",
            of(&[&user, &said("model", &[&call]), &said("user", &[&result])]),
        ),
        (
            "",
            of(&[
                &user,
                &said("model", &[&call, &bare]),
                &said("user", &[&result, &result]),
            ]),
        ),
        (
            "missing a thought_signature",
            of(&[&user, &said("model", &[&bare]), &said("user", &[&result])]),
        ),
        (
            "number of function response parts",
            of(&[
                &user,
                &said("model", &[&call, &bare]),
                &said("user", &[&result]),
            ]),
        ),
        (
            "number of function response parts",
            of(&[&user, &said("model", &[&call]), &user]),
        ),
        (
            "number of function response parts",
            of(&[&user, &said("model", &[&call])]),
        ),
        (
            "immediately after a function call",
            of(&[&said("user", &[&result])]),
        ),
        (
            "in their order",
            of(&[&user, &said("model", &[&call]), &said("user", &[&other])]),
        ),
        (
            "Invalid value at 'contents[2].parts[0].function_response.response'",
            of(&[&user, &said("model", &[&call]), &said("user", &[&text])]),
        ),
    ];
    refuses(&client, GENERATE, &table).await;
    // The generation before degrades instead.
    let unsigned = of(&[&user, &said("model", &[&bare]), &said("user", &[&result])]);
    let table = [("", unsigned)];
    refuses(
        &client,
        "/v1beta/models/gemini-2.5-flash:generateContent",
        &table,
    )
    .await;
}

#[tokio::test]
async fn gemini_checks_its_own_key_and_says_no_in_its_own_words() {
    let (upstream, client) = gemini().await;
    let said = async |response: Response| {
        let (status, answer) = (response.status.as_u16(), response.json().await);
        (
            status,
            answer["error"]["status"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            answer,
        )
    };
    let hi = json!({"contents": [{"parts": [{"text": "hi"}]}]});
    let stranger = Client::anonymous(upstream.addr());
    let (status, word, _) = said(stranger.post(GENERATE, &hi).await).await;
    assert_eq!((status, word.as_str()), (403, "PERMISSION_DENIED"));
    let wrong = stranger.clone().header("x-goog-api-key", "wrong");
    let (status, word, answer) = said(wrong.post(GENERATE, &hi).await).await;
    assert_eq!((status, word.as_str()), (400, "INVALID_ARGUMENT"));
    assert_eq!(answer["error"]["details"][0]["reason"], "API_KEY_INVALID");
    let bearer = client.clone().header("authorization", "Bearer x");
    assert_eq!(said(bearer.post(GENERATE, &hi).await).await.0, 401);
    assert_eq!(
        said(client.post("/v2/models/m:generateContent", &hi).await)
            .await
            .0,
        404
    );
    assert_eq!(
        said(client.post("/v1beta/models/m:predict", &hi).await)
            .await
            .0,
        404
    );

    upstream.next(candidate::refusal(
        429,
        "RESOURCE_EXHAUSTED",
        "slow down",
        &[candidate::retry_info("17s")],
    ));
    let (status, word, answer) = said(client.post(GENERATE, &hi).await).await;
    assert_eq!((status, word.as_str()), (429, "RESOURCE_EXHAUSTED"));
    assert_eq!(answer["error"]["details"][0]["retryDelay"], "17s");
}

#[tokio::test]
async fn gemini_streams_events_or_an_array() {
    let (upstream, client) = gemini().await;
    let hi = json!({"contents": [{"parts": [{"text": "hi"}]}]});
    let answer = Candidate::text(&[])
        .and_thinking(&["Hm", "m"])
        .and_text(&["Hel", "lo"])
        .and_calling("f", &json!({"a": 1}), Some("c2ln"))
        .usage(12, 8, 3, 5);
    upstream.on("gemini-3-x", answer);
    let whole = client.post(GENERATE, &hi).await.json().await;
    let parts = json!([{"text": "Hmm", "thought": true}, {"text": "Hello"},
        {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "c2ln"}]);
    assert_eq!(whole["candidates"][0]["content"]["parts"], parts);
    assert_eq!(whole["candidates"][0]["finishReason"], "STOP");
    assert_eq!(whole["usageMetadata"]["totalTokenCount"], 20);

    let path = "/v1beta/models/gemini-3-x:streamGenerateContent";
    let events = client
        .post(&format!("{path}?alt=sse"), &hi)
        .await
        .text()
        .await;
    assert_eq!(events.matches("data: {").count(), 6, "{events}");
    assert_eq!(events.matches("finishReason").count(), 1, "{events}");
    let array = client.post(path, &hi).await.json().await;
    assert_eq!(array.as_array().map(Vec::len), Some(6), "{array}");
    let refused = client.post(path, &json!({"contents": []})).await;
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.json().await[0]["error"]["status"],
        "INVALID_ARGUMENT"
    );

    upstream.next(Candidate::blocked("SAFETY"));
    let blocked = client.post(GENERATE, &hi).await.json().await;
    assert_eq!(blocked["promptFeedback"]["blockReason"], "SAFETY");
    assert_eq!(blocked["candidates"], Value::Null);
}

#[tokio::test]
async fn gemini_embeds_in_batches() {
    let (_upstream, client) = gemini().await;
    let path = "/v1beta/models/e:batchEmbedContents";
    let one = json!({"model": "models/e", "content": {"parts": [{"text": "a"}]}});
    let table = [
        ("", json!({"requests": [one, one]})),
        ("at least one request", json!({"requests": []})),
        (
            "must match the model",
            json!({"requests": [with(&one, json!({"model": "models/f"}))]}),
        ),
        (
            "content is required",
            json!({"requests": [{"model": "models/e"}]}),
        ),
        (
            "Unknown name \"input\"",
            json!({"requests": [with(&one, json!({"input": "a"}))]}),
        ),
    ];
    refuses(&client, path, &table).await;
    let answer = client
        .post(path, &json!({"requests": [one, one]}))
        .await
        .json()
        .await;
    assert_eq!(answer["embeddings"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn the_openai_front_of_gemini_wraps_its_refusals() {
    let upstream = Upstream::start(Flavour::GeminiFront).await;
    let bearer = format!("Bearer {}", upstream::KEY);
    let client = Client::anonymous(upstream.addr()).header("authorization", &bearer);
    let call = json!({"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let signed = with(
        &call,
        json!({"extra_content": {"google": {"thought_signature": "c2ln"}}}),
    );
    let asked = |call: &Value| {
        json!({"model": "gemini-3-x", "messages": [{"role": "user", "content": "hi"},
            {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "1", "content": "x"}]})
    };
    let path = "/v1beta/openai/chat/completions";
    assert_eq!(client.post(path, &asked(&signed)).await.status, 200);
    let refused = client.post(path, &asked(&call)).await;
    assert_eq!(refused.status, 400);
    let answer = refused.json().await;
    assert_eq!(answer[0]["error"]["status"], "INVALID_ARGUMENT", "{answer}");
}

#[tokio::test]
async fn anthropic_refuses_what_it_refuses() {
    let upstream = Upstream::start(Flavour::Anthropic).await;
    let bare = Client::anonymous(upstream.addr()).header("x-api-key", upstream::KEY);
    let client = bare.clone().header("anthropic-version", "2023-06-01");
    let user = json!({"role": "user", "content": "hi"});
    let hi = json!({"model": "m", "max_tokens": 2000, "messages": [user]});
    let of = |messages: Value| with(&hi, json!({ "messages": messages }));
    let content = |blocks: Value| of(json!([{"role": "user", "content": blocks}]));
    let call = json!({"type": "tool_use", "id": "t1", "name": "f", "input": {}});
    let calls = json!({"role": "assistant", "content": [call]});
    let result = json!({"type": "tool_result", "tool_use_id": "t1", "content": "x"});
    let results = json!({"role": "user", "content": [result]});
    let text = json!({"type": "text", "text": "a"});
    let late = json!({"role": "user", "content": [text, result]});
    let tool = json!({"name": "f", "input_schema": {"type": "object"}});
    let thinking = json!({"type": "enabled", "budget_tokens": 1024});
    let closed = json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false});
    let formed = |schema: Value| {
        with(
            &hi,
            json!({"output_config": {"format": {"type": "json_schema", "schema": schema}}}),
        )
    };
    let table = [
        ("", hi.clone()),
        ("seed: Extra inputs", with(&hi, json!({"seed": 1}))),
        (
            "container: Extra inputs",
            with(&hi, json!({"container": "c"})),
        ),
        (
            "Input tag 'image_url'",
            content(json!([{"type": "image_url"}])),
        ),
        ("Input tag 'tool_use'", content(json!([call]))),
        (
            "text.foo: Extra inputs",
            content(json!([with(&text, json!({"foo": 1}))])),
        ),
        (
            "must be non-empty",
            content(json!([{"type": "text", "text": " "}])),
        ),
        ("non-empty content", content(json!([]))),
        ("non-empty content", content(json!(""))),
        (
            "Input should be 'user' or 'assistant'",
            of(json!([{"role": "system", "content": "x"}])),
        ),
        (
            "first message must use",
            of(json!([{"role": "assistant", "content": "x"}, user])),
        ),
        ("at least one message", of(json!([]))),
        ("", of(json!([user, calls, results]))),
        ("without `tool_result`", of(json!([user, calls]))),
        ("without `tool_result`", of(json!([user, calls, user]))),
        ("without `tool_result`", of(json!([user, calls, late]))),
        ("unexpected `tool_use_id`", of(json!([results]))),
        (
            "must be unique",
            of(json!([user, calls, results, calls, results])),
        ),
        (
            "trailing whitespace",
            of(json!([user, {"role": "assistant", "content": "a "}])),
        ),
        (
            "cannot both be specified",
            with(&hi, json!({"temperature": 1, "top_p": 1})),
        ),
        ("temperature: range", with(&hi, json!({"temperature": 1.5}))),
        ("", with(&hi, json!({"thinking": thinking}))),
        (
            "greater than `thinking.budget_tokens`",
            with(&hi, json!({"thinking": thinking, "max_tokens": 1024})),
        ),
        (
            "greater than or equal to 1024",
            with(
                &hi,
                json!({"thinking": {"type": "enabled", "budget_tokens": 5}}),
            ),
        ),
        (
            "only be set to 1",
            with(&hi, json!({"thinking": thinking, "temperature": 0.5})),
        ),
        (
            "found `tool_use`",
            with(
                &of(json!([user, calls, results])),
                json!({"thinking": thinking}),
            ),
        ),
        (
            "forces tool use",
            with(
                &hi,
                json!({"thinking": thinking, "tools": [tool], "tool_choice": {"type": "any"}}),
            ),
        ),
        (
            "while providing tools",
            with(&hi, json!({"tool_choice": {"type": "auto"}})),
        ),
        (
            "custom.function: Extra inputs",
            with(
                &hi,
                json!({"tools": [with(&tool, json!({"function": {}}))]}),
            ),
        ),
        (
            "should match pattern",
            with(&hi, json!({"tools": [with(&tool, json!({"name": "a.b"}))]})),
        ),
        ("", formed(closed.clone())),
        (
            "explicitly set to false",
            formed(json!({"type": "object", "properties": {"a": closed, "b": {"type": "object"}}})),
        ),
        (
            "'minLength' is not supported",
            formed(json!({"type": "string", "minLength": 1})),
        ),
        (
            "'minimum' is not supported",
            formed(json!({"anyOf": [{"type": "integer", "minimum": 1}]})),
        ),
        (
            "External $ref",
            formed(json!({"$ref": "https://example.com"})),
        ),
    ];
    refuses(&client, "/v1/messages", &table).await;
    refuses(&bare, "/v1/messages", &[("anthropic-version", hi.clone())]).await;
    let beta = client.clone().header("anthropic-beta", "some-2026-01-01");
    refuses(
        &beta,
        "/v1/messages",
        &[("", with(&hi, json!({"container": "c"})))],
    )
    .await;
}

#[tokio::test]
async fn anthropic_counts_without_what_is_about_answers() {
    let upstream = Upstream::start(Flavour::Anthropic).await;
    let client = Client::anonymous(upstream.addr())
        .header("x-api-key", upstream::KEY)
        .header("anthropic-version", "2023-06-01");
    let hi = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    let table = [
        ("", hi.clone()),
        (
            "max_tokens: Extra inputs",
            with(&hi, json!({"max_tokens": 1})),
        ),
        ("stream: Extra inputs", with(&hi, json!({"stream": true}))),
    ];
    refuses(&client, "/v1/messages/count_tokens", &table).await;
    let thread = with(&hi, json!({"max_tokens": 1, "thread": {"type": "create"}}));
    let refusal = client.post("/v1/messages", &thread).await;
    assert_eq!(refusal.status, 400);
    assert_eq!(
        refusal.json().await["error"]["details"]["error_code"],
        "thread_unsupported_request"
    );
}

#[tokio::test]
async fn openai_refuses_of_responses_what_it_refuses() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let bearer = format!("Bearer {}", upstream::KEY);
    let client = Client::anonymous(upstream.addr()).header("authorization", &bearer);
    let hi = json!({"model": "m", "input": "hi"});
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
    let output = json!({"type": "function_call_output", "call_id": "c", "output": "1"});
    let tool = json!({"type": "function", "name": "f", "parameters": {"type": "object"}});
    let table = [
        ("", hi.clone()),
        ("", with(&hi, json!({"top_secret_knob": 1, "store": false}))),
        ("", with(&hi, json!({"input": [call, output]}))),
        ("", with(&hi, json!({"tools": [tool]}))),
        ("Missing required parameter: 'input'", json!({"model": "m"})),
        (
            "expected a string or items",
            with(&hi, json!({"input": []})),
        ),
        (
            "moved to 'input'",
            with(
                &hi,
                json!({"messages": [{"role": "user", "content": "hi"}]}),
            ),
        ),
        (
            "moved to 'max_output_tokens'",
            with(&hi, json!({"max_tokens": 1})),
        ),
        (
            "'tools[0].name'",
            with(
                &hi,
                json!({"tools": [{"type": "function", "function": {"name": "f"}}]}),
            ),
        ),
        (
            "No tool output found for function call c.",
            with(&hi, json!({"input": [call]})),
        ),
        (
            "No tool call found for function call output with call_id c.",
            with(&hi, json!({"input": [output, call]})),
        ),
        (
            "'input[0].content[0].type'",
            with(
                &hi,
                json!({"input": [{"role": "user", "content": [{"type": "output_text", "text": "hi"}]}]}),
            ),
        ),
        (
            "'text.format.schema'",
            with(
                &hi,
                json!({"text": {"format": {"type": "json_schema", "name": "n"}}}),
            ),
        ),
        (
            "'stream_options.include_usage'",
            with(
                &hi,
                json!({"stream": true, "stream_options": {"include_usage": true}}),
            ),
        ),
        (
            "'reasoning.effort'",
            with(&hi, json!({"reasoning": {"effort": "much"}})),
        ),
    ];
    refuses(&client, "/v1/responses", &table).await;
}

#[tokio::test]
async fn openai_tells_responses_event_by_event() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let bearer = format!("Bearer {}", upstream::KEY);
    let client = Client::anonymous(upstream.addr()).header("authorization", &bearer);
    let says = Output::nothing()
        .and_thinking(&["hm"])
        .and_text(&["a", "b"]);
    upstream.on("m", says.and_calling("c", "f", &["{", "}"]));
    let mut body = json!({"model": "m", "input": "hi", "stream": true});
    let mut stream = client.post("/v1/responses", &body).await;
    let mut told = Vec::new();
    let mut last = Value::Null;
    while let Some(event) = stream.event().await {
        let (name, data) = event.split_once('\n').expect("a name and data");
        let data: Value = serde_json::from_str(&data["data: ".len()..]).expect("JSON");
        assert_eq!(format!("event: {}", data["type"].as_str().unwrap()), name);
        assert_eq!(data["sequence_number"], told.len());
        told.push(name["event: response.".len()..].to_owned());
        last = data;
    }
    let expected = [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ];
    assert_eq!(told, expected);
    body["stream"] = false.into();
    let whole = client.post("/v1/responses", &body).await.json().await;
    assert_eq!(last["response"], whole);
    assert_eq!(whole["output"][1]["content"][0]["text"], "ab");
}
