//! Which provider is called, where, and what a provider key changes on the way.

use aisix_tests::{
    client::Client,
    gateway::{self, Gateway, Setup},
    tls::{Certificate, ConnectProxy},
    upstream::{self, Answer, Flavour, Framing, Reply, Upstream},
};
use serde_json::{Value, json};

const CHAT: &str = "/v1/chat/completions";

/// A gateway whose provider key has these members besides.
async fn shaped(members: Value) -> (Upstream, Gateway, Client) {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let mut key = json!({"display_name": "upstream", "provider": "openai", "api_base": upstream.base_url(), "api_key": upstream::KEY});
    for (name, value) in members.as_object().expect("members") {
        key[name] = value.clone();
    }
    let gateway = Gateway::start(Setup::new().entry("provider_keys", key).models(["text"])).await;
    let client = Client::new(gateway.proxy());
    (upstream, gateway, client)
}

#[tokio::test]
async fn the_provider_is_chosen_by_adapter_then_name_then_address() {
    // The members of the key, the model's provider, and what the answer is.
    let base = "BASE";
    let table = [
        (
            json!({"adapter": "openai", "provider": "deepseek", "api_base": base}),
            "deepseek",
            Ok("/v1/chat/completions"),
        ),
        (
            json!({"provider": "deepseek", "api_base": base}),
            "openai",
            Ok("/v1/chat/completions"),
        ),
        (
            json!({"api_base": base}),
            "deepseek",
            Ok("/v1/chat/completions"),
        ),
        (
            json!({"provider": "groq", "api_base": base}),
            "groq",
            Ok("/v1/chat/completions"),
        ),
        (
            json!({"api_base": base}),
            "my-own",
            Ok("/v1/chat/completions"),
        ),
        (
            json!({"provider": "groq"}),
            "groq",
            Err((503, "provider_unavailable")),
        ),
        (json!({}), "my-own", Err((503, "provider_unavailable"))),
        (
            json!({"adapter": "bedrock", "api_base": base}),
            "openai",
            Err((503, "provider_unavailable")),
        ),
    ];
    for (mut key, provider, expected) in table {
        let upstream = Upstream::start(Flavour::OpenAi).await;
        key["display_name"] = "upstream".into();
        key["api_key"] = upstream::KEY.into();
        if key.get("api_base").is_some() {
            key["api_base"] = upstream.base_url().into();
        }
        let model = json!({"provider": provider, "model_name": "text"});
        let gateway = Gateway::start(
            Setup::new()
                .entry("provider_keys", key.clone())
                .model("text", model),
        )
        .await;
        // Only DeepSeek renames this, and only to it may it be renamed.
        let body = json!({"model": "text", "max_completion_tokens": 5, "messages": [{"role": "user", "content": "hi"}]});
        let response = Client::new(gateway.proxy()).post(CHAT, &body).await;
        match expected {
            Ok(path) => {
                assert_eq!(response.status, 200, "{key}");
                let request = upstream.exchange(0).await.request;
                assert_eq!(request.path, path, "{key}");
                let speaks_deepseek = request.json().get("max_tokens").is_some();
                let chosen = key["provider"]
                    .as_str()
                    .filter(|_| key.get("adapter").is_none());
                let meant = match (key.get("adapter"), chosen) {
                    (Some(_), _) => false,
                    (None, chosen) => chosen.unwrap_or(provider) == "deepseek",
                };
                assert_eq!(speaks_deepseek, meant, "{key} of {provider}");
            }
            Err((status, kind)) => {
                assert_eq!(response.status.as_u16(), status, "{key}");
                assert_eq!(response.json().await["error"]["type"], kind, "{key}");
                assert!(upstream.exchanges().is_empty(), "{key}");
            }
        }
    }
}

#[tokio::test]
async fn an_address_is_understood_as_operators_paste_it() {
    for suffix in [
        "",
        "/",
        "/chat/completions",
        "/embeddings",
        "/chat/completions/",
    ] {
        let upstream = Upstream::start(Flavour::OpenAi).await;
        let base = format!("{}{suffix}", upstream.base_url());
        let key = json!({"display_name": "upstream", "provider": "openai", "api_base": base, "api_key": upstream::KEY});
        let gateway =
            Gateway::start(Setup::new().entry("provider_keys", key).models(["text"])).await;
        assert_eq!(
            Client::new(gateway.proxy()).chat("text", "hi").await.status,
            200,
            "{suffix}"
        );
        assert_eq!(upstream.exchange(0).await.request.path, CHAT, "{suffix}");
    }
}

#[tokio::test]
async fn the_request_block_shapes_what_goes_out() {
    let (upstream, _gateway, client) = shaped(json!({"request": {
        "param_renames": {"max_completion_tokens": "max_tokens"},
        "param_constraints": {"temperature_min": 0.5, "temperature_max": 1.0},
        "default_headers": {"x-plain": "p", "x-model": "$${model.name}/$${request.id}", "x-team": "$${request.api_key.team_id}", "x-mine": "default"},
        "default_body_fields": {"seed": 7, "user": "default"},
        "forward_client_headers": ["x-mine", "x-trace-*", "x-stainless-*", "cookie", "authorization"],
    }})).await;
    let caller = client
        .header("x-aisix-request-id", "r-1")
        .header("x-mine", "caller")
        .header("x-trace-a", "t")
        .header("x-other", "o")
        .header("x-stainless-lang", "rust")
        .header("cookie", "secret=1")
        .header("openai-beta", "b")
        .header("idempotency-key", "i")
        .header("openai-organization", "org");
    for (sent, expected) in [(0.1, 0.5), (0.7, 0.7), (1.9, 1.0)] {
        let body = json!({"model": "text", "temperature": sent, "max_completion_tokens": 5, "user": "u", "messages": [{"role": "user", "content": "hi"}]});
        assert_eq!(caller.post(CHAT, &body).await.status, 200);
        let request = upstream.exchanges().pop().expect("it was called").request;
        let got = request.json();
        assert_eq!(got["temperature"].as_f64(), Some(expected), "{got}");
        let members = (
            &got["max_tokens"],
            got.get("max_completion_tokens"),
            &got["seed"],
            &got["user"],
        );
        assert_eq!(members, (&json!(5), None, &json!(7), &json!("u")));
    }
    let request = upstream.exchange(0).await.request;
    for (name, value) in [
        ("x-plain", Some("p")),
        ("x-model", Some("text/r-1")),
        ("x-team", None),
        ("x-mine", Some("caller")),
        ("x-trace-a", Some("t")),
        ("x-other", None),
        ("x-stainless-lang", None),
        ("cookie", None),
        ("openai-beta", Some("b")),
        ("idempotency-key", Some("i")),
        ("openai-organization", None),
        ("x-aisix-request-id", Some("r-1")),
        ("authorization", Some("Bearer sk-upstream-0123456789")),
    ] {
        assert_eq!(request.header(name), value, "{name}");
    }
}

#[tokio::test]
async fn the_response_block_says_how_an_upstream_deviates() {
    let parts = json!({"model": "text", "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]});
    let (upstream, _gateway, client) =
        shaped(json!({"response": {"content_list_to_string": true}})).await;
    assert_eq!(client.post(CHAT, &parts).await.status, 200);
    let content = upstream.exchange(0).await.request.json()["messages"][0]["content"].clone();
    assert!(content.is_string(), "{content}");

    let no_done = || {
        Answer::text(["Hi"]).framing(Framing {
            done: false,
            ..Framing::default()
        })
    };
    let (upstream, _gateway, client) =
        shaped(json!({"response": {"stream_done_marker": "none"}})).await;
    upstream.next(no_done());
    let stream = client.chat_stream("text", "hi").await.text().await;
    assert!(
        stream.contains("Hi") && stream.ends_with("data: [DONE]\n\n"),
        "{stream}"
    );

    let (upstream, _gateway, client) =
        shaped(json!({"response": {"reasoning_field": "delta.thoughts"}})).await;
    let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": {"thoughts": "hm"}, "finish_reason": null}]});
    upstream.next(Framing::default().reply(&[chunk]));
    let stream = client.chat_stream("text", "hi").await.text().await;
    assert!(stream.contains("\"hm\""), "{stream}");
}

#[tokio::test]
async fn an_upstream_over_tls_is_reached_through_the_proxy_of_the_environment() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let certificate = Certificate::new("upstream.invalid");
    let proxy = ConnectProxy::start(upstream.addr(), &certificate).await;
    let key = |name: &str, tls: Value| {
        json!({
            "display_name": name, "provider": "openai", "api_key": upstream::KEY,
            "api_base": "https://upstream.invalid/v1", "tls": tls,
        })
    };
    let model = |key: &str| json!({"model_name": "text", "provider_key": key});
    let setup = Setup::new()
        .entry(
            "provider_keys",
            key("trusting", json!({"ca_cert": certificate.pem()})),
        )
        .entry("provider_keys", key("careless", json!({"verify": false})))
        .entry("provider_keys", key("strict", json!({})))
        .model("trusted", model("trusting"))
        .model("careless", model("careless"))
        .model("strict", model("strict"));
    let gateway = Gateway::start(setup.env("HTTPS_PROXY", &proxy.url())).await;
    let client = Client::new(gateway.proxy());
    for (model, status) in [("trusted", 200), ("careless", 200), ("strict", 502)] {
        assert_eq!(
            client.chat(model, "hi").await.status.as_u16(),
            status,
            "{model}"
        );
    }
    let asked = proxy.asked();
    assert!(
        asked.len() >= 3 && asked.iter().all(|target| target == "upstream.invalid:443"),
        "{asked:?}"
    );
}

#[tokio::test]
async fn a_wildcard_model_carries_its_star_upstream_and_the_exact_name_wins() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let setup = Setup::new()
        .provider(&upstream)
        .model("gpt-*", json!({"model_name": "gpt-*"}))
        .model("any/*", json!({"model_name": "*"}))
        .model("fixed-*", json!({"model_name": "text"}))
        .model("gpt-exact", json!({"model_name": "other"}))
        .key("narrow", "sk-narrow", json!({"allowed_models": ["gpt-4*"]}));
    let gateway = Gateway::start(setup).await;
    let client = Client::new(gateway.proxy());
    let table = [
        ("gpt-4o", "gpt-4o"),
        ("any/llama", "llama"),
        ("fixed-1", "text"),
        ("gpt-exact", "other"),
    ];
    for (number, (asked, sent)) in table.into_iter().enumerate() {
        assert_eq!(client.chat(asked, "hi").await.status, 200, "{asked}");
        assert_eq!(
            upstream.exchange(number).await.request.model().as_deref(),
            Some(sent),
            "{asked}"
        );
    }
    assert_eq!(client.chat("claude", "hi").await.status, 404);
    let narrow = Client::anonymous(gateway.proxy()).header("x-api-key", "sk-narrow");
    assert_eq!(narrow.chat("gpt-4o", "hi").await.status, 200);
    assert_eq!(narrow.chat("gpt-3", "hi").await.status, 403);
    let listed = client.get("/v1/models").await.json().await;
    let ids: Vec<_> = listed["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|model| &model["id"])
        .collect();
    assert_eq!(ids, ["gpt-exact"]);
}

#[tokio::test]
async fn a_model_for_some_addresses_asks_who_the_client_really_is() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let setup = Setup::new()
        .provider(&upstream)
        .model("inside", json!({"model_name": "text", "allowed_cidrs": ["10.0.0.0/8", "2001:db8::/32"]}))
        .config(json!({"proxy": {"real_ip": {"trusted_proxies": ["127.0.0.1", "192.0.2.0/24"], "recursive": true}}}));
    let gateway = Gateway::start(setup).await;
    let table = [
        (None, 403),
        (Some("10.1.2.3"), 200),
        (Some("2001:db8::1"), 200),
        (Some("8.8.8.8"), 403),
        (Some("10.1.2.3, 8.8.8.8"), 403),
        (Some("8.8.8.8, 10.1.2.3, 192.0.2.9"), 200),
        (Some("nonsense"), 403),
    ];
    for (forwarded, status) in table {
        let client = Client::new(gateway.proxy());
        let client = forwarded.map_or(client.clone(), |value| {
            client.header("x-forwarded-for", value)
        });
        let response = client.chat("inside", "hi").await;
        assert_eq!(response.status.as_u16(), status, "{forwarded:?}");
        if status == 403 {
            let error = response.json().await["error"].clone();
            assert_eq!(
                (&error["type"], &error["code"]),
                (&json!("permission_denied"), &json!("ip_restricted"))
            );
            assert!(!error.to_string().contains("10.0.0.0"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_refusal_of_the_provider_is_told_but_not_its_failures() {
    let (upstream, gateway, client) = shaped(json!({})).await;
    upstream.next(
        Reply::error(402, "billing", Some("insufficient_balance"), "top up")
            .header("x-request-id", "req_9"),
    );
    let response = client.chat("text", "hi").await;
    let id = response
        .header("x-aisix-request-id")
        .expect("always sent")
        .to_owned();
    assert_eq!(
        (response.status.as_u16(), response.header("x-request-id")),
        (402, Some(id.as_str()))
    );
    let error = response.json().await["error"].clone();
    let told = (&error["type"], &error["code"], &error["message"]);
    assert_eq!(
        told,
        (
            &json!("upstream_error"),
            &json!("insufficient_balance"),
            &json!("top up")
        )
    );
    assert_eq!(
        gateway.access_log(&id).await["provider_request_id"],
        "req_9"
    );
    assert!(!gateway.printed().contains(gateway::KEY));
}

#[tokio::test]
async fn a_certificate_of_the_operator_is_trusted_for_all_upstreams() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let certificate = Certificate::new("upstream.invalid");
    let proxy = ConnectProxy::start(upstream.addr(), &certificate).await;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (ca_file, _) = certificate.write(directory.path());
    let key = json!({"display_name": "upstream", "api_key": upstream::KEY, "api_base": "https://upstream.invalid/v1"});
    for (tls, status) in [
        (json!({"ca_file": ca_file}), 200),
        (json!({}), 502),
        (json!({"verify": false}), 200),
    ] {
        let setup = Setup::new()
            .entry("provider_keys", key.clone())
            .models(["text"]);
        let setup = setup.config(json!({"upstream": {"tls": tls, "retries": 0}}));
        let gateway = Gateway::start(setup.env("HTTPS_PROXY", &proxy.url())).await;
        assert_eq!(
            Client::new(gateway.proxy())
                .chat("text", "hi")
                .await
                .status
                .as_u16(),
            status,
            "{tls}"
        );
    }
}
