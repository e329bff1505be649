//! Resources are brought into a store.

use aisix_admin::{diff, import::Plan};
use aisix_core::config::{
    ConfigStore, Entry, Key, Kind,
    store::{Edit, Listing, Record, Revision, StoreError, StoreErrorKind, Stored},
};
use aisix_sources::embedded::Embedded;
use async_trait::async_trait;
use serde_json::{Value, json};

fn provider_key(id: &str, name: &str) -> Entry {
    let document = json!({"display_name": name, "api_key": "sk-0123456789abcdefWXYZ"});
    Entry::new(Kind::ProviderKey, id, document)
}

fn model(id: &str, name: &str, key: &str) -> Entry {
    let document = json!({"display_name": name, "provider": "openai", "model_name": "m", "provider_key_id": key});
    Entry::new(Kind::Model, id, document)
}

fn caller(id: &str, digit: &str) -> Entry {
    let document = json!({"key_hash": digit.repeat(64), "allowed_models": ["*"]});
    Entry::new(Kind::ApiKey, id, document)
}

/// A store that takes so many resources at once.
struct Bounded(Embedded, usize);

#[async_trait]
impl ConfigStore for Bounded {
    async fn revision(&self) -> Result<Revision, StoreError> {
        self.0.revision().await
    }

    async fn list(&self, kind: Option<Kind>) -> Result<Listing, StoreError> {
        self.0.list(kind).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Stored>, StoreError> {
        self.0.get(key).await
    }

    async fn commit(
        &self,
        expected: Option<Revision>,
        edits: Vec<Edit>,
    ) -> Result<Revision, StoreError> {
        let resources: usize = edits.iter().map(|edit| edit.changes.len()).sum();
        assert!(resources <= self.1, "{resources} at once");
        self.0.commit(expected, edits).await
    }

    async fn history(&self, after: Revision) -> Result<Vec<Record>, StoreError> {
        self.0.history(after).await
    }

    fn most_at_once(&self) -> usize {
        self.1
    }
}

async fn import(
    store: &dyn ConfigStore,
    entries: Vec<Entry>,
    prune: bool,
) -> Result<usize, String> {
    let listing = store.list(None).await.unwrap();
    let plan = Plan::new(&listing, entries, prune).map_err(|refused| refused.to_string())?;
    plan.commit(store, "import").await.unwrap();
    Ok(plan.changes().len())
}

async fn keys(store: &dyn ConfigStore) -> Vec<String> {
    let listing = store.list(None).await.unwrap();
    let keys = listing.entries.iter();
    keys.map(|stored| stored.entry.key.to_string()).collect()
}

fn store() -> (Embedded, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    (Embedded::open(directory.path()).unwrap(), directory)
}

#[tokio::test]
async fn all_is_one_commit_and_one_record() {
    let (store, _directory) = store();
    let entries = vec![
        caller("k", "a"),
        model("m", "m", "p"),
        provider_key("p", "p"),
    ];
    assert_eq!(import(&store, entries.clone(), false).await, Ok(3));
    let history = store.history(0).await.unwrap();
    assert_eq!((history.len(), history[0].by.as_str()), (1, "import"));

    // What means the same is left alone.
    let mut same = entries;
    same[0].value["disabled"] = false.into();
    assert_eq!(import(&store, same, true).await, Ok(0));
    assert_eq!(store.revision().await.unwrap(), 1);
}

#[tokio::test]
async fn others_stay_unless_they_are_pruned() {
    let (store, _directory) = store();
    let first = vec![
        provider_key("p", "p"),
        model("m", "m", "p"),
        caller("k", "a"),
    ];
    import(&store, first, false).await.unwrap();
    import(&store, vec![provider_key("q", "q")], false)
        .await
        .unwrap();
    assert_eq!(keys(&store).await.len(), 4);
    assert_eq!(
        import(&store, vec![provider_key("q", "q")], true).await,
        Ok(3)
    );
    assert_eq!(keys(&store).await, ["provider_keys/q"]);
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_and_nothing_is_written() {
    let (store, _directory) = store();
    let held = vec![
        provider_key("p", "p"),
        model("m", "m", "p"),
        caller("k", "a"),
    ];
    import(&store, held, false).await.unwrap();
    let mut strange = provider_key("s", "s");
    strange.value["colour"] = "blue".into();
    let entries = vec![
        strange,
        provider_key("p2", "p"),
        model("m2", "m2", "gone"),
        Entry::new(
            Kind::Model,
            "m3",
            json!({"display_name": "g", "routing": {"targets": [{"model": "m3"}]}}),
        ),
        caller("k2", "a"),
        caller("k3", "b"),
        caller("k3", "c"),
    ];
    let refused = import(&store, entries, false).await.unwrap_err();
    assert_eq!(
        refused,
        "6 error(s):
  - provider_keys/s: `colour` is not a known field
  - api_keys/k3: is there twice
  - provider_keys/p2: display_name \"p\" is already in use by provider_keys/p
  - models/m2: `provider_key_id` refers to provider_keys/gone, which does not exist
  - api_keys/k2: API key already exists: it is that of api_keys/k
  - models/m3: `routing.targets[0].model` names no model: \"m3\""
    );
    let refused = import(&store, vec![model("m", "m", "p")], true)
        .await
        .unwrap_err();
    assert!(
        refused.contains("provider_keys/p is in use by models/m"),
        "{refused}"
    );
    assert_eq!(store.revision().await.unwrap(), 1);
}

#[tokio::test]
async fn a_store_that_bounds_its_commits_gets_several_in_an_order_that_holds() {
    let (store, _directory) = store();
    let store = Bounded(store, 2);
    let group =
        json!({"display_name": "g", "routing": {"targets": [{"model": "m1"}, {"model": "m2"}]}});
    let entries = vec![
        Entry::new(Kind::Model, "a group", group),
        caller("k", "a"),
        model("m1", "m1", "p1"),
        model("m2", "m2", "p2"),
        provider_key("p1", "p1"),
        provider_key("p2", "p2"),
    ];
    let listing = store.list(None).await.unwrap();
    let plan = Plan::new(&listing, entries.clone(), false).unwrap();
    assert_eq!(plan.commits(&store), 3);
    plan.commit(&store, "import").await.unwrap();
    assert_eq!(keys(&store).await.len(), 6);
    import(&store, Vec::new(), true).await.unwrap();
    let mut there = std::collections::HashSet::new();
    for record in store.history(0).await.unwrap() {
        for changed in &record.changes {
            match &changed.after {
                Some(_) => there.insert(changed.key.clone()),
                None => there.remove(&changed.key),
            };
        }
        // At each moment references lead somewhere.
        for key in there.iter().filter(|key| key.kind == Kind::Model) {
            let needs = match &*key.id {
                "a group" => vec![
                    (Kind::Model, "m1".to_owned()),
                    (Kind::Model, "m2".to_owned()),
                ],
                id => vec![(Kind::ProviderKey, id.replace('m', "p"))],
            };
            for (kind, id) in needs {
                let id = id.into();
                assert!(there.contains(&Key { kind, id }), "{key}");
            }
        }
    }
    assert!(there.is_empty());
}

#[tokio::test]
async fn parts_leave_room_for_what_a_model_may_bring_and_are_not_too_large() {
    let (store, _directory) = store();
    let store = Bounded(store, 4);
    let mut entries = vec![provider_key("p", "p")];
    entries.extend(["m1", "m2", "m3"].map(|id| model(id, id, "p")));
    import(&store, entries.clone(), false).await.unwrap();
    let listing = store.list(None).await.unwrap();
    for entry in &mut entries[1..] {
        entry.value["timeout"] = 5.into();
    }
    let plan = Plan::new(&listing, entries.clone(), false).unwrap();
    assert_eq!(plan.commits(&store), 2, "a model may hold its provider key");
    for entry in &mut entries[1..] {
        entry.value["provider"] = "openai".into();
        entry.value["model_name"] = "m".repeat(300 * 1024).into();
    }
    let plan = Plan::new(&listing, entries.clone(), false).unwrap();
    assert_eq!(plan.commits(&store), 3);
    let Bounded(store, _) = store;
    assert_eq!(plan.commits(&store), 1, "where nothing is bounded");
}

#[tokio::test]
async fn somebody_who_was_quicker_is_not_overwritten() {
    let (store, _directory) = store();
    let listing = store.list(None).await.unwrap();
    let plan = Plan::new(&listing, vec![provider_key("p", "p")], false).unwrap();
    import(&store, vec![provider_key("q", "q")], false)
        .await
        .unwrap();
    let error = plan.commit(&store, "import").await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Conflict);
    assert_eq!(keys(&store).await, ["provider_keys/q"]);
}

#[test]
fn fields_that_differ_are_told_without_secrets() {
    let before = json!({"display_name": "p", "api_key": "one", "tls": {"verify": true}});
    let after =
        json!({"display_name": "p", "api_key": "two", "tls": {"verify": false}, "provider": "x"});
    let fields = diff::fields(Kind::ProviderKey, Some(&before), Some(&after));
    let told: Vec<(&str, bool, Option<Value>)> = fields
        .iter()
        .map(|field| (field.path.as_str(), field.is_secret, field.after.clone()))
        .collect();
    assert_eq!(
        told,
        [
            ("api_key", true, Some("***".into())),
            ("provider", false, Some("x".into())),
            ("tls.verify", false, Some(false.into())),
        ]
    );
}
