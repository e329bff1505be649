//! One gateway before one provider, and the cells of its row.

use std::{fmt, panic::AssertUnwindSafe};

use aisix_tests::{
    client::{Client, Response},
    gateway::{self, Gateway, Setup},
    upstream::{self, Exchange, Flavour, Script, Upstream},
};
use futures_util::FutureExt;
use serde_json::{Value, json};

use crate::{
    caller::{self, Caller},
    provider::{Provider, Speech},
    said::{Heard, Question, Said, Told},
};

/// The model that every question asks.
pub(crate) const MODEL: &str = "table";
/// The same, without patience for silence in a stream.
pub(crate) const HASTY: &str = "hasty";

pub(crate) struct House {
    upstream: Upstream,
    gateway: Gateway,
}

/// What a caller was told instead of an answer.
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) told: Told,
    pub(crate) retry_after: Option<String>,
}

/// One caller at one provider.
pub(crate) struct Cell<'a> {
    pub(crate) provider: &'a Provider,
    pub(crate) caller: &'a dyn Caller,
    pub(crate) upstream: &'a Upstream,
    pub(crate) gateway: &'a Gateway,
}

/// Runs one behaviour for every caller, and names those for whom it fails.
pub(crate) async fn run(provider: &Provider, behaviour: impl AsyncFn(&Cell<'_>)) {
    let house = House::of(provider).await;
    let mut failed = Vec::new();
    for caller in caller::ALL {
        let cell = Cell {
            provider,
            caller: *caller,
            upstream: &house.upstream,
            gateway: &house.gateway,
        };
        let ended = AssertUnwindSafe(behaviour(&cell)).catch_unwind().await;
        if ended.is_err() {
            failed.push(caller.name());
        }
    }
    assert!(
        failed.is_empty(),
        "{} fails its callers {failed:?}, see above",
        provider.name
    );
}

// === impl House ===

impl House {
    pub(crate) async fn of(provider: &Provider) -> Self {
        let upstream = Upstream::start(provider.flavour).await;
        let setup = match provider.name {
            "compatible" => {
                let at = json!({"api_base": upstream.base_url(), "api_key": upstream::KEY});
                Setup::new().provider_named("house", at)
            }
            _ => Setup::new().provider(&upstream),
        };
        let setup = setup.model(MODEL, json!({"model_name": provider.model}));
        let hasty = json!({"model_name": provider.model, "stream_timeout": 200});
        let setup = setup.model(HASTY, hasty);
        // Each fault is to be seen, and not mended by another attempt.
        let setup = setup.config(json!({"upstream": {"retries": 0}}));
        let gateway = Gateway::start(setup).await;
        Self { upstream, gateway }
    }
}

// === impl Cell ===

impl Cell<'_> {
    /// Whether the caller speaks the provider's dialect, so that bytes pass as they are.
    pub(crate) fn is_verbatim(&self) -> bool {
        match self.provider.flavour {
            Flavour::Anthropic => self.caller.name() == "messages",
            Flavour::Gemini => self.caller.name() == "gemini",
            _ => {
                self.caller.name() == "chat"
                    || self.provider.name == "openai" && self.caller.name() == "responses"
            }
        }
    }

    /// Lets the model say this from now on.
    pub(crate) fn says(&self, speech: Speech) {
        self.replies((self.provider.script)(speech));
    }

    pub(crate) fn replies(&self, script: impl Into<Script>) {
        self.upstream.on(self.provider.model, script);
    }

    pub(crate) fn client(&self) -> Client {
        self.caller
            .with_key(Client::anonymous(self.gateway.proxy()), gateway::KEY)
    }

    pub(crate) async fn send(&self, question: &Question) -> Response {
        let body = self.caller.body(question);
        self.client().post(&self.caller.path(question), &body).await
    }

    /// Asks, in one piece or streamed as the question says, and reads a good answer.
    pub(crate) async fn ask(&self, question: &Question) -> Said {
        if question.streamed {
            let heard = self.hear(question).await;
            assert_eq!(heard.broken, None, "{self}");
            return heard.said;
        }
        let response = self.send(question).await;
        let (status, answer) = (response.status, response.json().await);
        assert_eq!(status, 200, "{self}: {answer}\n{}", self.trace());
        let said = self.caller.whole(&answer);
        said.unwrap_or_else(|wrong| panic!("{self}: {wrong}\n{answer}"))
    }

    /// Asks for a stream and reads it, however it ends.
    pub(crate) async fn hear(&self, question: &Question) -> Heard {
        let question = Question {
            streamed: true,
            ..question.clone()
        };
        let response = self.send(&question).await;
        let (status, stream) = (response.status, response.text().await);
        assert_eq!(status, 200, "{self}: {stream}\n{}", self.trace());
        let heard = self.caller.stream(&stream, question.counted);
        heard.unwrap_or_else(|wrong| panic!("{self}: {wrong}\n{stream}"))
    }

    /// Asks what is refused.
    pub(crate) async fn refused(&self, question: &Question) -> Refused {
        let response = self.send(question).await;
        let status = response.status.as_u16();
        let retry_after = response.header("retry-after").map(str::to_owned);
        let answer = response.json().await;
        let told = self.caller.refusal(status, &answer);
        let told = told.unwrap_or_else(|wrong| panic!("{self}: {wrong}\n{answer}"));
        Refused {
            status,
            told,
            retry_after,
        }
    }

    /// The latest exchange at the provider.
    pub(crate) fn exchange(&self) -> Exchange {
        self.upstream
            .exchanges()
            .pop()
            .expect("something was sent upstream")
    }

    /// What the provider got last, for who reads a failure.
    fn trace(&self) -> String {
        let last = self.upstream.exchanges().pop();
        let last =
            last.map(|exchange| String::from_utf8_lossy(&exchange.request.body).into_owned());
        format!("the provider got {}", last.as_deref().unwrap_or("nothing"))
    }

    /// The latest body that the provider got.
    pub(crate) fn sent(&self) -> Value {
        self.exchange().request.json()
    }
}

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.caller.name(), self.provider.name)
    }
}
