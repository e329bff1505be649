//! A model as callers name it.

use std::{fmt, net::IpAddr, sync::Arc};

use super::{ModelKind, Serves, Target};
use crate::{
    config::{
        glob::Glob,
        resource::{Cidrs, Cost, Embedding},
    },
    hook::Chain,
    limit::Limit,
};

/// A configured model: a name for callers, and what serves it.
pub struct Model {
    pub(crate) id: Arc<str>,
    pub(crate) name: Arc<str>,
    /// Set for a wildcard: the name's pattern.
    pub(crate) glob: Option<Glob>,
    pub(crate) limit: Option<Arc<Limit>>,
    pub(crate) allowed_cidrs: Cidrs,
    pub(crate) cost: Option<Cost>,
    pub(crate) embedding: Option<Embedding>,
    /// How often a failed attempt is made again at its target, if it says so.
    pub(crate) retries: Option<u32>,
    pub(crate) serves: Serves,
    /// The hooks of its calls.
    pub(crate) chain: Option<Arc<Chain>>,
    pub(crate) serial: u64,
}

// === impl Model ===

impl Model {
    /// The resource's id.
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// The configured name; for a wildcard, its pattern.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Whether the name is a pattern.
    pub fn is_wildcard(&self) -> bool {
        self.glob.is_some()
    }

    /// The model's own limits.
    pub fn limit(&self) -> Option<&Arc<Limit>> {
        self.limit.as_ref()
    }

    /// What its tokens cost, if that is configured.
    pub fn cost(&self) -> Option<Cost> {
        self.cost
    }

    /// What its embeddings are like, if that is configured.
    pub fn embedding(&self) -> Option<Embedding> {
        self.embedding
    }

    /// What it is.
    pub fn kind(&self) -> ModelKind {
        self.serves.kind()
    }

    /// Where it is served; `None` for one that stands for others.
    pub fn target(&self) -> Option<&Arc<Target>> {
        match &self.serves {
            Serves::Direct(target) => Some(target),
            Serves::Routing(_) | Serves::Ensemble(_) | Serves::Semantic(_) => None,
        }
    }

    /// Everywhere where its calls may be served.
    pub fn targets(&self) -> impl Iterator<Item = &Arc<Target>> {
        let groups = self.serves.groups().iter();
        let members = groups.flat_map(|group| &group.members);
        let voices = self.serves.voices().map(|voice| &voice.member);
        let members = members.chain(voices).map(|member| &member.target);
        self.target().into_iter().chain(members)
    }

    /// What its answers depend on besides the targets, in one text, for those who keep answers: two models that have the
    /// same targets may still make different ones of what these say.
    pub fn recipe(&self) -> Option<&str> {
        match &self.serves {
            Serves::Ensemble(ensemble) => Some(&ensemble.recipe),
            Serves::Direct(_) | Serves::Routing(_) | Serves::Semantic(_) => None,
        }
    }

    /// Networks that clients must come from, if there are restrictions.
    pub fn allowed_cidrs(&self) -> &Cidrs {
        &self.allowed_cidrs
    }

    /// A number that no other compiled model of this process has, to find things by cheaply.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// Whether a client at this address may use the model. An unknown address may not, if there are
    /// any restrictions.
    pub fn admits(&self, client: Option<IpAddr>) -> bool {
        self.allowed_cidrs.admits(client)
    }

    /// The name at the upstream for a model that the caller called `requested`.
    pub(crate) fn upstream_name(&self, target: &Target, requested: &str) -> Arc<str> {
        let configured = &target.model_name;
        let Some(captured) = self.glob.as_ref().and_then(|glob| glob.capture(requested)) else {
            return configured.clone();
        };
        match configured.as_ref() {
            "" => captured.into(),
            name if name.contains('*') => name.replacen('*', captured, 1).into(),
            _ => configured.clone(),
        }
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
