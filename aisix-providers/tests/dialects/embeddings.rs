//! Embeddings in OpenAI's dialect, made by Gemini.

use aisix_core::testing::{self, Answer, MODEL};
use serde_json::{Value, json};

use crate::House;

const PATH: &str = "/v1/embeddings";

fn vectors() -> Answer {
    let body = json!({"embeddings": [{"values": [0.5, -0.25]}, {"values": [1, 0]}]});
    Answer::json(200, &body)
}

#[tokio::test]
async fn a_list_becomes_a_batch_and_its_vectors_a_list() {
    let house = House::of("gemini", "embedding-x");
    let asked = json!({"input": ["a", "b"], "dimensions": 2, "encoding_format": "float"});
    let (response, mut exchange) = house.post(PATH, asked, vectors()).await;
    let sent = exchange.request().await;
    let base = "https://generativelanguage.googleapis.com/v1beta/models/embedding-x";
    assert_eq!(
        sent.head.uri.to_string(),
        format!("{base}:batchEmbedContents")
    );
    let expected = |text: &str| json!({"model": "models/embedding-x", "content": {"parts": [{"text": text}]}, "outputDimensionality": 2});
    assert_eq!(
        sent.json()["requests"],
        json!([expected("a"), expected("b")])
    );
    assert_eq!(response.headers()["x-aisix-fidelity"], "translated");
    let answer = testing::json(response).await;
    assert_eq!(answer["object"], "list");
    assert_eq!(answer["model"], MODEL);
    assert_eq!(answer["data"][1]["index"], 1);
    assert_eq!(answer["data"][0]["embedding"], json!([0.5, -0.25]));
}

#[tokio::test]
async fn base64_is_packed_floats() {
    let house = House::of("gemini", "embedding-x");
    let asked = json!({"input": "a", "encoding_format": "base64"});
    let (response, _) = house.post(PATH, asked, vectors()).await;
    let answer = testing::json(response).await;
    // 0.5 and -0.25 as little-endian 32-bit floats.
    assert_eq!(answer["data"][0]["embedding"], "AAAAPwAAgL4=");
}

#[tokio::test]
async fn token_numbers_mean_nothing_to_gemini() {
    let house = House::of("gemini", "embedding-x");
    let (response, _) = house.post(PATH, json!({"input": [1, 2]}), vectors()).await;
    assert_eq!(response.status(), 400);
    let error: Value = testing::json(response).await;
    assert_eq!(error["error"]["param"], "input", "{error}");
    assert!(house.upstream.requests().is_empty());
}
