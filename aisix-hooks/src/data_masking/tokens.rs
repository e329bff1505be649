//! Tokens that stand for values in a request, and are turned back in its answer.

use std::{collections::HashMap, collections::hash_map::Entry, sync::Arc};

use aisix_core::config::Secret;
use parking_lot::Mutex;

use super::masks::{Mask, Masks};
use crate::{
    edit::{Editor, Seen, Stop},
    mask::{Check, Entity, Finder},
};

/// What keys are derived for.
const PURPOSE: &str = "aisix data_masking 2026 tokens of values";
/// How many bytes of a hash a token has.
const LENGTH: usize = 8;
/// What a token looks like.
const TOKEN: &str = r"\[[A-Z0-9_]{1,20}_[0-9a-f]{16}\]";

/// Makes tokens with a secret.
pub(super) struct Tokens {
    key: [u8; 32],
    tokens: Arc<Finder>,
}

/// Writes tokens in the place of the values of one request, and remembers them.
pub(super) struct Hiding {
    masks: Arc<Masks>,
    key: [u8; 32],
    values: Mutex<HashMap<String, String>>,
}

/// Writes values in the place of tokens that were made for this call. Others stay as they are.
pub(super) struct Restoring {
    tokens: Arc<Finder>,
    values: HashMap<String, String>,
}

// === impl Tokens ===

impl Tokens {
    pub(super) fn new(secret: &Secret) -> Self {
        let token = Entity::ours(TOKEN, Check::None);
        let tokens = Finder::compile(vec![token]).expect("our own expression is small");
        Self {
            key: blake3::derive_key(PURPOSE, secret.expose().as_bytes()),
            tokens: Arc::new(tokens),
        }
    }

    /// For one request.
    pub(super) fn hiding(&self, masks: Arc<Masks>) -> Hiding {
        Hiding {
            masks,
            key: self.key,
            values: Mutex::default(),
        }
    }

    /// For the answer to it, if there is anything to turn back.
    pub(super) fn restoring(&self, hidden: Hiding) -> Option<Restoring> {
        let values = hidden.values.into_inner();
        let tokens = self.tokens.clone();
        (!values.is_empty()).then_some(Restoring { tokens, values })
    }
}

// === impl Hiding ===

impl Hiding {
    /// The token of a value. Should it be that of another value of this request already, the value is masked for good.
    fn hide(&self, mask: &Mask, value: &str) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher
            .update(mask.label.as_bytes())
            .update(&[0])
            .update(value.as_bytes());
        let hash = hasher.finalize().to_hex();
        let token = format!("[{}_{}]", mask.label, &hash[..2 * LENGTH]);
        match self.values.lock().entry(token.clone()) {
            Entry::Occupied(known) if known.get() != value => mask.hide(value),
            Entry::Occupied(_) => token,
            Entry::Vacant(free) => {
                free.insert(value.to_owned());
                token
            }
        }
    }
}

impl Editor for Hiding {
    fn look(&self, text: &str, from: usize, is_whole: bool) -> Result<Seen, Stop> {
        let hide = |mask: &Mask, value: &str| self.hide(mask, value);
        Ok(self.masks.look_with(text, from, is_whole, hide))
    }
}

// === impl Restoring ===

impl Editor for Restoring {
    fn look(&self, text: &str, from: usize, is_whole: bool) -> Result<Seen, Stop> {
        let value = |_, token: &str| self.values.get(token).cloned();
        Ok(self.tokens.look(text, from, text.len(), is_whole, value))
    }
}
