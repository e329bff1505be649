use serde_json::{Value, json};

use super::*;

const HASH: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn strict(kind: Kind, value: Value) -> Result<Decoded, Vec<String>> {
    decode(kind, value, Strictness::Strict)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

fn lenient(kind: Kind, value: Value) -> Result<Decoded, Vec<String>> {
    decode(kind, value, Strictness::Lenient)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

#[track_caller]
fn errors(kind: Kind, value: Value) -> Vec<String> {
    strict(kind, value).expect_err("the document is wrong")
}

/// A document with some members replaced.
fn with(mut document: Value, more: Value) -> Value {
    let members = document.as_object_mut().expect("documents are mappings");
    members.extend(more.as_object().expect("a mapping").clone());
    document
}

fn key() -> Value {
    json!({"display_name": "openai", "api_key": "sk-hidden"})
}

fn model() -> Value {
    json!({"display_name": "gpt", "provider": "openai", "model_name": "gpt-4o", "provider_key_id": "k"})
}

fn api_key() -> Value {
    json!({"key_hash": HASH, "allowed_models": ["gpt-*"]})
}

#[track_caller]
fn provider_key(value: Value) -> ProviderKey {
    match strict(Kind::ProviderKey, value).expect("valid").resource {
        Resource::ProviderKey(key) => key,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_minimal_provider_key_has_the_defaults() {
    let key = provider_key(key());
    assert_eq!(key.api_key.expose(), "sk-hidden");
    assert_eq!(key.provider, "");
    assert_eq!(key.adapter, None);
    assert_eq!(
        key.strip_headers,
        ["authorization", "cookie", "set-cookie", "x-api-key"]
    );
    assert!(key.request.default_headers.is_empty());
    assert_eq!(key.response, Response::default());
    assert_eq!(key.tls, Tls::default());
    assert!(!key.telemetry_tags.featured);
}

#[test]
fn every_field_of_a_provider_key_is_read() {
    let key = provider_key(json!({
        "display_name": "p", "secret": "s", "provider": "deepseek", "adapter": "azure-openai",
        "api_base": "https://example.test/v1", "strip_headers": ["X-Mine"],
        "request": {
            "param_renames": {"max_tokens": "max_completion_tokens"},
            "param_constraints": {"temperature_min": 0, "temperature_max": 1.5},
            "default_headers": {"X-Request": "${request.id}", "x-plain": "a"},
            "default_body_fields": {"user": {"a": null}},
            "forward_client_headers": ["X-Trace-*"],
        },
        "response": {
            "stream_done_marker": "none", "content_list_to_string": true,
            "error_envelope": "x", "reasoning_field": "delta.reasoning_content",
        },
        "tls": {"ca_cert": "-----BEGIN CERTIFICATE-----\n…", "verify": false},
        "telemetry_tags": {"kind": "byo", "branded_provider": "b", "byo_label": "l", "pk_label": "p", "featured": true},
    }));
    assert_eq!(key.api_key.expose(), "s");
    assert_eq!(key.adapter, Some(Adapter::AzureOpenAi));
    assert_eq!(key.strip_headers, ["x-mine"]);
    let request = &key.request;
    assert_eq!(request.param_renames["max_tokens"], "max_completion_tokens");
    assert_eq!(request.param_constraints.temperature_max, Some(1.5));
    let headers: Vec<_> = request.default_headers.iter().collect();
    assert_eq!(headers[0].0, "x-request");
    assert!(headers[0].1.variables().eq([Variable::RequestId]));
    assert_eq!(headers[1].1.as_literal(), Some("a"));
    // Nulls inside free-form members are the operator's business.
    assert_eq!(request.default_body_fields.0["user"], json!({"a": null}));
    assert!(request.forward_client_headers[0].matches("x-trace-id"));
    assert_eq!(key.response.stream_done_marker, StreamDoneMarker::None);
    let path = key.response.reasoning_field.expect("given");
    assert_eq!(path.names(), ["delta", "reasoning_content"]);
    assert!(!key.tls.verify);
    assert_eq!(key.telemetry_tags.kind, Some(TelemetryKind::Byo));
}

#[test]
fn every_field_of_a_model_is_read() {
    let document = with(
        model(),
        json!({
            "timeout": 0, "stream_timeout": 5.0, "rate_limit": {"rpm": 3, "concurrency": 2},
            "allowed_cidrs": ["10.0.0.0/8"], "cost": {"input_per_1k": 0.1, "output_per_1k": 2},
            "embedding": {"dimensions": 3},
        }),
    );
    let Ok(Resource::Model(model)) = strict(Kind::Model, document).map(|it| it.resource) else {
        panic!("valid");
    };
    assert_eq!((model.timeout, model.stream_timeout), (Some(0), Some(5)));
    let rates = model.rate_limit;
    assert_eq!((rates.rpm, rates.concurrency), (Some(3), Some(2)));
    assert!(model.allowed_cidrs.admits("10.0.0.1".parse().ok()));
    assert!(!model.allowed_cidrs.admits(None));
    let embedding = model.direct().and_then(|it| it.embedding).expect("given");
    assert_eq!((embedding.dimensions.get(), embedding.normalize), (3, true));
}

#[test]
fn every_field_of_an_api_key_is_read() {
    let document = with(
        api_key(),
        json!({
            "disabled": true, "expires_at": "2030-01-01T00:00:00+01:00", "team_id": "t",
            "user_id": "u", "user_name": "n", "display_name": "d", "rate_limit": {"tpd": 1},
        }),
    );
    let Ok(Resource::ApiKey(key)) = strict(Kind::ApiKey, document).map(|it| it.resource) else {
        panic!("valid");
    };
    assert_eq!(key.key_hash, KeyHash::of("abc"));
    assert!(key.disabled);
    assert_eq!(
        key.expires_at.expect("given").to_string(),
        "2029-12-31T23:00:00Z"
    );
    assert_eq!(key.rate_limit.tpd, Some(1));
    assert!(key.allowed_models[0].matches("gpt-4o"));
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let document = json!({
        "display_name": "", "provider": "Open AI", "provdier_key_id": "k",
        "timeout": "10s", "rate_limit": {"rpm": -1, "rps": 1.5, "concurrency": 5_000_000_000_u64, "rpx": 1},
        "allowed_cidrs": ["10.0.0.0/8", "10.0.0.0/99"], "cost": {"input_per_1k": -1},
        "embedding": {"dimensions": 0},
    });
    assert_eq!(
        errors(Kind::Model, document),
        [
            "`allowed_cidrs[1]` must be an IP address or a network such as 10.0.0.0/8",
            "`cost.input_per_1k` must be at least 0.0",
            "`cost.output_per_1k` is required",
            "`display_name` must not be empty",
            "`embedding.dimensions` must be at least 1",
            "`model_name` is required",
            "`provdier_key_id` is not a known field; did you mean `provider_key_id`?",
            "`provider` must match ^[a-z0-9][a-z0-9._-]*$",
            "`provider_key_id` is required",
            "`rate_limit.concurrency` must be at most 4294967295",
            "`rate_limit.rpm` must be at least 0",
            "`rate_limit.rps` must be a whole number, not a number",
            "`rate_limit.rpx` is not a known field; did you mean `rps`?",
            "`timeout` must be a whole number, not a string",
        ]
    );
}

#[test]
fn later_fields_are_refused_by_name_when_people_write() {
    for field in [
        "allowed_routes",
        "allowed_agents",
        "mcp_access",
        "mcp_rate_limits",
        "jwt_provider",
        "jwt_subject",
    ] {
        let document = with(api_key(), json!({field: ["*"]}));
        assert_eq!(
            errors(Kind::ApiKey, document.clone()),
            [format!("`{field}` is not supported yet")]
        );
        let decoded = lenient(Kind::ApiKey, document).expect("machines may deliver it");
        assert_eq!(decoded.unknown, [field]);
        // Null is the same as absent.
        strict(Kind::ApiKey, with(api_key(), json!({field: null}))).expect("valid");
    }
}

#[test]
fn lenient_decoding_leaves_unknown_fields_out_and_reports_them() {
    let document = with(
        model(),
        json!({"rate_limit": {"rpm": 1, "rpw": 2}, "colour": "red", "shade": 1}),
    );
    let decoded = lenient(Kind::Model, document).expect("valid but for unknown fields");
    assert_eq!(decoded.unknown, ["colour", "rate_limit.rpw", "shade"]);
}

#[test]
fn lenient_decoding_leaves_senseless_elements_out_and_reports_them() {
    let document = with(
        model(),
        json!({"allowed_cidrs": ["nonsense", "10.0.0.0/8", "x"]}),
    );
    let decoded = lenient(Kind::Model, document).expect("valid but for an element");
    assert_eq!(decoded.unknown, ["inapplicable:allowed_cidrs[]"]);

    let document = with(
        key(),
        json!({"request": {"default_headers": {"Authorization": "x", "a": "${nope}", "b": "c"}}}),
    );
    let decoded = lenient(Kind::ProviderKey, document).expect("valid but for headers");
    let Resource::ProviderKey(key) = decoded.resource else {
        panic!("a provider key");
    };
    let names: Vec<_> = key.request.default_headers.iter().map(|it| it.0).collect();
    assert_eq!(names, ["b"]);
    assert_eq!(
        decoded.unknown,
        [
            "inapplicable:request.default_headers.Authorization",
            "inapplicable:request.default_headers.a"
        ]
    );
}

#[test]
fn lenient_decoding_is_as_strict_about_types_ranges_and_enumerations() {
    let document = with(
        key(),
        json!({"adapter": "grpc", "tls": {"verify": "no"}, "x": 1}),
    );
    assert_eq!(
        lenient(Kind::ProviderKey, document).unwrap_err(),
        [
            "`adapter` must be `openai`, `anthropic`, `bedrock`, `vertex` or `azure-openai`",
            "`tls.verify` must be true or false, not a string",
        ]
    );
}

#[test]
fn the_report_of_left_out_fields_is_bounded() {
    let mut document = model();
    for number in 0..100 {
        document[format!("field{number}")] = 1.into();
    }
    let decoded = lenient(Kind::Model, document).expect("valid but for unknown fields");
    assert_eq!(decoded.unknown.len(), 65);
    assert_eq!(
        decoded.unknown.last().map(String::as_str),
        Some("...truncated")
    );
}

#[test]
fn a_credential_is_given_once() {
    assert_eq!(
        errors(Kind::ProviderKey, json!({"display_name": "p"})),
        ["`api_key` is required"]
    );
    assert_eq!(
        errors(Kind::ProviderKey, with(key(), json!({"secret": "b"}))),
        ["`secret` is given besides `api_key`"]
    );
    assert_eq!(
        errors(
            Kind::ProviderKey,
            json!({"display_name": "p", "secret": ""})
        ),
        ["`secret` must not be empty"]
    );
}

#[test]
fn headers_are_checked_by_name_and_value() {
    let document = with(
        key(),
        json!({"request": {"default_headers": {
            "Authorization": "x", "bad name": "x", "x-a": "${request.ip}", "x-b": 1, "x-c": "a\nb",
        }}}),
    );
    assert_eq!(
        errors(Kind::ProviderKey, document),
        [
            "`request.default_headers.Authorization` is a reserved header",
            "`request.default_headers.bad name` is not the name of a header",
            "`request.default_headers.x-a` has the unknown variable `${request.ip}`",
            "`request.default_headers.x-b` must be a string, not a number",
            "`request.default_headers.x-c` holds a character that no header may hold",
        ]
    );
}

#[test]
fn texts_of_a_provider_key_are_checked() {
    let document = with(
        key(),
        json!({
            "api_base": "example.test", "tls": {"ca_cert": "x"},
            "request": {
                "param_constraints": {"temperature_min": 2, "temperature_max": 1},
                "param_renames": {"": "x", "a": ""}, "forward_client_headers": ["*a*"],
            },
            "response": {"reasoning_field": "a..b", "stream_done_marker": "perhaps"},
        }),
    );
    assert_eq!(
        errors(Kind::ProviderKey, document),
        [
            "`api_base` must be a URL with http:// or https:// and a host",
            "`request.forward_client_headers[0]` must not have more than one `*`",
            "`request.param_constraints.temperature_min` must not be greater than `temperature_max`",
            "`request.param_renames.` has an empty name",
            "`request.param_renames.a` must not be empty",
            "`response.reasoning_field` must be names with dots between them",
            "`response.stream_done_marker` must be `required`, `optional` or `none`",
            "`tls.ca_cert` must hold at least one certificate in PEM",
        ]
    );
    let document = with(key(), json!({"api_base": "https://user:pw@example.test"}));
    assert_eq!(
        errors(Kind::ProviderKey, document),
        ["`api_base` must not hold a user name or password"]
    );
}

#[test]
fn texts_of_an_api_key_are_checked() {
    let document =
        json!({"key_hash": "sk-plain", "allowed_models": ["*a*", 1], "expires_at": "tomorrow"});
    assert_eq!(
        errors(Kind::ApiKey, document),
        [
            "`allowed_models[0]` must not have more than one `*`",
            "`allowed_models[1]` must be a string, not a number",
            "`expires_at` must be a time such as 2030-01-31T12:00:00Z",
            "`key_hash` must be a SHA-256 in 64 lowercase hexadecimal digits",
        ]
    );
}

#[test]
fn only_a_pattern_may_leave_out_the_model_name() {
    let without =
        |name: &str| json!({"display_name": name, "provider": "openai", "provider_key_id": "k"});
    assert_eq!(
        errors(Kind::Model, without("gpt")),
        ["`model_name` is required"]
    );
    strict(Kind::Model, without("openai/*")).expect("a pattern says what to call");
}

#[test]
fn no_message_repeats_a_value() {
    let hidden = "sk-hidden";
    let documents = [
        (
            Kind::ProviderKey,
            json!({"display_name": [hidden], "api_key": [hidden], "api_base": hidden,
            "adapter": hidden, "tls": {"ca_cert": hidden, "verify": hidden}, "strip_headers": hidden,
            "request": {"default_headers": {"x": "${sk-hidden}", "y": "sk-hidden\n"}, "default_body_fields": hidden},
            "response": {"reasoning_field": "sk-hidden..", "stream_done_marker": hidden}}),
        ),
        (
            Kind::Model,
            json!({"display_name": 1, "provider": hidden.to_uppercase(), "allowed_cidrs": [hidden], "cost": hidden}),
        ),
        (
            Kind::ApiKey,
            json!({"key_hash": hidden, "allowed_models": hidden, "expires_at": hidden}),
        ),
        (Kind::ApiKey, json!(hidden)),
    ];
    for (kind, document) in documents {
        let report = errors(kind, document).join("\n");
        assert!(!report.to_lowercase().contains(hidden), "{report}");
    }
}

#[test]
fn debug_of_a_resource_hides_what_is_confidential() {
    let document = with(
        key(),
        json!({"request": {"default_headers": {"x": "sk-hidden"}, "default_body_fields": {"token": "sk-hidden"}}}),
    );
    let shown = format!("{:?}", strict(Kind::ProviderKey, document));
    assert!(!shown.contains("sk-hidden"), "{shown}");
    assert!(shown.contains("token"), "{shown}");
}

#[test]
fn a_document_that_is_no_mapping_is_refused() {
    for kind in Kind::ALL {
        assert_eq!(errors(kind, json!([])), ["must be a mapping, not a list"]);
    }
}

#[test]
fn a_number_beyond_exact_integers_is_refused_and_not_rounded() {
    let document = with(model(), json!({"timeout": 1e300}));
    assert_eq!(
        errors(Kind::Model, document),
        ["`timeout` must be at most 18446744073709551615"]
    );
}

#[test]
fn kinds_are_read_by_their_names() {
    for kind in Kind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
    }
    assert_eq!("mcp_servers".parse::<Kind>(), Err(UnknownKind));
}

#[test]
fn a_key_before_needs_a_time_when_it_ends() {
    let hash = json!({"previous_key_hash": KeyHash::of("a").to_hex()});
    let end = json!({"previous_expires_at": "2030-01-01T00:00:00Z"});
    assert_eq!(
        errors(Kind::ApiKey, with(api_key(), hash.clone())),
        ["`previous_expires_at` is required besides `previous_key_hash`"]
    );
    assert_eq!(
        errors(Kind::ApiKey, with(api_key(), end.clone())),
        ["`previous_key_hash` is required besides `previous_expires_at`"]
    );
    strict(Kind::ApiKey, with(with(api_key(), hash), end)).expect("valid");
}
