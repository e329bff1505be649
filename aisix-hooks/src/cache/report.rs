//! What is told about a call at a cache: to its caller, and in its record.

use aisix_core::{call::Trail, reply::Reply};
use http::{HeaderName, HeaderValue};

use super::entry::Entry;

const CACHE: HeaderName = HeaderName::from_static("x-aisix-cache");
const LAYER: HeaderName = HeaderName::from_static("x-aisix-cache-layer");

/// What came of a call at a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Miss,
    /// The cache was not asked, by the caller's wish or because the answer depends on more than the request.
    Bypass,
    /// There is nowhere to keep answers.
    Disabled,
    /// The answer is not one that is kept.
    Unkept,
    /// Another call for the same was under way, and its answer is shared.
    Coalesced,
}

// === impl Status ===

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Miss | Self::Coalesced => "miss",
            Self::Bypass => "bypass",
            Self::Disabled | Self::Unkept => "disabled",
        }
    }

    /// Notes it, for the access log and the metrics.
    pub(super) fn note(self, trail: &Trail, policy: &str) {
        trail.mark("cache_policy", policy);
        trail.mark("cache_status", self.as_str());
        if self == Self::Coalesced {
            trail.mark("cache_coalesced", "true");
        }
    }

    /// Tells the caller.
    pub(super) fn tell(self, reply: &mut Reply) {
        if self.as_str() != "disabled" {
            let status = HeaderValue::from_static(self.as_str());
            reply.headers_mut().insert(CACHE, status);
        }
    }
}

/// Notes that a call is answered by what is kept, and what that saves.
pub(super) fn note_hit(trail: &Trail, policy: &str, entry: &Entry) {
    trail.mark("cache_policy", policy);
    trail.mark("cache_status", "hit");
    trail.mark("cache_hit_layer", "exact");
    if let Some(usage) = entry.usage {
        let (input, output) = (usage.input_total(), usage.output_total());
        trail.mark("cache_hit_saved_input_tokens", input.to_string());
        trail.mark("cache_hit_saved_output_tokens", output.to_string());
    }
}

/// Tells the caller the same.
pub(super) fn tell_hit(reply: &mut Reply) {
    let headers = reply.headers_mut();
    headers.insert(CACHE, HeaderValue::from_static("hit"));
    headers.insert(LAYER, HeaderValue::from_static("exact"));
}
