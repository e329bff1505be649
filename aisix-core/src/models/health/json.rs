//! How models fare, as `/status/models` tells it.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Health, HealthStatus, MemberHealth, ReplicaHealth, all};
use crate::{balance::health::Reason, config::Snapshot};

/// How the models of a snapshot fare now, as `/status/models` tells it: `[{id, display_name, kind, status,
/// status_reason?, since?, cooldown_until?, last_checked_at?, last_check_status?, in_flight?, targets?, replicas?}]`; a replica
/// is `{name, status, status_reason?, since?, cooldown_until?, last_checked_at?, last_check_status?, in_flight}`. Times are
/// `{secs_since_epoch, nanos_since_epoch}`.
pub fn to_json(snapshot: &Snapshot) -> Value {
    all(snapshot).map(|health| health.to_json()).collect()
}

impl Health {
    fn to_json(&self) -> Value {
        let model = &self.model;
        let members = [
            ("id", Some(model.id().as_ref().into())),
            ("display_name", Some(model.name().as_ref().into())),
            ("kind", Some(model.kind().as_str().into())),
            ("status", Some(self.status.as_str().into())),
            ("status_reason", self.reason.as_deref().map(Value::from)),
            ("since", self.since.map(time)),
            ("cooldown_until", self.until.map(time)),
            ("last_checked_at", self.last_checked_at.map(time)),
            (
                "last_check_status",
                self.last_check_status.map(|it| it.as_u16().into()),
            ),
            ("in_flight", self.in_flight.map(Value::from)),
            ("targets", self.targets()),
            ("replicas", self.replicas()),
        ];
        object(members)
    }

    fn targets(&self) -> Option<Value> {
        let target = |member: &MemberHealth| {
            let (name, status) = (&*member.name, member.status.as_str());
            json!({"model": name, "status": status})
        };
        let targets = self.members.iter().map(target);
        (!self.members.is_empty()).then(|| targets.collect())
    }

    fn replicas(&self) -> Option<Value> {
        let replicas = self.replicas.iter().map(ReplicaHealth::to_json);
        (!self.replicas.is_empty()).then(|| replicas.collect())
    }
}

impl ReplicaHealth {
    fn to_json(&self) -> Value {
        let report = &self.report;
        let status = HealthStatus::from(report.status);
        let reason = report.reason.map(Reason::as_str);
        object([
            ("name", Some(self.replica.name().as_ref().into())),
            ("status", Some(status.as_str().into())),
            ("status_reason", reason.map(Value::from)),
            ("since", report.since.map(time)),
            ("cooldown_until", report.until.map(time)),
            ("last_checked_at", report.last_checked_at.map(time)),
            (
                "last_check_status",
                report.last_check_status.map(|it| it.as_u16().into()),
            ),
            ("in_flight", Some(self.in_flight.into())),
        ])
    }
}

fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let members = members.into_iter();
    let members: Map<String, Value> = members
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect();
    Value::Object(members)
}

/// A time as dashboards know it; what is before the epoch is the epoch.
fn time(at: Timestamp) -> Value {
    let at = at.max(Timestamp::UNIX_EPOCH);
    json!({"secs_since_epoch": at.as_second(), "nanos_since_epoch": at.subsec_nanosecond()})
}
