//! Hooks that ask other models.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aisix_core::{
    Error, ErrorKind, Gateway,
    call::{Call, Trail},
    config::Kind,
    hook::{Next, from_fn},
    observe::Observer,
    reply::Outcome,
    testing::{self, Answer, Ended, Setup, Upstream},
};
use aisix_wire::{CHAT_COMPLETIONS, COUNT_TOKENS, EMBEDDINGS};
use http::HeaderValue;
use serde_json::{Value, json};

use crate::ask::*;

/// What observers were told, in words.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn say(&self, what: &str, trail: &Trail, outcome: &Outcome<'_>) {
        let model = trail.model().map_or("", |model| model.name());
        let operation = trail.operation().map_or("", |operation| operation.name);
        let caller = trail.caller().map_or("", |caller| caller.id());
        let (attempts, asked) = (trail.attempt_count(), trail.asked().len());
        let tokens = outcome.usage.map(|usage| usage.total());
        let said = format!(
            "{what} {caller} {model} {operation} attempts={attempts} asked={asked} {} {tokens:?}",
            outcome.word()
        );
        self.0.lock().unwrap().push(said);
    }
}

impl Observer for Told {
    fn ask_ended(&self, trail: &Trail, outcome: &Outcome<'_>) {
        self.say("asked", trail, outcome);
    }

    fn ended(&self, trail: &Trail, outcome: &Outcome<'_>) {
        self.say("ended", trail, outcome);
    }
}

fn vector() -> Answer {
    let data = json!([{"index": 0, "embedding": [1.0]}]);
    let usage = json!({"prompt_tokens": 3, "total_tokens": 3});
    Answer::json(
        200,
        &json!({"object": "list", "data": data, "usage": usage}),
    )
}

fn setup() -> Setup {
    let other = json!({"display_name": "other", "provider": "plain", "model_name": "upstream-other",
        "provider_key_id": "key"});
    Setup::new().add(Kind::Model, "other", other)
}

/// A gateway with a hook that asks for a vector first. What came of it is told in a header.
fn gateway(setup: Setup, upstream: &Upstream, told: &Told) -> Gateway {
    let hook = from_fn(async |call: Call, next: Next| {
        let body = r#"{"input":"a"}"#.into();
        let answer = call.ask("other", &EMBEDDINGS, body).await;
        let said = match answer {
            Ok(reply) => String::from_utf8_lossy(reply.body_bytes().unwrap()).len(),
            Err(_) => 0,
        };
        let mut reply = next.run(call).await?;
        reply.headers_mut().insert("x-said", said.into());
        Ok::<_, Error>(reply)
    });
    let builder = setup.builder(upstream).hook(hook).observe(told.clone());
    builder.build().unwrap()
}

#[tokio::test]
async fn a_hook_asks_another_model_and_nothing_of_the_caller_goes_along() {
    let (upstream, told) = (Upstream::new(), Told::default());
    let setup = setup().provider_key(json!({"request": {"forward_client_headers": ["x-team"]}}));
    let gateway = gateway(setup, &upstream, &told);
    upstream.answer(vector());
    upstream.answer(Answer::chat("hello"));
    let mut request = testing::chat_request("hi");
    for name in ["x-team", "openai-beta", "x-aisix-request-id"] {
        let value = HeaderValue::from_static("the-callers");
        request.headers_mut().insert(name, value);
    }
    let response = send(&gateway, request).await;
    assert_eq!(response.status(), 200);
    assert_ne!(response.headers()["x-said"], "0");
    assert!(testing::text(response).await.contains("hello"));
    let [question, call] = &upstream.requests()[..] else {
        panic!("{:?}", upstream.requests());
    };
    let expected = json!({"input": "a", "model": "upstream-other"});
    assert_eq!(question.json(), expected);
    assert!(question.head.uri.path().ends_with("/embeddings"));
    for name in ["x-team", "openai-beta"] {
        assert!(!question.head.headers.contains_key(name), "{name}");
        assert_eq!(call.head.headers[name], "the-callers");
    }
    let ids = [question, call].map(|request| request.head.headers["x-aisix-request-id"].clone());
    assert_eq!(ids[0], ids[1]);
    assert_eq!(
        told.take(),
        [
            "asked caller other embeddings attempts=1 asked=0 success Some(3)",
            "ended caller test-model chat.completions attempts=1 asked=1 success Some(12)",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_question_is_tried_again_and_may_take_its_time() {
    let (upstream, told) = (Upstream::new(), Told::default());
    let gateway = gateway(setup(), &upstream, &told);
    upstream.answer(Answer::refusal(500, "not now"));
    // A hook that waited for anything else would have failed by then.
    upstream.answer(vector().head_after(Duration::from_secs(90)));
    upstream.answer(Answer::chat("hello"));
    let response = chat(&gateway).await;
    assert_eq!(response.status(), 200);
    testing::text(response).await;
    let told = told.take();
    assert_eq!(
        told[0],
        "asked caller other embeddings attempts=2 asked=0 success Some(3)"
    );
    assert!(told[1].contains("attempts=1 asked=1"), "{told:?}");
}

#[tokio::test]
async fn a_question_that_is_refused_is_told_and_fails_only_itself() {
    let (upstream, told) = (Upstream::new(), Told::default());
    let gateway = gateway(setup(), &upstream, &told);
    upstream.answer(Answer::refusal(400, "no"));
    upstream.answer(Answer::chat("hello"));
    let response = chat(&gateway).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["x-said"]),
        (200, &HeaderValue::from_static("0"))
    );
    testing::text(response).await;
    assert_eq!(
        told.take()[0],
        "asked caller other embeddings attempts=1 asked=0 refused None"
    );
}

#[tokio::test]
async fn what_cannot_be_asked_says_why() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let upstream = Upstream::new();
    let heard = said.clone();
    let hook = from_fn(move |call: Call, next: Next| {
        let heard = heard.clone();
        async move {
            let good = r#"{"input":"a"}"#;
            for (model, operation, body) in [
                ("gone", &EMBEDDINGS, good),
                ("keyless", &EMBEDDINGS, good),
                ("other", &COUNT_TOKENS, good),
                ("other", &EMBEDDINGS, "{}"),
                ("other", &EMBEDDINGS, "a"),
                ("other", &CHAT_COMPLETIONS, good),
            ] {
                let answer = call.ask(model, operation, body.into()).await;
                heard.lock().unwrap().push(answer.unwrap_err().kind());
            }
            next.run(call).await
        }
    });
    let keyless = json!({"display_name": "keyless", "provider": "plain", "model_name": "m",
        "provider_key_id": "gone"});
    let setup = setup().add(Kind::Model, "keyless", keyless);
    let gateway = setup.builder(&upstream).hook(hook).build().unwrap();
    upstream.answer(Answer::chat("hello"));
    assert_eq!(chat(&gateway).await.status(), 200);
    let said = said.lock().unwrap();
    assert_eq!(said[0], ErrorKind::ModelNotFound);
    assert_eq!(said[2..], [ErrorKind::InvalidRequest; 4]);
    // Nothing of this has reached the upstream.
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn a_question_is_dropped_with_the_client() {
    let (upstream, told) = (Upstream::new(), Told::default());
    let gateway = gateway(setup(), &upstream, &told);
    let mut exchange = upstream.answer(vector().head_stall());
    let mut asking = Box::pin(chat(&gateway));
    tokio::select! {
        _ = &mut asking => unreachable!("the question has no answer"),
        _ = exchange.request() => {}
    }
    drop(asking);
    assert_eq!(exchange.ended().await, Ended::Dropped);
    assert_eq!(
        told.take(),
        [
            "asked caller other embeddings attempts=1 asked=0 cancelled None",
            "ended caller test-model chat.completions attempts=0 asked=1 cancelled None",
        ]
    );
}

#[tokio::test]
async fn a_question_costs_its_caller_nothing() {
    let upstream = Upstream::new();
    let limits = json!({"rate_limit": {"rpm": 2, "tpm": 2_000}});
    let setup = setup().api_key(limits);
    let gateway = gateway(setup, &upstream, &Told::default());
    let mut left = Vec::new();
    for _ in 0..2 {
        upstream.answer(vector());
        upstream.answer(Answer::chat("hello"));
        let response = chat(&gateway).await;
        let tokens = &response.headers()["x-ratelimit-remaining-tokens"];
        left.push(tokens.to_str().unwrap().parse::<u64>().unwrap());
        testing::text(response).await;
    }
    // The 12 of the chat, and not the 3 of the question.
    assert_eq!(left[0] - left[1], 12);
}

#[tokio::test]
async fn a_hook_that_only_asks_costs_its_caller_no_request() {
    let upstream = Upstream::new();
    let hook = from_fn(async |call: Call, _: Next| {
        call.ask("other", &EMBEDDINGS, r#"{"input":"a"}"#.into())
            .await?;
        Err(Error::new(ErrorKind::Blocked, "no"))
    });
    let setup = setup().api_key(json!({"rate_limit": {"rpm": 1}}));
    let gateway = setup.builder(&upstream).hook(hook).build().unwrap();
    for _ in 0..3 {
        upstream.answer(vector());
        let (status, body): (u16, Value) = refusal(chat(&gateway).await).await;
        assert_eq!(status, 422, "{body}");
    }
}
