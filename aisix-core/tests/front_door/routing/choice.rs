//! Which targets are tried.

use aisix_core::testing::{self, Answer, Upstream};
use serde_json::json;

use super::*;

/// Who serves so many calls in a row, all of which succeed.
async fn served(routing: Value, calls: usize, header: Option<(&'static str, &str)>) -> Vec<String> {
    let upstream = Upstream::new();
    for model in ["up-a", "up-b", "up-c"] {
        upstream.always(model, Answer::chat("hello"));
    }
    let gateway = setup(routing).gateway(&upstream);
    for _ in 0..calls {
        let mut request = ask_group();
        if let Some((name, value)) = header {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        assert_eq!(send(&gateway, request).await.status(), 200);
    }
    asked(&upstream)
}

#[tokio::test]
async fn failover_takes_the_first_and_a_higher_priority_is_preferred() {
    assert_eq!(served(json!({}), 2, None).await, ["a", "a"]);
    let targets =
        json!([{"model": "a"}, {"model": "b", "priority": 2}, {"model": "c", "priority": -1}]);
    assert_eq!(served(json!({"targets": targets}), 1, None).await, ["b"]);
}

#[tokio::test]
async fn round_robin_goes_round_by_weight() {
    let targets = json!([{"model": "a", "weight": 2}, {"model": "b"}]);
    let routing = json!({"strategy": "round_robin", "targets": targets});
    assert_eq!(
        served(routing, 6, None).await,
        ["a", "b", "a", "a", "b", "a"]
    );
}

#[tokio::test]
async fn the_same_key_goes_to_the_same_target() {
    let routing = json!({"strategy": "consistent_hash"});
    let mut seen = std::collections::BTreeSet::new();
    for key in ["x", "y", "z", "u", "v", "w", "1", "2"] {
        let all = served(routing.clone(), 3, Some(("x-aisix-routing-key", key))).await;
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{all:?}");
        seen.insert(all[0].clone());
    }
    assert!(seen.len() > 1, "{seen:?}");
    let by_cookie = json!({"strategy": "consistent_hash",
        "hash_on": [{"type": "cookie", "name": "session"}, {"type": "api_key"}]});
    let by_key = served(routing.clone(), 1, Some(("x-aisix-routing-key", "z"))).await;
    let cookie = Some(("cookie", "other=1; session=z"));
    assert_eq!(
        served(by_cookie, 1, cookie).await,
        by_key,
        "only the value counts"
    );
}

#[tokio::test]
async fn requests_choose_targets_by_tags() {
    let targets = json!([
        {"model": "a", "tags": ["default"]}, {"model": "b", "tags": ["eu", "fast"]}, {"model": "c", "tags": ["us"]},
    ]);
    let routing = json!({"targets": targets});
    let tags = |tags: &'static str| Some(("x-aisix-routing-tags", tags));
    assert_eq!(served(routing.clone(), 1, tags("us")).await, ["c"]);
    assert_eq!(served(routing.clone(), 1, tags("none, eu")).await, ["b"]);
    assert_eq!(served(routing.clone(), 1, tags("none")).await, ["a"]);
    assert_eq!(served(routing.clone(), 1, None).await, ["a"]);
    let without = json!([{"model": "b", "tags": ["eu"]}]);
    let upstream = Upstream::new();
    let mut request = ask_group();
    request
        .headers_mut()
        .insert("x-aisix-routing-tags", "us".parse().unwrap());
    let gateway = setup(json!({"targets": without})).gateway(&upstream);
    let (status, body) = refusal(send(&gateway, request).await).await;
    assert_eq!(
        (status, &body["error"]["param"]),
        (400, &json!("x-aisix-routing-tags"))
    );
}

#[tokio::test]
async fn targets_that_the_client_may_not_use_are_left_out() {
    let upstream = Upstream::new();
    upstream.always("up-c", Answer::chat("hello"));
    let elsewhere = json!({"allowed_cidrs": ["203.0.113.0/24"]});
    let all = |name: &str| {
        if name == "c" {
            json!({})
        } else {
            elsewhere.clone()
        }
    };
    let gateway = setup_with(json!({}), all).gateway(&upstream);
    assert_eq!(
        header(&send(&gateway, ask_group()).await, "x-aisix-served-by"),
        "c"
    );
    let gateway = setup_with(json!({}), |_| elsewhere.clone()).gateway(&upstream);
    let (status, body) = refusal(send(&gateway, ask_group()).await).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (403, &json!("ip_restricted"))
    );
}

#[tokio::test]
async fn a_group_follows_its_models_as_they_come_change_and_go() {
    use aisix_core::config::{Change, Entry, Key, Kind};
    let upstream = Upstream::new();
    for model in ["up-b", "up-new", "up-any"] {
        upstream.always(model, Answer::chat("hello"));
    }
    let targets = json!([{"model": "late"}, {"model": "b"}]);
    let config = setup(json!({"targets": targets})).config();
    let gateway = aisix_core::Gateway::builder(config.clone())
        .transport(upstream.clone())
        .build()
        .unwrap();
    let who = async || header(&send(&gateway, ask_group()).await, "x-aisix-served-by").to_owned();
    assert_eq!(who().await, "b");
    let model = |name: &str, at: &str| {
        let document = json!({"display_name": name, "provider": "plain", "model_name": at, "provider_key_id": "key"});
        Change::Put(Entry::new(Kind::Model, name, document))
    };
    config.apply([model("l*", "up-any")]).into_result().unwrap();
    assert_eq!(
        (
            who().await.as_str(),
            asked(&upstream).last().unwrap().as_str()
        ),
        ("l*", "any")
    );
    config
        .apply([model("late", "up-new")])
        .into_result()
        .unwrap();
    assert_eq!(
        (
            who().await.as_str(),
            asked(&upstream).last().unwrap().as_str()
        ),
        ("late", "new")
    );
    let gone = |name: &str| {
        Change::Delete(Key {
            kind: Kind::Model,
            id: name.into(),
        })
    };
    config
        .apply([gone("late"), gone("l*")])
        .into_result()
        .unwrap();
    assert_eq!(who().await, "b");
    config.apply([gone("b")]).into_result().unwrap();
    assert_eq!(send(&gateway, ask_group()).await.status(), 503);
}

#[tokio::test]
async fn a_group_is_listed_and_translated_like_a_model() {
    let upstream = Upstream::new();
    upstream.always("up-a", Answer::chat("hello"));
    let gateway = setup(json!({})).gateway(&upstream);
    let list = testing::json(send(&gateway, get("/v1/models")).await).await;
    let group = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["id"] == GROUP)
        .unwrap();
    assert_eq!(group["owned_by"], "aisix");
    let message =
        json!({"model": GROUP, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    let response = send(
        &gateway,
        testing::request("/v1/messages", message.to_string()),
    )
    .await;
    assert_eq!(header(&response, "x-aisix-served-by"), "a");
    assert_eq!(testing::json(response).await["content"][0]["text"], "hello");
}

#[tokio::test(start_paused = true)]
async fn explanations_tell_who_is_tried_in_what_order_and_why_others_are_not() {
    use aisix_core::explain::{Explainer, Question};
    let upstream = Upstream::new();
    upstream.answer_for("up-a", Answer::refusal(503, "no"));
    upstream.always("up-c", Answer::chat("hello"));
    let targets = json!([{"model": "a"}, {"model": "b"}, {"model": "c"}, {"model": "d"}]);
    let fourth = json!({"display_name": "d", "provider": "plain", "model_name": "up-d", "provider_key_id": "key",
        "rate_limit": {"rpm": 5}});
    let setup = setup_with(
        json!({"targets": targets, "max_fallbacks": 0, "retries": 0}),
        |name| match name {
            "b" => json!({"rate_limit": {"rpm": 7}}),
            _ => json!({}),
        },
    );
    let limited = setup.api_key(json!({"rate_limit": {"rpm": 50}}));
    let config = limited.add(Kind::Model, "d", fourth).config();
    let gateway = aisix_core::Gateway::builder(config).transport(upstream.clone());
    let explainer = Explainer::new(gateway.clone());
    let gateway = gateway.build().unwrap();
    assert_eq!(send(&gateway, ask_group()).await.status(), 502);
    let question = Question::new().key(testing::API_KEY).model(GROUP);
    let told = explainer.explain(question).await.unwrap();
    assert!(told.is_sent(), "{told:?}");
    let targets: Vec<_> = told
        .targets
        .iter()
        .map(|it| (it.model.as_str(), it.reason.as_deref()))
        .collect();
    assert_eq!(
        targets,
        [
            ("b", None),
            (
                "a",
                Some("it is not well for another 30 s (upstream_server_error)")
            ),
            ("c", Some("enough others come before it")),
            ("d", Some("enough others come before it")),
        ]
    );
    let limits = told.limits.as_ref().unwrap().limits.clone();
    let limits: Vec<_> = limits.iter().map(|limit| &**limit.key()).collect();
    assert_eq!(limits, ["caller", "model:b"]);
    let sent: Vec<_> = told
        .targets
        .iter()
        .map(|it| it.upstream.is_some())
        .collect();
    assert_eq!(sent, [true, false, false, false]);
}

#[tokio::test]
async fn what_cannot_be_served_is_refused_by_name_and_the_rest_goes_on() {
    use aisix_core::config::{Change, Entry};
    let config = setup(json!({})).config();
    let put = |name: &str, members: Value| {
        let mut document = json!({"display_name": name});
        let members = members.as_object().unwrap().clone();
        document.as_object_mut().unwrap().extend(members);
        config.apply([Change::Put(Entry::new(Kind::Model, name, document))])
    };
    let told = |report: aisix_core::config::Report| report.to_string();
    let unknown = put(
        "x",
        json!({"routing": {"strategy": "round_robbin", "targets": [{"model": "a"}]}}),
    );
    let message = told(unknown);
    assert!(
        message.contains("routing.strategy") && message.contains("did you mean `round_robin`?"),
        "{message}"
    );
    let examples = vec!["e"; 600];
    let route = |name: &str| json!({"name": name, "target": "c", "examples": examples});
    let semantic = put(
        "x",
        json!({"semantic": {"embedding_model": "a", "default": "b", "match": {"threshold": 0.5},
        "routes": [route("r"), route("s")]}}),
    );
    let message = "`semantic.routes` must not have more than 1024 examples together";
    let told = told(semantic);
    assert!(told.contains(message), "{told}");
    let check = json!({"enabled": true, "interval_seconds": 5, "timeout_seconds": 1, "prompt": "hi",
        "max_tokens": 1, "stale_after_seconds": 9});
    let checked = put(
        "y",
        json!({"provider": "plain", "model_name": "m", "provider_key_id": "key",
        "background_model_check": check}),
    );
    assert!(checked.into_result().is_ok());
}

#[tokio::test]
async fn the_cheapest_is_preferred_by_what_comes_in_and_goes_out() {
    let upstream = Upstream::new();
    upstream.always("up-b", Answer::chat("hello"));
    let cost = |name: &str| match name {
        "a" => json!({"cost": {"input_per_1k": 1.0, "output_per_1k": 5.0}}),
        "b" => json!({"cost": {"input_per_1k": 2.0, "output_per_1k": 3.0}}),
        _ => json!({}),
    };
    let gateway = setup_with(json!({"strategy": "least_cost"}), cost).gateway(&upstream);
    let response = send(&gateway, ask_group()).await;
    assert_eq!(header(&response, "x-aisix-served-by"), "b");
}
