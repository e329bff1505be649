use proptest::prelude::*;

use super::*;
use crate::Dialect;

const BODY: ErrorBody<'_> = ErrorBody {
    status: 404,
    message: "model \"x\" not found",
    kind: "model_not_found",
    code: None,
    param: None,
};

fn refusal(
    message: &str,
    kind: Option<&str>,
    code: Option<&str>,
    param: Option<&str>,
) -> Option<Refusal> {
    Some(Refusal {
        message: message.to_owned(),
        kind: kind.map(str::to_owned),
        code: code.map(str::to_owned),
        param: param.map(str::to_owned),
    })
}

#[test]
fn openai_errors_leave_out_what_is_absent() {
    assert_eq!(
        write_error(Dialect::OpenAi, &BODY),
        r#"{"error":{"message":"model \"x\" not found","type":"model_not_found"}}"#,
    );
    let full = ErrorBody {
        code: Some("c"),
        param: Some("p"),
        message: "m",
        ..BODY
    };
    assert_eq!(
        write_error(Dialect::OpenAi, &full),
        r#"{"error":{"message":"m","type":"model_not_found","param":"p","code":"c"}}"#,
    );
}

#[test]
fn openai_errors_name_the_policy_and_others_do_not_know_of_such_a_thing() {
    let policy = ErrorPolicy {
        id: "1",
        name: "one \"a\"",
    };
    for dialect in [Dialect::OpenAi, Dialect::Responses] {
        assert_eq!(
            write_policy_error(dialect, &BODY, policy),
            r#"{"error":{"message":"model \"x\" not found","type":"model_not_found","policy":{"id":"1","name":"one \"a\""}}}"#,
        );
    }
    for dialect in [Dialect::Anthropic, Dialect::Gemini] {
        let plain = write_error(dialect, &BODY);
        assert_eq!(write_policy_error(dialect, &BODY, policy), plain);
    }
}

#[test]
fn words_by_which_sdks_go_on_travel_both_ways() {
    let body = r#"{"type":"error","error":{"type":"invalid_request_error","message":"m","details":{"error_code":"thread_not_found"}}}"#;
    let read = read_error(body.as_bytes());
    assert_eq!(
        read,
        refusal(
            "m",
            Some("invalid_request_error"),
            Some("thread_not_found"),
            None
        )
    );
    let said = |code| ErrorBody {
        status: 400,
        message: "m",
        code: Some(code),
        ..BODY
    };
    assert_eq!(
        write_error(Dialect::Anthropic, &said("thread_not_found")),
        body
    );
    let plain = r#"{"type":"error","error":{"type":"invalid_request_error","message":"m"}}"#;
    assert_eq!(write_error(Dialect::Anthropic, &said("400")), plain);
}

#[test]
fn anthropic_errors_take_their_type_from_the_status() {
    let kinds = [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (408, "timeout_error"),
        (413, "request_too_large"),
        (422, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (504, "api_error"),
    ];
    for (status, kind) in kinds {
        let body = ErrorBody {
            status,
            message: "m",
            ..BODY
        };
        let expected = format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"m"}}}}"#);
        assert_eq!(write_error(Dialect::Anthropic, &body), expected);
    }
}

#[test]
fn gemini_errors_take_their_status_word_from_the_status() {
    let error = |status, word| {
        let body = ErrorBody {
            status,
            message: "m",
            ..BODY
        };
        let expected =
            format!(r#"{{"error":{{"code":{status},"message":"m","status":"{word}"}}}}"#);
        assert_eq!(write_error(Dialect::Gemini, &body), expected);
        assert_eq!(
            write_error_event(Dialect::Gemini, &body),
            format!("data: {expected}\n\n")
        );
    };
    error(400, "INVALID_ARGUMENT");
    error(422, "INVALID_ARGUMENT");
    error(429, "RESOURCE_EXHAUSTED");
    error(500, "INTERNAL");
    error(503, "UNAVAILABLE");
    error(504, "DEADLINE_EXCEEDED");
}

#[test]
fn error_events_are_whole_events() {
    let body = ErrorBody {
        message: "two\nlines",
        ..BODY
    };
    assert_eq!(
        write_error_event(Dialect::OpenAi, &body),
        "event: error\ndata: {\"error\":{\"message\":\"two\\nlines\",\"type\":\"model_not_found\"}}\n\n",
    );
}

#[test]
fn what_is_written_is_read_back() {
    let full = ErrorBody {
        code: Some("c"),
        param: Some("p"),
        ..BODY
    };
    let read = read_error(&write_error(Dialect::OpenAi, &full));
    assert_eq!(
        read,
        refusal(BODY.message, Some("model_not_found"), Some("c"), Some("p"))
    );
    let read = read_error(&write_error(Dialect::Anthropic, &full));
    assert_eq!(
        read,
        refusal(BODY.message, Some("not_found_error"), Some("c"), None)
    );
}

#[test]
fn the_shapes_of_other_servers_are_understood() {
    let read = |body: &str| read_error(body.as_bytes());
    assert_eq!(
        read(r#"{"error":"no \"quota\""}"#),
        refusal("no \"quota\"", None, None, None)
    );
    assert_eq!(
        read(r#"{"message":"m","type":"t","code":40001}"#),
        refusal("m", Some("t"), Some("40001"), None)
    );
    assert_eq!(
        read(r#"{"detail":"Not Found"}"#),
        refusal("Not Found", None, None, None)
    );
    let gemini = r#"{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}"#;
    let expected = refusal("bad", Some("INVALID_ARGUMENT"), Some("400"), None);
    assert_eq!(read(gemini), expected);
    assert_eq!(read(&format!(" [{gemini}\n]\n")), expected);
    assert_eq!(
        read(r#"{"error":{"message":"m","type":null,"param":null,"code":""}}"#),
        refusal("m", None, None, None),
    );
    assert_eq!(read(r#"{"error":{}}"#), refusal("", None, None, None));
}

#[test]
fn bodies_that_tell_of_no_error_are_left_alone() {
    for body in [
        "",
        "  ",
        "<html>502</html>",
        "{",
        "{}",
        "[]",
        "[1]",
        "7",
        r#"{"error":null}"#,
        r#"{"error":""}"#,
    ] {
        assert_eq!(read_error(body.as_bytes()), None, "{body}");
    }
}

#[test]
fn what_an_upstream_says_is_cut_at_a_character() {
    let long = "é".repeat(10_000);
    let body = format!(r#"{{"error":{{"message":"{long}","type":"{long}","code":"{long}"}}}}"#);
    let read = read_error(body.as_bytes()).unwrap();
    assert_eq!(read.message, "é".repeat(4096));
    assert_eq!(read.kind, Some("é".repeat(256)));
    assert_eq!(read.code, Some("é".repeat(256)));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), array in any::<bool>()) {
        let start: &[u8] = if array { b"[{\"error\":" } else { b"{\"error\":{\"message\":" };
        let _ = read_error(&bytes);
        let _ = read_error(&[start, &bytes].concat());
    }
}

#[test]
fn the_error_event_of_responses_has_a_type_and_a_number() {
    let event = write_error_event(
        Dialect::Responses,
        &ErrorBody {
            status: 504,
            message: "m",
            kind: "timeout_error",
            code: None,
            param: None,
        },
    );
    let start = b"event: error\ndata: {\"type\":\"error\",\"sequence_number\":0,";
    assert!(event.starts_with(start), "{event:?}");
}
