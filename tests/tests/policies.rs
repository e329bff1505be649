//! Rate-limit policies of the real binary: from a file, from administrators, and in several gateways.

use aisix_tests::{
    client::{Client, Response},
    exposition::Exposition,
    gateway::{ADMIN_KEY, Gateway, Setup},
    redis::Redis,
    upstream::{Answer, Flavour, Upstream},
    within,
};
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Who calls: the name of a key, its team and its user.
const CALLERS: [(&str, Option<&str>, Option<&str>); 4] = [
    ("ann", Some("blue"), Some("u-ann")),
    ("bob", Some("blue"), Some("u-bob")),
    ("red", Some("red"), None),
    ("lone", None, None),
];

/// The models `small` and `large`, and the callers, whose credentials are `sk-` and their names.
async fn setup() -> (Upstream, Setup) {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    for model in ["small", "large"] {
        upstream.on(model, Answer::text(["Hello"]));
    }
    let admin = json!({"enabled": true, "addr": "127.0.0.1:0", "admin_keys": [ADMIN_KEY]});
    let mut setup = Setup::new()
        .config(json!({"proxy": {"workers": 2}, "admin": admin}))
        .provider(&upstream)
        .models(["small", "large"]);
    for (name, team, user) in CALLERS {
        let caller = json!({"allowed_models": ["*"], "team_id": team, "user_id": user});
        setup = setup.key(name, &credential(name), caller);
    }
    (upstream, setup)
}

fn credential(name: &str) -> String {
    format!("sk-{name}-0123456789")
}

fn client(gateway: &Gateway, name: &str) -> Client {
    Client::anonymous(gateway.proxy()).header("x-api-key", &credential(name))
}

async fn ask(gateway: &Gateway, calls: &[(&str, &str)]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for (name, model) in calls {
        let answer = client(gateway, name).chat(model, "hi").await;
        statuses.push(answer.status.as_u16());
    }
    statuses
}

/// A policy on large models, for each team.
fn by_team(limit: u64) -> Value {
    json!({
        "name": "large ones", "limits": {"rpd": limit}, "group_by": ["team"],
        "conditions": [{"dimension": "model_name", "operator": "~*", "value": "^LARGE$"}],
    })
}

async fn put(admin: &Client, id: &str, policy: &Value) -> Response {
    let admin = admin.clone().header("content-type", "application/json");
    let path = format!("/aisix/admin/rate_limit_policies/{id}");
    admin
        .send(Method::PUT, &path, policy.to_string().into())
        .await
}

#[tokio::test]
async fn policies_of_a_file_hold_refuse_by_name_and_keep_their_counts() {
    let (_upstream, base) = setup().await;
    let of_key = |max: u64| json!({"name": "of one key", "scope": "api_key", "scope_ref": "lone", "window": "day", "max_requests": max});
    let with = |max: u64| {
        let setup = base.clone().entry("rate_limit_policies", by_team(2));
        setup.entry("rate_limit_policies", of_key(max))
    };
    let gateway = Gateway::start(with(1)).await;
    let calls = [
        ("ann", "large"),
        ("bob", "large"),
        ("ann", "large"),
        ("ann", "small"),
        ("red", "large"),
        ("lone", "large"),
        ("lone", "small"),
    ];
    let expected = [200, 200, 429, 200, 200, 200, 429];
    assert_eq!(ask(&gateway, &calls).await, expected);

    let refused = client(&gateway, "bob").chat("large", "hi").await;
    let retry_after = refused.header("retry-after").map(str::parse::<u64>);
    assert!(
        matches!(retry_after, Some(Ok(1..=86_400))),
        "{retry_after:?}"
    );
    let error = refused.json().await["error"].take();
    assert_eq!(error["message"], "request limit exceeded (rpd)");
    assert_eq!(error["policy"]["name"], "large ones", "{error}");
    let id = error["policy"]["id"].as_str().expect("it has an id");
    let metrics = Exposition::parse(&gateway.metrics().await);
    let labels = [
        ("scope", "requests"),
        ("layer", "policy"),
        ("policy_id", id),
    ];
    assert_eq!(
        metrics.sum("aisix_ratelimit_rejections_total", &labels),
        2.0
    );

    gateway.write_resources(&with(2));
    gateway.reloaded(1).await;
    let calls = [("lone", "small"), ("lone", "small"), ("bob", "large")];
    assert_eq!(ask(&gateway, &calls).await, [200, 429, 429]);
}

#[tokio::test]
async fn administrators_set_change_suspend_and_remove_a_policy() {
    let (upstream, _) = setup().await;
    let gateway = Gateway::start(Setup::embedded()).await;
    let admin = gateway.administrator().await;
    let model = json!({"name": "large", "model": "openai/large",
        "provider_config": {"api_key": aisix_tests::upstream::KEY, "api_base": upstream.base_url()}});
    assert_eq!(admin.post("/aisix/admin/models", &model).await.status, 201);
    let key = json!({"key": credential("ann"), "allowed_models": ["*"], "team_id": "blue"});
    assert_eq!(admin.post("/aisix/admin/apikeys", &key).await.status, 201);
    let calls = [("ann", "large"), ("ann", "large")];

    let mut wrong = by_team(1);
    wrong["scope"] = "team".into();
    let told = put(&admin, "p", &wrong).await;
    assert_eq!(told.status, 400);
    assert_eq!(put(&admin, "p", &by_team(1)).await.status, 201);
    assert_eq!(ask(&gateway, &calls).await, [200, 429]);
    assert_eq!(put(&admin, "p", &by_team(2)).await.status, 200);
    assert_eq!(ask(&gateway, &calls).await, [200, 429]);
    let mut suspended = by_team(2);
    suspended["schedules"] = json!([{"timezone": "Asia/Tokyo", "start_time": "00:00", "end_time": "24:00",
        "days_of_week": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}]);
    assert_eq!(put(&admin, "p", &suspended).await.status, 200);
    assert_eq!(ask(&gateway, &calls).await, [200, 200]);
    assert_eq!(put(&admin, "p", &by_team(2)).await.status, 200);
    assert_eq!(ask(&gateway, &calls).await, [429, 429]);

    let directory = gateway.kill().await;
    let again = Gateway::try_start_in(Setup::embedded(), directory).await;
    let again = again.unwrap_or_else(|printed| panic!("{printed}"));
    let expected = [200, 200, 429];
    let thrice = [calls[0]; 3];
    assert_eq!(ask(&again, &thrice).await, expected, "counted anew");
    let path = "/aisix/admin/rate_limit_policies/p";
    let admin = again.administrator().await;
    let deleted = admin.send(Method::DELETE, path, Vec::new().into()).await;
    assert!(deleted.status.is_success());
    assert_eq!(ask(&again, &calls).await, [200, 200]);
}

#[tokio::test]
async fn several_gateways_hold_a_team_to_one_count() {
    let redis = Redis::start().await;
    let (upstream, setup) = setup().await;
    let setup = setup
        .entry("rate_limit_policies", by_team(10))
        .config(redis.block());
    let nodes = join_all((0..2).map(|_| Gateway::start(setup.clone()))).await;

    // All at the same time, each caller at both gateways.
    let mut asked = JoinSet::new();
    for at in 0..80 {
        let name = CALLERS[at / 2 % 4].0;
        let client = client(&nodes[at % 2], name);
        asked.spawn(async move { (name, client.chat("large", "hi").await.status.as_u16()) });
    }
    let answers = within("all answers", asked.join_all()).await;
    let count = |names: &[&str], wanted: u16| {
        let is = |(name, status): &&(&str, u16)| names.contains(name) && *status == wanted;
        answers.iter().filter(is).count()
    };
    let blue = ["ann", "bob"];
    assert_eq!((count(&blue, 200), count(&blue, 429)), (10, 30));
    assert_eq!((count(&["red"], 200), count(&["red"], 429)), (10, 10));
    assert_eq!((count(&["lone"], 200), count(&["lone"], 429)), (20, 0));
    assert_eq!(upstream.exchanges().len(), 40);

    for node in &nodes {
        let admin = node.administrator().await;
        let question = json!({"key": credential("ann"), "model": "large"});
        let told = admin.post("/aisix/admin/explain", &question).await;
        let told = told.json().await;
        let limit = &told["limits"]["list"][0];
        let rate = &limit["rates"][0];
        assert_eq!(limit["policy"]["name"], "large ones", "{told}");
        assert_eq!([&rate["used"], &rate["remaining"]], [10, 0], "{told}");
        assert_eq!(told["outcome"]["status"], 429, "{told}");
    }
}
