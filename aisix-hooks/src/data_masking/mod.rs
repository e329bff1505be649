//! `data_masking`: writes something else in the place of entities, keywords and whatever matches expressions.

mod masks;
mod settings;
mod tokens;

use std::sync::Arc;

use aisix_core::{
    Error,
    call::{Call, Trail},
    config::resource::{Invalid, Stage},
    hook::{Built, Context, Next, PluginFactory, Stages, from_fn},
    observe::Phase,
    reply::Reply,
    wire::Dialect,
};

pub use self::settings::{
    DataMaskingSettings, MaskingRule, MaskingRuleKind, PredefinedEntity, ReversibleHashing,
};
use self::{
    masks::Masks,
    tokens::{Restoring, Tokens},
};
use crate::{
    edit::{
        self,
        hold::{Hold, MAX_HELD},
        stream,
    },
    guard::{Enforcement, Identity},
};

/// What metrics call its kind.
const KIND: &str = "data_masking";

/// Writes something else in the place of some 50 known entities, of keywords with few typing mistakes, and of whatever matches
/// expressions: in requests at the stage `pre_request`, in answers at `pre_response` and `post_response`.
///
/// It looks at what is said, what tools are called with and what they answer, in every dialect; every other byte stays as
/// it came. With `reversible_hashing`, requests get tokens that are turned back into the values in the answer to the same
/// call, and only there: what stands for what is kept no longer than the call. Of a stream it holds back no more than what
/// could still be a part of something that it looks for, as far as 262144 bytes of events; what is more, or cannot be read,
/// is refused with 422. It asks nobody. It should stand before whatever must not see the values.
#[derive(Clone, Copy, Debug)]
pub struct DataMasking;

/// The hook, compiled.
struct Masking {
    identity: Identity,
    masks: Arc<Masks>,
    tokens: Option<Tokens>,
    is_response: bool,
}

// === impl DataMasking ===

impl PluginFactory for DataMasking {
    type Settings = DataMaskingSettings;

    fn name(&self) -> &'static str {
        "data_masking"
    }

    fn stages(&self) -> Stages {
        Stages::OneOf(&[Stage::PreRequest, Stage::PreResponse, Stage::PostResponse])
    }

    fn observes(&self) -> bool {
        true
    }

    fn build(
        &self,
        settings: DataMaskingSettings,
        context: &Context<'_>,
    ) -> Result<Built, Vec<Invalid>> {
        let masking = Arc::new(Masking {
            identity: Identity::new(KIND, None, Enforcement::Block, context),
            masks: Arc::new(settings.compile()?),
            tokens: settings.secret()?.map(Tokens::new),
            is_response: context.stage().is_some_and(Stage::is_response),
        });
        Ok(Built::hook(from_fn(move |call: Call, next: Next| {
            masking.clone().run(call, next)
        })))
    }
}

// === impl Masking ===

impl Masking {
    async fn run(self: Arc<Self>, mut call: Call, next: Next) -> Result<Reply, Error> {
        let dialect = call.inbound.operation.dialect;
        let trail = call.trail().clone();
        match (&self.tokens, self.is_response) {
            (None, false) => {
                let report = self.identity.look(&trail, Phase::Input);
                edit::request(&*self.masks, report, &mut call)?;
                next.run(call).await
            }
            (Some(tokens), false) => {
                let hiding = tokens.hiding(self.masks.clone());
                let report = self.identity.look(&trail, Phase::Input);
                edit::request(&hiding, report, &mut call)?;
                let restoring = tokens.restoring(hiding);
                let reply = next.run(call).await?;
                Ok(match restoring.filter(|_| !self.identity.monitors()) {
                    Some(restoring) => self.restore(reply, restoring, dialect, trail),
                    None => reply,
                })
            }
            (None, true) => {
                let reply = next.run(call).await?;
                self.answer(reply, dialect, trail)
            }
            // What the request's element turns back must not be masked again.
            (Some(_), true) => next.run(call).await,
        }
    }

    fn answer(&self, reply: Reply, dialect: Dialect, trail: Trail) -> Result<Reply, Error> {
        if !reply.status().is_success() {
            return Ok(reply);
        }
        if !reply.is_event_stream() {
            let report = self.identity.look(&trail, Phase::Output);
            return edit::answer(&*self.masks, report, reply, dialect);
        }
        let (editor, identity) = (self.masks.clone(), self.identity.clone());
        let ending = reply.ending(dialect);
        Ok(reply
            .map_events(|events| stream::told(events, editor, MAX_HELD, ending, identity, trail)))
    }

    fn restore(&self, reply: Reply, restoring: Restoring, dialect: Dialect, trail: Trail) -> Reply {
        if !reply.is_event_stream() {
            return edit::edit_answer(&restoring, reply, dialect);
        }
        let identity = self.identity.clone();
        let ending = reply.ending(dialect);
        reply.map_events(|events| {
            let hold = Hold::new(Arc::new(restoring), dialect, MAX_HELD);
            let told = trail.clone();
            // That values come back is nothing to tell.
            stream::guarded(events, hold, ending, trail, move |looked| {
                match looked.seen {
                    Ok(()) => Ok(()),
                    Err(_) => looked.tell(&identity, &told),
                }
            })
        })
    }
}
