//! The `usage` object.

use crate::{Envelope, Kind, Member, Usage};

/// Reads a `usage` object into disjoint buckets.
///
/// Missing and `null` counts are 0. Parts never exceed their whole: cached tokens are cut to
/// `prompt_tokens`, reasoning tokens to `completion_tokens`, unless `total_tokens` shows that reasoning
/// was counted beside them. DeepSeek's `prompt_cache_hit_tokens` are cache reads. `None` when it is not an
/// object or holds no count at all.
pub fn usage(object: &[u8]) -> Option<Usage> {
    let start = object.iter().position(|byte| !byte.is_ascii_whitespace())?;
    let end = object
        .iter()
        .rposition(|byte| !byte.is_ascii_whitespace())?
        + 1;
    let counts = Counts {
        bytes: object,
        envelope: Envelope::scan_at(object, start..end).ok()?,
    };
    counts.read()
}

/// The counts in one object.
struct Counts<'a> {
    bytes: &'a [u8],
    envelope: Envelope,
}

// === impl Counts ===

impl Counts<'_> {
    fn read(&self) -> Option<Usage> {
        let (prompt, completion, total) = (
            self.count("prompt_tokens"),
            self.count("completion_tokens"),
            self.count("total_tokens"),
        );
        prompt.or(completion).or(total)?;
        let completion = completion.unwrap_or(0);
        let prompt = prompt.unwrap_or(total.unwrap_or(0).saturating_sub(completion));

        let details = self.nested("prompt_tokens_details");
        let details = details.as_ref();
        let cached = details.and_then(|details| details.count("cached_tokens"));
        let cache_read = cached
            .filter(|cached| *cached > 0)
            .or_else(|| self.count("prompt_cache_hit_tokens"))
            .unwrap_or(0)
            .min(prompt);
        let cache_write = details
            .and_then(|details| details.count("cache_write_tokens"))
            .unwrap_or(0)
            .min(prompt - cache_read);

        let reasoning = self
            .nested("completion_tokens_details")
            .and_then(|details| details.count("reasoning_tokens"))
            .unwrap_or(0);
        let both = prompt.checked_add(completion);
        let all = both.and_then(|both| both.checked_add(reasoning));
        let beside = reasoning > 0 && all.is_some() && total == all;
        let reasoning = if beside {
            reasoning
        } else {
            reasoning.min(completion)
        };

        Some(Usage {
            input: prompt - cache_read - cache_write,
            cache_read,
            cache_write,
            output: if beside {
                completion
            } else {
                completion - reasoning
            },
            reasoning,
        })
    }

    fn nested(&self, name: &str) -> Option<Self> {
        let member = self.envelope.member(self.bytes, name)?;
        if member.kind != Kind::Object {
            return None;
        }
        let envelope = Envelope::scan_at(self.bytes, member.value.clone()).ok()?;
        Some(Self {
            bytes: self.bytes,
            envelope,
        })
    }

    fn count(&self, name: &str) -> Option<u64> {
        count(self.bytes, self.envelope.member(self.bytes, name)?)
    }
}

/// A count; some servers write it as a float.
fn count(bytes: &[u8], member: &Member) -> Option<u64> {
    // The cast saturates, and turns what is negative into 0.
    member
        .as_u64(bytes)
        .or_else(|| member.as_f64(bytes).map(|float| float as u64))
}
