use super::*;

fn check(operation: &Operation, body: &str) -> Result<(), (String, String)> {
    let envelope = Envelope::scan(body.as_bytes(), operation.reads).unwrap();
    let checked = operation.check(body.as_bytes(), &envelope);
    checked.map_err(|invalid| (invalid.param.into_owned(), invalid.message))
}

#[track_caller]
fn refuses(operation: &Operation, body: &str, param: &str, message: &str) {
    assert_eq!(
        check(operation, body),
        Err((param.to_owned(), message.to_owned())),
        "{body}"
    );
}

#[test]
fn every_operation_reads_what_it_relies_on_and_stands_alone() {
    for operation in OPERATIONS {
        let model = (!operation.names_model_in_path()).then_some(&"model");
        for name in operation
            .prompt
            .iter()
            .chain(operation.output_limit)
            .chain(operation.answers)
            .chain(model)
        {
            let outermost = name.split('.').next().unwrap();
            assert!(
                operation.reads.contains(&outermost),
                "{} of {}",
                name,
                operation.name
            );
        }
        assert_eq!(
            operation.streams == Streaming::Asked,
            operation.reads.contains(&"stream"),
            "{}",
            operation.name
        );
        let same =
            |other: &&&Operation| other.path == operation.path || other.name == operation.name;
        assert_eq!(
            OPERATIONS.iter().filter(same).count(),
            1,
            "{}",
            operation.name
        );
    }
}

#[test]
fn the_model_is_a_name_on_every_operation() {
    for operation in OPERATIONS.iter().filter(|o| !o.names_model_in_path()) {
        refuses(operation, "{}", "model", "missing required field \"model\"");
        refuses(
            operation,
            r#"{"model":null}"#,
            "model",
            "missing required field \"model\"",
        );
        refuses(
            operation,
            r#"{"model":7}"#,
            "model",
            "\"model\" must be a string",
        );
        refuses(
            operation,
            r#"{"model":""}"#,
            "model",
            "\"model\" must not be empty",
        );
        let long = format!(r#"{{"model":"{}"}}"#, "m".repeat(513));
        refuses(
            operation,
            &long,
            "model",
            "\"model\" must be at most 512 bytes long",
        );
    }
}

#[test]
fn chat_needs_messages_that_are_objects() {
    let refuses = |messages: &str, param: &str, message: &str| {
        refuses(
            &CHAT_COMPLETIONS,
            &format!(r#"{{"model":"m"{messages}}}"#),
            param,
            message,
        );
    };
    refuses("", "messages", "missing required field \"messages\"");
    refuses(
        r#","messages":null"#,
        "messages",
        "missing required field \"messages\"",
    );
    refuses(
        r#","messages":"hi""#,
        "messages",
        "\"messages\" must be an array",
    );
    refuses(
        r#","messages":[]"#,
        "messages",
        "\"messages\" must not be empty",
    );
    refuses(
        r#","messages":[{},{},{},"x"]"#,
        "messages[3]",
        "\"messages[3]\" must be an object",
    );
    assert_eq!(
        check(
            &CHAT_COMPLETIONS,
            r#"{"model":"m","messages":[{},{"role":"?"}]}"#
        ),
        Ok(())
    );
}

#[test]
fn chat_checks_the_types_that_the_gateway_relies_on() {
    let with = |rest: &str| format!(r#"{{"model":"m","messages":[{{}}],{rest}}}"#);
    for good in [
        r#""stream":true"#,
        r#""stream":null,"stream_options":null,"tools":null"#,
        r#""stream_options":{},"tools":[]"#,
        r#""temperature":"hot","unknown":[1]"#,
    ] {
        assert_eq!(check(&CHAT_COMPLETIONS, &with(good)), Ok(()), "{good}");
    }
    let refuses = |rest: &str, param: &str, message: &str| {
        refuses(&CHAT_COMPLETIONS, &with(rest), param, message);
    };
    refuses(
        r#""stream":"true""#,
        "stream",
        "\"stream\" must be a boolean",
    );
    refuses(
        r#""stream_options":[]"#,
        "stream_options",
        "\"stream_options\" must be an object",
    );
    refuses(r#""tools":{}"#, "tools", "\"tools\" must be an array");
}

#[test]
fn how_many_tools_are_too_many_is_for_the_provider_to_say() {
    let tools = vec!["{}"; 10_000].join(",");
    let body = format!(r#"{{"model":"m","messages":[{{}}],"tools":[{tools}]}}"#);
    assert_eq!(check(&CHAT_COMPLETIONS, &body), Ok(()));
}

#[test]
fn embeddings_need_an_input_of_some_text_or_tokens() {
    let with = |input: &str| format!(r#"{{"model":"m","input":{input}}}"#);
    for good in [r#""text""#, r#"["a","b"]"#, "[1,2]", "[[1],[2]]"] {
        assert_eq!(check(&EMBEDDINGS, &with(good)), Ok(()), "{good}");
    }
    refuses(
        &EMBEDDINGS,
        r#"{"model":"m"}"#,
        "input",
        "missing required field \"input\"",
    );
    for empty in ["\"\"", "[ ]"] {
        refuses(
            &EMBEDDINGS,
            &with(empty),
            "input",
            "\"input\" must not be empty",
        );
    }
    for wrong in ["7", "{}", "true"] {
        refuses(
            &EMBEDDINGS,
            &with(wrong),
            "input",
            "\"input\" must be a string or an array",
        );
    }
}

#[test]
fn completions_may_leave_the_prompt_out() {
    for good in [
        "",
        r#","prompt":"a""#,
        r#","prompt":[1,2]"#,
        r#","prompt":null,"stream":false"#,
    ] {
        assert_eq!(
            check(&COMPLETIONS, &format!(r#"{{"model":"m"{good}}}"#)),
            Ok(()),
            "{good}"
        );
    }
    let message = "\"prompt\" must be a string or an array";
    refuses(
        &COMPLETIONS,
        r#"{"model":"m","prompt":{}}"#,
        "prompt",
        message,
    );
    let message = "\"stream\" must be a boolean";
    refuses(
        &COMPLETIONS,
        r#"{"model":"m","stream":1}"#,
        "stream",
        message,
    );
}

#[test]
fn a_path_may_name_the_model() {
    let model = |path| GENERATE_CONTENT.model_in(path);
    assert_eq!(model("/v1beta/models/m:generateContent"), Some("m"));
    assert_eq!(model("/v1beta/models/a/b:c:generateContent"), Some("a/b:c"));
    assert_eq!(model("/v1/models/m:generateContent"), Some("m"));
    assert_eq!(model("/models/m:generateContent"), None);
    assert_eq!(model("/v1beta/models/:generateContent"), None);
    assert_eq!(model("/v1beta/models/m:streamGenerateContent"), None);
    assert_eq!(model("/v1beta/models/m"), None);
    assert_eq!(CHAT_COMPLETIONS.model_in("/v1/chat/completions"), None);
}

#[test]
fn content_needs_contents() {
    for operation in [&GENERATE_CONTENT, &STREAM_GENERATE_CONTENT] {
        assert_eq!(check(operation, r#"{"contents":[{}]}"#), Ok(()));
        let missing = "missing required field \"contents\"";
        refuses(operation, "{}", "contents", missing);
        let empty = "\"contents\" must not be empty";
        refuses(operation, r#"{"contents":[]}"#, "contents", empty);
        let wrong = "\"contents\" must be an array";
        refuses(operation, r#"{"contents":"hi"}"#, "contents", wrong);
    }
}

#[test]
fn responses_may_leave_the_input_out() {
    for good in ["", r#","input":"hi""#, r#","input":[]"#, r#","input":null"#] {
        let body = format!(r#"{{"model":"m"{good}}}"#);
        assert_eq!(check(&RESPONSES, &body), Ok(()), "{good}");
    }
    let message = "\"input\" must be a string or an array";
    refuses(&RESPONSES, r#"{"model":"m","input":7}"#, "input", message);
}

#[test]
fn whether_an_answer_streams_is_asked_or_settled() {
    let streams = |operation: &Operation, body: &str| {
        let envelope = Envelope::scan(body.as_bytes(), &[]).unwrap();
        operation.streams(body.as_bytes(), &envelope)
    };
    assert!(streams(&RESPONSES, r#"{"stream":true}"#));
    assert!(!streams(&RESPONSES, r#"{"stream":null}"#));
    assert!(!streams(&EMBEDDINGS, r#"{"stream":true}"#));
    assert!(!streams(&GENERATE_CONTENT, r#"{"stream":true}"#));
    assert!(streams(&STREAM_GENERATE_CONTENT, "{}"));
}
