//! Several gateways over one store.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use aisix_admin::{Admin, AdminKeys};
use aisix_core::config::{
    ConfigStore, Key, Kind,
    store::{Edit, Listing, Record, Revision, StoreError, Stored},
};
use aisix_sources::embedded::Embedded;
use async_trait::async_trait;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::ask::*;

/// A store that counts how often everything is read.
#[derive(Clone)]
struct Counting(Embedded, Arc<AtomicUsize>);

#[async_trait]
impl ConfigStore for Counting {
    async fn revision(&self) -> Result<Revision, StoreError> {
        self.0.revision().await
    }

    async fn list(&self, kind: Option<Kind>) -> Result<Listing, StoreError> {
        self.1.fetch_add(1, Ordering::Relaxed);
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
        // Others get in between.
        tokio::task::yield_now().await;
        self.0.commit(expected, edits).await
    }

    async fn history(&self, after: Revision) -> Result<Vec<Record>, StoreError> {
        self.0.history(after).await
    }
}

/// Two desks over one store, and how often everything was read.
fn two() -> ([Desk; 2], Arc<AtomicUsize>) {
    let one = Desk::new();
    let count = Arc::new(AtomicUsize::new(0));
    let store = Counting(one.store.clone(), count.clone());
    let desk = |of: Desk| {
        let admin = Admin::builder(store.clone());
        of.with(admin.keys(AdminKeys::new([ADMIN_KEY])).build())
    };
    let other = Desk::new();
    ([desk(one), desk(other)], count)
}

fn provider_key(name: &str) -> Value {
    json!({"display_name": name, "provider": "mock", "api_key": "sk"})
}

const PATH: &str = "/aisix/admin/provider_keys";

#[tokio::test]
async fn what_others_write_is_known_without_reading_everything() {
    let ([one, other], reads) = two();
    for number in 0..20 {
        let name = format!("key-{number}");
        let id = format!("{PATH}/{number}");
        let made = one.ask("PUT", &id, provider_key(&name)).await;
        assert_eq!(made.status, 201, "{made:?}");
        let taken = other.ask("POST", PATH, provider_key(&name)).await;
        assert_eq!(taken.status, 409, "{taken:?}");
        let gone = other.ask("DELETE", &id, Value::Null).await;
        assert_eq!(gone.status, 200, "{gone:?}");
        let free = one.ask("POST", PATH, provider_key(&name)).await;
        assert_eq!(free.status, 201, "{free:?}");
    }
    assert_eq!(reads.load(Ordering::Relaxed), 2, "once each");
}

#[tokio::test]
async fn a_desk_that_was_too_slow_plans_anew_without_reading_everything() {
    let ([one, other], reads) = two();
    let asked = (0..60).map(|number| {
        let desk = if number % 2 == 0 { &one } else { &other };
        // Each name is wanted on both.
        desk.ask("POST", PATH, provider_key(&format!("key-{}", number / 2)))
    });
    let answers = join_all(asked).await;
    let of = |status| answers.iter().filter(|it| it.status == status).count();
    assert_eq!((of(201), of(409)), (30, 30), "{answers:?}");
    assert_eq!(reads.load(Ordering::Relaxed), 2, "once each");
}
