//! The services that guards ask, beside an upstream: they find nothing in "hi".

use aisix_core::{
    body::Body,
    testing::Upstream,
    upstream::{Sending, Transport},
};
use http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::service_fn;

/// Where they are, as far as their hooks let them be anywhere.
pub(crate) const AT: &str = "http://guard.test";

/// Reaches the services, and the upstream for everything else.
pub(crate) fn beside(upstream: &Upstream) -> impl Transport + use<> {
    let upstream = upstream.clone();
    service_fn(move |request: Request<Body>| -> Sending {
        let host = request.uri().host().unwrap_or_default();
        if host != "guard.test" && !host.ends_with(".amazonaws.com") {
            return Transport::send(&upstream, request);
        }
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let question = body.collect().await;
            let question = question.expect("the question comes whole").to_bytes();
            let answer = Body::from(harmless(head.uri.path(), &question).to_string());
            let response = Response::builder().header("content-type", "application/json");
            Ok(response.body(answer).expect("the head is good"))
        })
    })
}

/// What the service at this path says to a question when it finds nothing.
pub(crate) fn harmless(path: &str, question: &[u8]) -> Value {
    match path {
        "/guard" | "/v2/guard" => json!({"flagged": false, "breakdown": [], "payload": []}),
        "/analyze" => json!([]),
        "/contentsafety/text:analyze" => {
            let categories = ["Hate", "SelfHarm", "Sexual", "Violence"];
            let categories = categories.map(|name| json!({"category": name, "severity": 0}));
            json!({"blocklistsMatch": [], "categoriesAnalysis": categories})
        }
        "/contentsafety/text:shieldPrompt" => {
            json!({"userPromptAnalysis": {"attackDetected": false}, "documentsAnalysis": []})
        }
        "/moderations" | "/v1/moderations" => {
            let question: Value = serde_json::from_slice(question).expect("a question is JSON");
            let texts = question["input"].as_array().map_or(1, Vec::len);
            let result = json!({"flagged": false, "categories": {}, "category_scores": {}});
            json!({"results": vec![result; texts]})
        }
        _ => json!({"usage": {}, "action": "NONE", "outputs": [], "assessments": []}),
    }
}
