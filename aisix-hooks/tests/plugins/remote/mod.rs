//! Guards that ask a service, in front of a scripted upstream and a scripted service.

mod azure_prompt_shield;
mod azure_text_moderation;
mod bedrock;
mod driver;
mod every;
mod lakera;
mod openai_moderation;
mod presidio;
mod rows;
mod streams;

use std::sync::{Arc, Mutex};

use aisix_core::{
    Gateway,
    body::Body,
    call::Trail,
    observe::Observer,
    reply::Outcome,
    testing::{Answer, Exchange, Recorded, Setup, Upstream},
    upstream::Transport,
};
use http::Request;
use serde_json::{Value, json};

/// The hosts of services.
const HOSTS: [&str; 2] = ["guard.test", "bedrock-runtime.eu-west-1.amazonaws.com"];

/// A gateway with one guard, its upstream, the service that the guard asks, and what calls were marked with.
pub(crate) struct Peers {
    pub(crate) gateway: Gateway,
    pub(crate) upstream: Upstream,
    pub(crate) service: Upstream,
    marks: Marks,
}

#[derive(Clone, Default)]
struct Marks(Arc<Mutex<Vec<(&'static str, String)>>>);

impl Observer for Marks {
    fn ended(&self, trail: &Trail, _: &Outcome<'_>) {
        self.0.lock().unwrap().extend(trail.marks());
    }
}

/// An element of a chain: defaults, and other settings over them.
fn element(name: &str, defaults: Value, settings: Value) -> Value {
    let mut merged = defaults;
    for (name, value) in settings.as_object().unwrap() {
        merged[name] = value.clone();
    }
    json!({"name": name, "settings": merged})
}

impl Peers {
    pub(crate) fn new(element: Value) -> Self {
        Self::with(Setup::new().model(json!({"plugins": [element]})))
    }

    /// A gateway that guards by what this setup says.
    pub(crate) fn with(setup: Setup) -> Self {
        let (upstream, service) = (Upstream::new(), Upstream::new());
        let marks = Marks::default();
        let peers = (upstream.clone(), service.clone());
        let transport = tower::service_fn(move |request: Request<Body>| {
            let host = request.uri().host().unwrap_or_default();
            let to_service = HOSTS.contains(&host);
            Transport::send(if to_service { &peers.1 } else { &peers.0 }, request)
        });
        let config = setup.hooks(aisix_hooks::hooks()).config();
        let builder = Gateway::builder(config).transport(transport);
        Self {
            gateway: builder.observe(marks.clone()).build().unwrap(),
            upstream,
            service,
            marks,
        }
    }

    /// The service answers with this.
    pub(crate) fn says(&self, answer: &Value) -> Exchange {
        self.service.answer(Answer::json(200, answer))
    }

    /// The one question that there was.
    pub(crate) fn question(&self) -> Arc<Recorded> {
        let questions = self.service.requests();
        assert_eq!(questions.len(), 1);
        questions[0].clone()
    }

    /// The mark of this name, if there is one, of the calls that have ended.
    pub(crate) fn mark(&self, name: &str) -> Option<String> {
        let marks = self.marks.0.lock().unwrap();
        let mut marks = marks.iter().filter(|(known, _)| *known == name);
        marks.next().map(|(_, value)| value.clone())
    }
}

/// Checks everything about a question.
fn assert_asked(question: &Recorded, url: &str, headers: &[(&str, &str)], body: &Value) {
    assert_eq!(question.head.method, "POST");
    assert_eq!(question.head.uri.to_string(), url);
    for name in ["content-type", "accept"] {
        assert_eq!(question.header(name), Some("application/json"), "{name}");
    }
    for (name, value) in headers {
        assert_eq!(question.header(name), Some(*value), "{name}");
    }
    assert_eq!(question.head.headers.len(), headers.len() + 2);
    assert_eq!(question.json(), *body);
}
