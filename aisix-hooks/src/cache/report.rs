//! What is told about a call at a cache: to its caller, and in its record.

use aisix_core::{call::Trail, reply::Reply};
use http::{HeaderName, HeaderValue};

use super::entry::Entry;

const CACHE: HeaderName = HeaderName::from_static("x-aisix-cache");
const LAYER: HeaderName = HeaderName::from_static("x-aisix-cache-layer");
const SIMILARITY: HeaderName = HeaderName::from_static("x-aisix-cache-similarity");

/// Why an answer that is kept is one to this call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Layer {
    /// It was one to the same call.
    Exact,
    /// It was one to a call that is alike, by the cosine of their vectors.
    Semantic(f32),
}

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

// === impl Layer ===

impl Layer {
    fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Semantic(_) => "semantic",
        }
    }

    /// How alike the calls are, if they are not the same.
    fn similarity(self) -> Option<String> {
        match self {
            Self::Exact => None,
            Self::Semantic(likeness) => Some(format!("{likeness:.4}")),
        }
    }

    /// Notes that a call is answered by what is kept, and what that saves.
    pub(super) fn note(self, trail: &Trail, policy: &str, entry: &Entry) {
        trail.mark("cache_policy", policy);
        trail.mark("cache_status", "hit");
        trail.mark("cache_hit_layer", self.as_str());
        if let Some(similarity) = self.similarity() {
            trail.mark("cache_similarity", similarity);
        }
        if let Some(usage) = entry.usage {
            let (input, output) = (usage.input_total(), usage.output_total());
            trail.mark("cache_hit_saved_input_tokens", input.to_string());
            trail.mark("cache_hit_saved_output_tokens", output.to_string());
        }
    }

    /// Tells the caller the same.
    pub(super) fn tell(self, reply: &mut Reply) {
        let headers = reply.headers_mut();
        headers.insert(CACHE, HeaderValue::from_static("hit"));
        headers.insert(LAYER, HeaderValue::from_static(self.as_str()));
        let similarity = self.similarity();
        if let Some(similarity) = similarity.and_then(|text| HeaderValue::try_from(text).ok()) {
            headers.insert(SIMILARITY, similarity);
        }
    }
}
