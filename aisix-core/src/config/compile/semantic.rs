//! Models that route by meaning.

use std::{sync::Arc, time::Duration};

use aisix_wire::EMBEDDINGS;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::Compiler;
use crate::{
    config::resource::{self, Invalid, OnEmbeddingFailure},
    models::{Model, OnFailure, Route, Routing, Semantic, offers},
    route::Examples,
};

/// How many examples a model has at most.
const MAX_EXAMPLES: usize = 1_024;

/// Says so where there are too many examples to keep.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn check(semantic: &resource::Semantic) -> Result<(), Vec<Invalid>> {
    let count: usize = semantic.routes.iter().map(|it| it.examples.len()).sum();
    if count <= MAX_EXAMPLES {
        return Ok(());
    }
    let message = format!("must not have more than {MAX_EXAMPLES} examples together");
    Err(vec![Invalid::new("semantic.routes", message)])
}

impl Compiler {
    /// A model that routes by meaning. Routes whose model does not exist, or is a group itself, are left out.
    pub(super) fn semantic(
        &self,
        id: &str,
        model: &resource::Model,
        semantic: &resource::Semantic,
        find: &dyn Fn(&str) -> Option<Arc<Model>>,
    ) -> Semantic {
        let mut choices = Choices {
            names: Vec::new(),
            choices: Vec::new(),
            make: &|name| {
                let of_one = resource::Routing::of_one(name, model.retries);
                self.routing(id, model, &of_one, find)
            },
        };
        choices.add(&semantic.default);
        let mut texts = Vec::new();
        let mut routes = Vec::new();
        for route in &semantic.routes {
            let Some(choice) = choices.find(&route.target) else {
                continue;
            };
            let first = texts.len();
            texts.extend(route.examples.iter().map(String::as_str));
            routes.push(Route {
                name: route.name.as_str().into(),
                choice,
                threshold: route.threshold.unwrap_or(semantic.matching.threshold) as f32,
                examples: first..texts.len(),
            });
        }
        let on_failure = match &semantic.on_embedding_failure {
            OnEmbeddingFailure::Default => OnFailure::Choose(0),
            OnEmbeddingFailure::Fail => OnFailure::Refuse,
            OnEmbeddingFailure::Target(other) => {
                OnFailure::Choose(choices.find(&other.target).unwrap_or(0))
            }
        };
        let name = &semantic.embedding_model;
        let embedder = find(name);
        let unable = match &embedder {
            None => Some("its embedding model does not exist"),
            Some(it) if it.target().is_none() => Some("its embedding model is not a direct one"),
            Some(it) if offers(it, &EMBEDDINGS, name).is_err() => {
                Some("its embedding model does not make embeddings")
            }
            Some(_) => None,
        };
        let identity = identity(embedder.as_deref(), name, &texts);
        let examples = self.states.state(&identity, || Examples::new(texts));
        let timeout = semantic.embedding_timeout_ms.filter(|millis| *millis > 0);
        Semantic {
            choices: choices.choices.into(),
            routes: routes.into(),
            embedding_model: name.as_str().into(),
            timeout: timeout.map(Duration::from_millis),
            examples,
            on_failure,
            unable,
        }
    }
}

/// Who may serve, each once.
struct Choices<'c> {
    names: Vec<&'c str>,
    choices: Vec<Routing>,
    make: &'c dyn Fn(&str) -> Routing,
}

// === impl Choices ===

impl<'c> Choices<'c> {
    fn add(&mut self, name: &'c str) -> usize {
        self.names.push(name);
        self.choices.push((self.make)(name));
        self.choices.len() - 1
    }

    /// The place of a model that can serve.
    fn find(&mut self, name: &'c str) -> Option<usize> {
        let place = self.names.iter().position(|known| *known == name);
        let place = place.unwrap_or_else(|| self.add(name));
        (!self.choices[place].members.is_empty()).then_some(place)
    }
}

/// What vectors of these texts are kept under: who makes them, and of what.
fn identity(model: Option<&Model>, requested: &str, texts: &[&str]) -> String {
    let origin = model.map(|model| {
        let target = model.target().map(|target| {
            let (key, name) = (target.key(), model.upstream_name(target, requested));
            json!([target.provider(), name, key.id(), key.base])
        });
        json!([
            model.id(),
            target,
            model.embedding().map(|it| it.dimensions)
        ])
    });
    let all = json!([requested, origin, texts]).to_string();
    format!("examples:{}", hex::encode(Sha256::digest(all)))
}
