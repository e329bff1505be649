//! A model that routes by what requests mean.

use std::{ops::Range, sync::Arc, time::Duration};

use super::Routing;
use crate::route::Examples;

/// A model that routes by what requests mean.
pub(crate) struct Semantic {
    /// Who may serve: each is a group of one. The first is for requests that suit no route.
    pub(crate) choices: Box<[Routing]>,
    pub(crate) routes: Box<[Route]>,
    /// The name of the model that makes vectors.
    pub(crate) embedding_model: Arc<str>,
    /// The time for each question of that model.
    pub(crate) timeout: Option<Duration>,
    /// The examples of all routes.
    pub(crate) examples: Arc<Examples>,
    pub(crate) on_failure: OnFailure,
    /// Why nobody makes vectors, as far as the configuration says.
    pub(crate) unable: Option<&'static str>,
}

/// Something that requests may mean.
pub(crate) struct Route {
    pub(crate) name: Arc<str>,
    /// Who serves them, among the choices.
    pub(crate) choice: usize,
    /// How like an example they are at least.
    pub(crate) threshold: f32,
    /// Its examples, among all.
    pub(crate) examples: Range<usize>,
}

/// What becomes of a request whose meaning cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// One of the choices serves it.
    Choose(usize),
    Refuse,
}

// === impl Semantic ===

impl Semantic {
    /// When a choice that is not the first serves, in words.
    pub(crate) fn served_when(&self, choice: usize) -> String {
        let routes = self.routes.iter().filter(|route| route.choice == choice);
        let names: Vec<_> = routes.map(|route| format!("`{}`", route.name)).collect();
        match names.is_empty() {
            false => format!("only for requests that mean {}", names.join(" or ")),
            true => "only for requests whose meaning cannot be told".to_owned(),
        }
    }
}
