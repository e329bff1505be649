//! Models that ask several others, and have one make one answer of theirs.

use std::time::Duration;

use aisix_core::{
    Gateway,
    config::{Change, Config, Entry},
    explain::{Explainer, Question},
    models::health,
    testing::{self, Answer, Ended, Endings, Gate, Setup, Upstream},
    wire::Usage,
};

use super::*;

/// An ensemble of `a` and `b`, whose judge is `c`.
fn ensemble(members: Value) -> Setup {
    ensemble_with(members, json!({}))
}

/// The same, with members added to the model `a`.
fn ensemble_with(members: Value, of_a: Value) -> Setup {
    let mut ensemble = json!({
        "panel": [{"model": "a", "temperature": 0.7, "seed": 7}, {"model": "b"}],
        "judge": {"model": "c"},
    });
    let document = ensemble.as_object_mut().unwrap();
    document.extend(members.as_object().unwrap().clone());
    let group = json!({"display_name": GROUP, "ensemble": ensemble});
    let other = |name: &str| match name {
        "a" => of_a.clone(),
        _ => json!({}),
    };
    setup_with(json!({}), other).add(Kind::Model, GROUP, group)
}

fn watched(setup: Setup, upstream: &Upstream) -> (Gateway, Config, Endings) {
    let endings = Endings::new();
    let config = setup.config();
    let builder = Gateway::builder(config.clone()).transport(upstream.clone());
    let gateway = builder.observe(endings.clone()).build().unwrap();
    (gateway, config, endings)
}

/// An upstream where all answer.
fn upstream() -> Upstream {
    let upstream = Upstream::new();
    upstream.always("up-a", Answer::chat("red"));
    upstream.always("up-b", Answer::chat("blue"));
    upstream.always("up-c", Answer::chat("purple"));
    upstream
}

/// What a model was asked.
fn asked_of(upstream: &Upstream, model: &str) -> Value {
    let requests = upstream.requests();
    let mut requests = requests.iter().rev().map(|request| request.json());
    requests.find(|body| body["model"] == model).unwrap()
}

/// So many answers as `Answer::chat` counts them.
fn used(answers: u64) -> Usage {
    Usage {
        input: 5 * answers,
        output: 7 * answers,
        ..Usage::default()
    }
}

#[tokio::test]
async fn the_judge_makes_one_answer_of_what_the_panel_says() {
    let upstream = upstream();
    let (gateway, config, endings) = watched(ensemble(json!({})), &upstream);
    let request = ask_group_with(&json!({"temperature": 1.5, "n": 2, "max_tokens": 9}));
    let response = send(&gateway, request).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "x-aisix-served-by"), "c");
    assert_eq!(header(&response, "x-aisix-attempts"), "3");
    let answer = testing::json(response).await;
    assert_eq!(answer["choices"][0]["message"]["content"], "purple");
    let usage = json!({"prompt_tokens": 15, "completion_tokens": 21, "total_tokens": 36});
    assert_eq!(answer["usage"], usage);

    let a = asked_of(&upstream, "up-a");
    let hi = json!([{"role": "user", "content": "hi"}]);
    let expected =
        json!({"model": "up-a", "messages": hi, "temperature": 0.7, "seed": 7, "max_tokens": 9});
    assert_eq!(a, expected);
    let b = asked_of(&upstream, "up-b");
    let expected = json!({"model": "up-b", "messages": hi, "temperature": 1.5, "max_tokens": 9});
    assert_eq!(b, expected);
    let mut judge = asked_of(&upstream, "up-c");
    let told = judge["messages"][0]["content"].take();
    let told = told.as_str().unwrap();
    for part in [
        "<request>\nuser: hi\n</request>",
        "Candidate 1:\nred\n\nCandidate 2:\nblue\n",
    ] {
        assert!(told.contains(part), "{told}");
    }
    let expected = json!({"model": "up-c", "messages": [{"role": "user", "content": null}],
        "temperature": 0.2, "n": 2, "max_tokens": 9});
    assert_eq!(judge, expected);

    let ending = endings.only();
    assert_eq!((ending.word, ending.usage), ("success", Some(used(3))));
    let records = endings.records();
    let records = records.iter();
    let records: Vec<_> = records
        .map(|it| (it.number, it.model.name().to_string(), it.usage))
        .collect();
    assert_eq!(
        records,
        [
            (1, "a".to_owned(), Some(used(1))),
            (2, "b".to_owned(), Some(used(1))),
            (3, "c".to_owned(), Some(used(1))),
        ]
    );
    assert_eq!(under_way(&config), 0);
}

#[tokio::test]
async fn models_that_reason_are_told_no_temperature() {
    for request in in_every_dialect(false) {
        let path = request.uri().path().to_owned();
        let upstream = upstream();
        upstream.always("o3-mini", Answer::chat("red"));
        upstream.always("openai/gpt-5", Answer::chat("purple"));
        let mut setup = setup(json!({}));
        for (name, model) in [("thinker", "o3-mini"), ("judge", "openai/gpt-5")] {
            let model = json!({"display_name": name, "provider": "plain", "model_name": model,
                "provider_key_id": "key"});
            setup = setup.add(Kind::Model, name, model);
        }
        let panel = json!({"panel": [{"model": "thinker", "temperature": 0.7}, {"model": "b", "temperature": 0.7}],
            "judge": {"model": "judge"}});
        let group = json!({"display_name": testing::MODEL, "ensemble": panel});
        let gateway = setup.add(Kind::Model, "model", group).gateway(&upstream);
        let status = send(&gateway, request).await.status();
        assert_eq!(status, 200, "{path}");
        for (model, temperature) in [
            ("o3-mini", Value::Null),
            ("up-b", json!(0.7)),
            ("openai/gpt-5", Value::Null),
        ] {
            let asked = asked_of(&upstream, model);
            assert_eq!(asked["temperature"], temperature, "{path}: {model}");
        }
    }
}

#[tokio::test]
async fn the_panel_gives_one_answer_each_where_gemini_wants_several() {
    for (config, count) in [
        ("generationConfig", "candidateCount"),
        ("generation_config", "candidate_count"),
    ] {
        let upstream = upstream();
        let gateway = ensemble(json!({})).gateway(&upstream);
        let contents = json!([{"role": "user", "parts": [{"text": "hi"}]}]);
        let body = json!({"contents": contents, config: {count: 2}});
        let path = format!("/v1beta/models/{GROUP}:generateContent");
        let request = testing::request(&path, body.to_string());
        assert_eq!(send(&gateway, request).await.status(), 200);
        for model in ["up-a", "up-b"] {
            let n = &asked_of(&upstream, model)["n"];
            assert!(n.is_null() || n == 1, "{model}: {n}");
        }
        assert_eq!(asked_of(&upstream, "up-c")["n"], 2);
    }
}

#[tokio::test]
async fn the_judge_is_told_what_the_configuration_says() {
    let upstream = upstream();
    let judge =
        json!({"model": "c", "synthesis_prompt": "Q={original_request} A={labeled_candidates}"});
    let gateway = ensemble(json!({"judge": judge})).gateway(&upstream);
    assert_eq!(send(&gateway, ask_group()).await.status(), 200);
    let told = &asked_of(&upstream, "up-c")["messages"][0]["content"];
    assert_eq!(told, "Q=user: hi A=Candidate 1:\nred\n\nCandidate 2:\nblue");
}

#[tokio::test]
async fn only_the_judge_streams_and_its_stream_tells_the_sum() {
    for wants_usage in [true, false] {
        let upstream = upstream();
        let stream = Answer::stream().role().content("pur").content("ple");
        let stream = stream.finish().usage(5, 7).done();
        upstream.answer_for("up-c", stream);
        let (gateway, config, endings) = watched(ensemble(json!({})), &upstream);
        let options = json!({"stream": true, "stream_options": {"include_usage": wants_usage}});
        let response = send(&gateway, ask_group_with(&options)).await;
        assert_eq!(header(&response, "x-aisix-served-by"), "c");
        let text = testing::text(response).await;
        assert!(
            text.contains("\"pur\"") && text.ends_with("data: [DONE]\n\n"),
            "{text}"
        );
        assert_eq!(text.contains("\"total_tokens\":36"), wants_usage, "{text}");
        for model in ["up-a", "up-b"] {
            let asked = asked_of(&upstream, model);
            assert!(asked["stream"].is_null() && asked["stream_options"].is_null());
        }
        assert_eq!(asked_of(&upstream, "up-c")["stream"], true);
        let ending = endings.only();
        assert_eq!((ending.word, ending.usage), ("success", Some(used(3))));
        assert!(ending.first_token.is_some());
        assert_eq!(under_way(&config), 0);
    }
}

#[tokio::test]
async fn callers_of_every_dialect_are_answered_in_theirs() {
    for streams in [false, true] {
        for request in in_every_dialect(streams) {
            let upstream = upstream();
            if streams {
                let stream = Answer::stream().role().content("purple");
                upstream.answer_for("up-c", stream.finish().usage(5, 7).done());
            }
            let path = request.uri().path().to_owned();
            let panel = json!({"panel": [{"model": "a"}, {"model": "b"}], "judge": {"model": "c"}});
            let group = json!({"display_name": testing::MODEL, "ensemble": panel});
            let setup = setup(json!({})).add(Kind::Model, "model", group);
            let (gateway, _, endings) = watched(setup, &upstream);
            let response = send(&gateway, request).await;
            let (status, text) = (response.status(), testing::text(response).await);
            assert!(status == 200 && text.contains("purple"), "{path}: {text}");
            if path.ends_with("responses") || path.ends_with("messages") || !streams {
                assert!(text.contains("15") && text.contains("21"), "{path}: {text}");
            }
            let told = asked_of(&upstream, "up-c")["messages"].to_string();
            let candidates = "Candidate 1:\\nred\\n\\nCandidate 2:\\nblue";
            assert!(told.contains(candidates), "{path}: {told}");
            assert_eq!(asked_of(&upstream, "up-c")["temperature"], 0.2, "{path}");
            assert_eq!(endings.only().usage, Some(used(3)), "{path}");
        }
    }
}

#[tokio::test]
async fn a_panel_may_speak_every_dialect() {
    for (place, request) in in_every_dialect(false).into_iter().enumerate() {
        let upstream = upstream();
        let of_b = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "up-b",
            "content": [{"type": "text", "text": "blue"}], "stop_reason": "end_turn",
            "stop_sequence": null, "usage": {"input_tokens": 5, "output_tokens": 7}});
        upstream.always("up-b", Answer::json(200, &of_b));
        let content = json!({"role": "model", "parts": [{"text": "green"}]});
        let of_d = json!({"candidates": [{"index": 0, "content": content, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 7, "totalTokenCount": 12}});
        upstream.always("", Answer::json(200, &of_d));
        let others = |name: &str| match name {
            "b" => json!({"provider": "messages", "provider_key_id": "messages"}),
            _ => json!({}),
        };
        let mut setup = setup_with(json!({}), others).providers(dialects::registry());
        for name in ["messages", "contents"] {
            let key = json!({"display_name": name, "secret": "s", "provider": name});
            setup = setup.add(Kind::ProviderKey, name, key);
        }
        let of_d = json!({"display_name": "d", "provider": "contents", "model_name": "up-d",
            "provider_key_id": "contents"});
        let drawn = |name: &str| json!({"model": name, "temperature": 0.5, "seed": 7});
        let panel = ["d", "b", "a"].map(drawn);
        let group = json!({"display_name": testing::MODEL,
            "ensemble": {"panel": panel, "judge": {"model": "c"}, "min_responses": 3}});
        let setup = setup.add(Kind::Model, "d", of_d);
        let setup = setup.add(Kind::Model, "model", group);
        let (gateway, config, endings) = watched(setup, &upstream);
        let response = send(&gateway, request).await;
        let (status, text) = (response.status(), testing::text(response).await);
        assert!(
            status == 200 && text.contains("purple"),
            "dialect {place}: {text}"
        );
        let told = asked_of(&upstream, "up-c")["messages"].to_string();
        let candidates = "Candidate 1:\\ngreen\\n\\nCandidate 2:\\nblue\\n\\nCandidate 3:\\nred";
        assert!(told.contains(candidates), "dialect {place}: {told}");
        for model in ["up-a", "up-b"] {
            assert_eq!(asked_of(&upstream, model)["temperature"], 0.5);
        }
        let requests = upstream.requests();
        let mut bodies = requests.iter().map(|it| it.json());
        let of_d = bodies.find(|body| body["contents"].is_array()).unwrap();
        let drawn = &of_d["generationConfig"];
        assert_eq!(
            (&drawn["temperature"], &drawn["seed"]),
            (&json!(0.5), &json!(7))
        );
        assert_eq!(endings.only().usage, Some(used(4)), "dialect {place}");
        assert_eq!(under_way(&config), 0);
    }
}

#[tokio::test]
async fn a_judge_that_fails_fails_the_call_in_the_callers_dialect() {
    for (place, request) in in_every_dialect(false).into_iter().enumerate() {
        let upstream = upstream();
        upstream.always("up-c", Answer::refusal(500, "down"));
        let once = |name: &str| match name {
            "c" => json!({"retries": 0}),
            _ => json!({}),
        };
        let panel = json!({"panel": [{"model": "a"}, {"model": "b"}], "judge": {"model": "c"}});
        let group = json!({"display_name": testing::MODEL, "ensemble": panel});
        let setup = setup_with(json!({}), once).add(Kind::Model, "model", group);
        let (gateway, config, endings) = watched(setup, &upstream);
        let response = send(&gateway, request).await;
        assert_eq!(header(&response, "x-aisix-attempts"), "3");
        let (status, body) = refusal(response).await;
        assert!(status >= 500, "{status}: {body}");
        // Only Anthropic's dialect says so, and only Gemini's has a number for a code.
        let error = &body["error"];
        assert!(error["message"].is_string(), "{body}");
        assert_eq!(body["type"] == "error", place == 2, "{body}");
        assert_eq!(error["code"].is_number(), place == 3, "{body}");
        let records = endings.records();
        let usages: Vec<_> = records.iter().map(|it| it.usage).collect();
        assert_eq!(usages[..2], [Some(used(1)), Some(used(1))]);
        assert_eq!(usages.len(), 3);
        assert_eq!((endings.only().word, under_way(&config)), ("refused", 0));
    }
}

#[tokio::test(start_paused = true)]
async fn with_too_few_answers_nobody_judges() {
    let upstream = Upstream::new();
    let down = Answer::refusal(500, "down");
    upstream.always("up-a", down.head_after(Duration::from_millis(9)));
    upstream.always("up-b", Answer::chat("blue"));
    upstream.always("up-c", Answer::chat("purple"));
    let once = json!({"retries": 0});
    let (gateway, config, endings) = watched(ensemble_with(json!({}), once.clone()), &upstream);
    let response = send(&gateway, ask_group()).await;
    assert_eq!(header(&response, "retry-after"), "30");
    assert_eq!(header(&response, "x-aisix-attempts"), "2");
    let (status, body) = refusal(response).await;
    assert_eq!(status, 503, "{body}");
    let message = body["error"]["message"].as_str().unwrap();
    let expected = "1 of the 2 models of the panel have failed, but 2 must answer: ";
    assert!(message.starts_with(expected), "{message}");
    assert_eq!(upstream.count("up-c"), 0);
    assert_eq!((endings.only().word, under_way(&config)), ("refused", 0));

    let gateway = ensemble_with(json!({"min_responses": 1}), once).gateway(&upstream);
    let response = send(&gateway, ask_group()).await;
    assert_eq!(response.status(), 200);
    let told = asked_of(&upstream, "up-c")["messages"].to_string();
    assert!(told.contains("Candidate 1:\\nblue\\n"), "{told}");
    assert!(!told.contains("Candidate 2"), "{told}");
}

#[tokio::test]
async fn a_refusal_of_the_request_itself_is_the_callers() {
    let upstream = upstream();
    upstream.answer_for("up-a", Answer::refusal(400, "too long"));
    let gateway = ensemble(json!({})).gateway(&upstream);
    let (status, body) = refusal(send(&gateway, ask_group()).await).await;
    assert_eq!((status, &body["error"]["code"]), (400, &json!("some_code")));
    let message = body["error"]["message"].as_str().unwrap();
    assert!(
        message.ends_with("but 2 must answer: too long"),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_text_is_none() {
    let upstream = upstream();
    let blank = Answer::chat(" \n").head_after(Duration::from_millis(9));
    upstream.answer_for("up-a", blank);
    let (gateway, _, endings) = watched(ensemble(json!({})), &upstream);
    let (status, body) = refusal(send(&gateway, ask_group()).await).await;
    assert_eq!(status, 503, "{body}");
    assert_eq!(
        endings.attempts(),
        [None, None],
        "the models have done nothing wrong"
    );
}

#[tokio::test(start_paused = true)]
async fn each_answer_has_its_own_time() {
    let upstream = upstream();
    upstream.answer_for(
        "up-a",
        Answer::chat("red").head_after(Duration::from_millis(60)),
    );
    upstream.answer_for(
        "up-c",
        Answer::chat("purple").head_after(Duration::from_millis(60)),
    );
    let gateway = ensemble(json!({"timeout_ms": 100})).gateway(&upstream);
    assert_eq!(send(&gateway, ask_group()).await.status(), 200);
    upstream.answer_for(
        "up-a",
        Answer::chat("red").head_after(Duration::from_millis(150)),
    );
    let (status, body) = refusal(send(&gateway, ask_group()).await).await;
    assert_eq!(status, 503, "{body}");
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.ends_with("timed out after 100ms"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn candidates_stand_in_the_panels_order_not_in_that_of_their_coming() {
    let upstream = upstream();
    let late = Answer::chat("red").head_after(Duration::from_millis(50));
    upstream.answer_for("up-a", late);
    let gateway = ensemble(json!({})).gateway(&upstream);
    assert_eq!(send(&gateway, ask_group()).await.status(), 200);
    let told = asked_of(&upstream, "up-c")["messages"].to_string();
    let candidates = "Candidate 1:\\nred\\n\\nCandidate 2:\\nblue";
    assert!(told.contains(candidates), "{told}");
}

#[tokio::test(start_paused = true)]
async fn the_panel_is_asked_all_at_once() {
    let upstream = upstream();
    let gate = Gate::new();
    let mut exchanges = ["up-a", "up-b"].map(|model| {
        let answer = Answer::chat(model).head_gate(&gate);
        upstream.answer_for(model, answer)
    });
    let gateway = ensemble(json!({"min_responses": 1})).gateway(&upstream);
    let asking = tokio::spawn(async move { send(&gateway, ask_group()).await });
    for exchange in &mut exchanges {
        let asked = tokio::time::timeout(Duration::from_secs(1), exchange.request()).await;
        assert!(asked.is_ok(), "one waits for the other");
    }
    gate.open();
    assert_eq!(asking.await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_client_that_leaves_takes_all_with_it() {
    let upstream = upstream();
    let mut a = upstream.answer_for("up-a", Answer::chat("red").head_stall());
    let mut b = upstream.answer_for("up-b", Answer::chat("blue").head_stall());
    let (gateway, config, endings) = watched(ensemble(json!({})), &upstream);
    let asking = tokio::spawn(async move { send(&gateway, ask_group()).await });
    a.request().await;
    b.request().await;
    assert_eq!(under_way(&config), 2);
    asking.abort();
    assert_eq!(
        (a.ended().await, b.ended().await),
        (Ended::Dropped, Ended::Dropped)
    );
    assert!(asking.await.is_err());
    assert_eq!((under_way(&config), endings.abandoned()), (0, 2));
    assert_eq!(endings.only().word, "cancelled");

    let stream = Answer::stream().role().content("pur").stall();
    let mut c = upstream.answer_for("up-c", stream);
    let (gateway, config, endings) = watched(ensemble(json!({})), &upstream);
    let response = send(&gateway, ask_group_with(&json!({"stream": true}))).await;
    let mut body = response.into_body();
    while !testing::next_text(&mut body).await.unwrap().contains("pur") {}
    assert_eq!(under_way(&config), 1);
    drop(body);
    assert_eq!((c.ended().await, under_way(&config)), (Ended::Dropped, 0));
    assert_eq!(endings.only().word, "cancelled");
}

#[tokio::test]
async fn tools_and_everything_but_chats_are_refused() {
    let upstream = upstream();
    let gateway = ensemble(json!({})).gateway(&upstream);
    let tool = json!([{"type": "function", "function": {"name": "f"}}]);
    for (members, param) in [
        (json!({"tools": tool}), "tools"),
        (json!({"tool_choice": "required"}), "tool_choice"),
    ] {
        let (status, body) = refusal(send(&gateway, ask_group_with(&members)).await).await;
        assert_eq!(
            (status, &body["error"]["param"]),
            (400, &json!(param)),
            "{body}"
        );
    }
    let request = testing::request(
        "/v1/embeddings",
        json!({"model": GROUP, "input": "x"}).to_string(),
    );
    let (status, body) = refusal(send(&gateway, request).await).await;
    assert_eq!(
        (status, &body["error"]["param"]),
        (400, &json!("model")),
        "{body}"
    );
    assert!(upstream.requests().is_empty());
    let members = json!({"tools": [], "tool_choice": "auto"});
    assert_eq!(send(&gateway, ask_group_with(&members)).await.status(), 200);
}

#[tokio::test]
async fn who_cools_down_is_asked_only_where_others_fail() {
    let upstream = upstream();
    upstream.answer_for("up-a", Answer::refusal(500, "down"));
    let once = json!({"retries": 0});
    let setup = ensemble_with(json!({"min_responses": 1}), once);
    let gateway = setup.gateway(&upstream);
    for times in [1, 1] {
        assert_eq!(send(&gateway, ask_group()).await.status(), 200);
        assert_eq!(upstream.count("up-a"), times);
    }
    upstream.answer_for("up-b", Answer::refusal(400, "no"));
    assert_eq!(send(&gateway, ask_group()).await.status(), 200);
    assert_eq!(upstream.count("up-a"), 2);
}

#[tokio::test]
async fn each_is_held_to_its_own_limits() {
    let upstream = upstream();
    let limited = json!({"rate_limit": {"rpm": 1}});
    let gateway = ensemble_with(json!({}), limited).gateway(&upstream);
    assert_eq!(send(&gateway, ask_group()).await.status(), 200);
    let (status, body) = refusal(send(&gateway, ask_group()).await).await;
    assert_eq!(status, 429, "{body}");
    assert_eq!(upstream.count("up-a"), 1);
}

#[tokio::test]
async fn an_ensemble_follows_its_models() {
    let upstream = upstream();
    let config = ensemble(json!({})).config();
    let gateway = Gateway::builder(config.clone()).transport(upstream.clone());
    let gateway = gateway.build().unwrap();
    let moved = json!({"display_name": "c", "provider": "plain", "model_name": "up-d", "provider_key_id": "key"});
    config.apply([Change::Put(Entry::new(Kind::Model, "c", moved))]);
    upstream.always("up-d", Answer::chat("green"));
    let answer = testing::json(send(&gateway, ask_group()).await).await;
    assert_eq!(answer["choices"][0]["message"]["content"], "green");
    let moved = json!({"display_name": "a", "provider": "plain", "model_name": "up-e", "provider_key_id": "key"});
    config.apply([Change::Put(Entry::new(Kind::Model, "a", moved))]);
    upstream.always("up-e", Answer::chat("red"));
    assert_eq!(send(&gateway, ask_group()).await.status(), 200);
    assert_eq!((upstream.count("up-a"), upstream.count("up-e")), (1, 1));
    let routes = json!({"display_name": "c", "routing": {"targets": [{"model": "a"}]}});
    config.apply([Change::Put(Entry::new(Kind::Model, "c", routes))]);
    assert_eq!(send(&gateway, ask_group()).await.status(), 503);
}

#[tokio::test]
async fn an_explanation_shows_the_panel_and_the_judge_and_asks_nobody() {
    let upstream = upstream();
    let config = ensemble(json!({})).config();
    let explainer = Explainer::new(Gateway::builder(config.clone()).transport(upstream.clone()));
    let question = Question::new().key(testing::API_KEY).model(GROUP);
    let question = question.body(chat_body(&json!({"model": GROUP, "stream": true})));
    let told = explainer.explain(question).await.unwrap();
    assert!(told.is_sent() && upstream.requests().is_empty());
    let targets = told.targets.iter();
    let targets: Vec<_> = targets
        .map(|it| (&*it.model, it.role, it.upstream.is_some()))
        .collect();
    let expected = [
        ("a", Some("panel"), true),
        ("b", Some("panel"), true),
        ("c", Some("judge"), true),
    ];
    assert_eq!(targets, expected);
    assert_eq!(under_way(&config), 0);
    let health = health::to_json(&config.current());
    let group = health
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["id"] == GROUP)
        .unwrap();
    assert_eq!(group["kind"], "ensemble");
    assert_eq!(group["targets"].as_array().unwrap().len(), 3);
}
