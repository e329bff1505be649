//! What a store holds, written as a file and read again.

use std::collections::BTreeMap;

use aisix_core::config::{
    Entry, Kind,
    resource::{Strictness, decode, json_schema},
};
use aisix_sources::file::{Form, Held, Secrets, Written, parse, parse_into, write};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Map, Value, json};

/// Documents of all kinds with every field that there is.
fn full() -> Vec<Entry> {
    let limits =
        json!({"rps": 1, "rpm": 2, "rph": 3, "rpd": 4, "tpm": 5, "tpd": 6, "concurrency": 7});
    let hash = |digit: &str| Value::String(digit.repeat(64));
    vec![
        Entry::new(
            Kind::Upstream,
            "u-$1",
            json!({
                "name": "replicas # $", "algorithm": "least-conn", "tags": ["~"],
                "targets": [{"id": "a", "host": "10.0.0.1", "port": 8000, "protocol": "https", "path": "/v1", "weight": 0,
                    "priority": -1, "tags": ["eu"], "headers": {"x-auth": "sk-target", "x-plain": "$ ${request.id}"}, "state": "draining"},
                    {"base_url": "http://10.0.0.2"}],
                "health_checks": {"passive": true, "threshold": 1, "interval": 2, "path": "/up", "headers": {"x-a": "b"},
                    "active": {"type": "http", "path": "/health", "headers": {"x-token": "sk-check"}, "expected_status": [204],
                        "body_pattern": "[${X}]$", "interval_seconds": 1, "timeout_seconds": 2,
                        "healthy_threshold": 3, "unhealthy_threshold": 4}},
                "circuit_breaker": {"consecutive_failures": 1, "failure_ratio": 0.5, "window_seconds": 1, "min_requests": 1,
                    "open_seconds": 1, "max_open_seconds": 2, "half_open_trials": 3, "slow_start_seconds": 4},
            }),
        ),
        Entry::new(
            Kind::Upstream,
            "u-2",
            json!({"name": "tcp", "targets": [{"host": "a"}],
                "health_checks": {"active": {"type": "tcp", "interval_seconds": 3}}}),
        ),
        Entry::new(
            Kind::Upstream,
            "u-3",
            json!({"name": "grpc", "targets": [{"host": "a"}],
                "health_checks": {"active": {"type": "grpc", "service": "a.B", "headers": {"x-a": "b"}}}}),
        ),
        Entry::new(
            Kind::ProviderKey,
            "pk-1",
            json!({
                "display_name": "up $stream: #1", "api_key": "sk-$ecret${X}", "provider": "openai",
                "adapter": "openai", "api_base": "https://example.test/v1", "strip_headers": ["x-a"],
                "request": {
                    "param_renames": {"max_tokens": "max_completion_tokens"},
                    "param_constraints": {"temperature_min": 0.1, "temperature_max": 1},
                    "default_headers": {"x-auth": "top $", "x-plain": "a ${request.id} $$ b"},
                    "default_body_fields": {"user": null, "token": {"a": ["s", true, ""]}, "n": 1e300, "max_tokens": 5},
                    "forward_client_headers": ["x-trace-*"],
                },
                "response": {"stream_done_marker": "none", "content_list_to_string": true,
                    "error_envelope": "no", "reasoning_field": "delta.reasoning"},
                "tls": {"ca_cert": "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n", "verify": false},
                "telemetry_tags": {"kind": "byo", "branded_provider": "1.0", "byo_label": " l ", "pk_label": "~", "featured": true},
            }),
        ),
        Entry::new(
            Kind::ProviderKey,
            "pk-$${2}",
            json!({"display_name": "other", "secret": "two\nlines", "upstream_id": "u-$1"}),
        ),
        Entry::new(
            Kind::Model,
            "m-1",
            json!({
                "display_name": "gpt", "provider": "openai", "model_name": "gpt-4o", "provider_key_id": "pk-1",
                "timeout": 0, "stream_timeout": 5, "on_unsupported": "refuse", "auto_prompt_caching": {"enabled": true, "ttl": "1h"}, "rate_limit": limits,
                "allowed_cidrs": ["10.0.0.0/8", "::1"], "cost": {"input_per_1k": 0.1, "output_per_1k": 2},
                "embedding": {"dimensions": 3, "normalize": false}, "retries": 0, "draining": true, "disabled": true,
                "background_model_check": {"enabled": true, "interval_seconds": 5, "timeout_seconds": 1, "prompt": "${X} $",
                    "max_tokens": 1, "stale_after_seconds": 60, "ignore_statuses": [408]},
                "cooldown": {"enabled": false, "default_seconds": 0, "max_seconds": 1, "honor_retry_after": false,
                    "trigger_statuses": [500], "trigger_on_timeout": false, "trigger_on_transport": false},
                "circuit_breaker": {"consecutive_failures": 0, "failure_ratio": 0.5, "window_seconds": 1, "min_requests": 1,
                    "open_seconds": 1, "max_open_seconds": 2, "half_open_trials": 3, "slow_start_seconds": 4},
                "max_connections": {"limit": 1, "queue": 2, "queue_timeout_ms": 3},
                "adaptive_concurrency": {"enabled": false, "max": 5, "latency_factor": 1.5},
                "plugins": [{"name": "any", "settings": {"words": ["${X}"], "max": 5}}],
            }),
        ),
        Entry::new(
            Kind::Model,
            "m-2",
            json!({
                "display_name": "group $", "routing": {
                    "targets": [{"model": "gpt", "weight": 2, "priority": -1, "tags": ["eu", "~"]}, {"model": "o*"}],
                    "strategy": "consistent_hash", "hash_on": [{"type": "header", "name": "x-a"}, {"type": "api_key"}],
                    "retries": 1, "max_fallbacks": 0, "retry_on_429": true, "fallback_on_statuses": [409],
                    "when_all_unavailable": "try_anyway", "deadline_ms": 9, "continue_on_break": true,
                    "prefix_affinity": true,
                    "hedging": {"percentile": 90.5, "min_delay_ms": 1, "max_extra_share": 0.5},
                },
            }),
        ),
        Entry::new(
            Kind::Model,
            "m-3",
            json!({
                "display_name": "all of them", "ensemble": {
                    "panel": [{"model": "gpt", "temperature": 0.5, "seed": 7, "weight": 1}],
                    "judge": {"model": "gpt", "synthesis_prompt": "{original_request}: ${X}\n{labeled_candidates}"},
                    "min_responses": 1, "timeout_ms": 5,
                },
            }),
        ),
        Entry::new(
            Kind::Model,
            "m-4",
            json!({
                "display_name": "by meaning", "semantic": {
                    "embedding_model": "gpt", "default": "gpt", "embedding_timeout_ms": 5,
                    "match": {"threshold": 0.5, "aggregation": "max", "distance_metric": "cosine"},
                    "routes": [{"name": "no", "target": "gpt", "examples": ["007", "- s"], "threshold": 1, "description": "$"}],
                    "on_embedding_failure": {"target": "gpt"},
                },
            }),
        ),
        Entry::new(
            Kind::ApiKey,
            "k-1",
            json!({
                "key_hash": hash("a"), "allowed_models": ["gpt", "o*"], "disabled": true,
                "expires_at": "2030-01-31T12:00:00Z", "rate_limit": limits, "team_id": "t", "user_id": "007",
                "user_name": "yes", "display_name": "ci", "previous_key_hash": hash("b"),
                "previous_expires_at": "2030-01-31T12:00:00Z", "plugins": [{"name": "any", "enabled": false}],
            }),
        ),
        Entry::new(
            Kind::Gateway,
            "g-1",
            json!({"name": "default", "plugins": [
                {"name": "any", "id": "a", "enabled": true, "stage": "pre_request", "priority": 999, "parallel": true,
                    "mode": "observe", "merge": "append", "settings": {"api_key": "sk-hook", "per_key": {"limit": 5, "n": 1e300}}},
                {"name": "any", "id": "b"},
            ]}),
        ),
        Entry::new(
            Kind::Guardrail,
            "w-1",
            json!({
                "name": "no words", "kind": "any", "enabled": false, "created_at": "2030-01-31T12:00:00Z",
                "direction": "both", "hook_point": "input", "fail_open": true, "mandatory": true,
                "api_key": "sk-guard", "patterns": [{"kind": "literal", "value": "$${x}"}],
                "credentials": {"secret_key": "sk-inner", "n": 1e300},
            }),
        ),
        Entry::new(
            Kind::RateLimitPolicy,
            "p-1",
            json!({"name": "no $ more", "scope": "api_key", "scope_ref": "k-1", "window": "day",
                "max_requests": 1, "max_tokens": 2}),
        ),
        Entry::new(
            Kind::RateLimitPolicy,
            "p-2",
            json!({"name": "by $team", "limits": limits, "group_by": ["team", "model"], "action": "reject",
            "conditions": [
                {"dimension": "team", "operator": "~=", "value": "k-1", "negate": true},
                {"logic": "or", "negate": false, "children": [
                    {"dimension": "api_key", "operator": "in", "value": ["k-1", "k-2", "k-$3", "gone"]},
                    {"dimension": "model", "operator": "==", "value": "m-1"},
                    {"dimension": "model_name", "operator": "~~", "value": "[${X}]$"},
                ]},
            ],
            "schedules": [
                {"start_time": "22:00", "end_time": "09:00", "timezone": "Asia/Shanghai", "days_of_week": ["fri"]},
                {"start_time": "00:00", "end_time": "24:00", "timezone": "UTC", "dates": ["2030-01-31"]},
            ]}),
        ),
        Entry::new(
            Kind::RateLimitPolicy,
            "p-3",
            json!({"name": "team", "scope": "team", "scope_ref": "m-1", "window": "minute", "max_requests": 1}),
        ),
        Entry::new(
            Kind::CachePolicy,
            "c-1",
            json!({"name": "answers", "enabled": false, "applies_to": "model:gpt", "backend": "redis", "scope": "env",
                "ttl_seconds": 60, "purge_generation": 2, "streaming": true, "coalesce": true, "max_bytes": 1_000_000,
                "max_entry_bytes": 10_000,
                "semantic": {"embedding_model": "gpt", "threshold": 0.95, "embedding_timeout_ms": 500, "max_entries": 100}}),
        ),
        Entry::new(
            Kind::ApiKey,
            "k-2",
            json!({"key_hash": hash("c"), "allowed_models": [], "display_name": "ci"}),
        ),
        Entry::new(
            Kind::ApiKey,
            "k-$3",
            json!({"key_hash": hash("d"), "allowed_models": ["*"]}),
        ),
    ]
}

/// Every field of a schema is in one of the documents.
fn covers(path: &str, schema: &Value, documents: &[&Value], missing: &mut Vec<String>) {
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        let inner: Vec<&Value> = documents.iter().filter_map(|it| it.get(name)).collect();
        let path = format!("{path}.{name}");
        if inner.is_empty() {
            missing.push(path.clone());
        }
        covers(&path, schema, &inner, missing);
    }
}

fn environment(written: &Written) -> impl Fn(&str) -> Option<String> + use<> {
    let needed = written.variables.iter();
    let variables: BTreeMap<String, String> = needed
        .map(|needed| (needed.name.clone(), needed.secret.expose().to_owned()))
        .collect();
    assert_eq!(variables.len(), written.variables.len(), "names differ");
    move |name| variables.get(name).cloned()
}

fn sorted(entries: &[Entry]) -> Vec<(String, Value)> {
    let mut sorted: Vec<_> = entries
        .iter()
        .map(|entry| (entry.key.to_string(), entry.value.clone()))
        .collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    sorted
}

#[track_caller]
fn written(entries: &[Entry], form: Form) -> Written {
    let written = write(entries, form);
    assert!(written.problems.is_empty(), "{:#?}", written.problems);
    assert_eq!(written.count, entries.len());
    written
}

#[track_caller]
fn read(written: &Written, held: &[Entry]) -> Vec<Entry> {
    let held = Held {
        entries: held,
        stays: false,
    };
    match parse_into("r.yaml", &written.text, &environment(written), held) {
        Ok(loaded) => loaded.entries,
        Err(report) => panic!("{report}\n{}", written.text),
    }
}

/// Everything that must hold for resources that are in order.
#[track_caller]
fn survive(entries: &[Entry]) {
    for secrets in [Secrets::Variables, Secrets::Revealed] {
        let with_ids = written(entries, Form { secrets, ids: true });
        assert_eq!(sorted(&read(&with_ids, &[])), sorted(entries));

        // The ids are those of the resources of these names.
        let plain = written(
            entries,
            Form {
                secrets,
                ids: false,
            },
        );
        assert_eq!(sorted(&read(&plain, entries)), sorted(entries));

        // Or other ones: then the text is the same once more.
        let elsewhere = read(&plain, &[]);
        let again = written(
            &elsewhere,
            Form {
                secrets,
                ids: false,
            },
        );
        assert_eq!(again.text, plain.text);

        // And a gateway that follows the file takes it.
        let served = parse("r.yaml", &plain.text, &environment(&plain));
        assert_eq!(served.expect("valid").entries.len(), entries.len());
    }
}

#[test]
fn every_field_of_every_kind_survives() {
    let entries = full();
    let mut missing = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| kind.is_in_files()) {
        let of_kind = entries.iter().filter(|entry| entry.key.kind == kind);
        let documents: Vec<&Value> = of_kind.map(|entry| &entry.value).collect();
        covers(kind.as_str(), json_schema(kind), &documents, &mut missing);
    }
    assert!(missing.is_empty(), "extend the documents by {missing:?}");
    survive(&entries);
}

#[test]
fn secrets_are_variables_and_the_form_is_that_of_people() {
    let written = written(&full(), Form::default());
    for secret in [
        "sk-$", "top", "two", "- s\n", "sk-hook", "sk-guard", "sk-inner",
    ] {
        assert!(
            !written.text.contains(secret),
            "{secret}:\n{}",
            written.text
        );
    }
    let names: Vec<&str> = written
        .variables
        .iter()
        .map(|it| it.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "REPLICAS_TARGETS_0_HEADERS_X_AUTH",
            "REPLICAS_HEALTH_CHECKS_ACTIVE_HEADERS_X_TOKEN",
            "OTHER_SECRET",
            "UP_STREAM_1_API_KEY",
            "UP_STREAM_1_X_AUTH",
            "UP_STREAM_1_REQUEST_DEFAULT_BODY_FIELDS_TOKEN_A_0",
            "DEFAULT_PLUGINS_0_SETTINGS_API_KEY",
            "NO_WORDS_API_KEY",
            "NO_WORDS_CREDENTIALS_SECRET_KEY",
        ]
    );
    assert_eq!(
        written.variables[3].field,
        "provider_keys \"up $stream: #1\": `api_key`"
    );
    for line in [
        "_format_version: \"1\"\n",
        "    provider_key: \"up $$stream: #1\"\n",
        "  - display_name: ci#aaaaaaaaaaaa\n",
        "    scope_ref: ci#aaaaaaaaaaaa\n",
        "    scope_ref: m-1\n",
        "x-plain: a $${request.id} $$$$ b\n",
    ] {
        assert!(written.text.contains(line), "{line}\n{}", written.text);
    }
    let shown = format!("{written:?}");
    assert!(!shown.contains("sk-"), "{shown}");
}

#[test]
fn what_a_file_cannot_say_is_named_and_left_out() {
    let key = |id: &str, document: Value| Entry::new(Kind::ProviderKey, id, document);
    let model = |id: &str, name: &str, key: &str| {
        let document = json!({"display_name": name, "provider": "openai", "model_name": "m", "provider_key_id": key});
        Entry::new(Kind::Model, id, document)
    };
    let group = |id: &str, name: &str, target: &str| {
        let document = json!({"display_name": name, "routing": {"targets": [{"model": target}]}});
        Entry::new(Kind::Model, id, document)
    };
    let caller = |id: &str, digit: &str, model: &str| {
        let document =
            json!({"key_hash": digit.repeat(64), "allowed_models": [model], "display_name": id});
        Entry::new(Kind::ApiKey, id, document)
    };
    let entries = [
        key("good", json!({"display_name": "good", "api_key": "s"})),
        key(
            "bad",
            json!({"display_name": "bad", "api_key": "s", "colour": "blue"}),
        ),
        key("same", json!({"display_name": "good", "api_key": "s"})),
        key("none", Value::Null),
        key(
            "pin",
            json!({"display_name": "pin", "api_key": "s", "request": {"default_body_fields": {"token": 7}}}),
        ),
        model("m1", "one", "good"),
        model("m2", "two", "bad"),
        model("m3", "three", "gone"),
        group("m4", "left out", "two"),
        group("m5", "odd one", "left out"),
        caller("k1", "a", "one"),
        caller("k2", "b", "two"),
        caller("k3", "a", "one"),
        caller("k4", "c", "odd one"),
        Entry::new(
            Kind::GuardrailAttachment,
            "a1",
            json!({"guardrail_id": "g", "priority": 0, "scope_type": "env"}),
        ),
        Entry::new(
            Kind::RateLimitPolicy,
            "r1",
            json!({"name": "odd", "scope": "model", "scope_ref": "one", "window": "day", "max_requests": 1}),
        ),
        Entry::new(
            Kind::RateLimitPolicy,
            "r2",
            json!({"name": "even", "scope": "model", "scope_ref": "m2", "window": "day", "max_requests": 1}),
        ),
    ];
    let written = write(&entries, Form::default());
    let problems: Vec<String> = written
        .problems
        .iter()
        .map(|problem| format!("{}: {}", problem.scope, problem.message))
        .collect();
    assert_eq!(
        problems,
        [
            "provider_keys/none: has no name",
            "provider_keys/bad (\"bad\"): `colour` is not a known field",
            "provider_keys/same (\"good\"): has the same name as provider_keys/good",
            "api_keys/k3 (\"k3\"): has the same key as api_keys/k1",
            "guardrail_attachments/a1: cannot stand in a resources file",
            "models/m3 (\"three\"): `provider_key_id` refers to provider_keys/gone, which does not exist",
            "models/m2 (\"two\"): `provider_key_id` refers to provider_keys/bad, which is left out",
            "models/m4 (\"left out\"): `routing.targets[0].model` names no model: \"two\"",
            "models/m5 (\"odd one\"): `routing.targets[0].model` is not a direct model: \"left out\"",
            "api_keys/k2 (\"k2\"): `allowed_models[0]` names no model: \"two\"",
            "api_keys/k4 (\"k4\"): `allowed_models[0]` names no model: \"odd one\"",
            "rate_limit_policies/r1 (\"odd\"): refers to models/one, which is only the name of another",
            "provider_keys/pin (\"pin\"): `request.default_body_fields.token` is a secret and not a text, so \
             that no variable can stand for it: it can only be revealed",
        ]
    );
    let ids: Vec<String> = read(
        &Written {
            count: 4,
            ..written
        },
        &entries,
    )
    .iter()
    .map(|entry| entry.key.to_string())
    .collect();
    assert_eq!(
        ids,
        [
            "provider_keys/good",
            "models/m1",
            "api_keys/k1",
            "rate_limit_policies/r2"
        ]
    );
}

fn into(text: &str, held: Held<'_>) -> Result<Vec<Entry>, String> {
    let text = format!("_format_version: \"1\"\n{text}");
    let loaded = parse_into("r.yaml", &text, &|_| None, held);
    loaded
        .map(|loaded| loaded.entries)
        .map_err(|report| report.to_string())
}

#[test]
fn a_file_finds_what_the_store_has_by_name_and_keys_by_their_hash() {
    let held = [
        Entry::new(
            Kind::ProviderKey,
            "p",
            json!({"display_name": "up", "api_key": "s"}),
        ),
        Entry::new(Kind::Model, "m", json!({"display_name": "new"})),
        Entry::new(
            Kind::ApiKey,
            "k1",
            json!({"key_hash": "a".repeat(64), "display_name": "ci"}),
        ),
        Entry::new(Kind::ApiKey, "k2", json!({"key_hash": "b".repeat(64)})),
    ];
    let mut held = held.to_vec();
    // It was renamed, and has the id that the name `old` would have.
    let old = &into(
        "provider_keys: [{display_name: old, api_key: s}]",
        Held::NOTHING,
    )
    .unwrap()[0];
    held.push(Entry {
        value: json!({"display_name": "renamed", "api_key": "s"}),
        ..old.clone()
    });
    let (a, b) = ("a".repeat(64), "b".repeat(64));
    let text = format!(
        "provider_keys: [{{display_name: up, api_key: t}}, {{display_name: old, api_key: t}}]
models: [{{display_name: m, provider: openai, model_name: m, provider_key: up}}]
api_keys:
  - {{display_name: other, key_hash: {b}, allowed_models: [m, new]}}
  - {{display_name: ci, key_hash: {a}, allowed_models: []}}
  - {{display_name: fresh, id: mine, key_hash: {}, allowed_models: []}}",
        "c".repeat(64)
    );
    let staying = |stays| Held {
        entries: &held,
        stays,
    };
    let entries = into(&text, staying(true)).unwrap();
    let id = |index: usize| &*entries[index].key.id;
    assert_eq!((id(0), id(3), id(4), id(5)), ("p", "k2", "k1", "mine"));
    assert_ne!(id(1), &*old.key.id, "somebody else has it");
    assert_eq!(entries[2].value["provider_key_id"], "p");
    assert_eq!(entries[3].value["display_name"], "other");

    // Who has the name goes before who has the hash.
    let text = format!(
        "api_keys:
  - {{display_name: late, key_hash: {a}, allowed_models: []}}
  - {{display_name: ci, key_hash: {}, allowed_models: []}}",
        "c".repeat(64)
    );
    let entries = into(&text, staying(true)).unwrap();
    assert_eq!(&*entries[1].key.id, "k1");
    assert_ne!(entries[0].key.id, entries[1].key.id);

    let text = "api_keys: [{display_name: x, key_hash: HASH, allowed_models: [new]}]";
    let text = text.replace("HASH", &a);
    let refused = into(&text, staying(false)).unwrap_err();
    assert!(refused.contains("names no model: \"new\""), "{refused}");
}

#[test]
fn a_file_may_refer_to_what_stays_in_the_store_only() {
    let held = [Entry::new(
        Kind::ProviderKey,
        "p",
        json!({"display_name": "up", "api_key": "s"}),
    )];
    let model = |field: &str| {
        format!("models: [{{display_name: m, provider: openai, model_name: m, {field}}}]")
    };
    // The id that the name would have means the resource of the name.
    let derived = &into(
        "provider_keys: [{display_name: up, api_key: s}]",
        Held::NOTHING,
    )
    .unwrap()[0];
    let derived = format!("provider_key_id: {}", derived.key.id);
    for field in ["provider_key: up", "provider_key_id: p", &derived] {
        let held = |stays| Held {
            entries: &held,
            stays,
        };
        let entries = into(&model(field), held(true)).unwrap();
        assert_eq!(entries[0].value["provider_key_id"], "p");
        assert!(into(&model(field), held(false)).is_err(), "{field}");
    }
}

#[test]
fn one_id_is_given_once_and_is_a_text() {
    let key = |id: &str, name: &str| format!("{{id: {id}, display_name: {name}, api_key: s}}");
    let text = |keys: [String; 2]| format!("provider_keys: [{}]", keys.join(", "));
    let refused = into(&text([key("x", "a"), key("x", "b")]), Held::NOTHING).unwrap_err();
    assert!(
        refused.contains("(\"b\"): `id` is the same as that of provider_keys[0]"),
        "{refused}"
    );
    let refused = into(&text([key("7", "a"), key("''", "b")]), Held::NOTHING).unwrap_err();
    assert_eq!(
        refused.matches("`id` must be a text").count(),
        2,
        "{refused}"
    );
}

/// Texts that a YAML writer may get wrong.
const ODD: [&str; 48] = [
    "no",
    "1",
    "1.0",
    "~",
    "null",
    "- a",
    "a: b",
    "# x",
    "a #b",
    "$",
    "$$",
    "${X}",
    "${",
    "'",
    "\"",
    "a\nb\n",
    "\n",
    " a ",
    "a\tb",
    "\u{85}\u{2028}",
    "2030-01-01",
    "0x1f",
    "<<",
    "=",
    "[",
    "{",
    "*a",
    "&a",
    "!t",
    "|",
    ">",
    "%",
    "@",
    "`",
    "?",
    "1e3",
    ".inf",
    "y",
    "on",
    "12:30:45",
    "é",
    "\u{feff}a",
    "\r\n",
    "\\",
    "\u{1}",
    "---",
    "...",
    "🦀",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        select(&ODD[..]).prop_map(str::to_owned),
        "[ -~]{1,12}",
        "\\PC{1,8}",
        any::<String>().prop_filter("not empty", |text| !text.is_empty()),
    ]
}

/// A document with these members, but those that are absent.
fn document(members: Vec<(&str, Option<Value>)>) -> Value {
    let members = members.into_iter();
    let members = members.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(members.collect::<Map<_, _>>())
}

fn json(depth: u32) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(depth, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec((text(), inner), 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn maybe<T: Into<Value> + std::fmt::Debug>(
    strategy: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<Value>> {
    option::of(strategy.prop_map(Into::into))
}

fn headers() -> impl Strategy<Value = Value> {
    let name = select(&["x-title", "x-auth", "X-Key", "x-2"][..]);
    let value = prop_oneof!["[!-#%-~]{0,9}", Just("$5 ${model.name}".to_owned())];
    vec((name, value), 0..3).prop_map(|headers| {
        headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect::<Map<_, _>>()
            .into()
    })
}

fn provider_key() -> impl Strategy<Value = Value> {
    let request = (
        maybe(headers()),
        maybe(vec((text(), json(2)), 0..3).prop_map(|it| Value::Object(it.into_iter().collect()))),
        maybe(
            vec((text(), text()), 0..2)
                .prop_map(|it| Value::Object(it.into_iter().map(|(a, b)| (a, b.into())).collect())),
        ),
    );
    let request = request.prop_map(|(headers, body, renames)| {
        document(vec![
            ("default_headers", headers),
            ("default_body_fields", body),
            ("param_renames", renames),
        ])
    });
    let tags = (maybe(text()), maybe(any::<bool>()))
        .prop_map(|(label, featured)| document(vec![("byo_label", label), ("featured", featured)]));
    (
        text(),
        select(&["api_key", "secret"][..]),
        maybe(text()),
        maybe(request),
        maybe(tags),
        maybe(vec(text(), 0..3)),
    )
        .prop_map(|(secret, spelling, provider, request, tags, strip)| {
            document(vec![
                ("display_name", None),
                (spelling, Some(secret.into())),
                ("provider", provider),
                ("request", request),
                ("telemetry_tags", tags),
                ("strip_headers", strip),
            ])
        })
}

fn model() -> impl Strategy<Value = (Value, prop::sample::Index)> {
    let cost = (0.0..9.0f64, 0.0..9.0f64)
        .prop_map(|(input, output)| json!({"input_per_1k": input, "output_per_1k": output}));
    let limits = (maybe(any::<u64>()), maybe(any::<u32>()))
        .prop_map(|(rpm, concurrency)| document(vec![("rpm", rpm), ("concurrency", concurrency)]));
    (
        text(),
        maybe(any::<u64>()),
        maybe(cost),
        maybe(limits),
        any::<prop::sample::Index>(),
    )
        .prop_map(|(name, timeout, cost, limits, key)| {
            let document = document(vec![
                ("model_name", Some(name.into())),
                ("provider", Some("openai".into())),
                ("timeout", timeout),
                ("cost", cost),
                ("rate_limit", limits),
            ]);
            (document, key)
        })
}

fn api_key() -> impl Strategy<Value = Value> {
    let name = option::of(prop_oneof![
        text(),
        Just("same".to_owned()),
        Just("x#0123456789ab".to_owned())
    ]);
    (
        name,
        maybe(text()),
        maybe(any::<bool>()),
        vec("[a-z]{0,3}\\*", 0..3),
    )
        .prop_map(|(name, team, disabled, allowed)| {
            document(vec![
                ("display_name", name.map(Value::from)),
                ("team_id", team),
                ("disabled", disabled),
                ("allowed_models", Some(allowed.into())),
            ])
        })
}

fn guardrail() -> impl Strategy<Value = Value> {
    let names = select(&["patterns", "api_key", "x $", "action"][..]);
    let settings = vec((names, json(2)), 0..3);
    (text(), maybe(any::<bool>()), settings).prop_map(|(kind, enabled, settings)| {
        let mut guardrail = document(vec![
            ("name", None),
            ("kind", Some(kind.into())),
            ("enabled", enabled),
        ]);
        for (name, value) in settings {
            guardrail[name] = value;
        }
        guardrail
    })
}

/// Policies about keys, models and others that exist or do not.
fn policy() -> impl Strategy<Value = Value> {
    let ids = || select(&["k0", "k1", "m0", "m1", "p0", "gone", "$"][..]);
    let leaf = (
        select(&["team", "api_key", "model", "model_name"][..]),
        prop_oneof![
            vec(ids(), 1..4).prop_map(|ids| json!({"operator": "in", "value": ids})),
            ids().prop_map(|id| json!({"operator": "==", "value": id})),
        ],
        maybe(any::<bool>()),
    );
    let leaf = leaf.prop_map(|(dimension, test, negate)| {
        document(vec![
            ("dimension", Some(dimension.into())),
            ("operator", Some(test["operator"].clone())),
            ("value", Some(test["value"].clone())),
            ("negate", negate),
        ])
    });
    let node = leaf.prop_recursive(2, 8, 3, |inner| {
        (select(&["and", "or"][..]), vec(inner, 1..3))
            .prop_map(|(logic, children)| json!({"logic": logic, "children": children}))
    });
    let conditional = (maybe(vec(node, 0..3)), option::of(Just(json!(["member"])))).prop_map(
        |(conditions, group_by)| {
            document(vec![
                ("conditions", conditions),
                ("group_by", group_by),
                ("limits", Some(json!({"tpd": 1}))),
            ])
        },
    );
    let classic = (select(&["api_key", "model", "team_member"][..]), ids()).prop_map(
        |(scope, id)| json!({"scope": scope, "scope_ref": id, "window": "hour", "max_requests": 1}),
    );
    prop_oneof![conditional, classic]
}

fn store() -> impl Strategy<Value = Vec<Entry>> {
    let names = proptest::collection::btree_set(text(), 5).prop_map(Vec::from_iter);
    (
        names.prop_shuffle(),
        vec(provider_key(), 2),
        vec(model(), 0..3),
        vec(api_key(), 0..4),
        vec(guardrail(), 0..3),
        vec(policy(), 0..3),
    )
        .prop_map(|(names, keys, models, callers, guardrails, policies)| {
            let mut entries = Vec::new();
            for (index, mut document) in keys.into_iter().enumerate() {
                document["display_name"] = names[index].clone().into();
                entries.push(Entry::new(Kind::ProviderKey, format!("p{index}"), document));
            }
            for (index, mut document) in guardrails.into_iter().enumerate() {
                document["name"] = names[index].clone().into();
                entries.push(Entry::new(Kind::Guardrail, format!("w{index}"), document));
            }
            for (index, (mut document, key)) in models.into_iter().enumerate() {
                document["display_name"] = names[2 + index].clone().into();
                document["provider_key_id"] = format!("p{}", key.index(2)).into();
                entries.push(Entry::new(Kind::Model, format!("m{index}"), document));
            }
            for (index, mut document) in callers.into_iter().enumerate() {
                let digits = [
                    "0123456789ab",
                    "cafecafecafe",
                    "000000000000",
                    "ffffffffffff",
                ];
                document["key_hash"] = format!("{}{}", digits[index], "0".repeat(52)).into();
                entries.push(Entry::new(Kind::ApiKey, format!("k{index}"), document));
            }
            for (index, mut document) in policies.into_iter().enumerate() {
                document["name"] = names[index].clone().into();
                let id = format!("r{index}");
                entries.push(Entry::new(Kind::RateLimitPolicy, id, document));
            }
            entries
        })
}

/// Whether every document is one that people may write, and a file with variables can hold it.
fn is_in_order(entries: &[Entry]) -> bool {
    let valid =
        |entry: &Entry| decode(entry.key.kind, entry.value.clone(), Strictness::Strict).is_ok();
    entries.iter().all(valid) && write(entries, Form::default()).problems.is_empty()
}

proptest! {
    #[test]
    fn what_is_in_order_survives(entries in store().prop_filter("in order", |it| is_in_order(it))) {
        survive(&entries);
    }
}
