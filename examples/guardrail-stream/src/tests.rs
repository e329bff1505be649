use aisix_core::{
    hook::from_fn,
    testing::{Answer, Setup, Upstream, request, text},
};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{gateway, guard};

/// What a caller reads of a stream with these pieces.
async fn read(pieces: &[&str]) -> String {
    let upstream = Upstream::new();
    let answer = pieces
        .iter()
        .fold(Answer::stream(), |answer, piece| answer.content(piece));
    upstream.answer(answer.finish().done());
    let builder = Setup::new().builder(&upstream).hook(from_fn(guard));
    let body = json!({"model": "test-model", "stream": true,
        "messages": [{"role": "user", "content": "hi"}]});
    let asked = request("/v1/chat/completions", body.to_string());
    let response = builder.build().unwrap().oneshot(asked).await.unwrap();
    let body = text(response).await;
    assert!(body.ends_with("data: [DONE]\n\n"), "{body}");
    let chunks = body.lines().filter_map(|line| line.strip_prefix("data: {"));
    let chunks = chunks.map(|rest| serde_json::from_str::<Value>(&format!("{{{rest}")).unwrap());
    let content = |chunk: Value| {
        let content = chunk["choices"][0]["delta"]["content"].as_str();
        content.unwrap_or_default().to_owned()
    };
    chunks.map(content).collect()
}

#[tokio::test]
async fn the_word_is_hidden_wherever_it_is_cut() {
    let whole = "It is Swordfish, not swordswordfish or sword.";
    let hidden = "It is *********, not sword********* or sword.";
    assert_eq!(read(&[whole]).await, hidden);
    for cut in 0..=whole.len() {
        assert_eq!(read(&[&whole[..cut], &whole[cut..]]).await, hidden, "{cut}");
    }
    let letters: Vec<_> = whole.split_inclusive(|_| true).collect();
    assert_eq!(read(&letters).await, hidden);
}

#[tokio::test]
async fn what_only_looked_like_the_word_is_not_lost() {
    assert_eq!(read(&["Bring the swordf"]).await, "Bring the swordf");
    assert_eq!(
        read(&["Fünf Schwerter: sword", "ß"]).await,
        "Fünf Schwerter: swordß"
    );
}

#[test]
fn the_gateway_can_be_built() {
    assert!(gateway().is_ok());
}
