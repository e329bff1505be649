//! What serves the calls of a model.

use std::sync::Arc;

use super::{Routing, Semantic, Target};

/// What serves the calls of a model.
pub(crate) enum Serves {
    /// One target.
    Direct(Arc<Target>),
    /// One of several models.
    Routing(Box<Routing>),
    /// The one of several models that suits what a request means.
    Semantic(Box<Semantic>),
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
    /// The one of several models that suits what a request means serves it.
    Semantic,
}

// === impl Serves ===

impl Serves {
    /// The groups that serve it, if it stands for others.
    pub(super) fn groups(&self) -> &[Routing] {
        match self {
            Self::Routing(routing) => std::slice::from_ref(routing),
            Self::Semantic(semantic) => &semantic.choices,
            Self::Direct(_) | Self::Nobody => &[],
        }
    }

    pub(super) fn kind(&self) -> ModelKind {
        match self {
            Self::Direct(_) => ModelKind::Direct,
            Self::Semantic(_) => ModelKind::Semantic,
            Self::Routing(_) | Self::Nobody => ModelKind::Routing,
        }
    }
}

// === impl ModelKind ===

impl ModelKind {
    /// The kind in one word, as the Admin API tells it: `direct`, `routing` or `semantic`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Routing => "routing",
            Self::Semantic => "semantic",
        }
    }
}
