//! `external_api`: asks a service of yours, which may stop a call or add to it.

mod answer;
mod ask;
mod settings;

use std::sync::Arc;

use aisix_core::{
    Error, ErrorKind,
    call::Call,
    config::resource::{Invalid, Mode, Stage},
    hook::{Built, Context, Next, PluginFactory, Stages, from_fn},
    reply::Reply,
};

pub use self::settings::{
    Comparison, Condition, ExternalApiSettings, FieldMap, Method, QueryParam,
};
use self::{answer::Rules, ask::Question};

/// Asks a service about each call: what it answers may stop the call with 422, or go into its body.
///
/// The service is sent the request, the caller and the model as JSON. It has `timeout`, 5 s by default, for a success and a
/// JSON object of up to 1 MiB and four times the question; redirects are not followed. Whatever else happens is a 502,
/// unless `fail_open` lets the call go on as it is, of which the access log tells. In mode `observe` it asks, and neither
/// stops nor changes anything.
///
/// It asks for every call and remembers nothing: it stands after everything that costs less, and nothing is asked again. A
/// client that leaves takes the question along.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExternalApi;

/// The hook, compiled.
struct External {
    id: String,
    question: Question,
    rules: Rules,
    fail_open: bool,
    observes: bool,
}

/// Why a call does not go on as it should.
#[derive(Debug)]
enum Refusal {
    /// The service has stopped it.
    Stopped {
        /// By which field of its answer.
        field: String,
        /// What the caller is told.
        message: String,
    },
    /// The service was of no use, in a word.
    Failed(&'static str),
}

// === impl ExternalApi ===

impl PluginFactory for ExternalApi {
    type Settings = ExternalApiSettings;

    fn name(&self) -> &'static str {
        "external_api"
    }

    fn stages(&self) -> Stages {
        Stages::OneOf(&[Stage::PreRequest])
    }

    fn observes(&self) -> bool {
        true
    }

    fn build(
        &self,
        settings: ExternalApiSettings,
        context: &Context<'_>,
    ) -> Result<Built, Vec<Invalid>> {
        let mut wrong = Vec::new();
        let question = Question::read(&settings, &mut wrong);
        let rules = Rules::read(&settings, &mut wrong);
        let Some(question) = question.filter(|_| wrong.is_empty()) else {
            return Err(wrong);
        };
        let external = Arc::new(External {
            id: context.id().to_owned(),
            question,
            rules,
            fail_open: settings.fail_open,
            observes: context.mode() == Mode::Observe,
        });
        Ok(Built::hook(from_fn(move |call: Call, next: Next| {
            external.clone().run(call, next)
        })))
    }
}

// === impl External ===

impl External {
    async fn run(self: Arc<Self>, mut call: Call, next: Next) -> Result<Reply, Error> {
        if let Err(refusal) = self.consult(&mut call).await {
            self.refuse(&call, refusal)?;
        }
        next.run(call).await
    }

    async fn consult(&self, call: &mut Call) -> Result<(), Refusal> {
        let asked = self.question.ask(call).await;
        let answer = asked.map_err(|failure| Refusal::Failed(failure.reason()))?;
        self.rules.judge(call, &answer, &self.id)?;
        match self.observes {
            true => Ok(()),
            false => self.rules.take_over(call, &answer),
        }
    }

    /// Refuses a call, or tells of it where it goes on all the same.
    fn refuse(&self, call: &Call, refusal: Refusal) -> Result<(), Error> {
        let tell = |mark, why: &str| call.trail().mark(mark, format!("{}: {why}", self.id));
        match refusal {
            Refusal::Stopped { .. } if self.observes => {
                call.trail().mark("would_refuse", self.id.as_str());
                Ok(())
            }
            Refusal::Stopped { field, message } => {
                tell("external_api_stopped", &field);
                let error = Error::new(ErrorKind::Blocked, message);
                Err(error.with_code("external_api_stopped"))
            }
            Refusal::Failed(why) if self.fail_open || self.observes => {
                tell("external_api_bypassed", why);
                Ok(())
            }
            Refusal::Failed(why) => {
                tell("external_api_unavailable", why);
                let message = "a service that this call needs is of no use now";
                Err(Error::new(ErrorKind::Transport, message).with_source(why))
            }
        }
    }
}
