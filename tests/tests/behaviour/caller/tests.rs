//! The readers themselves: what they take, and what they refuse.

use serde_json::{Value, json};

use super::{ALL, Caller, Chat, Gemini, Messages, Responses};
use crate::said::{Question, Stop, Turn};

/// Events as the dialect writes them, named by their type or not at all.
fn stream(events: &[Value], named: bool) -> String {
    let event = |event: &Value| match named {
        true => format!(
            "event: {}\ndata: {event}\n\n",
            event["type"].as_str().unwrap_or_default()
        ),
        false => format!("data: {event}\n\n"),
    };
    events.iter().map(event).collect()
}

/// The stream is read well as it is, and refused without each of its events, with each of them twice,
/// and with any two neighbours exchanged; `free` are those that may be missed, doubled or moved.
fn is_strict(caller: &dyn Caller, events: &[Value], named: bool, end: &str, free: &[usize]) {
    let read = |events: &[Value]| caller.stream(&(stream(events, named) + end), true);
    read(events).unwrap_or_else(|wrong| panic!("{}: {wrong}", caller.name()));
    for index in (0..events.len()).filter(|index| !free.contains(index)) {
        let changed = |change: &dyn Fn(&mut Vec<Value>)| {
            let mut events = events.to_vec();
            change(&mut events);
            read(&events)
        };
        let name = caller.name();
        assert!(
            changed(&|events| drop(events.remove(index))).is_err(),
            "{name} without {index}"
        );
        assert!(
            changed(&|events| events.insert(index, events[index].clone())).is_err(),
            "{name} with {index} twice"
        );
        if index > 0 && !free.contains(&(index - 1)) {
            assert!(
                changed(&|events| events.swap(index - 1, index)).is_err(),
                "{name} with {index} too early"
            );
        }
    }
}

fn numbered(events: &[Value]) -> Vec<Value> {
    let events = events.iter().enumerate();
    let numbered = events.map(|(number, event)| {
        let mut event = event.clone();
        event["sequence_number"] = number.into();
        event
    });
    numbered.collect()
}

fn response(status: &str, output: &[Value]) -> Value {
    json!({"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": status, "output": output,
        "error": null, "incomplete_details": null,
        "usage": {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 2,
            "output_tokens_details": {"reasoning_tokens": 1}, "total_tokens": 11}})
}

/// A thought, a text and a call, as the dialect streams them.
fn responses_events() -> Vec<Value> {
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
    let summary = |text: &str| json!({"type": "summary_text", "text": text});
    let thought = json!({"type": "reasoning", "id": "rs_1", "summary": [summary("Hm")], "encrypted_content": "x"});
    let message = json!({"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [part("Hello")]});
    let call = json!({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{\"a\":1}"});
    let created = response("in_progress", &[]);
    let mut last = response(
        "completed",
        &[thought.clone(), message.clone(), call.clone()],
    );
    last["status"] = "completed".into();
    numbered(&[
        json!({"type": "response.created", "response": created}),
        json!({"type": "response.in_progress", "response": created}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning", "id": "rs_1", "summary": []}}),
        json!({"type": "response.reasoning_summary_part.added", "output_index": 0, "item_id": "rs_1", "summary_index": 0, "part": summary("")}),
        json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "item_id": "rs_1", "summary_index": 0, "delta": "Hm"}),
        json!({"type": "response.reasoning_summary_text.done", "output_index": 0, "item_id": "rs_1", "summary_index": 0, "text": "Hm"}),
        json!({"type": "response.reasoning_summary_part.done", "output_index": 0, "item_id": "rs_1", "summary_index": 0, "part": summary("Hm")}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": thought}),
        json!({"type": "response.output_item.added", "output_index": 1, "item": {"type": "message", "id": "msg_1", "role": "assistant", "content": []}}),
        json!({"type": "response.content_part.added", "output_index": 1, "item_id": "msg_1", "content_index": 0, "part": part("")}),
        json!({"type": "response.output_text.delta", "output_index": 1, "item_id": "msg_1", "content_index": 0, "delta": "Hel"}),
        json!({"type": "response.output_text.delta", "output_index": 1, "item_id": "msg_1", "content_index": 0, "delta": "lo"}),
        json!({"type": "response.output_text.done", "output_index": 1, "item_id": "msg_1", "content_index": 0, "text": "Hello"}),
        json!({"type": "response.content_part.done", "output_index": 1, "item_id": "msg_1", "content_index": 0, "part": part("Hello")}),
        json!({"type": "response.output_item.done", "output_index": 1, "item": message}),
        json!({"type": "response.output_item.added", "output_index": 2, "item": {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": ""}}),
        json!({"type": "response.function_call_arguments.delta", "output_index": 2, "item_id": "fc_1", "delta": "{\"a\":1}"}),
        json!({"type": "response.function_call_arguments.done", "output_index": 2, "item_id": "fc_1", "arguments": "{\"a\":1}"}),
        json!({"type": "response.output_item.done", "output_index": 2, "item": call}),
        json!({"type": "response.completed", "response": last}),
    ])
}

#[test]
fn streams_of_responses_are_read_and_refused() {
    let events = responses_events();
    let heard = Responses
        .stream(&stream(&events, true), true)
        .expect("as it should be");
    let said = heard.said;
    assert_eq!(
        (said.text.as_str(), said.thought().as_str()),
        ("Hello", "Hm")
    );
    assert_eq!(
        (said.calls[0].id.as_str(), said.stop),
        ("call_1", Some(Stop::Calls))
    );
    assert_eq!(heard.broken, None);
    // Numbers alone would tell every change, so the events are numbered anew after each.
    for index in 0..events.len() {
        let mut without = events.clone();
        without.remove(index);
        let without = numbered(&without);
        assert!(
            Responses.stream(&stream(&without, true), true).is_err(),
            "without {}",
            events[index]
        );
    }
    is_strict(&Responses, &events, true, "", &[]);
    assert!(
        Responses
            .stream(&(stream(&events, true) + "data: [DONE]\n\n"), true)
            .is_err()
    );
    assert!(
        Responses.stream(&stream(&events, false), true).is_err(),
        "without names"
    );

    let failed = json!({"type": "response.failed", "response": {"status": "failed", "error": {"code": "server_error", "message": "broken"}}});
    let cut = numbered(&[&events[..11], &[failed]].concat());
    let heard = Responses
        .stream(&stream(&cut, true), true)
        .expect("it tells its end");
    assert_eq!(
        (heard.said.text.as_str(), heard.broken.as_deref()),
        ("Hel", Some("broken"))
    );
}

#[test]
fn streams_of_gemini_are_read_and_refused() {
    let event = |parts: Value, more: Value| {
        let mut candidate = json!({"index": 0, "content": {"role": "model", "parts": parts}});
        candidate
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        json!({"candidates": [candidate], "modelVersion": "m", "responseId": "r",
            "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 1, "thoughtsTokenCount": 1, "totalTokenCount": 11}})
    };
    let call = json!({"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "c2ln"});
    let events = [
        event(json!([{"text": "Hm", "thought": true}]), json!({})),
        event(json!([{"text": "Hel"}]), json!({})),
        event(json!([{"text": "lo"}, call]), json!({})),
        event(json!([{"text": ""}]), json!({"finishReason": "STOP"})),
    ];
    let read = |events: &[Value]| Gemini.stream(&stream(events, false), true);
    let said = read(&events).expect("as it should be").said;
    assert_eq!(
        (said.text.as_str(), said.thought().as_str()),
        ("Hello", "Hm")
    );
    assert_eq!(
        (said.calls[0].signature.as_deref(), said.stop),
        (Some("c2ln"), Some(Stop::Calls))
    );
    assert!(read(&events[..3]).is_err(), "no end");
    let late = [&events[..], &events[1..2]].concat();
    assert!(read(&late).is_err(), "more after the end");
    assert!(
        Gemini
            .stream(&(stream(&events, false) + "data: [DONE]\n\n"), true)
            .is_err()
    );
    assert!(
        Gemini
            .stream(&format!("event: x\n{}", stream(&events, false)), true)
            .is_err()
    );
    let error = json!({"error": {"code": 503, "message": "broken", "status": "UNAVAILABLE"}});
    let heard =
        read(&[&events[..2], std::slice::from_ref(&error)].concat()).expect("it tells its end");
    assert_eq!(
        (heard.said.text.as_str(), heard.broken.as_deref()),
        ("Hel", Some("broken"))
    );
    assert!(
        read(&[error, events[3].clone()]).is_err(),
        "more after an error"
    );
}

#[test]
fn streams_of_messages_are_read_and_refused() {
    let message = json!({"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 4, "output_tokens": 1}});
    let call = json!({"type": "tool_use", "id": "t", "name": "f", "input": {}});
    let events = [
        json!({"type": "message_start", "message": message}),
        json!({"type": "ping"}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "content_block_start", "index": 1, "content_block": call}),
        json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{}"}}),
        json!({"type": "content_block_stop", "index": 1}),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 3}}),
        json!({"type": "message_stop"}),
    ];
    // A ping may be anywhere; a delta of a text may be missed or told twice.
    is_strict(&Messages, &events, true, "", &[1, 3, 6]);
    let fragment = json!({"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "x"}});
    let mut crossed = events.to_vec();
    crossed[6] = fragment;
    assert!(
        Messages.stream(&stream(&crossed, true), true).is_err(),
        "a text in a call"
    );
}

#[test]
fn streams_of_chats_are_read_and_refused() {
    let chunk = |choices: Value| json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices});
    let choice = |delta: Value, finish: Value| {
        chunk(json!([{"index": 0, "delta": delta, "finish_reason": finish}]))
    };
    let call = json!({"index": 0, "id": "t", "type": "function", "function": {"name": "f", "arguments": ""}});
    let mut usage = chunk(json!([]));
    usage["usage"] = json!({"prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 7});
    let events = [
        choice(json!({"role": "assistant", "content": ""}), Value::Null),
        choice(json!({"content": "Hel"}), Value::Null),
        choice(json!({"tool_calls": [call]}), Value::Null),
        choice(
            json!({"tool_calls": [{"index": 0, "function": {"arguments": "{\"a\":1}"}}]}),
            Value::Null,
        ),
        choice(json!({}), json!("tool_calls")),
        usage,
    ];
    is_strict(&Chat, &events, false, "data: [DONE]\n\n", &[1]);
    let whole = stream(&events, false);
    assert!(Chat.stream(&whole, true).is_err(), "without [DONE]");
    assert!(
        Chat.stream(&(whole + "data: [DONE]\n\n"), false).is_err(),
        "with usage that nobody asked for"
    );
}

#[test]
fn every_caller_can_say_what_the_table_asks() {
    for caller in ALL {
        let question = Question {
            streamed: true,
            thinks: true,
            schema: Some(json!({})),
            ..Question::new("hi")
        };
        let said = crate::said::Said {
            calls: vec![crate::said::Call {
                name: "time".to_owned(),
                arguments: json!({}),
                ..Default::default()
            }],
            ..Default::default()
        };
        let body = caller
            .body(&question.with_tools().and_results(&said))
            .to_string();
        for word in ["hi", "weather", "result of time"] {
            assert!(
                body.contains(word),
                "{}: {word} is not in {body}",
                caller.name()
            );
        }
        let Turn::User(_) = Question::new("hi").turns[0] else {
            unreachable!("a question begins with the user");
        };
    }
}
