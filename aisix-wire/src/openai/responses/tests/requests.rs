use serde_json::{Value, json};

use super::{fixture, value};
use crate::chat::{
    CallerCodec, Content, OnUnsupported, Request, Role, WriteOptions, Written, upstream_codec,
};
use crate::openai::Responses;
use crate::{Dialect, Invalid};

const UPSTREAMS: [Dialect; 3] = [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini];

fn read(body: &Value) -> Result<Request, Invalid> {
    Responses.read_request(body.to_string().as_bytes())
}

/// A request with this input.
fn input(items: Value) -> Value {
    json!({"model": "x", "input": items})
}

fn write(request: &Request, dialect: Dialect, model: &str) -> Result<Written, Invalid> {
    let codec = upstream_codec(dialect).unwrap();
    codec.write_request(request, &WriteOptions::new(model))
}

/// The text of a member of a fixture, numbers as they are written there.
fn raw(golden: &str, name: &str) -> String {
    let object = crate::json::Object::scan(golden.as_bytes()).unwrap();
    object.get(name).unwrap().raw().as_str().to_owned()
}

#[test]
fn requests_become_what_the_golden_files_say() {
    for text in [
        fixture!("request/basics.json"),
        fixture!("request/tool_loop.json"),
        fixture!("request/interrupted.json"),
        fixture!("request/media.json"),
    ] {
        let golden = value(text.as_bytes());
        let request = Responses.read_request(raw(text, "in").as_bytes()).unwrap();
        for dialect in UPSTREAMS {
            let expected = &golden[dialect.as_str()];
            let model = expected["model"].as_str().unwrap();
            let written = write(&request, dialect, model)
                .unwrap_or_else(|error| panic!("{dialect}: {error}"));
            let out = value(&written.body);
            assert_eq!(out, expected["out"], "{dialect}\n{out}");
            assert_eq!(json!(written.dropped), expected["dropped"], "{dialect}");
            // The values are the same; this sees to the text of the numbers.
            let body = String::from_utf8(written.body.to_vec()).unwrap();
            for number in ["0.30", "1.50"] {
                let there = raw(text, dialect.as_str()).contains(number);
                assert_eq!(body.contains(number), there, "{dialect}: {number}");
            }
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused_by_its_place() {
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
    let output = json!({"type": "function_call_output", "call_id": "c", "output": "x"});
    for (items, param, what) in [
        (json!(7), "input", "a string or an array"),
        (json!([7]), "input[0]", "an object"),
        (json!([{}]), "input[0].type", "missing"),
        (json!(["x"]), "input[0]", "an object"),
        (json!([{"role": "user"}]), "input[0].content", "missing"),
        (
            json!([{"role": "tool", "content": ""}]),
            "input[0].role",
            "one of",
        ),
        (
            json!([{"role": "user", "content": [{"type": "input_image"}]}]),
            "input[0].content[0].image_url",
            "missing",
        ),
        (
            json!([{"role": "user", "content": [{"text": "x"}]}]),
            "input[0].content[0].type",
            "missing",
        ),
        (
            json!([call, {"type": "new_thing"}]),
            "input[1]",
            "the type of this item is not known",
        ),
        (
            json!([{"type": "custom_tool_call", "call_id": "c"}]),
            "input[0]",
            "custom_tool_call",
        ),
        (
            json!([{"type": "web_search_call"}]),
            "input[0]",
            "web_search_call",
        ),
        (
            json!([{"type": "item_reference", "id": "msg_1"}]),
            "input[0]",
            "item_reference",
        ),
        (
            json!([{"role": "user", "content": "x"}, output]),
            "input[1]",
            "there is no function call",
        ),
        (
            json!([call, output, output]),
            "input[2]",
            "has an output already",
        ),
        (json!([call, call]), "input[1]", "the same"),
        (
            json!([{"type": "function_call", "call_id": "", "name": "f", "arguments": ""}]),
            "input[0].call_id",
            "not empty",
        ),
        (
            json!([{"type": "function_call", "call_id": "c", "name": "f"}]),
            "input[0].arguments",
            "missing",
        ),
        (
            json!([{"type": "function_call_output", "call_id": "c"}]),
            "input[0].output",
            "missing",
        ),
    ] {
        let error = read(&input(items.clone())).expect_err(&items.to_string());
        assert_eq!(error.param, param, "{items}");
        assert!(error.message.contains(what), "{items}: {}", error.message);
    }
    assert_eq!(read(&json!({"model": "x"})).unwrap_err().param, "input");
    assert_eq!(Responses.read_request(b"[]").unwrap_err().param, "");
}

#[test]
fn state_that_is_not_kept_is_refused_by_name() {
    for (name, value) in [
        ("previous_response_id", json!("resp_1")),
        ("conversation", json!({"id": "conv_1"})),
        ("prompt", json!({"id": "pmpt_1"})),
        ("background", json!(true)),
    ] {
        let mut body = input(json!("x"));
        body[name] = value;
        let error = read(&body).unwrap_err();
        assert_eq!(error.param, name);
        body[name] = Value::Null;
        assert!(read(&body).is_ok());
    }
    let mut body = input(json!("x"));
    body["background"] = json!(false);
    assert!(read(&body).unwrap().rest.is_empty());
}

#[test]
fn hints_are_dropped_and_listed_and_what_is_no_loss_is_not() {
    let mut body = input(json!("x"));
    let hints = [
        ("store", json!(true)),
        ("truncation", json!("auto")),
        ("max_tool_calls", json!(3)),
        ("prompt_cache_key", json!("k")),
        ("context_management", json!([{}])),
        ("top_logprobs", json!(2)),
        ("include", json!(["web_search_call.results"])),
        ("x", json!(1)),
    ];
    for (name, value) in &hints {
        body[*name] = value.clone();
    }
    body["text"] = json!({"verbosity": "low"});
    body["reasoning"] = json!({"context": "auto"});
    body["stream_options"] = json!({"include_obfuscation": true});
    body["user"] = json!("u");
    body["safety_identifier"] = json!("s");
    let mut expected: Vec<&str> = hints.iter().map(|(name, _)| *name).collect();
    expected.extend([
        "text.verbosity",
        "reasoning.context",
        "stream_options.include_obfuscation",
        "safety_identifier",
    ]);
    expected.sort_unstable();
    let request = read(&body).unwrap();
    let mut dropped = write(&request, Dialect::OpenAi, "m").unwrap().dropped;
    dropped.sort_unstable();
    assert_eq!(dropped, expected);

    let mut body = input(json!("x"));
    body["store"] = json!(false);
    body["truncation"] = json!("disabled");
    body["include"] = json!(["reasoning.encrypted_content"]);
    body["stream_options"] = json!({"include_obfuscation": false});
    body["safety_identifier"] = json!("s");
    body["top_logprobs"] = json!(0);
    let request = read(&body).unwrap();
    assert_eq!(request.user.as_deref(), Some("s"));
    assert_eq!(request.rest, []);
}

#[test]
fn what_shapes_the_answer_is_refused_under_the_callers_name() {
    for (name, value, upstream, param) in [
        (
            "tools",
            json!([{"type": "web_search"}]),
            Dialect::OpenAi,
            "tools[0]",
        ),
        (
            "tools",
            json!([{"type": "custom", "name": "x"}]),
            Dialect::Anthropic,
            "tools[0]",
        ),
        ("tools", json!([{"type": "mcp"}]), Dialect::Gemini, "tools"),
        (
            "tool_choice",
            json!({"type": "web_search"}),
            Dialect::OpenAi,
            "tool_choice",
        ),
        (
            "text",
            json!({"format": {"type": "grammar"}}),
            Dialect::Gemini,
            "text.format",
        ),
        (
            "text",
            json!({"format": {"type": "grammar"}}),
            Dialect::OpenAi,
            "text.format",
        ),
        (
            "include",
            json!(["message.output_text.logprobs"]),
            Dialect::Anthropic,
            "include",
        ),
        ("moderation", json!({}), Dialect::OpenAi, "moderation"),
        (
            "input",
            json!([{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]),
            Dialect::Anthropic,
            "input[0].content",
        ),
        (
            "input",
            json!([{"role": "user", "content": "x"}, {"role": "user", "content": [{"type": "new"}]}]),
            Dialect::Anthropic,
            "input[1].content",
        ),
        (
            "input",
            json!([{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]),
            Dialect::OpenAi,
            "input[].content[]",
        ),
        ("input", json!([]), Dialect::Anthropic, "input"),
        ("input", json!(""), Dialect::Anthropic, "input.content"),
    ] {
        let mut body = input(json!("x"));
        body[name] = value;
        let request = read(&body).unwrap();
        let error = write(&request, upstream, "claude-sonnet-4-5").expect_err(&body.to_string());
        assert_eq!(error.param, param, "{body}");
    }
}

#[test]
fn the_likelihood_of_tokens_is_asked_for_by_include() {
    let mut body = input(json!("x"));
    body["include"] = json!(["message.output_text.logprobs"]);
    body["top_logprobs"] = json!(2);
    let out = write(&read(&body).unwrap(), Dialect::OpenAi, "m").unwrap();
    let out = value(&out.body);
    assert_eq!(
        (&out["logprobs"], &out["top_logprobs"]),
        (&json!(true), &json!(2))
    );
}

#[test]
fn no_effort_is_no_thinking_and_a_summary_makes_it_visible() {
    let mut body = input(json!("x"));
    body["reasoning"] = json!({"effort": "none"});
    let out = write(&read(&body).unwrap(), Dialect::Gemini, "gemini-2.5-flash").unwrap();
    let out = value(&out.body);
    assert_eq!(
        out["generationConfig"]["thinkingConfig"]["thinkingBudget"],
        0
    );
    body["reasoning"] = json!({"summary": "auto", "effort": null});
    let out = write(&read(&body).unwrap(), Dialect::Gemini, "gemini-2.5-flash").unwrap();
    let out = value(&out.body);
    assert_eq!(
        out["generationConfig"]["thinkingConfig"]["includeThoughts"],
        true
    );
}

#[test]
fn results_stand_behind_their_calls_wherever_they_come() {
    let call = |id| json!({"type": "function_call", "call_id": id, "name": "f", "arguments": "{}"});
    let output = |id| json!({"type": "function_call_output", "call_id": id, "output": id});
    let items = json!([
        call("a"),
        call("b"),
        output("b"),
        call("c"),
        output("a"),
        output("c")
    ]);
    let request = read(&input(items)).unwrap();
    let roles: Vec<Role> = request.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(
        roles,
        [Role::Assistant, Role::User, Role::Assistant, Role::User]
    );
    let results = request.turns.iter().flat_map(|turn| &turn.blocks);
    let results: Vec<&str> = results
        .filter_map(|block| match &block.content {
            Content::ToolResult(result) => Some(result.call.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(results, ["a", "b", "c"]);
    for dialect in UPSTREAMS {
        write(&request, dialect, "m").unwrap();
    }
    // The id may be used again once the call has its result.
    let items = json!([call("a"), output("a"), call("a"), output("a")]);
    let request = read(&input(items)).unwrap();
    write(&request, Dialect::OpenAi, "m").unwrap();
}

#[test]
fn thoughts_that_led_to_nothing_are_left_out() {
    let thought = json!({"type": "reasoning", "id": "rs", "summary": [],
        "encrypted_content": "aisix:{\"from\":\"anthropic\",\"redacted\":\"x\"}"});
    let items = json!([{"role": "user", "content": "x"}, thought, {"role": "user", "content": "y"}, thought]);
    let request = read(&input(items)).unwrap();
    assert!(request.turns.iter().all(|turn| turn.role == Role::User));
    assert_eq!(request.turns.len(), request.places.len());
    let mut options = WriteOptions::new("claude-sonnet-4-5");
    options.on_unsupported = OnUnsupported::Refuse;
    let codec = upstream_codec(Dialect::Anthropic).unwrap();
    codec.write_request(&request, &options).unwrap();
}

#[test]
fn reasoning_of_which_only_the_name_comes_back_is_left_out() {
    let named =
        |id: &str| json!([{"role": "user", "content": "x"}, {"type": "item_reference", "id": id}]);
    assert_eq!(read(&input(named("rs_1"))).unwrap().turns.len(), 1);
    for id in ["msg_1", "fc_1", "rs"] {
        assert_eq!(read(&input(named(id))).unwrap_err().param, "input[1]");
    }
}

#[test]
fn escapes_are_read_and_halves_of_characters_are_refused() {
    let body = r#"{"model":"x","input":[{"role":"user","content":"\ud83e\udd80\u0000"},
        {"type":"function_call","call_id":"c","name":"f","arguments":"{\"q\":\"\\ud83e\\udd80\"}"}]}"#;
    let request = Responses.read_request(body.as_bytes()).unwrap();
    let out = write(&request, Dialect::Gemini, "m").unwrap();
    let contents = &value(&out.body)["contents"];
    assert_eq!(contents[0]["parts"][0]["text"], "🦀\u{0}");
    assert_eq!(contents[1]["parts"][0]["functionCall"]["args"]["q"], "🦀");
    let half = r#"{"model":"x","input":"\ud83e"}"#;
    assert_eq!(
        Responses.read_request(half.as_bytes()).unwrap_err().param,
        ""
    );
}
