use serde_json::{Value, json};

use super::{value, written};
use crate::Dialect;
use crate::chat::*;
use crate::gemini::Gemini;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../tests/fixtures/gemini/request/", $name))
    };
}

fn write(request: &Request, model: &str) -> (Value, Vec<String>) {
    let written_request = Gemini
        .write_request(request, &WriteOptions::new(model))
        .unwrap();
    (written(&written_request.body), written_request.dropped)
}

fn refused(request: &Request) -> String {
    let refusal = Gemini
        .write_request(request, &WriteOptions::new("gemini-3-pro"))
        .unwrap_err();
    refusal.param.into_owned()
}

fn read(text: &str) -> Request {
    Gemini.read_request(text.as_bytes()).unwrap()
}

/// A request of an OpenAI caller.
fn asked(turns: Vec<Turn>) -> Request {
    let mut request = Request::new(Dialect::OpenAi);
    request.turns = turns;
    request
}

fn user(text: &str) -> Turn {
    Turn::new(Role::User, vec![Block::text(text)])
}

fn call(id: &str, name: &str, arguments: &str) -> Block {
    Block::new(Content::ToolCall(ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
    }))
}

fn result(call: &str, blocks: Vec<Block>, is_error: bool) -> Block {
    Block::new(Content::ToolResult(ToolResult {
        call: call.into(),
        name: None,
        blocks,
        is_error,
    }))
}

fn data(media_type: &str, data: &str) -> Source {
    Source::Data {
        media_type: media_type.into(),
        data: data.into(),
    }
}

fn image(source: Source) -> Block {
    Block::new(Content::Image(Image {
        source,
        detail: None,
    }))
}

fn function(schema: Value) -> Tool {
    Tool::Function(Function {
        name: "f".into(),
        description: None,
        schema: Some(Raw::from_value(&schema)),
        strict: None,
        cache: None,
    })
}

#[test]
fn a_native_request_comes_out_as_it_went_in() {
    for (text, model) in [
        (fixture!("tool_loop.json"), "gemini-3-pro-preview"),
        (fixture!("structured.json"), "gemini-2.5-flash"),
    ] {
        let request = read(text);
        assert!(request.include_usage && !request.stream);
        let out = Gemini
            .write_request(&request, &WriteOptions::new(model))
            .unwrap();
        assert_eq!(written(&out.body), value(text));
        assert_eq!(out.dropped, Vec::<String>::new());
        assert_eq!(Gemini.read_request(&out.body).unwrap(), request);
    }
}

#[test]
fn numbers_keep_their_text() {
    let out = Gemini
        .write_request(
            &read(fixture!("tool_loop.json")),
            &WriteOptions::new("gemini-3-pro"),
        )
        .unwrap();
    let text = String::from_utf8(out.body.to_vec()).unwrap();
    assert!(
        text.contains(r#""temperature":0.30"#) && text.contains(r#""t":0.30"#),
        "{text}"
    );
}

#[test]
fn both_spellings_are_read() {
    let request = read(fixture!("snake_case.json"));
    assert_eq!(
        write(&request, "gemini-2.5-flash").0,
        value(fixture!("snake_case.out.json"))
    );
    assert_eq!(request.rest, []);
}

#[test]
fn a_conversation_of_another_dialect_is_brought_in_order() {
    let mut request = asked(vec![
        Turn::new(Role::System, vec![Block::text("be brief")]),
        Turn::new(
            Role::User,
            vec![Block::text("weather?"), image(data("", "/9j/4AAQ"))],
        ),
        Turn::new(
            Role::User,
            vec![
                image(Source::Url("https://example.com/a.png".into())),
                Block::new(Content::Audio(Audio {
                    data: "UklGRg==".into(),
                    format: "wav".into(),
                })),
            ],
        ),
        Turn::new(
            Role::Assistant,
            vec![
                Block::text("let me see"),
                call("c1", "weather", r#"{"city":"Rome","t":0.30}"#),
            ],
        ),
        Turn::new(
            Role::Assistant,
            vec![call("c2", "now", " "), call("c3", "bad", "{\"a\":")],
        ),
        Turn::new(
            Role::User,
            vec![result(
                "c2",
                vec![
                    Block::text("noon"),
                    image(data("image/png", "iVBORw0KGgo=")),
                    Block::text("sharp"),
                ],
                false,
            )],
        ),
        Turn::new(Role::Developer, vec![Block::text("and kind")]),
        Turn::new(
            Role::User,
            vec![result("c1", vec![Block::text(r#"{"c":21}"#)], false)],
        ),
        Turn::new(
            Role::User,
            vec![
                result("c3", vec![Block::text("no such tool")], true),
                Block::text("thanks"),
            ],
        ),
    ]);
    request.stream = true;
    let (out, dropped) = write(&request, "gemini-3-pro-preview");
    assert_eq!(out, value(fixture!("from_messages.json")));
    assert_eq!(dropped, Vec::<String>::new());

    // 2.5 takes no media in results, and does not ask for signatures.
    let (out, _) = write(&request, "gemini-2.5-pro");
    assert_eq!(out["contents"][1]["parts"][1].get("thoughtSignature"), None);
    let parts = out["contents"][2]["parts"].as_array().unwrap();
    assert_eq!(parts[1]["functionResponse"].get("parts"), None);
    assert_eq!(
        parts[3],
        json!({"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}})
    );
}

#[test]
fn signatures_of_calls_travel_and_the_dummy_stands_in_for_lost_ones() {
    let mut signed = call("c1", "f", "{}");
    signed.signature = Some("c2ln".into());
    let mut thought = Block::new(Content::Thinking("hm".into()));
    thought.signature = Some("EqQBanthropic".into());
    let answered = Turn::new(
        Role::User,
        vec![result("c1", vec![], false), result("c2", vec![], false)],
    );
    let first = |block: Block| {
        let request = asked(vec![
            user("x"),
            Turn::new(
                Role::Assistant,
                vec![thought.clone(), block, call("c2", "f", "{}")],
            ),
            answered.clone(),
        ]);
        write(&request, "models/gemini-3-flash").0["contents"][1]["parts"].clone()
    };
    let parts = first(signed.clone());
    assert_eq!(parts[0], json!({"text": "hm", "thought": true}));
    assert_eq!(parts[1]["thoughtSignature"], "c2ln");
    assert_eq!(parts[2].get("thoughtSignature"), None);
    assert_eq!(
        first(call("c1", "f", "{}"))[1]["thoughtSignature"],
        "skip_thought_signature_validator"
    );
    signed.signature = Some("no base64!".into());
    assert_eq!(
        first(signed)[1]["thoughtSignature"],
        "skip_thought_signature_validator"
    );
}

#[test]
fn calls_and_results_that_do_not_pair_are_refused() {
    let model = |blocks| Turn::new(Role::Assistant, blocks);
    let results = |blocks| Turn::new(Role::User, blocks);
    for turns in [
        vec![user("x"), results(vec![result("c1", vec![], false)])],
        vec![user("x"), model(vec![call("c1", "f", "")]), user("y")],
        vec![user("x"), model(vec![call("c1", "f", "")])],
        vec![
            user("x"),
            model(vec![call("c1", "f", "")]),
            results(vec![
                result("c1", vec![], false),
                result("c1", vec![], false),
            ]),
        ],
        vec![
            user("x"),
            model(vec![call("c1", "f", "")]),
            user("y"),
            model(vec![Block::text("z")]),
            results(vec![result("c1", vec![], false)]),
        ],
    ] {
        assert_eq!(refused(&asked(turns)), "messages");
    }
}

#[test]
fn empty_turns_are_passed_over_and_instructions_alone_are_asked() {
    let request = asked(vec![
        Turn::new(Role::User, vec![]),
        user(""),
        Turn::new(Role::Assistant, vec![]),
        user("x"),
        Turn::new(Role::Assistant, vec![Block::text("")]),
        user("y"),
    ]);
    assert_eq!(
        write(&request, "m").0,
        json!({"contents": [{"role": "user", "parts": [{"text": "x"}, {"text": "y"}]}]})
    );
    let request = asked(vec![Turn::new(Role::System, vec![Block::text("greet")])]);
    assert_eq!(
        write(&request, "m").0,
        json!({"contents": [{"role": "user", "parts": [{"text": "greet"}]}]})
    );
    assert_eq!(
        write(&asked(vec![]), "m").0,
        json!({"contents": [{"role": "user", "parts": [{"text": ""}]}]})
    );
}

#[test]
fn thinking_is_a_budget_or_a_level_by_the_model_and_never_both() {
    let config = |model, mode, effort: Option<&str>| {
        let mut request = asked(vec![user("x")]);
        request.reasoning = Some(Reasoning {
            mode,
            effort: effort.map(Effort::read),
            visible: None,
        });
        let (out, dropped) = write(&request, model);
        (
            out["generationConfig"]["thinkingConfig"].clone(),
            !dropped.is_empty(),
        )
    };
    use ReasoningMode::{Adaptive, Budget, Off, Unsaid};
    for (model, mode, effort, expected, lost) in [
        (
            "gemini-2.5-flash",
            Unsaid,
            Some("low"),
            json!({"thinkingBudget": 1024}),
            false,
        ),
        (
            "gemini-2.5-flash",
            Unsaid,
            Some("high"),
            json!({"thinkingBudget": 24576}),
            false,
        ),
        (
            "gemini-2.5-flash",
            Unsaid,
            Some("max"),
            json!({"thinkingBudget": 24576}),
            false,
        ),
        (
            "gemini-2.5-flash",
            Off,
            None,
            json!({"thinkingBudget": 0}),
            false,
        ),
        (
            "gemini-2.5-pro",
            Off,
            None,
            json!({"thinkingBudget": 128}),
            true,
        ),
        (
            "gemini-2.5-flash-lite",
            Budget(5),
            None,
            json!({"thinkingBudget": 512, "includeThoughts": true}),
            false,
        ),
        (
            "gemini-2.5-pro",
            Adaptive,
            None,
            json!({"thinkingBudget": -1, "includeThoughts": true}),
            false,
        ),
        (
            "gemini-3-pro-preview",
            Unsaid,
            Some("minimal"),
            json!({"thinkingLevel": "low"}),
            false,
        ),
        (
            "gemini-3-flash",
            Unsaid,
            Some("minimal"),
            json!({"thinkingLevel": "minimal"}),
            false,
        ),
        (
            "gemini-3.8-flash",
            Unsaid,
            Some("minimal"),
            json!({"thinkingLevel": "low"}),
            false,
        ),
        (
            "gemini-flash-latest",
            Off,
            None,
            json!({"thinkingLevel": "low"}),
            true,
        ),
        (
            "gemini-3.5-flash-lite",
            Off,
            None,
            json!({"thinkingLevel": "minimal"}),
            true,
        ),
        (
            "gemini-3.1-pro",
            Budget(9000),
            None,
            json!({"thinkingLevel": "medium", "includeThoughts": true}),
            false,
        ),
        (
            "gemini-flash-latest",
            Unsaid,
            Some("xhigh"),
            json!({"thinkingLevel": "high"}),
            false,
        ),
        (
            "models/gemini-3-flash",
            Off,
            None,
            json!({"thinkingLevel": "minimal"}),
            true,
        ),
        ("gemini-3-flash", Unsaid, Some("odd"), Value::Null, true),
        ("gemini-2.0-flash", Unsaid, Some("low"), Value::Null, true),
    ] {
        assert_eq!(
            config(model, mode, effort),
            (expected, lost),
            "{model} {mode:?} {effort:?}"
        );
    }
}

#[test]
fn choices_of_tools_are_translated() {
    let choose = |choice| {
        let mut request = asked(vec![user("x")]);
        request.tools = vec![function(json!({"type": "object", "properties": {}}))];
        request.tool_choice = Some(choice);
        let out = write(&request, "gemini-2.5-flash").0;
        assert_eq!(
            out["tools"],
            json!([{"functionDeclarations": [{"name": "f"}]}])
        );
        out["toolConfig"]["functionCallingConfig"].clone()
    };
    let names = || vec!["f".to_owned(), "g".to_owned()];
    assert_eq!(choose(ToolChoice::Auto), json!({"mode": "AUTO"}));
    assert_eq!(choose(ToolChoice::None), json!({"mode": "NONE"}));
    assert_eq!(choose(ToolChoice::Required), json!({"mode": "ANY"}));
    assert_eq!(
        choose(ToolChoice::Named("f".into())),
        json!({"mode": "ANY", "allowedFunctionNames": ["f"]})
    );
    assert_eq!(
        choose(ToolChoice::Allowed {
            names: names(),
            required: true
        }),
        json!({"mode": "ANY", "allowedFunctionNames": ["f", "g"]})
    );
    assert_eq!(
        choose(ToolChoice::Allowed {
            names: names(),
            required: false
        }),
        json!({"mode": "VALIDATED", "allowedFunctionNames": ["f", "g"]})
    );
}

#[test]
fn what_cannot_be_said_is_named_and_what_shapes_the_answer_is_refused() {
    let mut request = asked(vec![user("x")]);
    request.tools = vec![function(
        json!({"type": "object", "properties": {"a": {"type": "string", "pattern": "x"}}, "patternProperties": {}}),
    )];
    request.parallel_tools = Some(false);
    request.user = Some("u".into());
    request.sampling.logit_bias = Some(Raw::empty_object());
    request.sampling.seed = Number::parse("12345678901");
    let extra = |name: &str, shapes| Extra {
        name: name.into(),
        value: Raw::empty_object(),
        shapes,
    };
    request.rest = vec![extra("store", false), extra("safety_settings", false)];
    let (out, dropped) = write(&request, "gemini-2.5-flash");
    assert_eq!(
        dropped,
        [
            "tools[].function.parameters.pattern",
            "tools[].function.parameters.patternProperties",
            "seed",
            "store",
            "logit_bias",
            "parallel_tool_calls",
            "user",
        ]
    );
    assert_eq!(out["safetySettings"], json!({}));

    request.rest = vec![extra("audio", true)];
    assert_eq!(refused(&request), "audio");
    request.rest.clear();
    let schema = |schema: Value| {
        Some(Format::Schema(Schema {
            name: None,
            description: Some("what".into()),
            schema: Some(Raw::from_value(&schema)),
            strict: Some(true),
        }))
    };
    request.format = schema(json!({"type": "object", "not": {}}));
    assert_eq!(refused(&request), "response_format.json_schema.schema.not");
    let drop = WriteOptions {
        on_unsupported: OnUnsupported::Drop,
        ..WriteOptions::new("m")
    };
    let out = Gemini.write_request(&request, &drop).unwrap();
    assert!(
        out.dropped
            .contains(&"response_format.json_schema.schema.not".to_owned())
    );
    assert_eq!(
        written(&out.body)["generationConfig"]["responseJsonSchema"],
        json!({"type": "object", "description": "what"})
    );
    request.format = schema(json!({"type": "string", "pattern": "a"}));
    assert!(
        write(&request, "m")
            .1
            .contains(&"response_format.json_schema.schema.pattern".to_owned())
    );
    request.turns = vec![Turn::new(
        Role::User,
        vec![image(Source::File("file-1".into()))],
    )];
    assert_eq!(refused(&request), "messages[].content[].file");
}

#[test]
fn several_answers_and_penalties_are_for_models_that_take_them() {
    let mut request = asked(vec![user("x")]);
    request.sampling.n = Some(1);
    request.sampling.presence_penalty = Number::parse("0");
    request.sampling.frequency_penalty = Number::parse("0.5");
    let (out, dropped) = write(&request, "gemini-2.5-flash");
    assert_eq!(
        out["generationConfig"],
        json!({"candidateCount": 1, "presencePenalty": 0, "frequencyPenalty": 0.5})
    );
    assert_eq!(dropped, [""; 0]);
    let (out, dropped) = write(&request, "gemini-3.8-flash");
    assert_eq!(out["generationConfig"], Value::Null);
    assert_eq!(dropped, ["frequency_penalty"]);
    request.sampling.n = Some(2);
    assert_eq!(refused(&request), "n");
}

#[test]
fn a_request_that_makes_no_sense_is_blamed_by_member() {
    for (body, param) in [
        ("[]", ""),
        ("{}", "contents"),
        (r#"{"contents":7}"#, "contents"),
        (r#"{"contents":[7]}"#, "contents[0]"),
        (r#"{"contents":[{"parts":[7]}]}"#, "contents[0].parts"),
        (
            r#"{"contents":[],"tools":[{"functionDeclarations":[{}]}]}"#,
            "tools[0].functionDeclarations[0].name",
        ),
        (
            r#"{"contents":[],"generationConfig":{"temperature":"hot"}}"#,
            "generationConfig.temperature",
        ),
        (
            r#"{"contents":[],"tools":[{"functionDeclarations":[{"name":"f","parameters":"text"}]}]}"#,
            "tools[0].functionDeclarations[0].parameters",
        ),
        (
            r#"{"contents":[],"generationConfig":{"responseMimeType":"application/json","responseJsonSchema":[]}}"#,
            "generationConfig.responseJsonSchema",
        ),
    ] {
        assert_eq!(
            Gemini.read_request(body.as_bytes()).unwrap_err().param,
            param,
            "{body}"
        );
    }
}

#[test]
fn results_without_ids_find_their_calls_by_name_and_order() {
    let request = read(
        r#"{"contents":[{"role":"model","parts":[{"functionCall":{"name":"a"}},{"functionCall":{"name":"b"}},{"functionCall":{"name":"a"}}]},
        {"role":"user","parts":[{"functionResponse":{"name":"b","response":{}}},{"functionResponse":{"name":"a","response":{}}},{"functionResponse":{"name":"a","response":{}}}]}]}"#,
    );
    let ids: Vec<_> = request.turns[1]
        .blocks
        .iter()
        .map(|block| match &block.content {
            Content::ToolResult(result) => result.call.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids, ["call_history_1", "call_history_0", "call_history_2"]);
}

#[test]
fn odd_tool_names_go_out_changed_and_come_back() {
    let mut request = asked(vec![
        user("x"),
        Turn::new(Role::Assistant, vec![call("c1", "9 lives", "")]),
        Turn::new(Role::User, vec![result("c1", vec![], false)]),
    ]);
    let mut tool = function(json!({}));
    if let Tool::Function(function) = &mut tool {
        function.name = "9 lives".into();
    }
    request.tools = vec![tool];
    request.tool_choice = Some(ToolChoice::Named("9 lives".into()));
    let wire = Gemini.tool_name("9 lives").into_owned();
    assert!(wire.starts_with("_9_lives_") && wire.len() <= 64);
    assert_ne!(wire, Gemini.tool_name("9_lives"));
    let out = write(&request, "gemini-3-pro").0;
    assert_eq!(out["tools"][0]["functionDeclarations"][0]["name"], wire);
    assert_eq!(out["contents"][1]["parts"][0]["functionCall"]["name"], wire);
    assert_eq!(
        out["contents"][2]["parts"][0]["functionResponse"]["name"],
        wire
    );
    assert_eq!(
        out["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"],
        json!([wire])
    );
    for fits in ["a", "_x", "a.b:c-d_9", &"n".repeat(64)] {
        assert_eq!(Gemini.tool_name(fits), fits);
    }
}

#[test]
fn a_turn_of_which_only_a_bad_signature_is_left_is_passed_over() {
    let request = read(
        r#"{"contents":[{"role":"model","parts":[{"thoughtSignature":"🦀"}]},{"parts":[{"text":"x"}]}]}"#,
    );
    let out = write(&request, "gemini-3-pro").0;
    assert_eq!(
        out,
        json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}]})
    );
}

#[test]
fn many_calls_and_results_are_paired_in_one_go() {
    let all = |part: &dyn Fn(usize) -> Value| (0..40_000).map(part).collect::<Value>();
    for with_ids in [true, false] {
        let id = |index: usize| {
            if with_ids {
                json!(format!("c{index}"))
            } else {
                json!(null)
            }
        };
        let calls = all(&|index| json!({"functionCall": {"id": id(index), "name": "f"}}));
        let results = all(
            &|index| json!({"functionResponse": {"id": id(39_999 - index), "name": "f", "response": {}}}),
        );
        let body = json!({"contents": [{"role": "model", "parts": calls}, {"parts": results}]});
        let out = write(&read(&body.to_string()), "gemini-3-pro").0;
        let parts = |index: usize| out["contents"][index]["parts"].as_array().unwrap().clone();
        for (call, result) in parts(0).iter().zip(parts(1)) {
            assert_eq!(call["functionCall"]["id"], result["functionResponse"]["id"]);
        }
    }
}

#[test]
fn a_large_image_goes_through_as_it_is() {
    let image = "A".repeat(20 << 20);
    let body = json!({"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": image}}]}]});
    let out = write(&read(&body.to_string()), "gemini-3-pro").0;
    assert!(out["contents"][0]["parts"][0]["inlineData"]["data"] == image);
}
