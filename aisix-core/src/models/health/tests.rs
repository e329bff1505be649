use serde_json::json;

use super::*;
use crate::{
    config::{Change, Config, Entry, Kind},
    testing::Plain,
    upstream::Registry,
};

#[test]
fn a_model_is_well_unless_nobody_can_serve_it() {
    let providers = Registry::new().provider(Plain);
    let config = Config::builder().providers(providers).build();
    let model = |name: &str, provider: &str, key: &str| {
        let document = json!({"display_name": name, "provider": provider,
            "model_name": "m", "provider_key_id": key});
        Entry::new(Kind::Model, name, document)
    };
    let group = |name: &str, targets: &[&str]| {
        let targets = targets.iter().map(|name| json!({"model": name}));
        let targets: Vec<_> = targets.collect();
        let document = json!({"display_name": name, "routing": {"targets": targets}});
        Entry::new(Kind::Model, name, document)
    };
    let key = json!({"display_name": "key", "api_key": "sk-secret"});
    config.apply([Change::Reset(vec![
        model("a", "plain", "key"),
        model("b", "nobody", "key"),
        model("c*", "plain", "another"),
        group("d", &["b", "a", "c-1", "absent"]),
        group("e", &["absent"]),
        Entry::new(Kind::ProviderKey, "key", key),
    ])]);
    assert_eq!(
        to_json(&config.current()),
        json!([
            {"id": "a", "display_name": "a", "kind": "direct", "status": "healthy", "in_flight": 0},
            {"id": "b", "display_name": "b", "kind": "direct", "status": "unhealthy",
                "status_reason": "no provider \"nobody\" can serve this model"},
            {"id": "c*", "display_name": "c*", "kind": "direct", "status": "unhealthy",
                "status_reason": "model \"c*\" has no provider key"},
            {"id": "d", "display_name": "d", "kind": "routing", "status": "not_applicable",
                "targets": [{"model": "b", "status": "unhealthy"},
                    {"model": "a", "status": "healthy"}, {"model": "c-1", "status": "unhealthy"}]},
            {"id": "e", "display_name": "e", "kind": "routing", "status": "not_applicable",
                "status_reason": "none of the models exists that it stands for"},
        ])
    );
    let grades: Vec<_> = all(&config.current()).map(|health| health.grade).collect();
    let (well, down) = (Grade::Well, Grade::Down);
    assert_eq!(grades, [well, down, down, well, down]);
}
