//! What guards have found.

use std::time::Duration;

/// What a guard has made of a request or of an answer. Told by
/// [`Trail::note_guard`](crate::call::Trail::note_guard).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardVerdict<'a> {
    /// The guard's name, as configured.
    pub guard: &'a str,
    /// What kind of guard it is, such as `keyword`.
    pub kind: &'static str,
    /// What it has looked at.
    pub phase: Phase,
    /// What became of it.
    pub ruling: Ruling,
    /// How long it has looked.
    pub latency: Duration,
}

/// What a guard looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// At a request.
    Input,
    /// At an answer.
    Output,
}

/// What becomes of what a guard has looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ruling {
    /// It goes on as it was.
    Allowed,
    /// It is refused.
    Blocked,
    /// It goes on, and parts of it were replaced.
    Masked,
    /// It goes on although the guard could not tell, for a reason that is one of a few words.
    Bypassed(&'static str),
    /// It goes on, and would have been refused if the guard did more than watch.
    WouldBlock,
    /// It goes on as it was, and parts would have been replaced if the guard did more than watch.
    WouldMask,
}

// === impl Phase ===

impl Phase {
    /// The name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}

// === impl Ruling ===

impl Ruling {
    /// The name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Blocked => "blocked",
            Self::Masked => "masked",
            Self::Bypassed(_) => "bypassed",
            Self::WouldBlock => "would_block",
            Self::WouldMask => "would_mask",
        }
    }
}
