//! `rate_limiter`: so many calls in a window of time, counted for everybody, an address, a user or a key.

mod count;
mod counter;
mod gcra;
mod settings;
mod subjects;

use std::{sync::Arc, time::Duration};

use aisix_core::{
    Error, ErrorKind,
    call::Call,
    config::resource::{Invalid, Stage},
    hook::{Built, Context, Next, PluginFactory, Stages, from_fn},
};
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;

pub use self::settings::{
    Action, Algorithm, Limits, Rate, RateLimiterSettings, Refusal, RetryAfter, Window,
};
use self::{count::Count, counter::Counter, gcra::Gcra, subjects::Subjects};

/// Refuses calls over a limit with 429, and tells in headers what is left.
///
/// A window slides: in no span of its length are more calls let through than its limit. Calls are
/// counted in slots of a sixtieth of the window, at least a second, so a place may come back as much
/// later. A call over any limit is counted by none.
///
/// With `algorithm: gcra`, calls come back one by one, evenly over the window, and a caller that has had
/// none for as long as that may make all of them at once: in the worst case, almost twice the limit passes in one
/// window. The time to come back is exact then, and a subject takes a few bytes, not a list of slots.
///
/// `per_ip` goes by the client's address, which is that of the connection unless a trusted proxy says
/// otherwise; `per_key` by the API key; `per_user` by the header `x-user-id`, `x-userid` or `user-id`,
/// which a client can set as it likes, and calls without one are not counted by it.
///
/// Counts are kept in memory, by each gateway for itself. They survive changes of the configuration, but not
/// another algorithm.
#[derive(Clone, Copy, Debug, Default)]
pub struct RateLimiter;

/// What is counted.
#[derive(Clone, Copy, Debug)]
enum Kind {
    PerIp,
    PerUser,
    PerKey,
    Global,
}

/// The counts of one element of a chain. Locks are taken in the order of the fields.
struct Counts<C> {
    per_ip: Subjects<C>,
    per_user: Subjects<C>,
    per_key: Subjects<C>,
    global: Subjects<C>,
}

/// One element of a chain.
struct Limiter<C> {
    rates: Vec<(Kind, Rate)>,
    retry_after: Duration,
    counts: Arc<Counts<C>>,
}

/// What the caller is told.
type Headers = Vec<(HeaderName, HeaderValue)>;

// === impl RateLimiter ===

impl PluginFactory for RateLimiter {
    type Settings = RateLimiterSettings;

    fn name(&self) -> &'static str {
        "rate_limiter"
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PreRequest])
    }

    fn build(
        &self,
        settings: RateLimiterSettings,
        context: &Context<'_>,
    ) -> Result<Built, Vec<Invalid>> {
        let limits = settings.limits;
        let rates: Vec<_> = [
            (Kind::PerIp, limits.per_ip),
            (Kind::PerUser, limits.per_user),
            (Kind::PerKey, limits.per_key),
            (Kind::Global, limits.global),
        ]
        .into_iter()
        .filter_map(|(kind, rate)| Some((kind, rate?)))
        .collect();
        if rates.is_empty() {
            return Err(vec![Invalid::new("limits", "must list something")]);
        }
        let retry_after = settings.actions.retry_after.duration();
        Ok(match settings.algorithm {
            Algorithm::SlidingWindow => built::<Counter>(rates, retry_after, context),
            Algorithm::Gcra => built::<Gcra>(rates, retry_after, context),
        })
    }
}

fn built<C: Count>(
    rates: Vec<(Kind, Rate)>,
    retry_after: Duration,
    context: &Context<'_>,
) -> Built {
    let limiter = Arc::new(Limiter {
        rates,
        retry_after,
        counts: context.state(Counts::<C>::default),
    });
    Built::hook(from_fn(move |call, next| {
        limit(Arc::clone(&limiter), call, next)
    }))
}

async fn limit<C: Count>(
    limiter: Arc<Limiter<C>>,
    call: Call,
    next: Next,
) -> Result<aisix_core::reply::Reply, Error> {
    let headers = limiter.take(&call)?;
    match next.run(call).await {
        Ok(mut reply) => {
            reply.headers_mut().extend(headers);
            Ok(reply)
        }
        Err(error) => Err(with_headers(error, headers)),
    }
}

fn with_headers(error: Error, headers: Headers) -> Error {
    headers
        .into_iter()
        .fold(error, |error, (name, value)| error.with_header(name, value))
}

// === impl Counts ===

impl<C> Default for Counts<C> {
    fn default() -> Self {
        Self {
            per_ip: Subjects::default(),
            per_user: Subjects::default(),
            per_key: Subjects::default(),
            global: Subjects::default(),
        }
    }
}

// === impl Limiter ===

impl<C: Count> Limiter<C> {
    /// Takes a place of every kind, or of none.
    fn take(&self, call: &Call) -> Result<Headers, Error> {
        let mut held = Vec::with_capacity(self.rates.len());
        for (kind, rate) in &self.rates {
            if let Some((subjects, subject)) = self.subject(*kind, call) {
                held.push((*kind, *rate, subjects.lock(subject)));
            }
        }
        let full = held.iter_mut().filter_map(|(kind, rate, place)| {
            let left = place.left(*rate);
            (left.calls == 0).then_some((*kind, left.wait))
        });
        // Told is the first one, and when none will be full.
        let full = full.reduce(|(kind, wait), (_, other)| (kind, wait.max(other)));
        let now = Timestamp::now().as_second();
        let mut headers = Vec::with_capacity(3 * held.len());
        for (kind, rate, place) in &mut held {
            if full.is_none() {
                place.take(*rate);
            }
            let left = place.left(*rate);
            let reset = i64::try_from(whole_seconds(left.reset)).unwrap_or(i64::MAX);
            let reset = now.saturating_add(reset);
            let [limit, remaining, until] = kind.headers();
            headers.push((limit, HeaderValue::from(rate.limit.get())));
            headers.push((remaining, HeaderValue::from(left.calls)));
            headers.push((until, HeaderValue::from(reset)));
        }
        match full {
            None => Ok(headers),
            Some((kind, wait)) => Err(with_headers(self.refusal(kind, wait), headers)),
        }
    }

    fn refusal(&self, kind: Kind, wait: Option<Duration>) -> Error {
        let message = format!("{} rate limit exceeded", kind.name());
        let wait = wait.map(|wait| Duration::from_secs(whole_seconds(wait)));
        let wait = wait.unwrap_or(self.retry_after);
        Error::new(ErrorKind::RateLimited, message).with_retry_after(wait)
    }

    /// Whose call it is, if it is anybody's.
    fn subject(&self, kind: Kind, call: &Call) -> Option<(&Subjects<C>, u64)> {
        let counts = &*self.counts;
        Some(match kind {
            Kind::PerIp => {
                let client = call.trail().client();
                (&counts.per_ip, counts.per_ip.hash(client))
            }
            Kind::PerUser => {
                let headers = &call.inbound.head.headers;
                let user = ["x-user-id", "x-userid", "user-id"]
                    .into_iter()
                    .find_map(|name| headers.get(name).filter(|user| !user.is_empty()))?;
                (&counts.per_user, counts.per_user.hash(user.as_bytes()))
            }
            Kind::PerKey => (&counts.per_key, counts.per_key.hash(call.caller().id())),
            Kind::Global => (&counts.global, 0),
        })
    }
}

/// Seconds, begun ones too.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

// === impl Kind ===

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::PerIp => "per_ip",
            Self::PerUser => "per_user",
            Self::PerKey => "per_key",
            Self::Global => "global",
        }
    }

    /// The names of its headers: limit, remaining, reset.
    fn headers(self) -> [HeaderName; 3] {
        let names = match self {
            Self::PerIp => [
                "x-ratelimit-per_ip-limit",
                "x-ratelimit-per_ip-remaining",
                "x-ratelimit-per_ip-reset",
            ],
            Self::PerUser => [
                "x-ratelimit-per_user-limit",
                "x-ratelimit-per_user-remaining",
                "x-ratelimit-per_user-reset",
            ],
            Self::PerKey => [
                "x-ratelimit-per_key-limit",
                "x-ratelimit-per_key-remaining",
                "x-ratelimit-per_key-reset",
            ],
            Self::Global => [
                "x-ratelimit-global-limit",
                "x-ratelimit-global-remaining",
                "x-ratelimit-global-reset",
            ],
        };
        names.map(HeaderName::from_static)
    }
}
