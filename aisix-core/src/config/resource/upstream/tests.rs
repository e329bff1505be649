use serde_json::{Value, json};

use super::*;
use crate::config::resource::{Kind, Resource, Strictness, decode, mask, normalize};

fn decoded(value: Value, strictness: Strictness) -> Result<(Upstream, Vec<String>), Vec<String>> {
    match decode(Kind::Upstream, value, strictness) {
        Ok(decoded) => match decoded.resource {
            Resource::Upstream(upstream) => Ok((upstream, decoded.unknown)),
            other => panic!("{other:?}"),
        },
        Err(errors) => Err(errors.iter().map(ToString::to_string).collect()),
    }
}

#[track_caller]
fn strict(value: Value) -> Upstream {
    decoded(value, Strictness::Strict).expect("valid").0
}

#[track_caller]
fn errors(value: Value) -> Vec<String> {
    decoded(value, Strictness::Strict).expect_err("the document is wrong")
}

fn with_targets(targets: Value) -> Value {
    json!({"name": "up", "targets": targets})
}

fn with_active(active: Value) -> Value {
    json!({"name": "up", "targets": [{"host": "a"}], "health_checks": {"active": active}})
}

#[test]
fn a_minimal_upstream_has_the_defaults() {
    let upstream = strict(with_targets(
        json!([{"base_url": "http://10.0.0.1:8000/v1"}]),
    ));
    assert_eq!(upstream.algorithm, Algorithm::RoundRobin);
    assert_eq!(upstream.health_checks, HealthChecks::default());
    assert_eq!(upstream.circuit_breaker, None);
    let target = &upstream.targets[0];
    assert_eq!((target.weight, target.priority), (1, 0));
    assert_eq!(
        (target.state, target.id.as_deref()),
        (TargetState::Enabled, None)
    );
    assert_eq!(target.base_url, "http://10.0.0.1:8000/v1");
}

#[test]
fn every_field_is_read() {
    let upstream = strict(json!({
        "name": "up", "algorithm": "least-connections", "tags": ["a"], "circuit_breaker": {},
        "targets": [{"id": "one", "host": "::1", "port": 443, "protocol": "https", "path": "/v1", "weight": 0,
            "priority": -1, "tags": ["eu"], "headers": {"X-Tenant": "t"}, "state": "draining"}],
        "health_checks": {"passive": true, "threshold": 2, "interval": 5, "path": "/up", "headers": {"x-a": "b"},
            "active": {"type": "http", "headers": {"x-c": "d"}, "expected_status": [204], "body_pattern": "^ok",
                "interval_seconds": 1, "timeout_seconds": 2, "healthy_threshold": 3, "unhealthy_threshold": 4}},
    }));
    assert_eq!(upstream.algorithm, Algorithm::LeastConn);
    assert_eq!(upstream.circuit_breaker, Some(CircuitBreaker::default()));
    let target = &upstream.targets[0];
    assert_eq!(target.base_url, "https://[::1]:443/v1");
    assert_eq!((target.weight, target.priority), (0, -1));
    assert_eq!(target.state, TargetState::Draining);
    let headers: Vec<_> = target.headers.iter().map(|it| it.0.as_str()).collect();
    assert_eq!(headers, ["x-tenant"]);
    let checks = &upstream.health_checks;
    assert!(checks.passive);
    assert_eq!((checks.threshold, checks.interval), (2, 5));
    assert_eq!(checks.active_path(), "/up");
    let active = checks.active.as_ref().expect("given");
    assert!(active.expects(204) && !active.expects(200));
    let pattern = active.body_pattern.as_ref().expect("given");
    assert!(pattern.is_found_in("ok!") && !pattern.is_found_in("not ok"));
    assert_eq!((active.interval_seconds, active.timeout_seconds), (1, 2));
    assert_eq!(
        (active.healthy_threshold, active.unhealthy_threshold),
        (3, 4)
    );
}

#[test]
fn an_empty_check_is_one() {
    let document = with_active(json!({}));
    let upstream = strict(document.clone());
    let checks = &upstream.health_checks;
    let active = checks.active.as_ref().expect("given");
    assert_eq!(*active, ActiveCheck::default());
    assert!(active.expects(200) && active.expects(399) && !active.expects(400));
    assert_eq!(checks.active_path(), "/");
    let mut normal = document.clone();
    normalize(Kind::Upstream, &mut normal);
    assert_eq!(normal, document);
}

#[test]
fn algorithms_are_read_by_their_names() {
    for name in [
        "round-robin",
        "weighted-round-robin",
        "least-conn",
        "random",
        "power-of-two",
        "least-latency",
        "consistent-hash",
    ] {
        let upstream = strict(json!({"name": "up", "algorithm": name, "targets": [{"host": "a"}]}));
        assert_eq!(upstream.algorithm.as_str(), name);
    }
    let semantic = json!({"name": "up", "algorithm": "semantic", "targets": [{"host": "a"}]});
    assert_eq!(
        errors(semantic),
        ["`algorithm` `semantic` is not supported yet"]
    );
    let mut other =
        json!({"name": "up", "algorithm": "least-connections", "targets": [{"host": "a"}]});
    normalize(Kind::Upstream, &mut other);
    assert_eq!(other["algorithm"], "least-conn");
}

#[test]
fn two_targets_at_one_place_have_ids() {
    let one = json!({"host": "a", "port": 80, "path": "/v1"});
    let same = json!({"base_url": "http://a:80/v1"});
    assert_eq!(
        errors(with_targets(json!([one, same]))),
        ["`targets[1]` is where another target is; an `id` tells them apart"]
    );
    let named = json!({"id": "x", "base_url": "http://a:80/v1"});
    assert_eq!(strict(with_targets(json!([one, named]))).targets.len(), 2);
}

#[test]
fn a_target_says_in_one_way_where_it_is() {
    let targets = json!([
        {},
        {"base_url": "http://a", "host": "a", "port": 1},
        {"host": "a b"}, {"host": "a:80"}, {"host": "u@a"}, {"host": "a", "port": 0}, {"host": "a", "path": "v1"},
        {"host": "a", "path": "/v1?x"}, {"base_url": "http://a/?x"}, {"base_url": "ftp://a"},
        {"host": "a", "id": "x"}, {"host": "a", "id": "x"},
    ]);
    assert_eq!(
        errors(with_targets(targets)),
        [
            "`targets[0].host` or `base_url` is required",
            "`targets[11].id` is the same as that of another target",
            "`targets[1].host` is given besides `base_url`",
            "`targets[1].port` is given besides `base_url`",
            "`targets[2].host` must be the name or the address of a host",
            "`targets[3].host` must be the name or the address of a host",
            "`targets[4].host` must be the name or the address of a host",
            "`targets[5].port` must be at least 1",
            "`targets[6].path` must begin with a `/` and be the beginning of a path",
            "`targets[7].path` must begin with a `/` and be the beginning of a path",
            "`targets[8].base_url` must end with its path",
            "`targets[9].base_url` must be a URL with http:// or https:// and a host",
        ]
    );
    assert_eq!(
        errors(with_targets(json!([]))),
        ["`targets` must not be empty"]
    );
}

#[test]
fn targets_of_providers_are_not_supported_yet() {
    let target = json!({"host": "a", "provider": "openai", "credentials": {"api_key": "x"}});
    assert_eq!(
        errors(with_targets(json!([target]))),
        [
            "`targets[].credentials` is not supported yet",
            "`targets[].provider` is not supported yet",
        ]
    );
    let document = json!({"name": "up", "targets": [{"host": "a"}], "embedding_config": {}});
    assert_eq!(
        errors(document.clone()),
        ["`embedding_config` is not supported yet"]
    );
    let (_, left_out) = decoded(document, Strictness::Lenient).expect("good enough");
    assert_eq!(left_out, ["embedding_config"]);
}

#[test]
fn a_check_says_what_its_type_needs() {
    let fields = json!({"type": "tcp", "path": "/", "headers": {}, "expected_status": [200],
        "body_pattern": "a"});
    let names = ["body_pattern", "expected_status", "headers", "path"];
    let expected =
        names.map(|name| format!("`health_checks.active.{name}` is not for the type `tcp`"));
    assert_eq!(errors(with_active(fields.clone())), expected);
    let (upstream, left_out) =
        decoded(with_active(fields), Strictness::Lenient).expect("good enough");
    assert_eq!(
        left_out,
        names.map(|name| format!("inapplicable:health_checks.active.{name}"))
    );
    let active = upstream.health_checks.active.expect("given");
    assert_eq!(active.path, None);
    assert_eq!(
        errors(with_active(
            json!({"type": "grpc", "service": "s", "headers": {"a": "b"}})
        )),
        [
            "`health_checks.active.service` is not supported yet",
            "`health_checks.active.type` `grpc` is not supported yet"
        ]
    );
    assert_eq!(
        errors(with_active(
            json!({"path": "up", "body_pattern": "(", "timeout_seconds": 0})
        )),
        [
            "`health_checks.active.body_pattern` is no regular expression",
            "`health_checks.active.path` must be a path that begins with a `/`",
            "`health_checks.active.timeout_seconds` must be at least 1",
        ]
    );
    for pattern in ["a".repeat(257), "a{1000}{1000}".to_owned()] {
        let refused = errors(with_active(json!({"body_pattern": pattern})));
        assert!(
            refused[0].starts_with("`health_checks.active.body_pattern` "),
            "{refused:?}"
        );
    }
}

#[test]
fn headers_that_tell_a_secret_are_masked() {
    let mut document =
        with_targets(json!([{"host": "a", "headers": {"x-auth": "s", "x-tenant": "t"}}]));
    mask(Kind::Upstream, &mut document);
    assert_eq!(
        document["targets"][0]["headers"],
        json!({"x-auth": "***", "x-tenant": "t"})
    );
}

#[test]
fn a_provider_key_has_one_place() {
    let key =
        json!({"display_name": "k", "api_key": "s", "api_base": "http://a", "upstream_id": "u"});
    let refused = decode(Kind::ProviderKey, key, Strictness::Strict).expect_err("two places");
    let refused: Vec<_> = refused.iter().map(ToString::to_string).collect();
    assert_eq!(refused, ["`upstream_id` is given besides `api_base`"]);
}
