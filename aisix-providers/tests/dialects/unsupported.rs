//! `on_unsupported`: what is done with what a provider cannot say.

use aisix_core::testing;
use serde_json::json;

use crate::{CHAT, House, anthropic_answer, question};

fn house(on_unsupported: &str) -> House {
    let model = json!({"model_name": "claude-x", "on_unsupported": on_unsupported});
    House::with("anthropic", model)
}

#[tokio::test]
async fn all_of_it_can_be_dropped() {
    let house = house("drop");
    let mut body = question();
    body["n"] = json!(2);
    let (response, _) = house.post(CHAT, body, anthropic_answer()).await;
    assert_eq!(response.status(), 200);
    let dropped = response.headers()["x-aisix-dropped-params"]
        .to_str()
        .unwrap();
    let mut dropped: Vec<_> = dropped.split(", ").collect();
    dropped.sort_unstable();
    assert_eq!(dropped, ["n", "seed"]);
}

#[tokio::test]
async fn all_of_it_can_be_refused() {
    let house = house("refuse");
    let (response, _) = house.post(CHAT, question(), anthropic_answer()).await;
    assert_eq!(response.status(), 400);
    assert_eq!(testing::json(response).await["error"]["param"], "seed");
    assert!(house.upstream.requests().is_empty());
}

#[tokio::test]
async fn the_list_of_what_was_dropped_is_short() {
    let house = house("drop");
    let mut body = question();
    for number in 0..200 {
        body[format!("{}_{number}", "x".repeat(100))] = json!(1);
    }
    let (response, _) = house.post(CHAT, body, anthropic_answer()).await;
    assert_eq!(response.status(), 200);
    let dropped = &response.headers()["x-aisix-dropped-params"];
    assert!(
        (1_900..=2_048).contains(&dropped.len()),
        "{}",
        dropped.len()
    );
}
