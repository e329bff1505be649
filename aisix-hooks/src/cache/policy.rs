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
    report::{self, Status},
    store::Store,
};

/// The cache, compiled.
pub(super) struct Policy {
    pub(super) name: String,
    pub(super) prints: Prints,
    /// `None` when there is nowhere to keep answers.
    pub(super) store: Option<Store>,
    /// Keeps what is in memory for the policy that comes after this one.
    pub(super) _shelf: Arc<Shelf>,
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
            return self.pass(call, next, Status::Disabled).await;
        };
        let Some(fingerprint) = self.prints.of(&call) else {
            return self.pass(call, next, Status::Bypass).await;
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
            return Ok(self.hit(&call, &entry));
        }
        let status = match (is_kept, directives.no_cache) {
            (false, _) => Status::Unkept,
            (true, false) => Status::Miss,
            (true, true) => Status::Bypass,
        };
        match &self.flights {
            // Who wants no cache wants no answer that began before it was asked for, either.
            Some(flights) if !directives.no_cache && !directives.no_store => {
                self.share(flights, call, next, wanted, status).await
            }
            _ => {
                let reply = self.pass(call, next, status).await?;
                Ok(match self.keeper(&reply, wanted) {
                    Some(keeper) => keeper.watch(reply),
                    None => reply,
                })
            }
        }
    }

    /// Goes on as if there were no cache, but for what is told.
    async fn pass(&self, call: Call, next: Next, status: Status) -> Result<Reply, Error> {
        status.note(call.trail(), &self.name);
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
        wanted: Wanted,
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
        let flight = passenger.flight().clone();
        let reply = passenger.reply(wanted.dialect);
        let mut reply = own.wait_for_another(reply).await?;
        if status == Status::Coalesced {
            own.charge_request();
        }
        status.tell(&mut reply);
        if let Some(keeper) = self.keeper(&reply, wanted) {
            keeper.watch_shared(&mut reply, flight);
        }
        Ok(reply)
    }

    /// What keeps the answer, if it may be kept.
    fn keeper(&self, reply: &Reply, wanted: Wanted) -> Option<Keeper> {
        let form = wanted.form.given(reply);
        let is_kept = wanted.is_kept && (self.streaming || !form.is_stream());
        let store = self.store.as_ref()?;
        (is_kept && reply.status() == StatusCode::OK).then(|| Keeper {
            key: wanted.key(form),
            dialect: wanted.dialect,
            headers: Entry::headers_of(reply),
            store: store.clone(),
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
        let [second, third] = wanted.form.others();
        let keys = [wanted.form, second, third].map(|form| wanted.key(form));
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

    fn hit(&self, call: &Call, entry: &Entry) -> Reply {
        call.charge_request();
        report::note_hit(call.trail(), &self.name, entry);
        let mut reply = entry.reply();
        report::tell_hit(&mut reply);
        reply
    }
}

// === impl Wanted ===

impl Wanted {
    fn key(self, form: Form) -> Key {
        Key {
            fingerprint: self.fingerprint,
            form,
        }
    }
}
