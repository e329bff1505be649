//! What reaches DeepSeek, byte for byte, through the gateway.

use aisix_core::{
    config::Kind,
    testing::{self, Answer, MODEL, Setup, Upstream},
};
use proptest::prelude::*;
use serde_json::json;
use tower::ServiceExt;

/// What the upstream gets of a chat with this body.
fn sent(body: &str) -> String {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().build().unwrap().block_on(async {
        let upstream = Upstream::new();
        upstream.answer(Answer::chat("hello"));
        let gateway = Setup::new()
            .providers(crate::registry())
            .model(json!({"provider": "deepseek", "model_name": MODEL}))
            .gateway(&upstream);
        let request = testing::request("/v1/chat/completions", body.to_owned());
        let response = gateway.oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200, "{}", testing::text(response).await);
        let request = upstream.last_request();
        assert_eq!(
            request.head.uri,
            "https://api.deepseek.com/chat/completions"
        );
        request.text().to_owned()
    })
}

/// A chat with these members, and this list of messages.
fn chat(members: &str, messages: &str) -> String {
    format!(r#"{{"model": "{MODEL}"{members},"messages": [{messages}]}}"#)
}

const USER: &str = r#"{"role":"user","content":"hi"}"#;

#[test]
fn the_token_limit_goes_by_its_older_name() {
    for (asked, expected) in [
        (r#", "max_completion_tokens" : 5"#, r#", "max_tokens" : 5"#),
        (r#","max\u005fcompletion_tokens":5"#, r#","max_tokens":5"#),
        (
            r#","max_tokens":7,"max_completion_tokens":5"#,
            r#","max_tokens":7"#,
        ),
        (
            r#","max_completion_tokens":5,"max_tokens":7"#,
            r#","max_tokens":7"#,
        ),
        (
            r#","max_tokens":null,"max_completion_tokens":5"#,
            r#","max_tokens":5"#,
        ),
        (r#","max_tokens":7"#, r#","max_tokens":7"#),
    ] {
        assert_eq!(sent(&chat(asked, USER)), chat(expected, USER), "{asked}");
    }
}

#[test]
fn the_developer_is_the_system() {
    let developer = r#"{ "content":"developer", "role" : "developer" }"#;
    let system = r#"{ "content":"developer", "role" : "system" }"#;
    let escaped = r#"{"role":"dev\u0065loper","content":[]}"#;
    let asked = chat("", &format!("{developer} , {USER},{escaped}"));
    let plain = r#"{"role":"system","content":[]}"#;
    assert_eq!(
        sent(&asked),
        chat("", &format!("{system} , {USER},{plain}"))
    );
}

#[test]
fn a_schema_becomes_an_instruction() {
    let schema = r#"{ "type":"object", "x":"é\n" }"#;
    let format = format!(
        r#","response_format":{{"type":"json_schema","json_schema":{{"name":"n","schema":{schema}}}}}"#
    );
    let instruction = format!(
        "Answer with one JSON object and nothing else. It must be valid against this JSON schema:\n{schema}"
    );
    let system = format!(r#"{{"role":"system","content":{}}}"#, json!(instruction));
    let expected = chat(
        r#","response_format":{"type":"json_object"}"#,
        &format!("{system},{USER}"),
    );
    assert_eq!(sent(&chat(&format, USER)), expected);

    for same in [
        r#","response_format":{"type":"json_object"}"#,
        r#","response_format":{"type":"text"}"#,
        r#","response_format":null"#,
        r#","response_format":{"type":"json_schema"}"#,
    ] {
        assert_eq!(sent(&chat(same, USER)), chat(same, USER), "{same}");
    }
}

#[test]
fn reasoning_is_filled_in_on_tool_calls_while_it_thinks() {
    let call = |before: &str, after: &str| {
        format!(r#"{{{before}"role":"assistant","tool_calls":[{{"id":"c"}}]{after}}}"#)
    };
    let lost = call("", "");
    let filled = call(r#""reasoning_content":"","#, "");
    let null = call("", r#","reasoning_content":null"#);
    let empty = call("", r#","reasoning_content":"""#);
    let kept = call("", r#","reasoning_content":"because""#);
    let no_calls = r#"{"role":"assistant","content":"x","tool_calls":[]}"#;
    let asked = [lost.as_str(), &null, &kept, no_calls, USER].join(", ");
    let thinking = [filled.as_str(), &empty, &kept, no_calls, USER].join(", ");
    for members in [
        "",
        r#","thinking":{"type":"enabled"}"#,
        r#","reasoning_effort":"low""#,
    ] {
        assert_eq!(
            sent(&chat(members, &asked)),
            chat(members, &thinking),
            "{members}"
        );
    }
    for members in [
        r#","thinking":{"type":"disabled"}"#,
        r#","reasoning_effort":"none""#,
    ] {
        assert_eq!(
            sent(&chat(members, &asked)),
            chat(members, &asked),
            "{members}"
        );
    }
}

#[test]
fn deviations_together_do_not_disturb_each_other() {
    let schema = r#""response_format":{"type":"json_schema","json_schema":{"schema":{}}}"#;
    let call = r#"{"role":"assistant","tool_calls":[{}]}"#;
    let developer = r#"{"role":"developer","content":"d"}"#;
    let asked = chat(
        &format!(r#","max_completion_tokens":5,{schema}"#),
        &format!("{call},{developer}"),
    );
    let instruction = "Answer with one JSON object and nothing else. It must be valid against this JSON schema:\n{}";
    let system = format!(r#"{{"role":"system","content":{}}}"#, json!(instruction));
    let expected = chat(
        r#","max_tokens":5,"response_format":{"type":"json_object"}"#,
        &format!(
            r#"{system},{{"reasoning_content":"","role":"assistant","tool_calls":[{{}}]}},{{"role":"system","content":"d"}}"#
        ),
    );
    assert_eq!(sent(&asked), expected);
}

#[tokio::test]
async fn there_are_no_embeddings() {
    let gateway = Setup::new()
        .providers(crate::registry())
        .model(json!({"provider": "deepseek"}))
        .gateway(&Upstream::new());
    let request = testing::request("/v1/embeddings", r#"{"model":"test-model","input":"x"}"#);
    let response = gateway.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 501);
    assert_eq!(
        testing::json(response).await["error"]["type"],
        "not_implemented"
    );
}

/// A part of a body: as it is sent by the client, and as it reaches the upstream.
type Piece = (String, String);

fn same(text: impl Into<String>) -> Piece {
    let text = text.into();
    (text.clone(), text)
}

/// Any JSON, with odd spaces and repeated members.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("1.0e+2".to_owned()),
        Just("-0".to_owned()),
        Just(r#""max_completion_tokens""#.to_owned()),
        Just(r#"{"role":"developer"}"#.to_owned()),
        "[a-zé🦀\" ]{0,8}".prop_map(|text| json!(text).to_string()),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[ {}]", items.join(" ,"))),
            prop::collection::vec(inner, 0..4).prop_map(|items| {
                let members: Vec<_> = items
                    .iter()
                    .map(|item| format!("\"role\":\t{item}"))
                    .collect();
                format!("{{{}\n}}", members.join(","))
            }),
        ]
    })
}

fn message() -> impl Strategy<Value = Piece> {
    let deviant = |client: &'static str, upstream: &'static str| {
        value().prop_map(move |x| (client.replace('#', &x), upstream.replace('#', &x)))
    };
    prop_oneof![
        value().prop_map(|x| same(format!(r#"{{ "role":"user" ,"content":{x}}}"#))),
        value().prop_map(|x| same(format!(
            r#"{{"role":"assistant","x":{x}, "tool_calls":[]}}"#
        ))),
        value().prop_map(|x| same(format!(
            r#"{{"reasoning_content":"r","role":"assistant","tool_calls":[{x}]}}"#
        ))),
        deviant(
            r#"{"x":#, "role": "developer"}"#,
            r#"{"x":#, "role": "system"}"#
        ),
        deviant(
            r#"{"role":"assistant","tool_calls":[#]}"#,
            r#"{"reasoning_content":"","role":"assistant","tool_calls":[#]}"#
        ),
        deviant(
            r#"{"reasoning_content": null,"role":"assistant","tool_calls":[#]}"#,
            r#"{"reasoning_content": "","role":"assistant","tool_calls":[#]}"#
        ),
    ]
}

fn body() -> impl Strategy<Value = Piece> {
    let messages = prop::collection::vec(message(), 1..5).prop_map(|messages| {
        let (client, upstream): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
        let list = |items: Vec<String>| format!("\"messages\": [\n{}]", items.join(" , "));
        (list(client), list(upstream))
    });
    let others = prop::collection::vec((0..4_u8, value()), 0..5).prop_map(|members| {
        let member = |(n, x): (u8, String)| same(format!("\"x{n}\":{x}"));
        members.into_iter().map(member).collect::<Vec<_>>()
    });
    let limit = prop::option::of(Just((
        r#""max_completion_tokens":5"#.to_owned(),
        r#""max_tokens":5"#.to_owned(),
    )));
    let members = (messages, others, limit).prop_map(|(messages, mut members, limit)| {
        members.push(messages);
        members.push(same(format!("\"model\" :\"{MODEL}\"")));
        members.extend(limit);
        members
    });
    members.prop_shuffle().prop_map(|members| {
        let (client, upstream): (Vec<_>, Vec<_>) = members.into_iter().unzip();
        let object = |members: Vec<String>| format!(" {{{} }}\n", members.join("\t,"));
        (object(client), object(upstream))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everything_outside_of_the_deviations_is_untouched((client, upstream) in body()) {
        prop_assert_eq!(sent(&client), upstream);
    }
}

/// What DeepSeek at this address gets when the stream of another one has broken, if it is asked.
async fn continued(base: &str) -> Option<String> {
    let upstream = Upstream::new();
    let begun = Answer::stream().content("The quick brown fox");
    upstream.answer_for("one", begun.cut());
    upstream.always("two", Answer::stream().content(" jumps").finish().done());
    let key = json!({"display_name": "beta", "api_key": "k", "api_base": base});
    let model = |name: &str, key: &str| json!({"display_name": name, "provider": "deepseek", "model_name": name, "provider_key_id": key});
    let targets = json!([{"model": "one"}, {"model": "two"}]);
    let routing = json!({"targets": targets, "continue_on_break": true});
    let gateway = Setup::new()
        .providers(crate::registry())
        .add(Kind::ProviderKey, "beta", key)
        .add(Kind::Model, "one", model("one", "key"))
        .add(Kind::Model, "two", model("two", "beta"))
        .add(
            Kind::Model,
            "group",
            json!({"display_name": "group", "routing": routing}),
        )
        .gateway(&upstream);
    let body =
        json!({"model": "group", "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    let request = testing::request("/v1/chat/completions", body.to_string());
    let told = testing::text(gateway.oneshot(request).await.unwrap()).await;
    let asked = upstream.requests().len() == 2;
    assert_eq!(told.contains("[DONE]"), asked, "{told}");
    asked.then(|| upstream.last_request().json()["messages"][1].to_string())
}

#[tokio::test]
async fn its_beta_goes_on_with_a_stream_that_has_broken() {
    let given = json!({"role": "assistant", "content": "The quick brown fox", "prefix": true});
    for base in ["https://api.deepseek.com/beta", "http://here.test/x/beta/"] {
        assert_eq!(continued(base).await, Some(given.to_string()), "{base}");
    }
    for base in [
        "https://api.deepseek.com",
        "https://api.deepseek.com/beta/v1",
    ] {
        assert_eq!(continued(base).await, None, "{base}");
    }
}
