//! Telling what is not served: what was rejected, and what stands behind another one.

use std::collections::BTreeSet;

use super::{Key, Kind, Reason, Rejected, RowName, Writer, status};

impl Writer {
    /// What is not served because another one has its name or credential, besides what was rejected.
    pub(super) fn rejected(&self) -> Vec<Rejected> {
        let mut rejected = self.troubles.all_rejected();
        let models = self
            .names
            .hidden()
            .map(|it| (Kind::Model, "display_name", it));
        let api_keys = self.hashes.hidden().map(|it| {
            let field = match it.claim.is_past {
                true => "previous_key_hash",
                false => "key_hash",
            };
            (Kind::ApiKey, field, it)
        });
        let hidden = models.chain(api_keys).map(|(kind, field, hidden)| {
            let (id, since) = (hidden.claim.id.clone(), hidden.since);
            let key = Key { kind, id };
            (key, also(field, kind, hidden.by), since)
        });
        let mut gateways = self.gateways.keys();
        let served = gateways.next();
        let gateways = served.into_iter().flat_map(|served| {
            let kind = Kind::Gateway;
            let behind = gateways.clone().cloned();
            behind.map(move |id| {
                let key = Key { kind, id };
                (key, also("name", kind, served), self.applied_at)
            })
        });
        let hidden = hidden.chain(gateways);
        let known: BTreeSet<RowName> = rejected.iter().map(|it| it.name.clone()).collect();
        for (key, message, since) in hidden {
            let name = RowName::from(&key);
            if !known.contains(&name) {
                rejected.push(Rejected {
                    name,
                    reason: Some(Reason::SchemaFailed),
                    message,
                    first_seen: since,
                    last_seen: since,
                    stale_since: None,
                });
            }
        }
        // Both credentials of an API key may be hidden.
        rejected.sort_by(|a, b| (&a.name, &a.message).cmp(&(&b.name, &b.message)));
        rejected.dedup_by(|next, first| {
            let is_same = next.name == first.name;
            if is_same {
                first.message = format!("{}; {}", first.message, next.message);
            }
            is_same
        });
        rejected.truncate(status::MAX_REJECTED);
        rejected
    }
}

/// What is said of a resource that stands behind another one.
fn also(field: &str, kind: Kind, by: &str) -> String {
    format!("`{field}` is also that of {kind}/{by}, which is served")
}
