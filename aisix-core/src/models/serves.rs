//! What serves the calls of a model.

use std::sync::Arc;

use super::{Ensemble, Routing, Semantic, Target, Voice};

/// What serves the calls of a model.
pub(crate) enum Serves {
    /// One target.
    Direct(Arc<Target>),
    /// One of several models.
    Routing(Box<Routing>),
    /// Several models that are all asked, and one that makes one answer of theirs.
    Ensemble(Box<Ensemble>),
    /// The one of several models that suits what a request means.
    Semantic(Box<Semantic>),
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
            Self::Direct(_) | Self::Ensemble(_) => &[],
        }
    }

    /// Those who are asked for each of its calls, if several are.
    pub(super) fn voices(&self) -> impl Iterator<Item = &Voice> {
        let ensemble = match self {
            Self::Ensemble(ensemble) => Some(ensemble),
            Self::Direct(_) | Self::Routing(_) | Self::Semantic(_) => None,
        };
        ensemble.into_iter().flat_map(|ensemble| ensemble.voices())
    }

    pub(super) fn kind(&self) -> ModelKind {
        match self {
            Self::Direct(_) => ModelKind::Direct,
            Self::Semantic(_) => ModelKind::Semantic,
            Self::Routing(_) => ModelKind::Routing,
            Self::Ensemble(_) => ModelKind::Ensemble,
        }
    }
}

// === impl ModelKind ===

impl ModelKind {
    /// The kind in one word, as the Admin API tells it: `direct`, `routing`, `ensemble` or `semantic`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Routing => "routing",
            Self::Ensemble => "ensemble",
            Self::Semantic => "semantic",
        }
    }
}
