//! Models that stand for others.

mod affinity;
mod capacity;
mod checks;
mod choice;
mod continued;
mod dialects;
mod ensemble;
mod failover;
mod faults;
mod health;
mod hedging;
mod limits;
mod seen;
mod semantic;
mod takeover;

use aisix_core::{
    config::Kind,
    testing::{Setup, Upstream},
};
use http::Response;
use serde_json::{Value, json};

use crate::ask::*;

/// The model that routes.
pub(crate) const GROUP: &str = "group";

/// A gateway's setup with a group of the models `a`, `b` and `c`, whose names upstream are `up-a`, `up-b` and `up-c`.
pub(crate) fn setup(routing: Value) -> Setup {
    setup_with(routing, |_| json!({}))
}

/// The same, with members added to the models.
pub(crate) fn setup_with(routing: Value, members: impl Fn(&str) -> Value) -> Setup {
    let mut routing = routing;
    if routing.get("targets").is_none() {
        routing["targets"] = json!([{"model": "a"}, {"model": "b"}, {"model": "c"}]);
    }
    let group = json!({"display_name": GROUP, "routing": routing});
    let mut setup = Setup::new();
    for name in ["a", "b", "c"] {
        let mut model = json!({"display_name": name, "provider": "plain",
            "model_name": format!("up-{name}"), "provider_key_id": "key"});
        let members = members(name);
        model
            .as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        setup = setup.add(Kind::Model, name, model);
    }
    setup.add(Kind::Model, GROUP, group)
}

/// The targets that were asked, in order.
pub(crate) fn asked(upstream: &Upstream) -> Vec<String> {
    let requests = upstream.requests();
    let models = requests.iter().map(|request| {
        let model = request.json()["model"].clone();
        model.as_str().unwrap().trim_start_matches("up-").to_owned()
    });
    models.collect()
}

/// A chat with the group.
pub(crate) fn ask_group() -> http::Request<aisix_core::body::Body> {
    ask_group_with(&json!({}))
}

pub(crate) fn ask_group_with(members: &Value) -> http::Request<aisix_core::body::Body> {
    let mut members = members.clone();
    members["model"] = json!(GROUP);
    aisix_core::testing::request(CHAT, chat_body(&members))
}

/// A header of an answer.
pub(crate) fn header<'r>(response: &'r Response<aisix_core::body::Body>, name: &str) -> &'r str {
    response
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

/// How many attempts are under way, at whatever model.
fn under_way(config: &aisix_core::config::Config) -> u32 {
    let config = config.current();
    let counts = aisix_core::models::health::all(&config).filter_map(|health| health.in_flight);
    counts.sum()
}
