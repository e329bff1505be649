//! The services that guards ask, beside an upstream: they find nothing in "hi".

use aisix_core::{
    BoxError,
    body::Body,
    testing::Upstream,
    upstream::{Sending, Transport},
};
use http::{Request, Response};
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
        let answer = Body::from(harmless(request.uri().path()).to_string());
        let response = Response::builder().header("content-type", "application/json");
        let response = response.body(answer).map_err(BoxError::from);
        Box::pin(std::future::ready(Ok(response.expect("the head is good"))))
    })
}

/// What the service at this path says when it finds nothing.
pub(crate) fn harmless(path: &str) -> Value {
    let severity = |category: &str| json!({"category": category, "severity": 0});
    match path {
        "/guard" | "/v2/guard" => json!({"flagged": false, "breakdown": [], "payload": []}),
        "/analyze" => json!([]),
        "/contentsafety/text:analyze" => {
            let all = ["Hate", "Sexual", "SelfHarm", "Violence"].map(severity);
            json!({"blocklistsMatch": [], "categoriesAnalysis": all})
        }
        "/contentsafety/text:shieldPrompt" => {
            json!({"userPromptAnalysis": {"attackDetected": false}, "documentsAnalysis": []})
        }
        "/moderations" | "/v1/moderations" => {
            json!({"results": [{"flagged": false, "categories": {}, "category_scores": {}}]})
        }
        _ => json!({"usage": {}, "action": "NONE", "outputs": [], "assessments": []}),
    }
}
