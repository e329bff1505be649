//! Which key stands for what.

use std::sync::Arc;

use aisix_core::config::{Key, Kind, Reason, Rejection, RowName, store::Revision};

/// Where the first generation keeps its API keys.
const FIRST_API_KEYS: &str = "apikeys";

/// How much of a foreign key is shown.
const SHOWN: usize = 256;

/// The keys below a prefix, and those beside it.
#[derive(Debug)]
pub(super) struct Layout {
    /// Ends with a slash.
    root: String,
    /// Ends with a slash.
    meta: String,
}

/// What a key below the prefix stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A resource.
    Resource(Key),
    /// An API key of the first generation.
    FirstApiKey(Arc<str>),
}

// === impl Layout ===

impl Layout {
    pub(super) fn new(prefix: &str, env_id: &str) -> Result<Self, String> {
        let mut prefix = prefix.trim_end_matches('/').to_owned();
        if prefix.is_empty() {
            return Err("the prefix in etcd must not be empty".to_owned());
        }
        let env_id = env_id.trim_matches('/');
        if !env_id.is_empty() {
            prefix = format!("{prefix}/{env_id}");
        }
        Ok(Self {
            root: format!("{prefix}/"),
            meta: format!("{prefix}-meta/"),
        })
    }

    /// What all documents stand below.
    pub(super) fn root(&self) -> &str {
        &self.root
    }

    pub(super) fn resource(&self, key: &Key) -> String {
        format!("{}{key}", self.root)
    }

    pub(super) fn first_api_key(&self, id: &str) -> String {
        format!("{}{FIRST_API_KEYS}/{id}", self.root)
    }

    /// What all keys begin with that resources of a kind are made of.
    pub(super) fn of_kind(&self, kind: Option<Kind>) -> Vec<String> {
        let names = match kind {
            None => return vec![self.root.clone()],
            Some(Kind::ApiKey) => vec![Kind::ApiKey.as_str(), FIRST_API_KEYS],
            // A model may hold its provider key.
            Some(Kind::ProviderKey) => vec![Kind::ProviderKey.as_str(), Kind::Model.as_str()],
            Some(kind) => vec![kind.as_str()],
        };
        let names = names.into_iter();
        names.map(|name| format!("{}{name}/", self.root)).collect()
    }

    /// Reads a key below the root, or says what is wrong with it.
    pub(super) fn parse(&self, key: &[u8]) -> Result<Place, Rejection> {
        let bad = |why: &str| {
            // A name that no resource has.
            let id = shown(&String::from_utf8_lossy(key)).into();
            let kind = "unknown".into();
            Err(Rejection::new(RowName { kind, id }, Reason::BadKey, why))
        };
        let Ok(text) = std::str::from_utf8(key) else {
            return bad("is not UTF-8");
        };
        let rest = text.strip_prefix(&self.root);
        let parts = rest.and_then(|rest| rest.split_once('/'));
        let Some((kind, id)) = parts.filter(|(kind, id)| !kind.is_empty() && !id.is_empty()) else {
            return bad("is not of the form <prefix>/<kind>/<id>");
        };
        match (kind, kind.parse::<Kind>()) {
            (FIRST_API_KEYS, _) => Ok(Place::FirstApiKey(id.into())),
            (_, Ok(kind)) => Ok(Place::Resource(Key {
                kind,
                id: id.into(),
            })),
            (_, Err(_)) => {
                let (kind, id) = (shown(kind).into(), shown(id).into());
                let message = "is of a kind that is not known";
                Err(Rejection::new(
                    RowName { kind, id },
                    Reason::UnknownKind,
                    message,
                ))
            }
        }
    }

    /// The number of edits.
    pub(super) fn revision(&self) -> String {
        format!("{}revision", self.meta)
    }

    /// The records of a commit, by the last of their revisions.
    pub(super) fn history(&self, revision: Revision) -> String {
        format!("{}history/{revision:020}", self.meta)
    }

    /// Where the history ends.
    pub(super) fn history_end(&self) -> String {
        format!("{}history0", self.meta)
    }

    /// The revisions of a resource.
    pub(super) fn row(&self, key: &Key) -> String {
        format!("{}rows/{key}", self.meta)
    }

    /// What the revisions of all resources of a kind stand below.
    pub(super) fn rows(&self, kind: Option<Kind>) -> String {
        match kind {
            None => format!("{}rows/", self.meta),
            Some(kind) => format!("{}rows/{kind}/", self.meta),
        }
    }

    /// The resource whose revisions these are.
    pub(super) fn parse_row(&self, key: &[u8]) -> Option<Key> {
        let name = std::str::from_utf8(key).ok()?;
        let name = name.strip_prefix(&self.meta)?.strip_prefix("rows/")?;
        crate::record::read_key(name)
    }
}

/// The beginning of a text that somebody else has made up.
fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(prefix: &str, env_id: &str) -> Layout {
        Layout::new(prefix, env_id).unwrap()
    }

    #[test]
    fn keys_are_made_and_read() {
        for (prefix, env_id, root) in [
            ("/aisix", "", "/aisix/"),
            ("/aisix//", "", "/aisix/"),
            ("/aisix/", "prod", "/aisix/prod/"),
            ("plain", "a/b", "plain/a/b/"),
        ] {
            let layout = layout(prefix, env_id);
            assert_eq!(layout.root(), root);
            let key = Key {
                kind: Kind::Model,
                id: "a/b".into(),
            };
            let made = layout.resource(&key);
            assert_eq!(made, format!("{root}models/a/b"));
            assert_eq!(layout.parse(made.as_bytes()).unwrap(), Place::Resource(key));
        }
        assert!(Layout::new("//", "").is_err());
    }

    #[test]
    fn what_is_beside_the_prefix_is_not_below_it() {
        let layout = layout("/aisix", "");
        assert_eq!(
            layout.history(7),
            "/aisix-meta/history/00000000000000000007"
        );
        assert!(layout.history(u64::MAX) < layout.history_end());
        assert!(!layout.revision().starts_with(layout.root()));
        let key = Key {
            kind: Kind::ApiKey,
            id: "x".into(),
        };
        assert_eq!(layout.parse_row(layout.row(&key).as_bytes()), Some(key));
    }

    #[test]
    fn foreign_keys_are_named() {
        let layout = layout("/aisix", "");
        for (key, name, reason, why) in [
            (
                &b"/aisix/models"[..],
                "unknown//aisix/models",
                Reason::BadKey,
                "not of the form",
            ),
            (
                b"/aisix/models/",
                "unknown//aisix/models/",
                Reason::BadKey,
                "not of the form",
            ),
            (
                b"/aisix//x",
                "unknown//aisix//x",
                Reason::BadKey,
                "not of the form",
            ),
            (
                b"/aisixmodels/x",
                "unknown//aisixmodels/x",
                Reason::BadKey,
                "not of the form",
            ),
            (
                b"/aisix/widgets/x",
                "widgets/x",
                Reason::UnknownKind,
                "not known",
            ),
            (
                b"/aisix/models/\xff",
                "unknown//aisix/models/\u{fffd}",
                Reason::BadKey,
                "not UTF-8",
            ),
        ] {
            let said = layout.parse(key).unwrap_err();
            assert_eq!(
                (said.name.to_string().as_str(), said.reason),
                (name, reason)
            );
            assert!(said.errors[0].to_string().contains(why), "{said:?}");
        }
        let long = format!("/aisix/{}", "x".repeat(10_000));
        let said = layout.parse(long.as_bytes()).unwrap_err();
        assert_eq!(said.name.id.len(), SHOWN);
        let first = layout.parse(b"/aisix/apikeys/x");
        assert_eq!(first.unwrap(), Place::FirstApiKey("x".into()));
    }
}
