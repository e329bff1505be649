use serde_json::{Value, json};

use super::*;
use crate::config::resource::{Resource, Strictness, decode, json_schema, normalize};

fn decoded(value: Value, strictness: Strictness) -> Result<(Model, Vec<String>), Vec<String>> {
    match decode(Kind::Model, value, strictness) {
        Ok(decoded) => match decoded.resource {
            Resource::Model(model) => Ok((model, decoded.unknown)),
            other => panic!("{other:?}"),
        },
        Err(errors) => Err(errors.iter().map(ToString::to_string).collect()),
    }
}

#[track_caller]
fn strict(value: Value) -> Model {
    decoded(value, Strictness::Strict).expect("valid").0
}

#[track_caller]
fn errors(value: Value) -> Vec<String> {
    decoded(value, Strictness::Strict).expect_err("the document is wrong")
}

#[track_caller]
fn lenient(value: Value) -> (Model, Vec<String>) {
    decoded(value, Strictness::Lenient).expect("good enough")
}

/// A document with some members replaced.
fn with(mut document: Value, more: Value) -> Value {
    let members = document.as_object_mut().expect("documents are mappings");
    members.extend(more.as_object().expect("a mapping").clone());
    document
}

fn direct() -> Value {
    json!({"display_name": "gpt", "provider": "openai", "model_name": "gpt-4o", "provider_key_id": "k"})
}

fn routing() -> Value {
    json!({"display_name": "group", "routing": {"targets": [{"model": "a"}]}})
}

fn ensemble() -> Value {
    json!({"display_name": "group", "ensemble": {"panel": [{"model": "a"}], "judge": {"model": "b"}}})
}

fn semantic() -> Value {
    json!({"display_name": "group", "semantic": {
        "embedding_model": "e", "default": "a", "match": {"threshold": 0.5},
        "routes": [{"name": "code", "target": "b", "examples": ["write a function"]}],
    }})
}

/// A group with some members of its block replaced.
fn inside(mut group: Value, shape: &str, more: Value) -> Value {
    group[shape] = with(group[shape].take(), more);
    group
}

#[test]
fn a_direct_model_has_the_defaults() {
    let model = strict(direct());
    let direct = model.direct().expect("it is one");
    assert_eq!(direct.provider_key_id, "k");
    assert_eq!(direct.cooldown, Cooldown::default());
    assert_eq!(direct.cooldown.trigger_statuses[..3], [401, 408, 429]);
    assert_eq!(direct.circuit_breaker, None);
    assert_eq!(direct.max_connections, None);
    assert!(!direct.draining && !direct.disabled);
    assert_eq!(model.retries, None);
}

#[test]
fn every_block_of_a_direct_model_is_read() {
    let check = json!({"enabled": true, "interval_seconds": 5, "timeout_seconds": 1, "prompt": "hi",
        "max_tokens": 1, "stale_after_seconds": 60, "ignore_statuses": [408]});
    let model = strict(with(
        direct(),
        json!({
            "retries": 0, "draining": true, "disabled": true, "background_model_check": check,
            "cooldown": {"enabled": false, "default_seconds": 0, "trigger_statuses": [500]},
            "circuit_breaker": {"failure_ratio": 0.5, "half_open_trials": 3},
            "max_connections": {"limit": 4, "queue": 8},
            "adaptive_concurrency": {"max": 9},
        }),
    ));
    assert_eq!(model.retries, Some(0));
    let direct = model.direct().expect("it is one");
    let check = direct.background_model_check.as_ref().expect("given");
    assert_eq!(
        (check.interval_seconds, &check.ignore_statuses[..]),
        (5, &[408][..])
    );
    let cooldown = &direct.cooldown;
    assert!(!cooldown.enabled && cooldown.honor_retry_after);
    assert_eq!((cooldown.default_seconds, cooldown.max_seconds), (0, 600));
    let breaker = direct.circuit_breaker.expect("given");
    assert_eq!(
        (breaker.failure_ratio, breaker.consecutive_failures),
        (Some(0.5), 5)
    );
    assert_eq!(breaker.half_open_trials, 3);
    let connections = direct.max_connections.expect("given");
    assert_eq!((connections.limit.get(), connections.queue), (4, 8));
    assert_eq!(connections.queue_timeout_ms, 30_000);
    let adaptive = direct.adaptive_concurrency.expect("given");
    assert!(adaptive.enabled);
    assert_eq!((adaptive.max.get(), adaptive.latency_factor), (9, 2.0));
    assert!(direct.draining && direct.disabled);
}

#[test]
fn an_empty_breaker_is_one() {
    let document = with(direct(), json!({"circuit_breaker": {}}));
    let model = strict(document.clone());
    let breaker = model.direct().and_then(|it| it.circuit_breaker);
    assert_eq!(breaker, Some(CircuitBreaker::default()));
    let mut normal = document.clone();
    normalize(Kind::Model, &mut normal);
    assert_eq!(normal, document);
}

#[test]
fn a_breaker_can_open_and_never_stays_open_longer_than_it_may() {
    let breaker = |breaker: Value| errors(with(direct(), json!({"circuit_breaker": breaker})));
    assert_eq!(
        breaker(json!({"consecutive_failures": 0, "open_seconds": 301})),
        [
            "`circuit_breaker.consecutive_failures` must not be 0 without `failure_ratio`: nothing would ever open it",
            "`circuit_breaker.open_seconds` must not be greater than `max_open_seconds`",
        ]
    );
    let ratio = json!({"consecutive_failures": 0, "failure_ratio": 1});
    strict(with(direct(), json!({"circuit_breaker": ratio})));
}

#[test]
fn every_field_of_a_routing_group_is_read() {
    let Shape::Routing(routing) = strict(routing()).shape else {
        panic!("a routing group");
    };
    assert_eq!(routing.strategy, "failover");
    assert_eq!(
        (routing.targets[0].weight, routing.targets[0].priority),
        (1, 0)
    );
    assert_eq!((routing.hash_on, routing.max_fallbacks), (None, None));
    assert_eq!(routing.when_all_unavailable, WhenAllUnavailable::Fail);

    let document = json!({"display_name": "group", "timeout": 1, "stream_timeout": 2, "routing": {
        "targets": [{"model": "a", "weight": 0, "priority": -1.0, "tags": ["default"]}, {"model": "b"}],
        "strategy": "sticky", "retries": 3, "max_fallbacks": 0, "retry_on_429": true,
        "hash_on": [{"type": "header", "name": "X-User"}, {"type": "cookie", "name": "c"},
            {"type": "api_key"}, {"type": "client_ip"}],
        "fallback_on_statuses": [409], "when_all_unavailable": "try_anyway",
        "deadline_ms": 4,
        "prefix_affinity": true,
    }});
    let model = strict(document);
    assert_eq!((model.timeout, model.stream_timeout), (Some(1), Some(2)));
    let Shape::Routing(routing) = model.shape else {
        panic!("a routing group");
    };
    let first = &routing.targets[0];
    assert_eq!(
        (first.weight, first.priority, &first.tags[..]),
        (0, -1, &["default".to_owned()][..])
    );
    assert_eq!(routing.strategy, "consistent_hash");
    let header = HashOn::Header(http::HeaderName::from_static("x-user"));
    let sources = [
        header,
        HashOn::Cookie("c".to_owned()),
        HashOn::ApiKey,
        HashOn::ClientIp,
    ];
    assert_eq!(routing.hash_on.as_deref(), Some(&sources[..]));
    assert_eq!((routing.retries, routing.max_fallbacks), (Some(3), Some(0)));
    assert_eq!(routing.fallback_on_statuses, [409]);
    assert_eq!(routing.when_all_unavailable, WhenAllUnavailable::TryAnyway);
    assert!(routing.retry_on_429);
    assert_eq!(routing.deadline_ms, Some(4));
    assert!(routing.prefix_affinity);
}

#[test]
fn strategies_keep_their_former_names() {
    for (name, expected) in [
        ("weighted", "round_robin"),
        ("sticky", "consistent_hash"),
        ("least_busy", "least_busy"),
        ("of my own", "of my own"),
    ] {
        let document = inside(routing(), "routing", json!({"strategy": name}));
        let Shape::Routing(routing) = strict(document.clone()).shape else {
            panic!("a routing group");
        };
        assert_eq!(routing.strategy, expected);
        let mut normal = document;
        normalize(Kind::Model, &mut normal);
        assert_eq!(normal["routing"]["strategy"], expected);
    }
}

#[test]
fn what_tells_requests_apart_has_a_name_or_none() {
    let sources = json!([{"type": "header"}, {"type": "header", "name": "a b"}, {"type": "cookie"},
        {"type": "api_key", "name": "x"}, {"type": "ip"}]);
    let document = inside(
        routing(),
        "routing",
        json!({"strategy": "sticky", "hash_on": sources}),
    );
    assert_eq!(
        errors(document),
        [
            "`routing.hash_on[0].name` is required",
            "`routing.hash_on[1].name` is not the name of a header",
            "`routing.hash_on[2].name` is required",
            "`routing.hash_on[3].name` is only for a header or cookie",
            "`routing.hash_on[4].type` must be `header`, `cookie`, `api_key` or `client_ip`",
        ]
    );
}

#[test]
fn what_requests_are_hashed_on_is_for_hashing() {
    let document = inside(
        routing(),
        "routing",
        json!({"hash_on": [{"type": "api_key"}]}),
    );
    let expected = "`routing.hash_on` is only for the strategy `consistent_hash`";
    assert_eq!(errors(document.clone()), [expected]);
    let (model, left_out) = lenient(document);
    assert_eq!(left_out, ["inapplicable:routing.hash_on"]);
    let Shape::Routing(routing) = model.shape else {
        panic!("a routing group");
    };
    assert_eq!(routing.hash_on, None);
}

#[test]
fn every_field_of_an_ensemble_is_read() {
    let document = json!({"display_name": "group", "ensemble": {
        "panel": [{"model": "a", "temperature": 0.5, "seed": 7, "weight": 2}, {"model": "b"}],
        "judge": {"model": "c", "synthesis_prompt": "{labeled_candidates}"},
        "min_responses": 2, "timeout_ms": 5,
    }});
    let Shape::Ensemble(ensemble) = strict(document).shape else {
        panic!("an ensemble");
    };
    let first = &ensemble.panel[0];
    assert_eq!((first.temperature, first.seed), (Some(0.5), Some(7)));
    assert_eq!(
        ensemble.judge.synthesis_prompt.as_deref(),
        Some("{labeled_candidates}")
    );
    assert_eq!(ensemble.min_responses.map(u32::from), Some(2));
    assert_eq!(ensemble.timeout_ms, Some(5));
}

#[test]
fn no_more_answers_are_demanded_than_there_can_be() {
    let document = inside(ensemble(), "ensemble", json!({"min_responses": 2}));
    let expected =
        "`ensemble.min_responses` must not be greater than the number of models in `panel`";
    assert_eq!(errors(document.clone()), [expected]);
    assert_eq!(lenient(document).1, ["inapplicable:ensemble.min_responses"]);
}

#[test]
fn every_field_of_a_semantic_group_is_read() {
    let on_failure = |value: Value| {
        let document = inside(
            semantic(),
            "semantic",
            json!({"on_embedding_failure": value}),
        );
        match strict(document).shape {
            Shape::Semantic(semantic) => semantic.on_embedding_failure,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(on_failure(Value::Null), OnEmbeddingFailure::Default);
    assert_eq!(on_failure("default".into()), OnEmbeddingFailure::Default);
    assert_eq!(on_failure("fail".into()), OnEmbeddingFailure::Fail);
    let target = OnEmbeddingFailure::Target(FailureTarget {
        target: "x".to_owned(),
    });
    assert_eq!(on_failure(json!({"target": "x"})), target);

    let document = json!({"display_name": "group", "timeout": 1, "stream_timeout": 2, "retries": 3, "semantic": {
        "embedding_model": "e", "default": "a", "embedding_timeout_ms": 9,
        "match": {"threshold": 0.5, "aggregation": "max", "distance_metric": "cosine"},
        "routes": [{"name": "code", "target": "b", "examples": ["x"], "threshold": 1, "description": "d"}],
    }});
    let model = strict(document);
    assert_eq!(model.retries, Some(3));
    let Shape::Semantic(semantic) = model.shape else {
        panic!("a semantic group");
    };
    assert_eq!(semantic.matching.threshold, 0.5);
    assert_eq!(semantic.routes[0].threshold, Some(1.0));
    assert_eq!(semantic.embedding_timeout_ms, Some(9));
}

#[test]
fn what_follows_a_failed_embedding_is_a_word_or_a_target() {
    for (value, expected) in [
        (
            json!("later"),
            "on_embedding_failure` must be `default`, `fail` or a mapping with a `target`",
        ),
        (
            json!(5),
            "on_embedding_failure` must be `default`, `fail` or a mapping with a `target`",
        ),
        (json!({}), "on_embedding_failure.target` is required"),
        (
            json!({"target": ""}),
            "on_embedding_failure.target` must not be empty",
        ),
        (
            json!({"target": "a", "tagret": "a"}),
            "on_embedding_failure.tagret` is not a known field; did you mean `target`?",
        ),
    ] {
        let document = inside(
            semantic(),
            "semantic",
            json!({"on_embedding_failure": value}),
        );
        assert_eq!(errors(document), [format!("`semantic.{expected}")]);
    }
}

#[test]
fn a_model_has_one_shape() {
    let document = with(with(routing(), ensemble()), direct());
    let expected = [
        "`ensemble` must not be given besides `routing`: a model has one of them",
        "`model_name` must not be given besides `routing`",
        "`provider` must not be given besides `routing`",
        "`provider_key_id` must not be given besides `routing`",
    ];
    assert_eq!(errors(document.clone()), expected);
    assert_eq!(
        decoded(document, Strictness::Lenient).unwrap_err(),
        expected
    );
    // Null is the same as absent.
    strict(with(
        direct(),
        json!({"routing": null, "ensemble": null, "semantic": null}),
    ));
}

#[test]
fn no_group_is_a_pattern() {
    let document = with(ensemble(), json!({"display_name": "g/*"}));
    let expected = ["`display_name` must not have a `*` besides `ensemble`"];
    assert_eq!(errors(document.clone()), expected);
    assert_eq!(
        decoded(document, Strictness::Lenient).unwrap_err(),
        expected
    );
}

#[test]
fn groups_refuse_what_only_a_direct_model_has() {
    let check = json!({"enabled": true, "interval_seconds": 5, "timeout_seconds": 1, "prompt": "hi",
        "max_tokens": 1, "stale_after_seconds": 60});
    for (shape, group) in [
        ("routing", routing()),
        ("ensemble", ensemble()),
        ("semantic", semantic()),
    ] {
        for (name, value) in [
            ("provider", json!("openai")),
            ("model_name", json!("m")),
            ("provider_key_id", json!("k")),
            ("background_model_check", check.clone()),
            ("cooldown", json!({})),
            ("embedding", json!({"dimensions": 3})),
        ] {
            let document = with(group.clone(), json!({name: value}));
            let expected = [format!("`{name}` must not be given besides `{shape}`")];
            assert_eq!(errors(document.clone()), expected);
            assert_eq!(
                decoded(document, Strictness::Lenient).unwrap_err(),
                expected
            );
        }
    }
}

#[test]
fn groups_lose_what_is_of_no_use_to_them() {
    let fields = json!({
        "auto_prompt_caching": {"enabled": true}, "cost": {"input_per_1k": 1, "output_per_1k": 1},
        "on_unsupported": "drop", "circuit_breaker": {}, "max_connections": {"limit": 1},
        "adaptive_concurrency": {"max": 1}, "draining": true, "disabled": true,
        "timeout": 1, "stream_timeout": 1, "retries": 1,
    });
    let always = &OF_NO_USE[..];
    for (shape, group, also) in [
        ("routing", routing(), &["retries"][..]),
        (
            "ensemble",
            ensemble(),
            &["timeout", "stream_timeout", "retries"],
        ),
        ("semantic", semantic(), &[]),
    ] {
        let mut names = [always, also].concat();
        names.sort_unstable();
        let document = with(group, fields.clone());
        let expected: Vec<String> = names
            .iter()
            .map(|name| format!("`{name}` must not be given besides `{shape}`"))
            .collect();
        assert_eq!(errors(document.clone()), expected);
        let (model, left_out) = lenient(document);
        let expected: Vec<String> = names
            .iter()
            .map(|name| format!("inapplicable:{name}"))
            .collect();
        assert_eq!(left_out, expected);
        assert_eq!(model.timeout.is_none(), shape == "ensemble");
        assert_eq!(model.retries.is_none(), shape != "semantic");
    }
}

#[test]
fn unknown_fields_inside_a_group_are_reported() {
    let mut document = routing();
    document["routing"]["targets"][0]["wieght"] = 1.into();
    let expected = "`routing.targets[].wieght` is not a known field; did you mean `weight`?";
    assert_eq!(errors(document.clone()), [expected]);
    assert_eq!(lenient(document).1, ["routing.targets[].wieght"]);
}

#[test]
fn the_published_schema_tells_the_shapes_apart() {
    let schema = json_schema(Kind::Model);
    let validator = jsonschema::draft7::new(schema).expect("a schema");
    let group = routing();
    let good = [direct(), group.clone(), ensemble(), semantic()];
    assert!(good.iter().all(|document| validator.is_valid(document)));
    let bad = [
        json!({"display_name": "x"}),
        with(group.clone(), ensemble()),
        with(group.clone(), direct()),
        with(
            group.clone(),
            json!({"cost": {"input_per_1k": 1, "output_per_1k": 1}}),
        ),
        with(group, json!({"retries": 1})),
        with(ensemble(), json!({"timeout": 1})),
    ];
    for document in bad {
        assert!(!validator.is_valid(&document), "{document}");
        errors(document);
    }
}

#[test]
fn all_models_that_a_group_names_are_found() {
    let named = |document: &Value| {
        let targets = targets(Kind::Model, document).into_iter();
        targets
            .map(|(path, name)| format!("{path}={name}"))
            .collect::<Vec<_>>()
    };
    let document = json!({"routing": {"targets": [{"model": "a"}, {"model": "b/*"}, {"model": 5}, {"model": "c"}]}});
    assert_eq!(
        named(&document),
        ["routing.targets[0].model=a", "routing.targets[3].model=c"]
    );
    assert_eq!(
        named(&ensemble()),
        ["ensemble.panel[0].model=a", "ensemble.judge.model=b"]
    );
    let document = inside(
        semantic(),
        "semantic",
        json!({"on_embedding_failure": {"target": "f"}}),
    );
    assert_eq!(
        named(&document),
        [
            "semantic.embedding_model=e",
            "semantic.default=a",
            "semantic.routes[0].target=b",
            "semantic.on_embedding_failure.target=f",
        ]
    );
    assert_eq!(named(&direct()), [] as [&str; 0]);
    let is_direct = |document: Value| is_direct(document.as_object().expect("a mapping"));
    assert!(is_direct(direct()) && is_direct(json!({"routing": null})));
    assert!(!is_direct(ensemble()));
}
