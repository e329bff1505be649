//! What caches have noted.

use std::time::Duration;

use super::families::Families;

type Mark = (&'static str, String);

/// What a cache has noted of a call.
struct Noted<'m> {
    outcome: &'static str,
    embedding: Option<Duration>,
    embedding_failure: Option<&'m str>,
}

/// Counts what caches have noted in the record of a call: for each of them first its name, then the rest.
pub(super) fn count(families: &Families, marks: &[Mark], minute: u64) {
    for (at, (name, policy)) in marks.iter().enumerate() {
        if *name != "cache_policy" {
            continue;
        }
        let noted = Noted::of(&marks[at + 1..]);
        families.cache.get(&[policy, noted.outcome]).add(1);
        if let Some(time) = noted.embedding {
            let family = &families.cache_embedding;
            family.get(&[policy]).record(time, minute);
        }
        if let Some(cause) = noted.embedding_failure {
            let family = &families.cache_embedding_failures;
            family.get(&[policy, cause]).add(1);
        }
    }
}

// === impl Noted ===

impl<'m> Noted<'m> {
    /// What stands in the marks of a cache, which end where the next one begins.
    fn of(marks: &'m [Mark]) -> Self {
        let (mut status, mut is_semantic, mut is_coalesced) = ("", false, false);
        let (mut embedding, mut embedding_failure) = (None, None);
        for (name, value) in marks {
            match *name {
                "cache_policy" => break,
                "cache_status" => status = value,
                "cache_hit_layer" => is_semantic = value == "semantic",
                "cache_coalesced" => is_coalesced = true,
                "cache_embedding_ms" => embedding = milliseconds(value),
                "cache_embedding_failure" => embedding_failure = Some(value.as_str()),
                _ => {}
            }
        }
        let outcome = match status {
            _ if is_coalesced => "coalesced",
            "hit" if is_semantic => "hit_semantic",
            "hit" => "hit_exact",
            "bypass" => "bypass",
            "disabled" => "disabled",
            _ => "miss",
        };
        Self {
            outcome,
            embedding,
            embedding_failure,
        }
    }
}

fn milliseconds(text: &str) -> Option<Duration> {
    let seconds = text.parse::<f64>().ok()? / 1e3;
    Duration::try_from_secs_f64(seconds).ok()
}
