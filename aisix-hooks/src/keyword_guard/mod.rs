//! `keyword_guard`: refuses words in requests and answers.

mod guard;
pub(crate) mod pattern;
mod settings;
mod window;

use std::sync::Arc;

use aisix_core::{
    call::Call,
    config::resource::{Invalid, Stage},
    hook::{Built, Context, Next, PluginFactory, Stages, from_fn},
};

pub use self::settings::{KeywordGuardSettings, KeywordOnStream, Pattern, PatternKind};
use self::{guard::Guard, pattern::Patterns};
use crate::guard::Identity;

/// What metrics call its kind.
const KIND: &str = "keyword";

/// Refuses requests and answers in which one of its patterns occurs, with 422 and the type `content_filter`.
///
/// It looks at what is said, what tools are called with and what they answer, in every dialect; a match lies in
/// one text. Answers that have begun as a stream end with an error event. Of a stream it holds back no
/// more than what could still become a match, as far as 262144 bytes of events; what is more, or cannot
/// be read, is refused. With windows it holds back less, and misses matches that are longer than
/// their overlap. It should stand before hooks that cost more, such as those that ask a service.
#[derive(Clone, Copy, Debug)]
pub struct KeywordGuard;

// === impl KeywordGuard ===

impl PluginFactory for KeywordGuard {
    type Settings = KeywordGuardSettings;

    fn name(&self) -> &'static str {
        "keyword_guard"
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PreRequest, Stage::PreResponse])
    }

    fn observes(&self) -> bool {
        true
    }

    fn build(
        &self,
        settings: KeywordGuardSettings,
        context: &Context<'_>,
    ) -> Result<Built, Vec<Invalid>> {
        let (patterns, window) = settings.read()?;
        let patterns = Patterns::compile(&patterns)
            .map_err(|_| vec![Invalid::new("patterns", "take too much memory together")])?;
        let guard = Arc::new(Guard {
            identity: Identity::new(
                KIND,
                settings.name.as_deref(),
                settings.enforcement_mode,
                context,
            ),
            patterns: Arc::new(patterns),
            point: settings.hook_point,
            on_stream: settings.on_stream,
            window,
        });
        Ok(Built::hook(from_fn(move |call: Call, next: Next| {
            guard.clone().run(call, next)
        })))
    }
}
