//! How the models and the configuration fare.

use aisix_core::{
    body::Body,
    config::{Config, status::Source},
    models::health::{self, Grade, Health},
};
use http::{Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::answer::json_response;

/// For how many seconds a source may be out of reach before that is told as trouble.
const STALE: i64 = 300;

/// `[{id, display_name, kind, status, …}]`, see [`health::to_json`].
pub(crate) fn models(config: &Config) -> Response<Body> {
    json_response(StatusCode::OK, &health::to_json(&config.current()))
}

/// `{status, models: [{id, name, health}], config?}`.
pub(crate) fn summary(config: &Config) -> Response<Body> {
    json_response(StatusCode::OK, &summary_at(config, Timestamp::now()))
}

fn summary_at(config: &Config, now: Timestamp) -> Value {
    let snapshot = config.current();
    let models: Vec<Health> = health::all(&snapshot).collect();
    let age = age(&config.source(), now);
    let is_down = !models.is_empty() && models.iter().all(|health| health.grade == Grade::Down);
    let is_well = age.is_some_and(|age| age <= STALE)
        && models.iter().all(|health| health.grade == Grade::Well);
    let status = match (snapshot.is_loaded() && !is_down, is_well) {
        (false, _) => "unhealthy",
        (true, false) => "degraded",
        (true, true) => "ok",
    };
    let models = models.iter().map(|health| {
        let model = &health.model;
        json!({"id": **model.id(), "name": **model.name(), "health": number(health.grade)})
    });
    let mut summary = json!({"status": status, "models": models.collect::<Value>()});
    // Files have no revisions.
    if let Some(revision) = snapshot.revision() {
        summary["config"] = json!({"snapshot_revision": revision, "snapshot_age_seconds": age});
    }
    summary
}

fn number(grade: Grade) -> u8 {
    match grade {
        Grade::Well => 0,
        Grade::Degraded => 1,
        Grade::Down => 2,
    }
}

/// How many seconds ago that was; 0 if the clock was set back since.
pub(crate) fn seconds_since(then: Timestamp) -> i64 {
    (Timestamp::now().as_second() - then.as_second()).max(0)
}

/// How many seconds ago the source was heard last; 0 while it is connected, `None` if it never was.
fn age(source: &Source, now: Timestamp) -> Option<i64> {
    match (source.connected, source.observed_at) {
        // The clock may have been set back since.
        (Some(false), Some(heard)) => Some((now.as_second() - heard.as_second()).max(0)),
        (Some(false), None) => None,
        _ => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use aisix_core::config::{Change, Entry, Kind};
    use jiff::SignedDuration;

    use super::*;

    fn heard(config: &Config, connected: bool, observed_at: Option<Timestamp>) {
        config.describe(move || Source {
            connected: Some(connected),
            observed_at,
            ..Source::default()
        });
    }

    fn model(id: &str, key: &str) -> Change {
        let document = json!({"display_name": id, "provider": "mock", "model_name": "m",
            "provider_key_id": key});
        Change::Put(Entry::new(Kind::Model, id, document))
    }

    #[test]
    fn an_unreachable_source_is_trouble_after_five_minutes_whatever_the_clock_does() {
        let config = Config::builder().build();
        let now = Timestamp::now();
        let after = |seconds| {
            let summary = summary_at(&config, now + SignedDuration::from_secs(seconds));
            let age = summary["config"]["snapshot_age_seconds"].clone();
            (
                summary["status"].as_str().unwrap_or_default().to_owned(),
                age,
            )
        };
        assert_eq!(
            after(0),
            ("unhealthy".to_owned(), Value::Null),
            "not loaded"
        );
        config.apply([Change::Reset(vec![])]);
        assert_eq!(
            after(0),
            ("ok".to_owned(), Value::Null),
            "without revisions"
        );
        config.apply([Change::At(7)]);
        heard(&config, true, Some(now));
        assert_eq!(after(10_000), ("ok".to_owned(), 0.into()));
        heard(&config, false, Some(now));
        assert_eq!(after(100), ("ok".to_owned(), 100.into()));
        assert_eq!(after(400), ("degraded".to_owned(), 400.into()));
        assert_eq!(after(-400), ("ok".to_owned(), 0.into()), "the clock jumped");
        assert_eq!(summary_at(&config, Timestamp::MIN)["status"], "ok");
        assert_eq!(summary_at(&config, Timestamp::MAX)["status"], "degraded");
        heard(&config, false, None);
        assert_eq!(
            after(0),
            ("degraded".to_owned(), Value::Null),
            "never heard"
        );
    }

    #[test]
    fn one_bad_model_is_degraded_and_only_bad_ones_are_unhealthy() {
        let providers = aisix_core::upstream::Registry::new();
        let providers = providers.provider(aisix_core::testing::Plain);
        let config = Config::builder().providers(providers).build();
        let key = json!({"display_name": "key", "api_key": "k", "provider": "plain"});
        config.apply([
            Change::Reset(vec![Entry::new(Kind::ProviderKey, "key", key)]),
            model("bad", "none"),
        ]);
        let now = Timestamp::now();
        assert_eq!(summary_at(&config, now)["status"], "unhealthy");
        config.apply([model("good", "key")]);
        let expected = json!({"status": "degraded", "models": [
            {"id": "bad", "name": "bad", "health": 2}, {"id": "good", "name": "good", "health": 0}]});
        assert_eq!(summary_at(&config, now), expected);
    }
}
