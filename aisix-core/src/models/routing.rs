//! A model that routes to others.

use std::sync::Arc;

use super::{Model, Target};
use crate::{balance::Group, config::resource::HashOn, route::Rules};

/// A model that routes to others.
pub(crate) struct Routing {
    /// Puts them in order.
    pub(crate) group: Group,
    /// Them, at their positions in the group.
    pub(crate) members: Box<[Member]>,
    /// What requests are told apart by.
    pub(crate) hash_on: Box<[HashOn]>,
    pub(crate) rules: Arc<Rules>,
    /// Whether conversations are kept where they are.
    pub(crate) keeps_conversations: bool,
}

/// One model that serves calls, and where.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) model: Arc<Model>,
    pub(crate) target: Arc<Target>,
    /// The model's name at the upstream.
    pub(crate) upstream_model: Arc<str>,
}

// === impl Member ===

impl Member {
    /// A model that serves its calls itself, by the name that it is called by; `None` if others serve them.
    pub(crate) fn of(model: &Arc<Model>, requested: &str) -> Option<Self> {
        let target = model.target()?.clone();
        Some(Self {
            upstream_model: model.upstream_name(&target, requested),
            model: model.clone(),
            target,
        })
    }
}
