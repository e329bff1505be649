use serde_json::Value;

use crate::Dialect;
use crate::anthropic::Messages;
use crate::chat::{
    Block, CallerCodec, Content, Names, OnUnsupported, Request, Role, ToolCall, ToolResult, Turn,
    UpstreamCodec, WriteOptions, caller_codec,
};

macro_rules! fixtures {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../tests/fixtures/anthropic/", $name, ".json")))),*]
    };
}

fn write(request: &Request, model: &str) -> Result<(Value, String, Vec<String>), crate::Invalid> {
    let written = Messages.write_request(request, &WriteOptions::new(model))?;
    let text = String::from_utf8(written.body.to_vec()).unwrap();
    Ok((serde_json::from_str(&text).unwrap(), text, written.dropped))
}

#[test]
fn a_thread_is_refused_in_the_words_by_which_sdks_go_on_without() {
    let body =
        |thread: &str| format!(r#"{{"model":"m","max_tokens":1,"messages":[],"thread":{thread}}}"#);
    let refused = read(&body(r#"{"type":"create"}"#)).unwrap_err();
    assert_eq!(
        (refused.param.as_ref(), refused.code),
        ("thread", Some("thread_unsupported_request"))
    );
    assert!(read(&body("null")).is_ok());
}

fn read(text: &str) -> Result<Request, crate::Invalid> {
    Messages.read_request(text.as_bytes())
}

#[test]
fn what_the_dialect_can_say_survives_the_neutral_form() {
    for (name, text) in fixtures![
        "request/minimal",
        "request/sampling",
        "request/tool_loop",
        "request/thinking_loop",
        "request/media_and_cache",
        "request/structured",
        "request/foreign_to_others",
        "request/choice_any",
        "request/choice_tool",
        "request/choice_none",
    ] {
        let request = read(text).unwrap();
        let golden: Value = serde_json::from_str(text).unwrap();
        let (value, written, dropped) = write(&request, &request.model).unwrap();
        assert_eq!(value, golden, "{name}");
        assert_eq!(dropped, [""; 0], "{name}");
        super::strict::validate(&value).unwrap();
        // Once more, to see that nothing hides behind the form of the first text.
        let again = read(&written).unwrap();
        assert_eq!(write(&again, &again.model).unwrap().1, written, "{name}");
        for number in ["0.30", "1.50"] {
            assert_eq!(text.contains(number), written.contains(number), "{name}");
        }
    }
}

#[test]
fn chat_completions_become_what_the_golden_files_say() {
    let chat = caller_codec(Dialect::OpenAi).unwrap();
    for (name, text) in fixtures![
        "from_chat/basics",
        "from_chat/tools",
        "from_chat/images",
        "from_chat/schema",
        "from_chat/json_object",
        "from_chat/reasoning_adaptive",
        "from_chat/reasoning_budget",
        "from_chat/reasoning_ruled_out",
        "from_chat/assistant_first",
        "from_chat/system_only",
    ] {
        let golden: Value = serde_json::from_str(text).unwrap();
        let request = chat
            .read_request(golden["in"].to_string().as_bytes())
            .unwrap();
        let model = golden["model"].as_str().unwrap_or("m");
        let (value, _, dropped) = write(&request, model).unwrap();
        assert_eq!(value, golden["out"], "{name}\n{value}");
        assert_eq!(Value::from(dropped), golden["dropped"], "{name}");
        super::strict::validate(&value).unwrap();
    }
}

#[test]
fn what_would_change_the_answer_is_refused_by_name_or_dropped_on_demand() {
    let chat = caller_codec(Dialect::OpenAi).unwrap();
    for (field, more) in [
        ("n", r#""n":2"#),
        ("logprobs", r#""logprobs":true"#),
        ("tool_choice", r#""tool_choice":"required""#),
    ] {
        let body =
            format!(r#"{{"model":"x","messages":[{{"role":"user","content":"x"}}],{more}}}"#);
        let request = chat.read_request(body.as_bytes()).unwrap();
        assert_eq!(write(&request, "m").unwrap_err().param, field);
        let mut options = WriteOptions::new("m");
        options.on_unsupported = OnUnsupported::Drop;
        let written = Messages.write_request(&request, &options).unwrap();
        assert_eq!(written.dropped, [field]);
    }
    let body = r#"{"model":"x","messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{}}}}"#;
    let request = chat.read_request(body.as_bytes()).unwrap();
    let invalid = write(&request, "claude-3-5-haiku-latest").unwrap_err();
    assert_eq!(invalid.param, "response_format");
}

#[test]
fn hints_are_refused_when_the_model_is_set_to_refuse() {
    let body = br#"{"model":"x","messages":[{"role":"user","content":"x"}],"seed":1}"#;
    let request = caller_codec(Dialect::OpenAi)
        .unwrap()
        .read_request(body)
        .unwrap();
    let mut options = WriteOptions::new("m");
    options.on_unsupported = OnUnsupported::Refuse;
    let invalid = Messages.write_request(&request, &options).unwrap_err();
    assert_eq!(invalid.param, "seed");
}

#[test]
fn newest_models_get_no_sampling() {
    let request = read(
        r#"{"model":"m","max_tokens":9,"temperature":0.5,"top_k":3,"messages":[{"role":"user","content":"x"}]}"#,
    );
    let (value, _, dropped) = write(&request.unwrap(), "claude-opus-4-7").unwrap();
    assert!(value.get("temperature").is_none() && value.get("top_k").is_none());
    assert_eq!(dropped, ["temperature", "top_k"]);
}

#[test]
fn tools_of_one_name_do_not_multiply_what_they_say() {
    let tools = [r#"{"name":"f","input_schema":{"type":"object"},"odd":1}"#; 3].join(",");
    let body = format!(
        r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":"x"}}],"tools":[{tools}]}}"#
    );
    let text = write(&read(&body).unwrap(), "m").unwrap().1;
    assert_eq!(text.matches("odd").count(), 3);
}

#[test]
fn schemas_lose_what_the_dialect_refuses_and_say_so() {
    let chat = caller_codec(Dialect::OpenAi).unwrap();
    let ask = |more: &str| {
        let body =
            format!(r#"{{"model":"x","messages":[{{"role":"user","content":"x"}}],{more}}}"#);
        write(
            &chat.read_request(body.as_bytes()).unwrap(),
            "claude-opus-5",
        )
    };
    let format = |schema: &str| {
        ask(&format!(
            r#""response_format":{{"type":"json_schema","json_schema":{{"name":"n","schema":{schema}}}}}"#
        ))
    };
    let (value, _, dropped) =
        format(r#"{"type":"object","properties":{"a":{"type":"integer","maximum":3}}}"#).unwrap();
    assert_eq!(
        value["output_config"]["format"]["schema"],
        serde_json::json!({"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": false})
    );
    assert_eq!(dropped, ["response_format.json_schema.schema.maximum"]);
    let invalid =
        format(r#"{"type":"object","additionalProperties":{"type":"string"}}"#).unwrap_err();
    assert_eq!(
        invalid.param,
        "response_format.json_schema.schema.additionalProperties"
    );

    let tool = |schema: &str| {
        let tool = format!(
            r#""tools":[{{"type":"function","function":{{"name":"f","strict":true,"parameters":{schema}}}}}]"#
        );
        let (value, _, dropped) = ask(&tool).unwrap();
        (value["tools"][0].clone(), dropped)
    };
    let (value, dropped) =
        tool(r#"{"type":"object","properties":{"a":{"type":"string","maxLength":3}}}"#);
    assert_eq!(
        value["input_schema"]["properties"]["a"],
        serde_json::json!({"type": "string"})
    );
    assert_eq!(value["strict"], true);
    assert_eq!(dropped, ["tools[].function.parameters.maxLength"]);
    let (value, dropped) = tool(r#"{"type":"object","not":{}}"#);
    assert_eq!(
        value["input_schema"],
        serde_json::json!({"type": "object", "not": {}})
    );
    assert!(value.get("strict").is_none());
    assert_eq!(dropped, ["tools[].function.strict"]);
}

#[test]
fn the_newest_word_for_no_thinking_is_understood() {
    let request = read(
        r#"{"model":"m","max_tokens":9,"thinking":{"type":"between_tools"},"messages":[{"role":"user","content":"x"}]}"#,
    )
    .unwrap();
    for (model, word) in [
        ("claude-sonnet-5-5", "between_tools"),
        ("claude-opus-5", "disabled"),
    ] {
        assert_eq!(write(&request, model).unwrap().0["thinking"]["type"], word);
    }
}

#[test]
fn what_a_model_cannot_be_told_is_said_in_words_it_knows_or_named() {
    let chat = caller_codec(Dialect::OpenAi).unwrap();
    let ask = |model: &str, more: &str| {
        let body =
            format!(r#"{{"model":"x","messages":[{{"role":"user","content":"x"}}],{more}}}"#);
        let request = chat.read_request(body.as_bytes()).unwrap();
        let mut options = WriteOptions::new(model);
        options.on_unsupported = OnUnsupported::Drop;
        let written = Messages.write_request(&request, &options).unwrap();
        let value: Value = serde_json::from_slice(&written.body).unwrap();
        let told = [
            &value["thinking"]["type"],
            &value["output_config"]["effort"],
            &value["tool_choice"]["type"],
        ];
        let told = told.map(|word| word.as_str().unwrap_or_default().to_owned());
        (told, written.dropped)
    };
    let tools = r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required""#;
    let off = r#""reasoning_effort":"none""#;
    let most = r#""reasoning_effort":"xhigh""#;
    for (model, more, told, dropped) in [
        ("claude-sonnet-5", off, ["disabled", "", ""], None),
        ("claude-sonnet-5-5", off, ["between_tools", "", ""], None),
        ("claude-3-5-haiku", off, ["", "", ""], None),
        (
            "claude-opus-5-5",
            off,
            ["", "low", ""],
            Some("reasoning_effort"),
        ),
        ("claude-opus-5-5", most, ["adaptive", "xhigh", ""], None),
        (
            "claude-mythos-preview",
            most,
            ["adaptive", "high", ""],
            None,
        ),
        ("claude-sonnet-4-6", most, ["adaptive", "high", ""], None),
        ("claude-haiku-5-5", tools, ["", "", "any"], None),
        (
            "claude-sonnet-5-5",
            tools,
            ["", "", "auto"],
            Some("tool_choice"),
        ),
    ] {
        let expected = (
            told.map(String::from),
            Vec::from_iter(dropped.map(String::from)),
        );
        assert_eq!(ask(model, more), expected, "{model} {more}");
    }
}

fn call(id: &str) -> Block {
    Block::new(Content::ToolCall(ToolCall {
        id: id.into(),
        name: "f".into(),
        arguments: "{}".into(),
    }))
}

fn result(id: &str) -> Block {
    Block::new(Content::ToolResult(ToolResult {
        call: id.into(),
        name: None,
        blocks: vec![Block::text("r")],
        is_error: false,
    }))
}

fn request(turns: Vec<Turn>) -> Request {
    let mut request = Request::new(Dialect::OpenAi);
    request.turns = turns;
    request
}

#[test]
fn results_without_calls_and_calls_without_results_are_refused() {
    let user = |blocks| Turn::new(Role::User, blocks);
    let model = |blocks| Turn::new(Role::Assistant, blocks);
    let go = || user(vec![Block::text("go")]);
    for (turns, blamed) in [
        (vec![user(vec![result("a")])], "messages[0]"),
        (
            vec![go(), model(vec![call("a")]), user(vec![result("b")])],
            "messages[2]",
        ),
        (vec![go(), model(vec![call("a")])], "messages[1]"),
        (vec![go(), model(vec![call("a")]), go()], "messages[1]"),
        (
            vec![
                go(),
                model(vec![call("a"), call("b")]),
                user(vec![result("a")]),
            ],
            "messages[1]",
        ),
        (
            vec![
                go(),
                model(vec![call("a"), call("a")]),
                user(vec![result("a")]),
            ],
            "messages[1]",
        ),
        (
            vec![
                go(),
                model(vec![call("a")]),
                user(vec![result("a"), result("a")]),
            ],
            "messages[2]",
        ),
    ] {
        let invalid = write(&request(turns), "m").unwrap_err();
        assert_eq!(invalid.param, blamed, "{invalid}");
    }
}

#[test]
fn ids_that_come_again_are_made_unique_and_results_follow() {
    let turns = ["x", "y"].map(|text| {
        [
            Turn::new(Role::User, vec![Block::text(text)]),
            Turn::new(Role::Assistant, vec![call("a")]),
            Turn::new(Role::User, vec![result("a")]),
        ]
    });
    let (value, ..) = write(&request(turns.concat()), "m").unwrap();
    super::strict::validate(&value).unwrap();
    assert_eq!(value["messages"][3]["content"][0]["id"], "a_2");
    assert_eq!(value["messages"][4]["content"][0]["tool_use_id"], "a_2");
}

#[test]
fn unsigned_thinking_of_others_is_left_out_and_signed_thinking_kept() {
    let mut signed = Block::new(Content::Thinking("b".into()));
    signed.signature = Some("sig".into());
    let turns = vec![
        Turn::new(Role::User, vec![Block::text("x")]),
        Turn::new(
            Role::Assistant,
            vec![
                Block::new(Content::Thinking("a".into())),
                signed,
                Block::text("t"),
            ],
        ),
        Turn::new(Role::User, vec![Block::text("y")]),
    ];
    let (value, ..) = write(&request(turns), "m").unwrap();
    let content = value["messages"][1]["content"].as_array().unwrap();
    assert_eq!(content.len(), 2);
    assert_eq!(content[0]["thinking"], "b");
}

#[test]
fn a_conversation_that_says_nothing_is_refused() {
    let empty = |role| request(vec![Turn::new(role, vec![Block::text(" ")])]);
    assert_eq!(
        write(&empty(Role::User), "m").unwrap_err().param,
        "messages[0].content"
    );
    assert_eq!(
        write(&empty(Role::Assistant), "m").unwrap_err().param,
        "messages"
    );
    assert_eq!(write(&request(vec![]), "m").unwrap_err().param, "messages");
}

#[test]
fn requests_that_make_no_sense_are_blamed_by_name() {
    for (body, param) in [
        ("", ""),
        ("[]", ""),
        (r#"{"messages":[]}"#, "model"),
        (r#"{"model":"m"}"#, "messages"),
        (r#"{"model":"m","messages":{}}"#, "messages"),
        (r#"{"model":"m","messages":[1]}"#, "messages[0]"),
        (
            r#"{"model":"m","messages":[{"role":"robot","content":"x"}]}"#,
            "messages[0].role",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user"}]}"#,
            "messages[0].content",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":[1]}]}"#,
            "messages[0].content[0]",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":[{"text":"x"}]}]}"#,
            "messages[0].content[0].type",
        ),
        (
            r#"{"model":"m","messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":"x"}]}]}"#,
            "messages[0].content[0].input",
        ),
        (
            r#"{"model":"m","messages":[],"max_tokens":"1"}"#,
            "max_tokens",
        ),
        (
            r#"{"model":"m","messages":[],"thinking":{"type":"enabled"}}"#,
            "thinking.budget_tokens",
        ),
    ] {
        assert_eq!(read(body).unwrap_err().param, param, "{body}");
    }
    let body = r#"{"model":"m","max_tokens":2000,"thinking":{"type":"enabled","budget_tokens":2000},"messages":[{"role":"user","content":"x"}]}"#;
    let invalid = write(&read(body).unwrap(), "m").unwrap_err();
    assert_eq!(invalid.param, "thinking.budget_tokens");
}

#[test]
fn odd_tool_names_go_out_changed_and_come_back() {
    let long = "x".repeat(200);
    let names = ["ok_name-1", "a.b", "a b", "größe", long.as_str(), ""];
    let mut request = request(vec![Turn::new(Role::User, vec![Block::text("x")])]);
    request.tools = names
        .iter()
        .map(|name| {
            crate::chat::Tool::Function(crate::chat::Function {
                name: (*name).to_owned(),
                description: None,
                schema: None,
                strict: None,
                cache: None,
            })
        })
        .collect();
    let back = Names::of(&Messages, &request);
    let (value, ..) = write(&request, "m").unwrap();
    super::strict::validate(&value).unwrap();
    for (index, name) in names.iter().enumerate() {
        let wire = value["tools"][index]["name"].as_str().unwrap();
        let body = format!(
            r#"{{"content":[{{"type":"tool_use","id":"t","name":"{wire}","input":{{}}}}]}}"#
        );
        let mut response = Messages.read_response(body.as_bytes()).unwrap();
        back.restore(&mut response);
        let Content::ToolCall(call) = &response.choices[0].blocks[0].content else {
            panic!("a call");
        };
        assert_eq!(call.name, *name);
    }
}

#[test]
fn documents_of_text_are_written_as_text_and_others_are_refused() {
    let document = |media_type: &str, data: &str| {
        let block = Block::new(Content::Document(crate::chat::Document {
            source: crate::chat::Source::Data {
                media_type: media_type.into(),
                data: data.into(),
            },
            name: None,
            more: None,
        }));
        request(vec![Turn::new(Role::User, vec![block])])
    };
    let (value, ..) = write(&document("text/markdown", "aMOp"), "m").unwrap();
    let golden = serde_json::json!({"type": "text", "media_type": "text/plain", "data": "hé"});
    assert_eq!(value["messages"][0]["content"][0]["source"], golden);
    for (media_type, data) in [
        ("text/plain", "/w=="),
        ("text/plain", "?"),
        ("video/mp4", "aMOp"),
    ] {
        let invalid = write(&document(media_type, data), "m").unwrap_err();
        assert_eq!(invalid.param, "messages[0].content");
    }
}

#[test]
fn an_image_of_twenty_megabytes_passes() {
    let data = "iVBO".repeat(5 << 20);
    let body = format!(
        r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"user","content":[{{"type":"image","source":{{"type":"base64","media_type":"image/png","data":"{data}"}}}}]}}]}}"#
    );
    let (_, written, _) = write(&read(&body).unwrap(), "m").unwrap();
    assert_eq!(written, body);
}

#[test]
fn what_only_this_dialect_says_of_a_tool_stays_with_it() {
    let body = r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],"tools":[{"name":"a.b","input_schema":{"type":"object"},"defer_loading":true},{"name":"c","input_schema":{"type":"object"},"input_examples":[{}]}]}"#;
    let request = read(body).unwrap();
    let (value, ..) = write(&request, "m").unwrap();
    assert_eq!(value["tools"][0]["defer_loading"], true);
    assert_eq!(value["tools"][1]["input_examples"], serde_json::json!([{}]));
    let chat = crate::chat::upstream_codec(Dialect::OpenAi).unwrap();
    let written = chat
        .write_request(&request, &WriteOptions::new("m"))
        .unwrap();
    assert!(
        written
            .dropped
            .contains(&"tools.a.b.defer_loading".to_owned())
    );
}

#[test]
fn many_calls_with_one_id_take_no_more_than_linear_time() {
    let start = std::time::Instant::now();
    let loops = (0..20_000).map(|_| {
        [
            Turn::new(Role::User, vec![Block::text("x")]),
            Turn::new(Role::Assistant, vec![call("a")]),
            Turn::new(Role::User, vec![result("a")]),
        ]
    });
    let (value, ..) = write(&request(loops.flatten().collect()), "m").unwrap();
    super::strict::validate(&value).unwrap();
    assert!(start.elapsed() < std::time::Duration::from_secs(20));
}

#[test]
fn a_turn_that_was_merged_of_messages_is_named_by_the_first_of_them() {
    let chat = caller_codec(Dialect::OpenAi).unwrap();
    let call = |id| {
        format!(r#"{{"id":"{id}","type":"function","function":{{"name":"f","arguments":""}}}}"#)
    };
    let result = |id| format!(r#"{{"role":"tool","tool_call_id":"{id}","content":"x"}}"#);
    let body = format!(
        r#"{{"model":"x","messages":[{{"role":"user","content":"x"}},{{"role":"assistant","tool_calls":[{},{}]}},{},{},{{"role":"assistant","tool_calls":[{}]}}]}}"#,
        call("a"),
        call("b"),
        result("a"),
        result("b"),
        call("c"),
    );
    let request = chat.read_request(body.as_bytes()).unwrap();
    assert_eq!(write(&request, "m").unwrap_err().param, "messages[4]");
}
