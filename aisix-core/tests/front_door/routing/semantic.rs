//! Models that route by what requests mean.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aisix_core::{
    Gateway,
    call::Trail,
    config::{Change, Config, Entry, Key, Kind},
    explain::{Explainer, Question},
    models::health,
    observe::Observer,
    reply::Outcome,
    testing::{self, Answer, Gate, Setup, Upstream},
};
use futures_util::{FutureExt, future::join_all};

use super::*;

/// Vectors in a plane, by their angles in degrees.
fn vectors(degrees: &[f64]) -> Answer {
    let vector = |degrees: &f64| {
        let (sin, cos) = degrees.to_radians().sin_cos();
        json!([2.0 * cos, 2.0 * sin])
    };
    let data = degrees.iter().enumerate();
    let data = data.map(|(index, it)| json!({"index": index, "embedding": vector(it)}));
    // Nobody has promised an order.
    let data: Vec<_> = data.rev().collect();
    let usage = json!({"prompt_tokens": 3, "total_tokens": 3});
    Answer::json(
        200,
        &json!({"object": "list", "data": data, "usage": usage}),
    )
}

/// A model that routes by meaning: `b` serves what is near 0 or 10 degrees, `c` what is very near to 60, and `a` the rest.
fn semantic(members: Value) -> Value {
    let mut semantic = json!({
        "embedding_model": "e", "default": "a", "match": {"threshold": 0.9},
        "routes": [
            {"name": "code", "target": "b", "examples": ["fix this", "write rust"]},
            {"name": "law", "target": "c", "examples": ["sue them"], "threshold": 0.999},
        ],
    });
    let document = semantic.as_object_mut().unwrap();
    document.extend(members.as_object().unwrap().clone());
    semantic
}

const EXAMPLES: [f64; 3] = [0.0, 10.0, 60.0];

fn by_meaning(members: Value) -> Setup {
    with_group(json!({"semantic": semantic(members)}))
}

fn with_group(members: Value) -> Setup {
    let model = |name: &str, members: Value| {
        let mut model = json!({"display_name": name, "provider": "plain",
            "model_name": format!("up-{name}"), "provider_key_id": "key"});
        let members = members.as_object().unwrap().clone();
        model.as_object_mut().unwrap().extend(members);
        model
    };
    let mut group = members;
    group["display_name"] = json!(GROUP);
    let mut setup = Setup::new().add(Kind::Model, GROUP, group);
    for name in ["a", "b", "c"] {
        setup = setup.add(Kind::Model, name, model(name, json!({})));
    }
    let embedding = json!({"embedding": {"dimensions": 2}});
    setup.add(Kind::Model, "e", model("e", embedding))
}

/// An upstream that has the vectors of the examples.
fn upstream() -> Upstream {
    let upstream = Upstream::new();
    upstream.answer_for("up-e", vectors(&EXAMPLES));
    for model in ["up-a", "up-b", "up-c"] {
        upstream.always(model, Answer::chat("hello"));
    }
    upstream
}

/// What was embedded, in order.
fn embedded(upstream: &Upstream) -> Vec<Value> {
    let requests = upstream.requests();
    let asked = requests.iter().filter(|it| it.json()["model"] == "up-e");
    asked
        .map(|request| request.json()["input"].clone())
        .collect()
}

/// Asks something whose vector points there, and says who has served it, by which route.
async fn served(gateway: &Gateway, upstream: &Upstream, degrees: f64) -> (String, String) {
    upstream.answer_for("up-e", vectors(&[degrees]));
    let response = send(gateway, ask_group()).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "x-aisix-attempts"), "1");
    let words = ["x-aisix-served-by", "x-aisix-route"];
    let [by, route] = words.map(|name| header(&response, name).to_owned());
    (by, route)
}

fn put(config: &Config, id: &str, document: Value) {
    let report = config.apply([Change::Put(Entry::new(Kind::Model, id, document))]);
    assert!(report.rejected.is_empty(), "{report}");
}

#[tokio::test]
async fn a_request_goes_where_its_meaning_leads() {
    let upstream = upstream();
    let gateway = by_meaning(json!({})).gateway(&upstream);
    for (degrees, by, route) in [
        (1.0, "b", "code"),
        (-20.0, "b", "code"),
        // 26 degrees have a cosine of 0.8988.
        (-26.0, "a", ""),
        (36.0, "a", ""),
        // As like as it is, it is not enough for this route, but for no other one it is.
        (50.0, "a", ""),
        (59.0, "c", "law"),
        (180.0, "a", ""),
    ] {
        let expected = (by.to_owned(), route.to_owned());
        assert_eq!(
            served(&gateway, &upstream, degrees).await,
            expected,
            "{degrees}"
        );
    }
    let asked = embedded(&upstream);
    assert_eq!(asked[0], json!(["fix this", "write rust", "sue them"]));
    assert_eq!(
        asked[1..],
        vec![json!("hi"); 7],
        "the examples are asked for once"
    );
}

#[tokio::test]
async fn the_best_of_those_that_suit_wins_whatever_their_order() {
    let upstream = upstream();
    let threshold = json!({"match": {"threshold": 0.1}});
    let gateway = by_meaning(threshold).gateway(&upstream);
    // 40 degrees are nearer to `law` at 60 than to `code` at 10, but it wants more.
    assert_eq!(served(&gateway, &upstream, 40.0).await.1, "code");
    assert_eq!(served(&gateway, &upstream, 60.0).await.1, "law");
    // Both suit, and the one that is declared first is nearer.
    let routes = json!({"match": {"threshold": 0.1}, "routes": [
        {"name": "code", "target": "b", "examples": ["fix this", "write rust"]},
        {"name": "law", "target": "c", "examples": ["sue them"]}]});
    let upstream = self::upstream();
    let gateway = by_meaning(routes).gateway(&upstream);
    assert_eq!(served(&gateway, &upstream, 20.0).await.1, "code");
}

#[tokio::test]
async fn what_the_user_has_said_last_counts_in_every_dialect() {
    let upstream = upstream();
    let gateway = by_meaning(json!({})).gateway(&upstream);
    let said = |role: &str, text: &str| json!({"role": role, "content": text});
    let parts = |kind: &str| {
        json!({"role": "user", "content": [
        {"type": kind, "text": "one"}, {"type": kind, "text": "two"}]})
    };
    let tool = json!({"type": "tool_result", "tool_use_id": "t", "content": "42"});
    let call = json!({"type": "tool_use", "id": "t", "name": "f", "input": {}});
    let requests = [
        (
            CHAT,
            json!({"messages": [said("system", "s"), said("user", "x"), parts("text"), said("assistant", "y")]}),
        ),
        (
            "/v1/messages",
            json!({"max_tokens": 9, "system": "s", "messages": [
            parts("text"), {"role": "assistant", "content": [call]}, {"role": "user", "content": [tool]}]}),
        ),
        (
            "/v1/responses",
            json!({"instructions": "s", "input": [said("user", "x"), parts("input_text")]}),
        ),
        (
            &format!("/v1beta/models/{GROUP}:generateContent"),
            json!({"contents": [
            {"role": "user", "parts": [{"text": "one"}, {"text": "two"}]}, {"role": "model", "parts": [{"text": "y"}]}]}),
        ),
    ];
    for (path, mut body) in requests {
        upstream.answer_for("up-e", vectors(&[0.0]));
        if !path.contains(GROUP) {
            body["model"] = GROUP.into();
        }
        let response = send(&gateway, testing::request(path, body.to_string())).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(header(&response, "x-aisix-route"), "code", "{path}");
        assert_eq!(embedded(&upstream).last().unwrap(), "one\ntwo", "{path}");
    }
}

#[tokio::test]
async fn what_has_no_text_goes_to_the_default() {
    let upstream = Upstream::new();
    upstream.always("up-a", vectors(&[0.0]));
    let gateway = by_meaning(json!({})).gateway(&upstream);
    let body = json!({"model": GROUP, "input": "x"}).to_string();
    let response = send(&gateway, testing::request("/v1/embeddings", body)).await;
    assert_eq!(header(&response, "x-aisix-served-by"), "a");
    upstream.always("up-a", Answer::chat("hello"));
    let image = json!({"type": "image_url", "image_url": {"url": "https://x.test/y.png"}});
    let messages = json!([{"role": "user", "content": [image]}]);
    let response = send(&gateway, ask_group_with(&json!({"messages": messages}))).await;
    // The body of `ask_group_with` has `messages` of its own, which these replace.
    assert_eq!(header(&response, "x-aisix-served-by"), "a");
    assert_eq!(embedded(&upstream), [] as [Value; 0]);
}

#[tokio::test]
async fn a_long_text_is_cut_between_two_letters() {
    let upstream = upstream();
    let gateway = by_meaning(json!({})).gateway(&upstream);
    upstream.answer_for("up-e", vectors(&[0.0]));
    let text = format!("x{}", "\u{20ac}".repeat(20_000));
    let messages = json!([{"role": "user", "content": text}]);
    let request = ask_group_with(&json!({"messages": messages}));
    assert_eq!(send(&gateway, request).await.status(), 200);
    let asked = embedded(&upstream)[1].as_str().unwrap().to_owned();
    assert_eq!(asked.len(), 32 * 1024 - 1);
    assert!(text.starts_with(&asked));
}

#[tokio::test]
async fn requests_that_come_together_ask_for_the_examples_once() {
    let upstream = Upstream::new();
    upstream.always("up-b", Answer::chat("hello"));
    let gate = Gate::new();
    upstream.answer_for("up-e", vectors(&EXAMPLES).head_gate(&gate));
    upstream.always("up-e", vectors(&[5.0]));
    let gateway = by_meaning(json!({})).gateway(&upstream);
    let asked = (0..3).map(|_| send(&gateway, ask_group()));
    let mut asked = Box::pin(join_all(asked));
    assert!((&mut asked).now_or_never().is_none());
    assert_eq!(upstream.count("up-e"), 1);
    gate.open();
    for response in asked.await {
        assert_eq!(header(&response, "x-aisix-route"), "code");
    }
    assert_eq!(upstream.count("up-e"), 1 + 3);
}

#[tokio::test]
async fn whoever_waits_goes_on_when_the_first_leaves() {
    let upstream = Upstream::new();
    upstream.always("up-b", Answer::chat("hello"));
    let mut exchange = upstream.answer_for("up-e", vectors(&EXAMPLES).head_stall());
    upstream.answer_for("up-e", vectors(&EXAMPLES));
    upstream.always("up-e", vectors(&[5.0]));
    let gateway = by_meaning(json!({})).gateway(&upstream);
    let mut first = Box::pin(send(&gateway, ask_group()));
    let mut second = Box::pin(send(&gateway, ask_group()));
    assert!((&mut first).now_or_never().is_none());
    assert!((&mut second).now_or_never().is_none());
    drop(first);
    assert_eq!(exchange.ended().await, testing::Ended::Dropped);
    assert_eq!(header(&second.await, "x-aisix-route"), "code");
    assert_eq!(upstream.count("up-e"), 3);
}

#[tokio::test]
async fn a_failed_question_is_settled_as_the_model_says_and_asked_again() {
    for (policy, by) in [
        (json!("default"), "a"),
        (json!({"target": "c"}), "c"),
        (json!("fail"), ""),
    ] {
        let upstream = Upstream::new();
        for model in ["up-a", "up-b", "up-c"] {
            upstream.always(model, Answer::chat("hello"));
        }
        let setup = by_meaning(json!({"on_embedding_failure": policy}));
        let gateway = setup.gateway(&upstream);
        upstream.answer_for("up-e", Answer::refusal(400, "no"));
        let response = send(&gateway, ask_group()).await;
        if by.is_empty() {
            let (status, body) = refusal(response).await;
            let message = "who serves model \"group\" could not be told";
            assert_eq!(
                (status, body),
                (503, error("provider_unavailable", message))
            );
        } else {
            assert_eq!(header(&response, "x-aisix-served-by"), by);
            assert_eq!(header(&response, "x-aisix-route"), "");
            testing::text(response).await;
        }
        // The examples are there, the vector of the request is not one.
        upstream.answer_for("up-e", vectors(&EXAMPLES));
        upstream.answer_for(
            "up-e",
            Answer::json(200, &json!({"data": [{"embedding": [1, 2, 3]}]})),
        );
        let status = send(&gateway, ask_group()).await.status();
        assert_eq!(status, if by.is_empty() { 503 } else { 200 });
        assert_eq!(served(&gateway, &upstream, 3.0).await.1, "code");
        assert_eq!(upstream.count("up-e"), 4, "{policy}");
    }
}

#[tokio::test]
async fn who_has_waited_in_vain_does_not_ask_once_more() {
    let upstream = Upstream::new();
    upstream.always("up-a", Answer::chat("hello"));
    let gate = Gate::new();
    upstream.answer_for("up-e", Answer::refusal(400, "no").head_gate(&gate));
    let gateway = by_meaning(json!({})).gateway(&upstream);
    let asked = (0..3).map(|_| send(&gateway, ask_group()));
    let mut asked = Box::pin(join_all(asked));
    assert!((&mut asked).now_or_never().is_none());
    gate.open();
    for response in asked.await {
        assert_eq!(header(&response, "x-aisix-served-by"), "a");
    }
    assert_eq!(upstream.count("up-e"), 1);
}

#[tokio::test]
async fn many_examples_are_asked_for_in_parts_and_what_has_come_stays() {
    let upstream = Upstream::new();
    for model in ["up-a", "up-b"] {
        upstream.always(model, Answer::chat("hello"));
    }
    let examples: Vec<_> = (0..70).map(|number| format!("example {number}")).collect();
    let route = json!({"name": "many", "target": "b", "examples": examples});
    let gateway = by_meaning(json!({"routes": [route]})).gateway(&upstream);
    upstream.answer_for("up-e", vectors(&[90.0; 64]));
    upstream.answer_for("up-e", Answer::refusal(400, "no"));
    assert_eq!(
        header(&send(&gateway, ask_group()).await, "x-aisix-served-by"),
        "a"
    );
    upstream.answer_for("up-e", vectors(&[0.0; 6]));
    assert_eq!(served(&gateway, &upstream, 1.0).await.1, "many");
    let asked = embedded(&upstream);
    let parts: Vec<_> = asked.iter().map(|it| it.as_array().map(Vec::len)).collect();
    assert_eq!(parts, [Some(64), Some(6), Some(6), None]);
    assert_eq!(asked[2][0], "example 64");
}

#[tokio::test(start_paused = true)]
async fn an_embedding_that_takes_too_long_is_a_failure() {
    let upstream = upstream();
    let gateway = by_meaning(json!({"embedding_timeout_ms": 200})).gateway(&upstream);
    upstream.answer_for(
        "up-e",
        vectors(&[0.0]).head_after(Duration::from_millis(201)),
    );
    let began = tokio::time::Instant::now();
    let response = send(&gateway, ask_group()).await;
    assert_eq!(header(&response, "x-aisix-served-by"), "a");
    assert_eq!(began.elapsed(), Duration::from_millis(200));
    upstream.answer_for(
        "up-e",
        vectors(&[0.0]).head_after(Duration::from_millis(199)),
    );
    let response = send(&gateway, ask_group()).await;
    assert_eq!(header(&response, "x-aisix-route"), "code");
}

#[tokio::test]
async fn who_is_chosen_is_tried_as_the_target_of_a_group_is() {
    let upstream = upstream();
    upstream.always("up-e", vectors(&[0.0]));
    let group = json!({"semantic": semantic(json!({})), "retries": 1});
    let config = with_group(group).config();
    let gateway = Gateway::builder(config.clone())
        .transport(upstream.clone())
        .build()
        .unwrap();
    // The retries are those of the model that routes.
    upstream.answer_for("up-b", Answer::refusal(500, "once"));
    let response = send(&gateway, ask_group()).await;
    assert_eq!(
        (
            response.status().as_u16(),
            header(&response, "x-aisix-attempts")
        ),
        (200, "2")
    );
    testing::text(response).await;
    let b = |members: Value| {
        let mut b = json!({"display_name": "b", "provider": "plain", "model_name": "up-b", "provider_key_id": "key"});
        b.as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        b
    };
    // A route leads to one model, and to no other when that cannot serve.
    put(&config, "b", b(json!({"rate_limit": {"rpm": 1}})));
    let statuses = [
        send(&gateway, ask_group()).await,
        send(&gateway, ask_group()).await,
    ];
    let told = statuses
        .each_ref()
        .map(|it| (it.status().as_u16(), header(it, "x-aisix-route")));
    assert_eq!(told, [(200, "code"), (429, "code")]);
    put(&config, "b", b(json!({"draining": true})));
    let response = send(&gateway, ask_group()).await;
    assert_eq!(
        (response.status().as_u16(), header(&response, "retry-after")),
        (503, "30")
    );
    put(
        &config,
        "b",
        b(json!({"allowed_cidrs": ["203.0.113.0/24"]})),
    );
    assert_eq!(send(&gateway, ask_group()).await.status(), 403);
}

#[tokio::test]
async fn vectors_are_kept_while_texts_and_their_model_stay_the_same() {
    let upstream = upstream();
    let config = by_meaning(json!({})).config();
    let gateway = Gateway::builder(config.clone())
        .transport(upstream.clone())
        .build()
        .unwrap();
    assert_eq!(served(&gateway, &upstream, 0.0).await.1, "code");
    let group = |members| json!({"display_name": GROUP, "semantic": semantic(members)});
    // Another threshold is no reason to ask again, and counts at once.
    put(
        &config,
        GROUP,
        group(json!({"match": {"threshold": 0.99999}})),
    );
    assert_eq!(
        served(&gateway, &upstream, 3.0).await,
        ("a".into(), String::new())
    );
    assert_eq!(upstream.count("up-e"), 3);
    // Nor are other retries of the embedding model; another model upstream is.
    let e = |upstream: &str| {
        json!({"display_name": "e", "provider": "plain", "model_name": upstream,
        "provider_key_id": "key", "retries": 0, "embedding": {"dimensions": 2}})
    };
    put(&config, "e", e("up-e"));
    assert_eq!(served(&gateway, &upstream, 0.0).await.1, "code");
    assert_eq!(upstream.count("up-e"), 4);
    put(&config, "e", e("up-f"));
    upstream.answer_for("up-f", vectors(&[90.0, 90.0, 0.0]));
    upstream.answer_for("up-f", vectors(&[0.0]));
    assert_eq!(
        header(&send(&gateway, ask_group()).await, "x-aisix-route"),
        "law"
    );
    // So are other texts.
    let route = json!({"name": "new", "target": "b", "examples": ["other"]});
    put(&config, GROUP, group(json!({"routes": [route]})));
    upstream.answer_for("up-f", vectors(&[20.0]));
    upstream.answer_for("up-f", vectors(&[20.0]));
    assert_eq!(
        header(&send(&gateway, ask_group()).await, "x-aisix-route"),
        "new"
    );
}

#[tokio::test]
async fn the_model_follows_those_that_it_names() {
    let upstream = upstream();
    upstream.always("up-e", vectors(&[0.0]));
    let config = by_meaning(json!({})).config();
    let gateway = Gateway::builder(config.clone())
        .transport(upstream.clone())
        .build()
        .unwrap();
    let ask = || async {
        let response = send(&gateway, ask_group()).await;
        (
            response.status().as_u16(),
            header(&response, "x-aisix-served-by").to_owned(),
        )
    };
    assert_eq!(ask().await, (200, "b".to_owned()));
    let delete = |id: &str| {
        let (kind, id) = (Kind::Model, id.into());
        config.apply([Change::Delete(Key { kind, id })])
    };
    // A route to nobody is none.
    delete("b");
    upstream.answer_for("up-e", vectors(&[60.0]));
    assert_eq!(ask().await, (200, "a".to_owned()));
    // Nobody makes vectors, which is told.
    let reason = || {
        let told = health::to_json(&config.current());
        let told = told.as_array().unwrap();
        let group = told.iter().find(|it| it["display_name"] == GROUP).unwrap();
        group["status_reason"].clone()
    };
    assert_eq!(reason(), Value::Null);
    delete("e");
    assert_eq!(reason(), "its embedding model does not exist");
    assert_eq!(ask().await, (200, "a".to_owned()));
    delete("a");
    assert_eq!(ask().await.0, 503);
}

#[tokio::test]
async fn an_explanation_asks_nothing_and_says_what_would_be_asked() {
    let upstream = Upstream::new();
    let failure = json!({"on_embedding_failure": {"target": "f"}});
    let f = json!({"display_name": "f", "provider": "plain", "model_name": "up-f", "provider_key_id": "key"});
    let config = by_meaning(failure).add(Kind::Model, "f", f).config();
    let explainer = Explainer::new(Gateway::builder(config.clone()).transport(upstream.clone()));
    let question = Question::new().key(testing::API_KEY).model(GROUP);
    let question = question.body(chat_body(&json!({"model": GROUP})));
    let told = explainer.explain(question).await.unwrap();
    assert!(told.is_sent());
    let embeds = &told.to_json()["embeds"];
    assert_eq!(*embeds, json!({"model": "e", "text": "hi"}));
    let targets = told.targets.iter();
    let targets: Vec<_> = targets
        .map(|it| (&*it.model, it.reason.as_deref()))
        .collect();
    assert_eq!(
        targets,
        [
            ("a", None),
            ("b", Some("only for requests that mean `code`")),
            ("c", Some("only for requests that mean `law`")),
            ("f", Some("only for requests whose meaning cannot be told")),
        ]
    );
    assert_eq!(upstream.requests().len(), 0);
    let models = health::to_json(&config.current());
    let models = models.as_array().unwrap();
    let group = models
        .iter()
        .find(|it| it["display_name"] == GROUP)
        .unwrap();
    assert_eq!(group["kind"], "semantic");
    let healthy = |model: &str| json!({"model": model, "status": "healthy"});
    assert_eq!(group["targets"], json!(["a", "b", "c", "f"].map(healthy)));
}

/// What is in the trail of a request that has ended.
#[derive(Clone, Default)]
struct Trails(Arc<Mutex<Vec<Trail>>>);

impl Observer for Trails {
    fn ended(&self, trail: &Trail, _: &Outcome<'_>) {
        self.0.lock().unwrap().push(trail.clone());
    }
}

#[tokio::test]
async fn questions_and_the_choice_are_in_the_trail() {
    let upstream = upstream();
    let trails = Trails::default();
    let builder = by_meaning(json!({}))
        .builder(&upstream)
        .observe(trails.clone());
    let gateway = builder.build().unwrap();
    let (by, _) = served(&gateway, &upstream, 2.0).await;
    assert_eq!(by, "b");
    let trail = trails.0.lock().unwrap().remove(0);
    let asked = trail.asked();
    let asked = asked
        .iter()
        .map(|trail| trail.model().unwrap().name().to_string());
    assert_eq!(asked.collect::<Vec<_>>(), ["e", "e"]);
    assert_eq!(trail.attempt_count(), 1);
    assert_eq!(
        trail.marks(),
        [
            ("semantic_route", "code".to_owned()),
            ("semantic_likeness", "0.9994".to_owned())
        ]
    );
}
