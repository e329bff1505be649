//! `cache`: answers the same request with what was answered before.

mod canonical;
mod directives;
mod entry;
mod flight;
mod form;
mod keep;
mod key;
mod memory;
mod policy;
mod report;
mod semantic;
mod settings;
#[cfg(feature = "redis")]
mod shared;
mod store;
mod tape;

use std::{sync::Arc, time::Duration};

use aisix_core::{
    call::Call,
    config::resource::{Invalid, Stage},
    hook::{Built, Context, Next, PluginFactory, Stages, from_fn},
};

pub use self::settings::{CacheBackend, CacheScope, CacheSettings, SemanticSettings};
#[cfg(feature = "redis")]
pub use self::shared::{SharedCache, SharedCacheDriver};
use self::{
    flight::Flights, key::Prints, memory::Shelf, policy::Policy, semantic::Semantic, store::Store,
};

/// Answers chats, completions and embeddings with what was answered to the same request before.
///
/// It runs in `post_request`, after every hook of `pre_request`: guards before it have seen the request, and see
/// the answer on its way back, whether it is kept or new. Only answers with status 200 that have reached
/// their caller to the end are kept. A hit costs its caller a request and no tokens.
///
/// Two requests are the same when they come from the same API key (with `scope: env`, from anybody), are in the
/// same dialect, name the same model, go to the same upstream model by the same provider key with the
/// same headers that the upstream gets to see, and have the same members. The order of members, white space, and how strings
/// and numbers are written do not count, nor do `stream`, `stream_options` and what only says who asks. It
/// cannot fail: what goes wrong is a miss.
///
/// With `semantic`, a chat whose last message is like that of another, by the vectors that a model of ours makes of them, and which is the same
/// in everything else, is answered with what the other was answered. In Redis only the same is found.
///
/// With `coalesce`, calls for the same at the same time share one, which goes on as long as one of its callers waits.
/// Each is held to its own limits; the tokens are paid by the first.
///
/// Answers are kept in memory or, with `backend: redis`, in the Redis that it was made over; without one, such a cache
/// is disabled.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    #[cfg(feature = "redis")]
    shared: Option<SharedCache>,
}

// === impl Cache ===

impl Cache {
    /// The hook, without a Redis.
    pub fn new() -> Self {
        Self::default()
    }

    /// The hook with this Redis for `backend: redis`.
    #[cfg(feature = "redis")]
    pub fn over(shared: SharedCache) -> Self {
        Self {
            shared: Some(shared),
        }
    }

    #[cfg(feature = "redis")]
    fn shared(&self) -> Option<Store> {
        self.shared.clone().map(Store::Shared)
    }

    #[cfg(not(feature = "redis"))]
    #[expect(clippy::unused_self, reason = "there is no Redis")]
    fn shared(&self) -> Option<Store> {
        None
    }
}

impl PluginFactory for Cache {
    type Settings = CacheSettings;

    fn name(&self) -> &'static str {
        "cache"
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PostRequest])
    }

    fn build(&self, settings: CacheSettings, context: &Context<'_>) -> Result<Built, Vec<Invalid>> {
        if settings.max_entry_bytes > settings.max_bytes {
            let message = "must not be more than `max_bytes`";
            return Err(vec![Invalid::new("max_entry_bytes", message)]);
        }
        let shelf = context.state(Shelf::default);
        let store = match settings.backend {
            CacheBackend::Memory => Some(Store::Memory(shelf.sized(settings.max_bytes))),
            CacheBackend::Redis => self.shared(),
        };
        let name = settings.name.unwrap_or_else(|| context.id().to_owned());
        let remembered = context.state(semantic::Memory::default);
        let semantic = settings.semantic.map(|alike| {
            let memory = remembered.clone();
            Arc::new(Semantic::new(
                alike,
                name.clone(),
                settings.max_bytes,
                memory,
            ))
        });
        let policy = Arc::new(Policy {
            name,
            prints: Prints {
                identity: format!("{} {}", context.owner(), context.id()),
                scope: settings.scope,
                purge_generation: settings.purge_generation,
            },
            store,
            semantic,
            _shelves: (shelf, remembered),
            flights: settings.coalesce.then(|| context.state(Flights::default)),
            ttl: Duration::from_secs(settings.ttl_seconds),
            streaming: settings.streaming,
            max_length: usize::try_from(settings.max_entry_bytes).unwrap_or(usize::MAX),
        });
        Ok(Built::hook(from_fn(move |call: Call, next: Next| {
            policy.clone().run(call, next)
        })))
    }
}
