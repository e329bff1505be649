use serde_json::json;

use super::{CONTEXT, fixture, validator, value};
use crate::chat::{
    Block, CallerCodec, Choice, Content, Finish, FinishReason, Image, Opaque, Raw, Response,
    Source, ToolCall, UpstreamCodec, WriteContext,
};
use crate::json::Object;
use crate::openai::Responses;
use crate::openai::responses::read_facts;
use crate::{Dialect, ResponseError, Usage, anthropic};

fn answer(blocks: Vec<Block>, reason: FinishReason) -> Response {
    let mut response = Response::new(Dialect::OpenAi);
    response.choices.push(Choice {
        index: 0,
        blocks,
        finish: Finish::new(reason, None),
        logprobs: None,
    });
    response
}

fn write(response: &Response) -> serde_json::Value {
    let written = value(&Responses.write_response(response, &CONTEXT));
    validator::response(&written).unwrap();
    written
}

#[test]
fn an_answer_repeats_its_request_and_keeps_what_was_signed() {
    let text = fixture!("response/echo.json");
    let golden = Object::scan(text.as_bytes()).unwrap();
    let part = |name| golden.get(name).unwrap().raw();
    let (request, upstream) = (part("request"), part("anthropic"));
    let response = anthropic::Messages
        .read_response(upstream.as_bytes())
        .unwrap();
    let context = WriteContext {
        request: request.as_bytes(),
        ..CONTEXT
    };
    let written = Responses.write_response(&response, &context);
    assert_eq!(value(&written), value(part("out").as_bytes()));
    validator::response(&value(&written)).unwrap();
    let written = String::from_utf8(written.to_vec()).unwrap();
    assert!(written.contains("\"temperature\":0.30"), "{written}");
}

#[test]
fn an_answer_that_comes_back_is_what_the_provider_said() {
    let upstream = anthropic::Messages;
    let text = fixture!("response/echo.json");
    let golden = value(text.as_bytes());
    let said = golden["anthropic"].to_string();
    let response = upstream.read_response(said.as_bytes()).unwrap();
    let mut input = vec![json!({"role": "user", "content": "x"})];
    let written = write(&response);
    input.extend(written["output"].as_array().unwrap().iter().cloned());
    input.push(json!({"type": "function_call_output", "call_id": "toolu_1", "output": "y"}));
    let body = json!({"model": "m", "input": input}).to_string();
    let request = Responses.read_request(body.as_bytes()).unwrap();
    let blocks = &response.choices[0].blocks;
    assert_eq!(&request.turns[1].blocks, blocks);
}

#[test]
fn answers_that_were_cut_short_say_why() {
    let text = || vec![Block::text("a")];
    for (reason, status, why) in [
        (FinishReason::Stop, "completed", json!(null)),
        (FinishReason::Other, "completed", json!(null)),
        (FinishReason::ToolCalls, "completed", json!(null)),
        (
            FinishReason::Length,
            "incomplete",
            json!({"reason": "max_output_tokens"}),
        ),
        (
            FinishReason::ContentFilter,
            "incomplete",
            json!({"reason": "content_filter"}),
        ),
    ] {
        let written = write(&answer(text(), reason));
        assert_eq!(written["status"], status);
        assert_eq!(written["incomplete_details"], why);
        assert_eq!(written["output"][0]["status"], status);
    }
    let mut call = Block::new(Content::ToolCall(ToolCall {
        id: "c".to_owned(),
        name: "f".to_owned(),
        arguments: "{\"a".to_owned(),
    }));
    call.signature = Some("c2ln".to_owned());
    let written = write(&answer(vec![call], FinishReason::Length));
    assert_eq!(written["output"][0]["status"], "incomplete");
    assert_eq!(written["output"][1]["status"], "completed");
    let written = write(&answer(Vec::new(), FinishReason::ContentFilter));
    assert_eq!(written["output"], json!([]));
    let written = write(&Response::new(Dialect::Gemini));
    assert_eq!(
        (&written["output"], &written["status"]),
        (&json!([]), &json!("completed"))
    );
}

#[test]
fn calls_have_ids_of_their_own_and_arguments_that_parse() {
    let call = |id: &str, arguments: &str| {
        Block::new(Content::ToolCall(ToolCall {
            id: id.to_owned(),
            name: "f".to_owned(),
            arguments: arguments.to_owned(),
        }))
    };
    let mut signed = call("a", "{\"x\":1e2}");
    signed.signature = Some("c2ln".to_owned());
    let blocks = vec![
        call("a", ""),
        signed,
        call("", " \n"),
        call("b", "not json"),
    ];
    let written = write(&answer(blocks, FinishReason::ToolCalls));
    let told: Vec<_> = written["output"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["call_id"].as_str(), item["arguments"].as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (Some("a"), Some("{}")),
            (Some("a_1"), Some("{\"x\":1e2}")),
            (None, None),
            (Some("call_respr1_2"), Some("{}")),
            (Some("b"), Some("not json")),
        ]
    );
    let sealed = written["output"][2]["encrypted_content"].as_str().unwrap();
    assert_eq!(
        sealed,
        r#"aisix:{"from":"openai","call":"a_1","signature":"c2ln"}"#
    );
}

#[test]
fn likelihoods_and_images_have_their_places() {
    let image = Content::Image(Image {
        source: Source::Data {
            media_type: "image/png".to_owned(),
            data: "iVBO".to_owned(),
        },
        detail: None,
    });
    let mut response = answer(vec![Block::text("a"), image.into()], FinishReason::Stop);
    let token = r#"{"token":"a","logprob":-0.10,"bytes":[97],"top_logprobs":[]}"#;
    response.choices[0].logprobs = Some(Opaque {
        dialect: Dialect::OpenAi,
        raw: Raw::parse(&format!(r#"{{"content":[{token}],"refusal":null}}"#)).unwrap(),
    });
    let written = write(&response);
    assert_eq!(
        written["output"][0]["content"][0]["logprobs"],
        json!([value(token.as_bytes())])
    );
    assert_eq!(written["output"][1]["result"], "iVBO");
    assert_eq!(written["output"][1]["type"], "image_generation_call");
}

#[test]
fn facts_of_a_whole_answer_are_read() {
    let body =
        br#" {"id":"resp_1","object":"response","status":"incomplete","error":null,"model":"m-1",
        "incomplete_details":{"reason":"max_output_tokens"},"output":[],"usage":{"input_tokens":10,
        "input_tokens_details":{"cached_tokens":4,"cache_write_tokens":1},"output_tokens":7,
        "output_tokens_details":{"reasoning_tokens":3},"total_tokens":17}}"#;
    let facts = read_facts(body).unwrap();
    assert_eq!(facts.id.as_deref(), Some("resp_1"));
    assert_eq!(facts.model.as_deref(), Some("m-1"));
    assert_eq!(facts.finish_reason.as_deref(), Some("max_output_tokens"));
    let counted = Usage {
        input: 5,
        cache_read: 4,
        cache_write: 1,
        output: 4,
        reasoning: 3,
    };
    assert_eq!(facts.usage, Some(counted));
    let facts = read_facts(br#"{"status":"completed","usage":null,"incomplete_details":null}"#);
    assert_eq!(facts.unwrap().finish_reason.as_deref(), Some("completed"));
    let failed = br#"{"status":"failed","error":{"code":"server_error","message":"no"}}"#;
    let Err(ResponseError::InBand(refusal)) = read_facts(failed) else {
        panic!("an answer that failed is none");
    };
    assert_eq!(
        (refusal.message.as_str(), refusal.code.as_deref()),
        ("no", Some("server_error"))
    );
    assert_eq!(read_facts(b" \n"), Err(ResponseError::Empty));
    assert_eq!(read_facts(b"[]"), Err(ResponseError::NotJson));
}
