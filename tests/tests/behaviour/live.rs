//! The real providers, by choice: the tests `…_by_choice` do nothing unless `AISIX_TEST_LIVE=1` is set.
//!
//! With it each needs its key in the environment (`OPENAI_API_KEY`, `ANTHROPIC_API_KEY`, `GEMINI_API_KEY`,
//! `DEEPSEEK_API_KEY`) and fails without. `AISIX_TEST_OPENAI_MODEL` and the like name another model. A provider
//! is asked for short answers, one after the other, and at most [`CALLS`] times.

use std::{cell::Cell as Counter, env};

use aisix_tests::{
    client::Client,
    gateway::{self, Gateway, Setup},
    upstream::{Script, Upstream},
};
use serde_json::{Value, json};

use crate::{
    caller::{Caller, Chat, Messages},
    house::MODEL,
    images::PIXEL,
    provider::{self, Provider, Speech},
    said::{Heard, Piece, Question, Said, Stop, Turn},
};

/// How often one provider is asked at most.
const CALLS: usize = 20;
/// How long its answers may be, thoughts included.
const LIMIT: u64 = 3000;

/// One real provider.
struct Live {
    name: &'static str,
    /// What its variables are called.
    prefix: &'static str,
    model: &'static str,
    sees: bool,
}

const OPENAI: Live = Live {
    name: "openai",
    prefix: "OPENAI",
    model: "gpt-5-mini",
    sees: true,
};
const ANTHROPIC: Live = Live {
    name: "anthropic",
    prefix: "ANTHROPIC",
    model: "claude-haiku-4-5",
    sees: true,
};
const GEMINI: Live = Live {
    name: "gemini",
    prefix: "GEMINI",
    model: "gemini-3-flash-preview",
    sees: true,
};
const DEEPSEEK: Live = Live {
    name: "deepseek",
    prefix: "DEEPSEEK",
    model: "deepseek-v4-flash",
    sees: false,
};

/// A gateway before a provider, and how often it was asked.
struct Journey {
    gateway: Gateway,
    sees: bool,
    calls: Counter<usize>,
}

#[tokio::test]
async fn openai_by_choice() {
    by_choice(&OPENAI).await;
}

#[tokio::test]
async fn anthropic_by_choice() {
    by_choice(&ANTHROPIC).await;
}

#[tokio::test]
async fn gemini_by_choice() {
    by_choice(&GEMINI).await;
}

#[tokio::test]
async fn deepseek_by_choice() {
    by_choice(&DEEPSEEK).await;
}

/// What keeps the tests above from rotting: the same journey, to the scripted providers.
#[tokio::test]
async fn the_journey_can_be_made() {
    let rows = [
        (&provider::OPENAI, true),
        (&provider::ANTHROPIC, true),
        (&provider::GEMINI, true),
        (&provider::DEEPSEEK, false),
    ];
    for (row, sees) in rows {
        let upstream = Upstream::start(row.flavour).await;
        upstream.on(row.model, sensible(row));
        let setup = Setup::new().provider(&upstream);
        let setup = setup.model(MODEL, json!({"model_name": row.model}));
        Journey::start(setup, sees).await.make().await;
    }
}

/// Answers what is asked for.
fn sensible(row: &Provider) -> Script {
    let script = row.script;
    Script::new(move |request| {
        let asked = request.json();
        let said = asked.to_string();
        let speech = match () {
            () if said.contains("result of weather") => Speech::text(&["It is ", "sunny"]),
            () if !asked["tools"].is_null() => {
                Speech::calling(&[("weather", &["{\"city\":", "\"Paris\"}"])])
            }
            () if said.contains("\"surname\"") || said.contains("\\\"surname\\\"") => {
                Speech::text(&["{\"surname\":", "\"Lovelace\"}"])
            }
            () => Speech::text(&["four"]),
        };
        script(speech).reply_to(request)
    })
}

async fn by_choice(live: &Live) {
    if env::var("AISIX_TEST_LIVE").as_deref() != Ok("1") {
        return;
    }
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let key = format!("{}_API_KEY", live.prefix);
    let key = variable(&key).unwrap_or_else(|| panic!("AISIX_TEST_LIVE needs {key}"));
    let model = variable(&format!("AISIX_TEST_{}_MODEL", live.prefix));
    let model = model.unwrap_or_else(|| live.model.to_owned());
    let mut setup = Setup::new().provider_named(live.name, json!({"api_key": key}));
    setup = setup.model(MODEL, json!({"model_name": model}));
    // The way out of this network, if it takes another one than most.
    for name in [
        "HTTPS_PROXY",
        "https_proxy",
        "NO_PROXY",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ] {
        if let Some(value) = variable(name) {
            setup = setup.env(name, &value);
        }
    }
    Journey::start(setup, live.sees).await.make().await;
}

// === impl Journey ===

impl Journey {
    async fn start(setup: Setup, sees: bool) -> Self {
        let gateway = Gateway::start(setup).await;
        Self {
            gateway,
            sees,
            calls: Counter::new(0),
        }
    }

    /// Everything once, as a caller of chats and as one of messages.
    async fn make(self) {
        let callers: [&dyn Caller; 2] = [&Chat, &Messages];
        for caller in callers {
            self.chat(caller).await;
            self.tools(caller).await;
            self.form(caller).await;
            if self.sees {
                self.image(caller).await;
            }
        }
    }

    /// Whole, streamed and thinking; each tells what was used.
    async fn chat(&self, caller: &dyn Caller) {
        for (streamed, thinks) in [(false, false), (true, false), (true, true)] {
            let question = Question {
                streamed,
                thinks,
                ..Question::new("How much is 2 + 2? Answer with one word.")
            };
            let said = self.ask(caller, question).await;
            let name = caller.name();
            assert!(
                !said.text.is_empty() && said.stop == Some(Stop::End),
                "{name}: {said:?}"
            );
            let tokens = said.tokens.expect("it was asked for");
            assert!(tokens.input > 0 && tokens.output > 0, "{name}: {said:?}");
        }
    }

    async fn tools(&self, caller: &dyn Caller) {
        let question = Question::new("Call the tool weather for Paris, then say what it told you.")
            .with_tools();
        let said = self.ask(caller, question.clone()).await;
        let call = said
            .calls
            .first()
            .unwrap_or_else(|| panic!("no call: {said:?}"));
        assert_eq!(
            (call.name.as_str(), said.stop),
            ("weather", Some(Stop::Calls)),
            "{said:?}"
        );
        assert!(call.arguments["city"].is_string(), "{said:?}");
        let question = Question {
            streamed: true,
            ..question.and_results(&said)
        };
        let said = self.ask(caller, question).await;
        assert!(!said.text.is_empty(), "{said:?}");
    }

    async fn form(&self, caller: &dyn Caller) {
        let schema = json!({"type": "object", "properties": {"surname": {"type": "string"}}, "required": ["surname"], "additionalProperties": false});
        let question = Question {
            schema: Some(schema),
            ..Question::new("Who was Ada, the first programmer? Her surname as JSON.")
        };
        let said = self.ask(caller, question).await;
        let answer: Value =
            serde_json::from_str(&said.text).unwrap_or_else(|error| panic!("{error}: {said:?}"));
        assert!(answer["surname"].is_string(), "{answer}");
    }

    async fn image(&self, caller: &dyn Caller) {
        let mut question = Question::new("");
        let picture = Piece::Picture("image/png", PIXEL.to_owned());
        question.turns = vec![Turn::User(vec![
            Piece::Text("Is this a picture? One word.".to_owned()),
            picture,
        ])];
        let said = self.ask(caller, question).await;
        assert!(!said.text.is_empty(), "{said:?}");
    }

    async fn ask(&self, caller: &dyn Caller, question: Question) -> Said {
        self.calls.set(self.calls.get() + 1);
        assert!(self.calls.get() <= CALLS, "more than {CALLS} calls");
        let question = Question {
            limit: Some(LIMIT),
            ..question
        };
        let client = caller.with_key(Client::anonymous(self.gateway.proxy()), gateway::KEY);
        let response = client
            .post(&caller.path(&question), &caller.body(&question))
            .await;
        let (status, answer) = (response.status, response.text().await);
        assert_eq!(status, 200, "{}: {answer}", caller.name());
        let said = match question.streamed {
            true => caller
                .stream(&answer, question.counted)
                .and_then(|heard| match heard {
                    Heard { said, broken: None } => Ok(said),
                    Heard { broken, .. } => Err(format!("{broken:?}")),
                }),
            false => caller.whole(&serde_json::from_str(&answer).expect("the answer is JSON")),
        };
        said.unwrap_or_else(|wrong| panic!("{}: {wrong}\n{answer}", caller.name()))
    }
}
