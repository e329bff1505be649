//! What happens to a call.

use std::{sync::Arc, time::Duration};

use aisix_core::{
    Error,
    call::Call,
    hook::Next,
    reply::{End, Reply},
    wire::{Dialect, Envelope, Form as Work, Member},
};
use http::StatusCode;

use super::{
    directives::Directives,
    entry::Entry,
    form::Form,
    key::{Fingerprint, Key, Prints},
    memory::{Memory, Shelf},
    report::{self, Status},
    tape::{self, Tape},
};

/// The cache, compiled.
pub(super) struct Policy {
    pub(super) name: String,
    pub(super) prints: Prints,
    /// `None` when there is nowhere to keep answers.
    pub(super) memory: Option<Memory>,
    /// Keeps what is in `memory` for the policy that comes after this one.
    pub(super) _shelf: Arc<Shelf>,
    pub(super) ttl: Duration,
    pub(super) streaming: bool,
    /// How long an answer may be that is kept, in bytes.
    pub(super) max_length: usize,
}

/// A call whose answer may be kept.
#[derive(Clone, Copy)]
struct Wanted {
    fingerprint: Fingerprint,
    form: Form,
    dialect: Dialect,
}

// === impl Policy ===

impl Policy {
    pub(super) async fn run(self: Arc<Self>, call: Call, next: Next) -> Result<Reply, Error> {
        let operation = call.inbound.operation;
        let form = Form::wanted(&call);
        let is_kept = matches!(operation.form, Work::Chat | Work::Complete | Work::Embed);
        if !is_kept || form.is_stream() && !self.streaming {
            return next.run(call).await;
        }
        let Some(memory) = &self.memory else {
            return self.pass(call, next, Status::Disabled).await;
        };
        let Some(fingerprint) = self.prints.of(&call) else {
            return self.pass(call, next, Status::Bypass).await;
        };
        let wanted = Wanted {
            fingerprint,
            form,
            dialect: operation.dialect,
        };
        let directives = Directives::of(&call.inbound.head.headers);
        let status = match directives.no_cache {
            true => Status::Bypass,
            false => match self.find(memory, wanted, directives.max_age) {
                Some(entry) => return Ok(self.hit(&call, &entry)),
                None => Status::Miss,
            },
        };
        let reply = self.pass(call, next, status).await?;
        Ok(match directives.no_store {
            true => reply,
            false => self.keep(reply, wanted, memory.clone()),
        })
    }

    /// Goes on as if there were no cache, but for what is told.
    async fn pass(&self, call: Call, next: Next, status: Status) -> Result<Reply, Error> {
        status.note(call.trail(), &self.name);
        let mut reply = next.run(call).await?;
        status.tell(&mut reply);
        Ok(reply)
    }

    /// An answer that is young enough.
    fn find(
        &self,
        memory: &Memory,
        wanted: Wanted,
        max_age: Option<Duration>,
    ) -> Option<Arc<Entry>> {
        let entry = memory.get(&wanted.key(wanted.form))?;
        let age = entry.age();
        let is_young = age < self.ttl && max_age.is_none_or(|most| age < most);
        is_young.then_some(entry)
    }

    fn hit(&self, call: &Call, entry: &Entry) -> Reply {
        call.charge_request();
        report::note_hit(call.trail(), &self.name, entry);
        let mut reply = entry.reply();
        report::tell_hit(&mut reply);
        reply
    }

    /// Keeps an answer when all of it has reached its caller.
    fn keep(&self, mut reply: Reply, wanted: Wanted, memory: Memory) -> Reply {
        if reply.status() != StatusCode::OK {
            return reply;
        }
        let (key, ttl) = (wanted.key(wanted.form.given(&reply)), self.ttl);
        let (headers, meter) = (Entry::headers_of(&reply), reply.meter());
        if key.form.is_stream() {
            let (mut tape, max_length) = (None, self.max_length);
            reply = reply.map_body(|body| {
                let (recorded, body) = Tape::record(body, max_length);
                tape = Some(recorded);
                body
            });
            reply.on_end(move |outcome| {
                let whole = matches!(outcome.end, End::Complete).then_some(tape);
                let pieces = whole.flatten().and_then(|tape| tape.take());
                let stream = pieces.and_then(|pieces| tape::complete(wanted.dialect, pieces));
                if let Some((body, told)) = stream {
                    let usage = meter.usage().or(told);
                    memory.put(key, Arc::new(Entry::new(headers, body, usage)), ttl);
                }
            });
            return reply;
        }
        let body = reply.shared_bytes().filter(|body| {
            body.len() <= self.max_length && wanted.form == Form::Whole && wanted.is_complete(body)
        });
        if let Some(body) = body {
            reply.on_end(move |outcome| {
                if matches!(outcome.end, End::Complete) {
                    let entry = Entry::new(headers, body, meter.usage());
                    memory.put(key, Arc::new(entry), ttl);
                }
            });
        }
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

    /// Whether a whole answer is one that does not become another later. Only Responses can.
    fn is_complete(self, body: &[u8]) -> bool {
        if self.dialect != Dialect::Responses {
            return true;
        }
        let status = Envelope::scan(body, &[]).ok().and_then(|answer| {
            let status: &Member = answer.member(body, "status")?;
            Some(status.as_str(body)?.into_owned())
        });
        matches!(status.as_deref(), Some("completed" | "incomplete"))
    }
}
