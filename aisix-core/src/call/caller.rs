//! Who sends a request.

use std::{fmt, sync::Arc};

use jiff::Timestamp;

use crate::{
    config::{glob::Glob, resource::RateLimit},
    hook::Chain,
    limit::{Known, Limit, Scope},
};

/// Who sends a request, and what they may do.
///
/// Made from an API key, or by an embedder's own [`Authenticator`](crate::auth::Authenticator).
/// Limits are counted by the caller's id: two callers of one id share them.
pub struct Caller {
    id: Arc<str>,
    name: Option<Arc<str>>,
    models: Models,
    limit: Option<Arc<Limit>>,
    disabled: bool,
    expires_at: Option<Timestamp>,
    team_id: Option<Arc<str>>,
    user_id: Option<Arc<str>>,
    user_name: Option<Arc<str>>,
    /// The hooks of its calls.
    chain: Option<Arc<Chain>>,
    /// The limits of policies that its calls are under.
    pub(crate) known: Known,
}

enum Models {
    All,
    Some(Vec<Glob>),
}

/// Builds a [`Caller`].
pub struct CallerBuilder(Caller);

// === impl Caller ===

impl Caller {
    /// Starts a caller that may use no model yet.
    pub fn builder(id: impl Into<Arc<str>>) -> CallerBuilder {
        CallerBuilder(Self {
            id: id.into(),
            name: None,
            models: Models::Some(Vec::new()),
            limit: None,
            disabled: false,
            expires_at: None,
            team_id: None,
            user_id: None,
            user_name: None,
            chain: None,
            known: Known::default(),
        })
    }

    /// The identity, unique among callers.
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// The display name.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The team, for policies and labels.
    pub fn team_id(&self) -> Option<&str> {
        self.team_id.as_deref()
    }

    /// The user, for policies and labels.
    pub fn user_id(&self) -> Option<&str> {
        self.user_id.as_deref()
    }

    /// The user's name, for labels.
    pub fn user_name(&self) -> Option<&str> {
        self.user_name.as_deref()
    }

    /// The limits of this caller.
    pub fn limit(&self) -> Option<&Arc<Limit>> {
        self.limit.as_ref()
    }

    /// Whether this caller may use the model of this name.
    pub fn may_use(&self, model: &str) -> bool {
        self.allowed_by(model).is_some()
    }

    /// The pattern by which this caller may use the model of this name: the first that matches.
    pub fn allowed_by(&self, model: &str) -> Option<&str> {
        match &self.models {
            Models::All => Some("*"),
            Models::Some(globs) => globs
                .iter()
                .find(|glob| glob.matches(model))
                .map(Glob::as_str),
        }
    }

    /// Whether the caller is switched off.
    pub fn is_disabled(&self) -> bool {
        self.disabled
    }

    /// When the caller's time is over; `None` for never.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    pub(crate) fn chain(&self) -> Option<&Arc<Chain>> {
        self.chain.as_ref()
    }

    /// Whether the caller's time is over at `now`.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

// === impl CallerBuilder ===

impl CallerBuilder {
    /// Sets the display name.
    #[must_use]
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.0.name = Some(name.into());
        self
    }

    /// Allows models; an entry may hold one `*`, and `"*"` allows all.
    #[must_use]
    pub fn models<I>(mut self, globs: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Glob>,
    {
        let globs: Vec<Glob> = globs.into_iter().map(Into::into).collect();
        self.0.models = if globs.iter().any(|glob| glob.as_str() == "*") {
            Models::All
        } else {
            Models::Some(globs)
        };
        self
    }

    /// Sets the limits of this caller, counted by its id.
    #[must_use]
    pub fn rate_limit(mut self, rates: &RateLimit) -> Self {
        self.0.limit = Limit::new(Scope::ApiKey, self.0.id.clone(), rates).map(Arc::new);
        self
    }

    /// Switches the caller off.
    #[must_use]
    pub fn disabled(mut self, disabled: bool) -> Self {
        self.0.disabled = disabled;
        self
    }

    /// Sets when the caller's time is over.
    #[must_use]
    pub fn expires_at(mut self, end: Option<Timestamp>) -> Self {
        self.0.expires_at = end;
        self
    }

    /// Sets the team and the user, for policies and labels.
    #[must_use]
    pub fn member(
        mut self,
        team_id: Option<&str>,
        user_id: Option<&str>,
        user_name: Option<&str>,
    ) -> Self {
        self.0.team_id = team_id.map(Into::into);
        self.0.user_id = user_id.map(Into::into);
        self.0.user_name = user_name.map(Into::into);
        self
    }

    pub(crate) fn chain(mut self, chain: Option<Arc<Chain>>) -> Self {
        self.0.chain = chain;
        self
    }

    /// Finishes the caller.
    pub fn build(self) -> Caller {
        self.0
    }
}
