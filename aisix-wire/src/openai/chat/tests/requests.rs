use super::{ChatCompletions, canon};
use crate::Dialect;
use crate::chat::{
    Block, CallerCodec, Content, Effort, Function, Image, LimitName, OnUnsupported, Opaque,
    OutputLimit, Raw, Reasoning, ReasoningMode, Request, Role, Source, Tool, ToolCall, ToolResult,
    Turn, UpstreamCodec, WriteOptions,
};

const FULL: &str = include_str!("../../../../tests/fixtures/openai/request_full.json");
const OLDER: &str = include_str!("../../../../tests/fixtures/openai/request_older.json");
const OLDER_OUT: &str = include_str!("../../../../tests/fixtures/openai/request_older.out.json");

fn read(body: &str) -> Request {
    ChatCompletions.read_request(body.as_bytes()).unwrap()
}

fn write(request: &Request) -> String {
    let options = WriteOptions {
        replay_thinking: true,
        replay_signatures: true,
        ..WriteOptions::new("up")
    };
    let written = ChatCompletions.write_request(request, &options).unwrap();
    String::from_utf8(written.body.to_vec()).unwrap()
}

fn call(id: &str) -> Block {
    Block::new(Content::ToolCall(ToolCall {
        id: id.to_owned(),
        name: "f".to_owned(),
        arguments: "{}".to_owned(),
    }))
}

fn result(call: &str, blocks: Vec<Block>) -> Block {
    Block::new(Content::ToolResult(ToolResult {
        call: call.to_owned(),
        name: None,
        blocks,
        is_error: false,
    }))
}

fn foreign(turns: Vec<Turn>) -> Request {
    Request {
        turns,
        ..Request::new(Dialect::Anthropic)
    }
}

fn messages(request: &Request) -> String {
    let canon = canon(write(request));
    let start = canon.find("\"messages\":").unwrap() + 11;
    let end = canon.find(",\"model\"").unwrap();
    canon[start..end].to_owned()
}

fn canon_list(list: &str) -> String {
    let object = canon(format!("{{\"l\":{list}}}"));
    object[5..object.len() - 1].to_owned()
}

#[test]
fn a_request_with_everything_comes_through_unchanged() {
    let written = write(&read(FULL));
    assert_eq!(
        canon(written),
        canon(FULL.replacen("gpt-x", "up", 1)),
        "numbers by their text"
    );
}

#[test]
fn the_older_spelling_is_read_and_the_newer_one_written() {
    assert_eq!(canon(write(&read(OLDER))), canon(OLDER_OUT));
}

#[test]
fn a_request_with_everything_is_understood() {
    let request = read(FULL);
    let roles: Vec<Role> = request.turns.iter().map(|turn| turn.role).collect();
    use Role::{Assistant, Developer, System, User};
    assert_eq!(
        roles,
        [
            System, Developer, User, Assistant, User, Assistant, Assistant, User
        ]
    );
    assert_eq!(request.turns[4].blocks.len(), 3, "one turn for all results");
    assert_eq!(request.call_name("call_2"), Some("noop"));
    assert_eq!(request.instructions().count(), 2);
    let image = Content::Image(Image {
        source: Source::Data {
            media_type: "image/png".to_owned(),
            data: "iVBO".to_owned(),
        },
        detail: Some("low".to_owned()),
    });
    assert_eq!(request.turns[2].blocks[1].content, image);
    let calls = &request.turns[3].blocks;
    assert_eq!(calls[0].content, Content::Thinking("hm".to_owned()));
    assert_eq!(calls[1].signature.as_deref(), Some("c2ln"));
    let Content::ToolCall(empty) = &calls[2].content else {
        panic!("{:?}", calls[2]);
    };
    assert_eq!(empty.object(), Some(Raw::empty_object()));
    let effort = request.reasoning.unwrap().effort;
    assert_eq!(effort, Some(Effort::ExtraHigh));
    assert_eq!(request.sampling.temperature.unwrap().as_str(), "0");
    let names: Vec<_> = request.rest.iter().map(|extra| &*extra.name).collect();
    assert_eq!(
        names,
        [
            "stream_options",
            "verbosity",
            "prediction",
            "modalities",
            "x_custom"
        ]
    );
    assert!(request.rest.iter().all(|extra| !extra.shapes));
}

#[test]
fn what_makes_no_sense_is_blamed_by_its_path() {
    let cases = [
        (r#"{"messages":[]}"#, "model"),
        (r#"{"model":"m"}"#, "messages"),
        (r#"{"model":"m","messages":[7]}"#, "messages[0]"),
        (
            r#"{"model":"m","messages":[{"role":"x"}]}"#,
            "messages[0].role",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":7}]}"#,
            "messages[0].content",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}]}"#,
            "messages[0].content[0].text",
        ),
        (
            r#"{"model":"m","messages":[{"role":"tool","content":""}]}"#,
            "messages[0].tool_call_id",
        ),
        (
            r#"{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"a"}]}]}"#,
            "messages[0].tool_calls[0].function",
        ),
        (r#"{"model":"m","messages":[],"stop":[1]}"#, "stop"),
        (r#"{"model":"m","messages":[],"n":1.5}"#, "n"),
        (
            r#"{"model":"m","messages":[],"temperature":"hot"}"#,
            "temperature",
        ),
        (
            r#"{"model":"m","messages":[],"tools":[{"type":"function"}]}"#,
            "tools[0].function",
        ),
        (
            r#"{"model":"m","messages":[],"tool_choice":"maybe"}"#,
            "tool_choice",
        ),
        (
            r#"{"model":"m","messages":[],"response_format":{"type":"json_schema"}}"#,
            "response_format.json_schema",
        ),
        ("[]", ""),
    ];
    for (body, param) in cases {
        let invalid = ChatCompletions.read_request(body.as_bytes()).unwrap_err();
        assert_eq!(invalid.param, param, "{body}");
    }
}

#[test]
fn null_is_absent_everywhere() {
    let nulls = r#"{"model":"m","messages":[{"role":"user","content":null,"name":null}],"tools":null,"tool_choice":null,
        "stop":null,"n":null,"stream":null,"stream_options":null,"response_format":null,"reasoning_effort":null,
        "user":null,"metadata":null,"x":null,"logit_bias":null,"max_tokens":null,"parallel_tool_calls":null}"#;
    let plain = r#"{"model":"m","messages":[{"role":"user"}]}"#;
    assert_eq!(read(nulls), read(plain));
}

#[test]
fn results_come_right_after_their_calls_and_images_after_those() {
    let image = Block::new(Content::Image(Image {
        source: Source::Url("https://e.x/i".to_owned()),
        detail: None,
    }));
    let request = foreign(vec![
        Turn::new(Role::Assistant, vec![call("a"), call("b"), call("c")]),
        Turn::new(
            Role::User,
            vec![Block::text("first"), result("b", vec![image])],
        ),
        Turn::new(Role::User, vec![result("a", vec![Block::text("x")])]),
    ]);
    let expected = r#"[
        {"role":"assistant","content":null,"tool_calls":[
            {"id":"a","type":"function","function":{"name":"f","arguments":"{}"}},
            {"id":"b","type":"function","function":{"name":"f","arguments":"{}"}},
            {"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"b","content":"(see the next message)"},
        {"role":"tool","tool_call_id":"a","content":"x"},
        {"role":"tool","tool_call_id":"c","content":"(no result)"},
        {"role":"user","content":[{"type":"image_url","image_url":{"url":"https://e.x/i"}}]},
        {"role":"user","content":"first"}]"#;
    assert_eq!(messages(&request), canon_list(expected));
}

#[test]
fn only_an_assistant_calls_tools_of_other_kinds() {
    let part = r#"{"id":"c","type":"custom","custom":{"name":"g","input":"x"}}"#;
    let said = format!(r#"[{{"role":"user","content":[{part}]}}]"#);
    let request = read(&format!(r#"{{"model":"up","messages":{said}}}"#));
    assert_eq!(messages(&request), canon_list(&said));
}

#[test]
fn a_call_of_any_kind_stays_one_and_has_an_id() {
    let calls = |call: &str| {
        format!(
            r#"[{{"role":"assistant","content":null,"tool_calls":[{call}]}},{{"role":"tool","tool_call_id":"c","content":"x"}}]"#
        )
    };
    let said = calls(r#"{"id":"c","type":"file","file":{"filename":""}}"#);
    let request = read(&format!(r#"{{"model":"up","messages":{said}}}"#));
    assert_eq!(messages(&request), canon_list(&said));
    let said = calls(r#"{"type":"file","file":{"filename":""}}"#);
    let body = format!(r#"{{"model":"up","messages":{said}}}"#);
    let invalid = ChatCompletions.read_request(body.as_bytes()).unwrap_err();
    assert_eq!(invalid.param, "messages[0].tool_calls[0].id");
}

#[test]
fn a_result_without_its_call_is_refused() {
    let twice = vec![result("a", vec![]), result("a", vec![])];
    for turns in [
        vec![Turn::new(Role::User, vec![result("a", vec![])])],
        vec![
            Turn::new(Role::Assistant, vec![call("a")]),
            Turn::new(Role::User, twice),
        ],
    ] {
        let written = ChatCompletions.write_request(&foreign(turns), &WriteOptions::new("m"));
        assert_eq!(written.unwrap_err().param, "messages");
    }
}

#[test]
fn what_cannot_be_said_is_dropped_and_listed_or_refused() {
    let raw = |text| Raw::parse(text).unwrap();
    let mut block = Block::text("x");
    block.cache = Some(raw(r#"{"type":"ephemeral"}"#));
    let mut request = foreign(vec![
        Turn::new(Role::User, vec![block]),
        Turn::new(
            Role::Assistant,
            vec![
                Block::new(Content::Thinking("t".to_owned())),
                Block::new(Content::RedactedThinking("r".to_owned())),
                Block::text("y"),
            ],
        ),
    ]);
    request.sampling.top_k = Some(40.into());
    request.metadata = Some(raw(r#"{"a":"b"}"#));
    request.service_tier = Some("standard_only".to_owned());
    request.reasoning = Some(Reasoning {
        mode: ReasoningMode::Budget(5000),
        ..Reasoning::default()
    });
    request.output_limit = Some(OutputLimit {
        tokens: 5,
        name: None,
    });
    let mut options = WriteOptions::new("m");
    options.limit_name = LimitName::MaxTokens;
    let written = ChatCompletions.write_request(&request, &options).unwrap();
    assert_eq!(
        written.dropped,
        [
            "cache_control",
            "redacted_thinking",
            "thinking",
            "top_k",
            "metadata",
            "service_tier"
        ]
    );
    let expected = r#"{"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y"}],
        "max_tokens":5,"reasoning_effort":"medium"}"#;
    assert_eq!(canon(&written.body), canon(expected));

    options.on_unsupported = OnUnsupported::Refuse;
    let refused = ChatCompletions.write_request(&request, &options);
    assert_eq!(refused.unwrap_err().param, "top_k");

    let opaque = Opaque {
        dialect: Dialect::Anthropic,
        raw: raw(r#"{"type":"web_search"}"#),
    };
    let mut request = foreign(vec![]);
    request.tools = vec![Tool::Opaque(opaque.clone())];
    options.on_unsupported = OnUnsupported::RefuseShape;
    let refused = ChatCompletions.write_request(&request, &options);
    assert_eq!(refused.unwrap_err().param, "tools[0]");
    options.on_unsupported = OnUnsupported::Drop;
    let written = ChatCompletions.write_request(&request, &options).unwrap();
    assert_eq!(written.dropped, ["tools[0]"]);

    let request = foreign(vec![Turn::new(
        Role::User,
        vec![Block::new(Content::Opaque(opaque))],
    )]);
    let refused = ChatCompletions.write_request(&request, &WriteOptions::new("m"));
    assert_eq!(refused.unwrap_err().param, "web_search");
}

#[test]
fn choices_of_tools_are_left_out_where_there_are_no_tools() {
    let body =
        r#"{"model":"m","messages":[],"tools":[],"tool_choice":"auto","parallel_tool_calls":true}"#;
    let expected = r#"{"model":"up","messages":[]}"#;
    assert_eq!(canon(write(&read(body))), canon(expected));
    let function = Function {
        name: "f".to_owned(),
        description: None,
        schema: None,
        strict: None,
        cache: None,
    };
    let mut request = foreign(vec![]);
    request.tools = vec![Tool::Function(function)];
    request.parallel_tools = Some(false);
    let written = canon(write(&request));
    assert!(
        written.contains("\"parallel_tool_calls\":false"),
        "{written}"
    );
}

#[test]
fn members_that_shape_the_answer_are_told_apart() {
    let body = r#"{"model":"m","messages":[],"modalities":["text","audio"],"web_search_options":{},"store":true}"#;
    let shapes: Vec<_> = read(body)
        .rest
        .iter()
        .map(|extra| (extra.name.clone(), extra.shapes))
        .collect();
    let expected = [
        ("modalities", true),
        ("web_search_options", true),
        ("store", false),
    ];
    assert_eq!(
        shapes,
        expected.map(|(name, shapes)| (name.to_owned(), shapes))
    );
}

#[test]
fn many_calls_and_their_results_take_no_more_than_linear_time() {
    let ids: Vec<String> = (0..40_000).map(|number| number.to_string()).collect();
    let calls = ids.iter().map(|id| call(id)).collect();
    let results = ids.iter().rev().map(|id| result(id, vec![])).collect();
    let request = foreign(vec![
        Turn::new(Role::Assistant, calls),
        Turn::new(Role::User, results),
    ]);
    let written = write(&request);
    assert_eq!(written.matches("\"role\":\"tool\"").count(), ids.len());
}
