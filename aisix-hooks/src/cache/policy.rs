//! What happens to a call.

use std::{sync::Arc, time::Duration};

use aisix_core::{
    Error,
    call::Call,
    hook::Next,
    reply::Reply,
    wire::{Dialect, Form as Work},
};
use http::StatusCode;

use super::{
    directives::Directives,
    entry::Entry,
    flight::Flights,
    form::Form,
    keep::Keeper,
    key::{Fingerprint, Key, Prints},
    memory::Shelf,
    report::{Layer, Status},
    semantic::{self, Look, Semantic},
    store::Store,
};

/// The cache, compiled.
pub(super) struct Policy {
    pub(super) name: String,
    pub(super) prints: Prints,
    /// `None` when there is nowhere to keep answers.
    pub(super) store: Option<Store>,
    /// Finds calls that are alike, if that is wanted.
    pub(super) semantic: Option<Arc<Semantic>>,
    /// Keeps what is in memory for the policy that comes after this one.
    pub(super) _shelves: (Arc<Shelf>, Arc<semantic::Memory>),
    /// Calls under way that others may share, if they may.
    pub(super) flights: Option<Arc<Flights>>,
    pub(super) ttl: Duration,
    pub(super) streaming: bool,
    /// How long an answer may be that is kept, in bytes.
    pub(super) max_length: usize,
}

/// A call whose answer may be known, or become known.
#[derive(Clone, Copy)]
struct Wanted {
    fingerprint: Fingerprint,
    form: Form,
    dialect: Dialect,
    /// Whether the answer may be kept.
    is_kept: bool,
}

// === impl Policy ===

impl Policy {
    pub(super) async fn run(self: Arc<Self>, call: Call, next: Next) -> Result<Reply, Error> {
        let operation = call.inbound.operation;
        let form = Form::wanted(&call);
        let is_kept = self.streaming || !form.is_stream();
        let is_ours = matches!(operation.form, Work::Chat | Work::Complete | Work::Embed);
        if !is_ours || !is_kept && self.flights.is_none() {
            return next.run(call).await;
        }
        let Some(store) = &self.store else {
            let look = Look::default();
            return self.pass(call, next, Status::Disabled, &look).await;
        };
        let Some(fingerprint) = self.prints.of(&call) else {
            let look = Look::default();
            return self.pass(call, next, Status::Bypass, &look).await;
        };
        let directives = Directives::of(&call.inbound.head.headers);
        let wanted = Wanted {
            fingerprint,
            form,
            dialect: operation.dialect,
            is_kept: is_kept && !directives.no_store,
        };
        if is_kept
            && !directives.no_cache
            && let Some(entry) = self.find(store, wanted, &call, directives.max_age).await
        {
            return Ok(self.hit(&call, &entry, Layer::Exact));
        }
        let look = match &self.semantic {
            Some(semantic) if !store.finds_alike() => {
                semantic.has_no_effect();
                Look::default()
            }
            Some(semantic) if is_kept && !(directives.no_cache && directives.no_store) => {
                semantic.look(&call, &self.prints).await
            }
            _ => Look::default(),
        };
        if !directives.no_cache
            && let Some((entry, layer)) = self
                .find_alike(store, wanted, &call, directives.max_age, &look)
                .await
        {
            let reply = self.hit(&call, &entry, layer);
            look.note(call.trail());
            return Ok(reply);
        }
        let status = match (is_kept, directives.no_cache) {
            (false, _) => Status::Unkept,
            (true, false) => Status::Miss,
            (true, true) => Status::Bypass,
        };
        match &self.flights {
            // Who wants no cache wants no answer that began before it was asked for, either.
            Some(flights) if !directives.no_cache && !directives.no_store => {
                self.share(flights, call, next, (wanted, look), status)
                    .await
            }
            _ => {
                let reply = self.pass(call, next, status, &look).await?;
                Ok(match self.keeper(&reply, wanted, &look) {
                    Some(keeper) => keeper.watch(reply),
                    None => reply,
                })
            }
        }
    }

    /// Goes on as if there were no cache, but for what is told.
    async fn pass(
        &self,
        call: Call,
        next: Next,
        status: Status,
        look: &Look,
    ) -> Result<Reply, Error> {
        status.note(call.trail(), &self.name);
        look.note(call.trail());
        let mut reply = next.run(call).await?;
        status.tell(&mut reply);
        Ok(reply)
    }

    /// Goes on together with those who ask for the same at the same time.
    async fn share(
        &self,
        flights: &Arc<Flights>,
        call: Call,
        next: Next,
        (wanted, look): (Wanted, Look),
        status: Status,
    ) -> Result<Reply, Error> {
        let own = call.clone();
        let passenger = flights.board(wanted.key(wanted.form), self.max_length, || {
            Box::pin(next.run_for_others(call))
        });
        let status = match passenger.is_first() {
            true => status,
            false => Status::Coalesced,
        };
        status.note(own.trail(), &self.name);
        look.note(own.trail());
        let flight = passenger.flight().clone();
        let reply = passenger.reply(wanted.dialect);
        let mut reply = own.wait_for_another(reply).await?;
        if status == Status::Coalesced {
            own.charge_request();
        }
        status.tell(&mut reply);
        if let Some(keeper) = self.keeper(&reply, wanted, &look) {
            keeper.watch_shared(&mut reply, flight);
        }
        Ok(reply)
    }

    /// What keeps the answer, if it may be kept.
    fn keeper(&self, reply: &Reply, wanted: Wanted, look: &Look) -> Option<Keeper> {
        let form = wanted.form.given(reply);
        let is_kept = wanted.is_kept && (self.streaming || !form.is_stream());
        let store = self.store.as_ref()?;
        (is_kept && reply.status() == StatusCode::OK).then(|| Keeper {
            key: wanted.key(form),
            dialect: wanted.dialect,
            headers: Entry::headers_of(reply),
            store: store.clone(),
            place: self.semantic.clone().zip(look.place.clone()),
            ttl: self.ttl,
            max_length: self.max_length,
        })
    }

    /// An answer that is young enough, in the form that is wanted, or made from another.
    async fn find(
        &self,
        store: &Store,
        wanted: Wanted,
        call: &Call,
        max_age: Option<Duration>,
    ) -> Option<Arc<Entry>> {
        let max_age = max_age.map_or(self.ttl, |most| most.min(self.ttl));
        let keys = wanted.keys();
        // Without streams there are no other forms.
        let count = match self.streaming && call.inbound.operation.form == Work::Chat {
            true => keys.len(),
            false => 1,
        };
        let (key, entry) = store
            .first(&keys[..count], max_age, self.max_length)
            .await?;
        if key.form == wanted.form {
            return Some(entry);
        }
        let reformed = Arc::new(entry.reformed(key.form, wanted.form, call)?);
        let rest = self.ttl.saturating_sub(entry.age());
        store.put(wanted.key(wanted.form), reformed.clone(), rest);
        Some(reformed)
    }

    /// The answer to the call that is most like this one, of those whose answers can be used. It is not kept as one to
    /// this call: what is exact was asked like that.
    async fn find_alike(
        &self,
        store: &Store,
        wanted: Wanted,
        call: &Call,
        max_age: Option<Duration>,
        look: &Look,
    ) -> Option<(Arc<Entry>, Layer)> {
        let (semantic, place) = (self.semantic.as_ref()?, look.place.as_ref()?);
        for (likeness, fingerprint) in semantic.near(place).await {
            let alike = Wanted {
                fingerprint,
                ..wanted
            };
            if let Some(entry) = self.find(store, alike, call, max_age).await {
                semantic.used(place, fingerprint);
                return Some((entry, Layer::Semantic(likeness)));
            }
            if !store.has(&alike.keys()) {
                semantic.forget(place, fingerprint);
            }
        }
        None
    }

    fn hit(&self, call: &Call, entry: &Entry, layer: Layer) -> Reply {
        call.charge_request();
        layer.note(call.trail(), &self.name, entry);
        let mut reply = entry.reply();
        layer.tell(&mut reply);
        reply
    }
}

// === impl Wanted ===

impl Wanted {
    /// What its answer is found by, in the form that is wanted first.
    fn keys(self) -> [Key; 3] {
        let [second, third] = self.form.others();
        [self.form, second, third].map(|form| self.key(form))
    }

    fn key(self, form: Form) -> Key {
        Key {
            fingerprint: self.fingerprint,
            form,
        }
    }
}
