//! The metrics by name.

use std::sync::Arc;

use super::{
    cell::{Cell, Counter, Gauge, Spend},
    family::{Family, Render},
    histogram::{Bounds, Histogram},
    settings::MetricsSettings,
    summary::Summary,
};

/// The labels of a request, without the last ones.
macro_rules! request_labels {
    ($($more:literal),*) => {
        &[
            "endpoint", "inbound_protocol", "provider", "model", "upstream_model",
            "provider_key_id", "provider_key_name", "api_key_id", "team_id", "user_id",
            "user_name", $($more),*
        ]
    };
}

const REQUEST: &[&str] = request_labels!("stream", "is_fallback", "status", "outcome");
const DURATION: &[&str] = request_labels!("stream", "status", "outcome");
const IDENTITY: &[&str] = request_labels!();
const LATENCY: &[&str] = &[
    "env_id",
    "endpoint",
    "model",
    "provider",
    "status_class",
    "streaming",
];
const DEPLOYMENT: &[&str] = &["provider", "model", "upstream_model", "provider_key_id"];
const GUARD: &[&str] = &[
    "env_id",
    "guardrail",
    "kind",
    "phase",
    "result",
    "error_type",
];

macro_rules! families {
    ($($field:ident: $cell:ty = $name:literal, $labels:expr, $help:literal;)*) => {
        /// One family for each metric.
        pub(super) struct Families {
            $(pub(super) $field: Family<$cell>,)*
        }

        impl Families {
            pub(super) fn new(settings: &MetricsSettings) -> Self {
                let seeds = Seeds::new(settings);
                Self {
                    $($field: <$cell as Seed>::family(&seeds, $name, $help, $labels),)*
                }
            }

            /// All of them, in the order in which they are rendered.
            pub(super) fn all(&self) -> Vec<&dyn Render> {
                vec![$(&self.$field as &dyn Render,)*]
            }
        }
    };
}

families! {
    requests: Counter = "aisix_requests_total",
        &["provider", "model", "status", "outcome"], "Requests, without probes.";
    request_duration: Summary = "aisix_request_duration_seconds",
        &["provider", "model", "status"], "Time from a request's start to its end, without probes.";
    tokens: Counter = "aisix_tokens_consumed_total",
        &["provider", "model"], "Tokens of prompts and completions.";
    proxy_requests: Counter = "aisix_proxy_requests_total", REQUEST, "Requests.";
    proxy_failed: Counter = "aisix_proxy_failed_requests_total", REQUEST,
        "Requests that were refused or whose answer broke.";
    proxy_duration: Summary = "aisix_proxy_request_duration_seconds", DURATION,
        "Time from a request's start to its end.";
    llm_requests: Counter = "aisix_llm_requests_total", REQUEST,
        "Requests whose model was resolved.";
    llm_duration: Summary = "aisix_llm_request_duration_seconds", DURATION,
        "Time from the start to the end of a request whose model was resolved.";
    api_latency: Summary = "aisix_llm_api_latency_seconds", DURATION,
        "Time from the last attempt's start to the upstream's head, or to its failure.";
    llm_ttft: Summary = "aisix_llm_time_to_first_token_seconds", IDENTITY,
        "Time from a request's start to the first content of its stream.";
    llm_input: Counter = "aisix_llm_input_tokens_total", IDENTITY, "Tokens of prompts.";
    llm_output: Counter = "aisix_llm_output_tokens_total", IDENTITY, "Tokens of completions.";
    llm_total: Counter = "aisix_llm_total_tokens_total", IDENTITY,
        "Tokens of prompts and completions.";
    llm_spend: Spend = "aisix_llm_spend_micro_usd_total", IDENTITY,
        "What the tokens cost by the price of the model that served, in millionths of a dollar.";
    by_client: Counter = "aisix_llm_tokens_by_client_total",
        &["client_type", "model", "token_type"], "Tokens by the kind of client.";
    e2e: Histogram = "aisix_request_e2e_latency_seconds", LATENCY,
        "Time from a request's start to its end, without probes.";
    ttft: Histogram = "aisix_request_ttft_seconds", LATENCY,
        "Time from a request's start to the first content of its stream.";
    guard_latency: Histogram = "aisix_guardrail_latency_seconds", GUARD,
        "Time that a guard looked at a request or an answer.";
    guard_blocks: Counter = "aisix_guardrail_blocks_total", &[],
        "Requests and answers that a guard refused.";
    guard_bypasses: Counter = "aisix_guardrail_bypasses_total", &["reason"],
        "Requests and answers that went on although a guard could not tell.";
    auth: Counter = "aisix_auth_decisions_total",
        &["method", "result", "reason"], "Decisions about credentials.";
    ratelimit: Counter = "aisix_ratelimit_rejections_total",
        &["scope", "layer", "policy_id"], "Requests that a rate limit refused.";
    remaining_requests: Gauge = "aisix_ratelimit_remaining_requests", &["api_key_id", "model"],
        "Requests that the key had left in its minute when its last call was admitted.";
    remaining_tokens: Gauge = "aisix_ratelimit_remaining_tokens", &["api_key_id", "model"],
        "Tokens that the key had left in its minute when its last call was admitted.";
    redis_failures: Counter = "aisix_redis_failures_total", &["operation"],
        "What Redis was asked for in vain.";
    cache: Counter = "aisix_cache_requests_total", &["policy", "outcome"],
        "Calls at a cache.";
    cache_embedding: Summary = "aisix_cache_semantic_embedding_seconds", &["policy"],
        "Time in which a cache got the vector of a request.";
    cache_embedding_failures: Counter = "aisix_cache_semantic_embedding_failures_total",
        &["policy", "cause"], "Requests of which a cache got no vector.";
    deployment: Counter = "aisix_deployment_requests_total", DEPLOYMENT,
        "Attempts at an upstream.";
    deployment_success: Counter = "aisix_deployment_success_responses_total", DEPLOYMENT,
        "Attempts that an upstream answered.";
    deployment_failure: Counter = "aisix_deployment_failure_responses_total", DEPLOYMENT,
        "Attempts that failed.";
    deployment_cooled_down: Counter = "aisix_deployment_cooled_down_total", DEPLOYMENT,
        "Cooldowns that attempts at an upstream have begun.";
    deployment_state: Gauge = "aisix_deployment_state", DEPLOYMENT,
        "0 while a model is healthy, 1 while it cools down, 2 while it takes no calls.";
    replica_turns: Counter = "aisix_replica_turns_total", &["upstream", "replica", "turn"],
        "Changes of the health of replicas of upstreams.";
    replica_state: Gauge = "aisix_replica_state", &["upstream", "replica"],
        "0 while a replica is healthy, 1 while it cools down, 2 while it takes no requests.";
    fallbacks: Counter = "aisix_routing_successful_fallbacks_total", &["model", "fallback_model"],
        "Models that took over from others and served.";
    failed_fallbacks: Counter = "aisix_routing_failed_fallbacks_total",
        &["model", "fallback_model"], "Models that took over from others and failed.";
    hedges: Counter = "aisix_routing_hedges_total", &["model", "hedge_model", "outcome"],
        "Models that were asked beside others that took long.";
    in_flight: Gauge = "aisix_proxy_in_flight_requests",
        &["endpoint", "inbound_protocol"], "Requests under way.";
    cancelled: Counter = "aisix_proxy_client_cancelled_requests_total",
        &["endpoint", "model", "provider_key_id", "provider_key_name"],
        "Requests whose client left.";
    too_large: Counter = "aisix_proxy_request_body_limit_rejections_total",
        &["endpoint", "inbound_protocol", "outcome"], "Requests whose body was too large.";
    last_reload: Gauge = "aisix_config_last_reload_successful", &[],
        "1 when the last reload of the configuration succeeded.";
    last_reload_time: Gauge = "aisix_config_last_reload_success_timestamp_seconds", &[],
        "When a reload of the configuration last succeeded, in seconds since the epoch.";
    source_connected: Gauge = "aisix_config_source_connected", &[],
        "1 while the source of the configuration can be reached.";
    observed_revision: Gauge = "aisix_config_observed_revision", &[],
        "The revision that was last seen at the source.";
    applied_revision: Gauge = "aisix_config_applied_revision", &[],
        "The revision that is served.";
    reloads: Counter = "aisix_config_reloads_total", &[], "Reloads of the configuration.";
    reload_failures: Counter = "aisix_config_reload_failures_total", &["reason"],
        "Reloads of the configuration that failed.";
    rejected: Gauge = "aisix_config_rejected_resources", &["kind"],
        "Resources that were not applied.";
    partially_compatible: Gauge = "aisix_config_partially_compatible_resources", &["kind"],
        "Resources that were applied without fields that are unknown here.";
    stale_served: Gauge = "aisix_config_stale_served_resources", &["kind"],
        "Resources that were not applied and whose last good version is served.";
    snapshot_written: Gauge = "aisix_config_snapshot_last_write_successful", &[],
        "1 when the last known configuration was kept at the last attempt.";
    snapshot_failures: Counter = "aisix_config_snapshot_write_failures_total", &[],
        "Failed attempts to keep the last known configuration.";
    hash: Gauge = "aisix_config_hash_info", &["hash"], "The hash of the configuration served.";
}

/// What new series are made from.
struct Seeds {
    max: usize,
    e2e: Arc<Bounds>,
    ttft: Arc<Bounds>,
    guard: Arc<Bounds>,
}

/// How the first series of a cell's family is made.
trait Seed: Cell + Sized {
    fn family(
        seeds: &Seeds,
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
    ) -> Family<Self>;
}

// === impl Seeds ===

impl Seeds {
    fn new(settings: &MetricsSettings) -> Self {
        Self {
            max: settings.max_series.max(1),
            e2e: Arc::new(Bounds::new(&settings.buckets.request_e2e_latency)),
            ttft: Arc::new(Bounds::new(&settings.buckets.request_ttft)),
            guard: Arc::new(Bounds::new(&settings.buckets.guardrail_latency)),
        }
    }
}

macro_rules! seed_by_default {
    ($($cell:ty),*) => {$(
        impl Seed for $cell {
            fn family(
                seeds: &Seeds,
                name: &'static str,
                help: &'static str,
                labels: &'static [&'static str],
            ) -> Family<Self> {
                Family::new(name, help, labels, seeds.max, <$cell>::default)
            }
        }
    )*};
}

seed_by_default!(Counter, Gauge, Spend, Summary);

impl Seed for Histogram {
    fn family(
        seeds: &Seeds,
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
    ) -> Family<Self> {
        let bounds = match name {
            "aisix_request_ttft_seconds" => seeds.ttft.clone(),
            "aisix_guardrail_latency_seconds" => seeds.guard.clone(),
            _ => seeds.e2e.clone(),
        };
        Family::new(name, help, labels, seeds.max, move || {
            Histogram::new(bounds.clone())
        })
    }
}
