//! What serves the calls of a model.

use std::sync::Arc;

use super::{Ensemble, Routing, Target};

/// What serves the calls of a model.
pub(crate) enum Serves {
    /// One target.
    Direct(Arc<Target>),
    /// One of several models.
    Routing(Box<Routing>),
    /// Several models that are all asked, and one that makes one answer of theirs.
    Ensemble(Box<Ensemble>),
    /// Nobody.
    Nobody,
}

/// What a model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ModelKind {
    /// One target serves it.
    Direct,
    /// One of several models serves it.
    Routing,
    /// Several models are asked, and one makes one answer of theirs.
    Ensemble,
}

// === impl Serves ===

impl Serves {
    pub(super) fn kind(&self) -> ModelKind {
        match self {
            Self::Direct(_) => ModelKind::Direct,
            Self::Routing(_) | Self::Nobody => ModelKind::Routing,
            Self::Ensemble(_) => ModelKind::Ensemble,
        }
    }
}

// === impl ModelKind ===

impl ModelKind {
    /// The kind in one word, as the Admin API tells it: `direct`, `routing` or `ensemble`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Routing => "routing",
            Self::Ensemble => "ensemble",
        }
    }
}
