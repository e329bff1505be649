//! One request as one line.

use std::{
    error::Error as _,
    fmt::{self, Write},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aisix_core::{
    Error,
    call::{AttemptKind, AttemptRecord, Trail},
    observe::reported_status,
    reply::{End, Outcome},
};
use smallvec::SmallVec;

use super::{json, queue::Buffer};

/// The longest path that is written, in bytes.
const MAX_PATH: usize = 512;
/// The longest message of an error, in bytes.
const MAX_ERROR: usize = 512;
/// The longest other text, in bytes.
const MAX_TEXT: usize = 256;

/// Appends the line of a request.
pub(super) fn write(buffer: &mut Buffer, trail: &Trail, outcome: &Outcome<'_>) {
    head(buffer, "INFO", "proxy request completed");
    let out = &mut buffer.bytes;
    json::text(out, "request_id", trail.request_id().as_bytes(), MAX_TEXT);
    json::text(out, "method", trail.method().as_str().as_bytes(), MAX_TEXT);
    json::text(out, "path", trail.path().as_bytes(), MAX_PATH);
    json::number(out, "status", reported_status(outcome).into());
    json::text(out, "outcome", outcome.word().as_bytes(), MAX_TEXT);
    json::number(out, "latency_ms", millis(outcome.elapsed));
    if trail.operation().is_some() {
        json::flag(out, "stream", trail.streams());
    }
    if let Some(caller) = trail.caller() {
        json::text(out, "api_key_id", caller.id().as_bytes(), MAX_TEXT);
    }
    if let Some(model) = trail.model() {
        let attempted = trail.last_attempt().map(|last| last.target);
        if let Some(target) = attempted.as_ref().or(model.target()) {
            json::text(out, "provider", target.provider().as_bytes(), MAX_TEXT);
        }
        json::text(out, "model", model.name().as_bytes(), MAX_TEXT);
    }
    if let Some(usage) = outcome.usage {
        json::number(out, "prompt_tokens", usage.input_total());
        json::number(out, "completion_tokens", usage.output_total());
        json::number(out, "total_tokens", usage.total());
        if outcome.usage_estimated {
            json::flag(out, "usage_estimated", true);
        }
    }
    let count = trail.attempt_count();
    trail.with_attempts(|attempts| routing(out, attempts, count, outcome));
    if let End::Refused(error) | End::Failed(error) = outcome.end {
        failure(out, error);
    }
    trail.with_marks(|marks| write_marks(out, marks));
    out.extend_from_slice(b"}\n");
    buffer.lines += 1;
}

/// Appends the line that says how many lines are missing.
pub(super) fn write_dropped(buffer: &mut Buffer, dropped: u64) {
    head(buffer, "WARN", "access log lines were dropped");
    json::number(&mut buffer.bytes, "dropped", dropped);
    buffer.bytes.extend_from_slice(b"}\n");
}

fn head(buffer: &mut Buffer, level: &str, message: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default();
    buffer.clock.write(&mut buffer.bytes, now);
    let out = &mut buffer.bytes;
    json::text(out, "level", level.as_bytes(), MAX_TEXT);
    out.extend_from_slice(b",\"target\":\"aisix::access_log\"");
    json::text(out, "message", message.as_bytes(), MAX_TEXT);
}

fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}

/// What the upstreams did, told by the last attempt.
fn routing(out: &mut Vec<u8>, attempts: &[AttemptRecord], count: u32, outcome: &Outcome<'_>) {
    let Some(last) = attempts.last() else {
        return;
    };
    if let Some(id) = &last.upstream_request_id {
        json::text(out, "provider_request_id", id.as_bytes(), MAX_TEXT);
    }
    let has_served = last.error.is_none() && !last.abandoned;
    if has_served && !matches!(outcome.end, End::Refused(_)) {
        let (model, upstream_model) = (last.model.name(), &last.upstream_model);
        json::text(out, "served_by_model", model.as_bytes(), MAX_TEXT);
        json::text(out, "upstream_model", upstream_model.as_bytes(), MAX_TEXT);
        replica(out, last);
    }
    let fallbacks = attempts.iter().map(|attempt| attempt.kind);
    let fallbacks = fallbacks.filter(|kind| *kind == AttemptKind::Fallback);
    json::number(out, "routing_attempt_count", count.into());
    json::number(out, "routing_fallback_count", fallbacks.count() as u64);
    if attempts.len() > 1 {
        write_attempts(out, attempts);
    }
}

/// Writes where an attempt went, if there are several places.
fn replica(out: &mut Vec<u8>, attempt: &AttemptRecord) {
    if let Some(replica) = attempt.target.replica() {
        json::text(out, "replica", replica.name().as_bytes(), MAX_TEXT);
    }
}

/// Writes attempts as a list of objects.
fn write_attempts(out: &mut Vec<u8>, attempts: &[AttemptRecord]) {
    json::key(out, "attempts");
    for (at, attempt) in attempts.iter().enumerate() {
        out.push(if at == 0 { b'[' } else { b',' });
        out.extend_from_slice(b"{\"model\":");
        json::string(out, attempt.model.name().as_bytes(), MAX_TEXT);
        json::text(out, "kind", attempt.kind.as_str().as_bytes(), MAX_TEXT);
        replica(out, attempt);
        if let Some(status) = attempt.status {
            json::number(out, "status", status.as_u16().into());
        }
        if let Some(error) = attempt.error {
            json::text(out, "error", error.name().as_bytes(), MAX_TEXT);
        }
        if attempt.abandoned {
            json::flag(out, "abandoned", true);
        }
        json::number(out, "latency_ms", millis(attempt.latency));
        out.push(b'}');
    }
    out.push(b']');
}

fn failure(out: &mut Vec<u8>, error: &Error) {
    json::text(out, "error_kind", error.kind().name().as_bytes(), MAX_TEXT);
    json::text(out, "error", error.message().as_bytes(), MAX_ERROR);
    let mut detail = Detail(String::new());
    let mut source = error.source();
    while let Some(cause) = source {
        let separator = if detail.0.is_empty() { "" } else { ": " };
        if write!(detail, "{separator}{cause}").is_err() {
            break;
        }
        source = cause.source();
    }
    if !detail.0.is_empty() {
        json::text(out, "error_detail", detail.0.as_bytes(), MAX_TEXT);
    }
}

/// A text that takes no more once it is long enough.
struct Detail(String);

impl Write for Detail {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = (MAX_TEXT + 1).saturating_sub(self.0.len());
        self.0.extend(text.chars().take(room));
        if text.len() >= room {
            Err(fmt::Error)
        } else {
            Ok(())
        }
    }
}

/// Writes marks as one object. A name that several hooks have given, which JSON allows only once, has all its values.
fn write_marks(out: &mut Vec<u8>, marks: &[(&'static str, String)]) {
    if marks.is_empty() {
        return;
    }
    json::key(out, "marks");
    out.push(b'{');
    let mut left: SmallVec<[&(&'static str, String); 8]> = marks.iter().collect();
    while let Some(&&(name, _)) = left.first() {
        if left.len() < marks.len() {
            out.push(b',');
        }
        json::string(out, name.as_bytes(), MAX_TEXT);
        out.push(b':');
        let values = left.iter().filter(|(other, _)| *other == name);
        write_values(out, values.map(|(_, value)| value.as_str()));
        left.retain(|(other, _)| *other != name);
    }
    out.push(b'}');
}

/// Writes one value as it is, and several as a list.
fn write_values<'v>(out: &mut Vec<u8>, values: impl Iterator<Item = &'v str> + Clone) {
    let is_list = values.clone().nth(1).is_some();
    for (at, value) in values.enumerate() {
        match (is_list, at) {
            (true, 0) => out.push(b'['),
            (true, _) => out.push(b','),
            (false, _) => {}
        }
        json::string(out, value.as_bytes(), MAX_TEXT);
    }
    if is_list {
        out.push(b']');
    }
}
