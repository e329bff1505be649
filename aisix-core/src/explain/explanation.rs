//! What is told.

use std::{net::IpAddr, sync::Arc, time::Duration};

use aisix_wire::Dialect;
use bytes::Bytes;
use ipnet::IpNet;
use jiff::Timestamp;

use crate::{
    error::ErrorKind,
    limit::{Limit, Look, PolicyName},
    models::Deadlines,
};

/// What would become of a request, and why. It holds no credentials.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explanation {
    /// Whether it would be sent.
    pub verdict: Verdict,
    /// The gateway that takes it: `default`.
    pub gateway: &'static str,
    /// What is asked for.
    pub request: RequestFacts,
    /// Who asks; `None` when nobody is known.
    pub caller: Option<CallerFacts>,
    /// The model; `None` when there is none of that name, or the request does not come so far.
    pub model: Option<ModelFacts>,
    /// The limits; `None` when the request does not come so far.
    pub limits: Option<LimitFacts>,
    /// The names of the hooks, in the order in which they would run: those of the configuration before the
    /// body is read, those of the program, guardrails (`guardrail:<name>`), those of the configuration on calls, and the
    /// cache policy (`cache_policy:<name>`). They were not run: they may have effects, and may change or refuse the
    /// request.
    pub hooks: Vec<String>,
    /// What a model that routes by meaning would choose by. It was not asked for: the explanation is that of a request
    /// that suits no route.
    pub embeds: Option<EmbedFacts>,
    /// Where the model is served, in the order of the attempts; behind them, those that would not be asked, and
    /// why. Empty when there is no model.
    pub targets: Vec<TargetFacts>,
}

/// Whether a request would be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// To an upstream, as far as the gateway decides.
    Sent,
    /// It would be refused.
    Refused(Refusal),
}

/// Why a request would be refused, as its caller would see it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// Who refuses.
    pub stage: Stage,
    /// The status.
    pub status: u16,
    /// What happened.
    pub kind: ErrorKind,
    /// The machine-readable code.
    pub code: Option<String>,
    /// The field of the request that is wrong.
    pub param: Option<String>,
    /// The message.
    pub message: String,
    /// When the caller is told to come back.
    pub retry_after: Option<Duration>,
    /// What only the operator may know.
    pub detail: Option<String>,
    /// The body of the answer, in the caller's dialect.
    pub answer: Bytes,
}

/// The stages that refuse, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Stage {
    /// Path, method and head.
    Edge,
    /// Who is calling.
    Auth,
    /// The body.
    Ingest,
    /// Whether the model exists, and may be used.
    Admit,
    /// The limits.
    Limit,
    /// What is made of the request for the upstream.
    Upstream,
}

/// What is asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RequestFacts {
    /// The path.
    pub path: String,
    /// The template of its route; `None` for an unknown path.
    pub route: Option<&'static str>,
    /// The name of the operation, such as `chat.completions`.
    pub operation: Option<&'static str>,
    /// The caller's dialect.
    pub dialect: Option<Dialect>,
    /// The model as the request names it.
    pub model: Option<String>,
    /// Whether a stream is asked for.
    pub streams: bool,
    /// Whether the body was given, not made up.
    pub has_body: bool,
    /// Where the client is, by the trusted proxies' word where there are any.
    pub client: Option<IpAddr>,
}

/// Who asks.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CallerFacts {
    /// The id of the API key, or of another caller.
    pub id: String,
    /// The display name.
    pub name: Option<String>,
    /// The team.
    pub team_id: Option<String>,
    /// The user.
    pub user_id: Option<String>,
    /// The user's name.
    pub user_name: Option<String>,
    /// When the key expires; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// Whether the key is switched off.
    pub is_disabled: bool,
}

/// The model.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ModelFacts {
    /// The resource's id.
    pub id: String,
    /// The configured name; a pattern for a wildcard.
    pub name: String,
    /// Whether it was found by a pattern.
    pub is_wildcard: bool,
    /// The pattern of the key that allows it; `None` when none does.
    pub allowed_by: Option<String>,
    /// The networks that clients must come from; `None` without a restriction.
    pub networks: Option<Vec<IpNet>>,
    /// Whether the client's address is admitted.
    pub admits_client: bool,
}

/// The limits of caller and model, and those of policies.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LimitFacts {
    /// The estimate of the tokens that the request will use; 0 when nothing is limited.
    pub tokens: u64,
    /// The limits, in the order in which they are checked.
    pub limits: Vec<Arc<Limit>>,
    /// How they stand; `None` when nothing is limited, or the store cannot tell.
    pub look: Option<Look>,
    /// The policies that limit such requests at other times, and are suspended now.
    pub suspended: Vec<PolicyName>,
}

/// What would be asked for the vector of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EmbedFacts {
    /// The name of the model that would be asked.
    pub model: String,
    /// The text: the last one of the user.
    pub text: String,
}

/// Where a model is served.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TargetFacts {
    /// The name of the model: the one that is asked for, or one of those that it stands for.
    pub model: String,
    /// What it does in an ensemble: `panel` or `judge`.
    pub role: Option<&'static str>,
    /// The provider.
    pub provider: String,
    /// The id of the provider key; empty when there is none.
    pub key_id: String,
    /// Its display name.
    pub key_name: String,
    /// The model's name there.
    pub upstream_model: String,
    /// The replica that it would be sent to, where the provider key names an upstream.
    pub replica: Option<String>,
    /// The dialect in which the provider offers the operation.
    pub dialect: Option<Dialect>,
    /// Why it cannot serve the request, would not be asked, or only when all others have failed.
    pub reason: Option<String>,
    /// Deadlines; `total` does not hold for streams, `first_token` and `gap` only for them.
    pub deadlines: Deadlines,
    /// How often a failed attempt is made again.
    pub retries: u32,
    /// Whether it would go on with the text of a stream that has broken.
    pub continues: bool,
    /// What would be sent there; `None` when nothing would.
    pub upstream: Option<UpstreamFacts>,
}

/// What would be sent to an upstream.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UpstreamFacts {
    /// Scheme, host and path; a path alone within this process.
    pub url: String,
    /// Whether the provider is within this process, or has another way of its own.
    pub has_own_transport: bool,
    /// How the body gets there: `verbatim`, `edited` or `translated`.
    pub fidelity: &'static str,
    /// Top-level members of the body that are changed, added or left out, unless all of it is translated.
    pub edited: Vec<String>,
    /// What the upstream's dialect cannot say.
    pub dropped: Vec<String>,
    /// The names of the headers.
    pub headers: Vec<String>,
    /// The length of the body in bytes.
    pub body_bytes: usize,
}

// === impl Explanation ===

impl Explanation {
    /// Whether the request would be sent.
    pub fn is_sent(&self) -> bool {
        self.verdict == Verdict::Sent
    }
}

// === impl Stage ===

impl Stage {
    /// The name in one word, such as `auth`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Auth => "auth",
            Self::Ingest => "ingest",
            Self::Admit => "admit",
            Self::Limit => "limit",
            Self::Upstream => "upstream",
        }
    }
}
