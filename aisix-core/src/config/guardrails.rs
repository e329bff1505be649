//! The guardrails as they stand, and what they are attached to.

use std::{collections::BTreeMap, sync::Arc};

use super::resource::{Guardrail, GuardrailAttachment};
use crate::hook::{Active, CallService, Guard, Guards};

/// The guardrails and attachments by their ids.
///
/// Guards are compiled one by one when they change; which of them apply to what is sorted out anew whenever
/// any guardrail or attachment has changed, once for all changes that come together.
#[derive(Default)]
pub(super) struct Guardrails {
    active: BTreeMap<Arc<str>, Active>,
    attachments: BTreeMap<Arc<str>, GuardrailAttachment>,
    has_changed: bool,
}

// === impl Guardrails ===

impl Guardrails {
    pub(super) fn put(&mut self, id: &Arc<str>, guardrail: &Guardrail, guard: Arc<Guard>) {
        self.has_changed = true;
        if guardrail.enabled {
            let active = Active {
                id: id.clone(),
                guard,
                created_at: guardrail.created_at,
            };
            self.active.insert(id.clone(), active);
        }
    }

    pub(super) fn remove(&mut self, id: &str) {
        self.has_changed = true;
        self.active.remove(id);
    }

    pub(super) fn attach(&mut self, id: &Arc<str>, attachment: &GuardrailAttachment) {
        self.has_changed = true;
        self.attachments.insert(id.clone(), attachment.clone());
    }

    pub(super) fn detach(&mut self, id: &str) {
        self.has_changed = true;
        self.attachments.remove(id);
    }

    /// What applies to what, if that has changed since it was asked for the last time.
    pub(super) fn changed(&mut self, innermost: &CallService) -> Option<Option<Arc<Guards>>> {
        if !std::mem::take(&mut self.has_changed) {
            return None;
        }
        let active = self.active.values().cloned();
        let attachments = self.attachments.values();
        Some(Guards::new(active, attachments, innermost.clone()).map(Arc::new))
    }
}
