//! Where writes are made.
//!
//! Writes queue up. Whoever has the desk takes all that wait, plans one after the other against what the
//! earlier ones will have left, and commits them together, so that many writers cost one sync of the
//! disk. If somebody else has written to the store meanwhile, the same writes are planned anew. What others
//! have written is taken from the history, so that a write costs what it changes, however much there is.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use aisix_core::config::{
    Change, ConfigStore, Entry, Key,
    store::{Changed, Edit, Revision, StoreError, StoreErrorKind, Stored},
};
use async_trait::async_trait;
use http::StatusCode;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::{answer::Refusal, catalog::Catalog};

/// How many writes are one commit at most; a store may bound its transactions.
const TOGETHER: usize = 64;
/// How many writes may wait.
const WAITING: usize = 512;
/// How often writes are planned anew because somebody else was quicker.
const ATTEMPTS: usize = 8;

/// Something to be written, which may have to be planned more than once.
#[async_trait]
pub(crate) trait Operation: Send + Sync {
    /// What is to be changed, given what is there.
    async fn plan(&self, view: &View<'_>) -> Result<Plan, Refusal>;

    /// Whether it looks at the history, and so must not be planned after writes that are not yet made.
    fn is_alone(&self) -> bool {
        false
    }
}

/// What is to be changed, and what is to be said about it.
pub(crate) struct Plan {
    pub(crate) changes: Vec<Change>,
    /// The resource that was asked for.
    pub(crate) key: Option<Key>,
    /// A credential that is told once.
    pub(crate) plaintext: Option<String>,
}

/// What was done, or would be.
pub(crate) struct Done {
    pub(crate) key: Option<Key>,
    pub(crate) plaintext: Option<String>,
    /// The document of that resource, if it will be there.
    pub(crate) value: Option<Value>,
    /// The revision that it made; of a dry run, the one before.
    pub(crate) revision: Revision,
    pub(crate) changed: Vec<Changed>,
}

/// What is there while writes are planned: the store, and what was planned before.
pub(crate) struct View<'v> {
    store: &'v dyn ConfigStore,
    pub(crate) catalog: &'v Catalog,
    pending: &'v HashMap<Key, Option<Stored>>,
}

struct Ticket {
    operation: Box<dyn Operation>,
    by: Arc<str>,
    dry_run: bool,
    reply: oneshot::Sender<Result<Done, Refusal>>,
}

/// Where writes are made.
pub(crate) struct Desk {
    store: Arc<dyn ConfigStore>,
    waiting: Mutex<VecDeque<Ticket>>,
    /// What the store holds as far as it is known. Held by whoever has the desk.
    catalog: tokio::sync::Mutex<Option<Catalog>>,
}

// === impl View ===

impl View<'_> {
    pub(crate) fn store(&self) -> &dyn ConfigStore {
        self.store
    }

    /// A resource as earlier writes will have left it.
    pub(crate) async fn get(&self, key: &Key) -> Result<Option<Stored>, Refusal> {
        match self.pending.get(key) {
            Some(stored) => Ok(stored.clone()),
            None => Ok(self.store.get(key).await?),
        }
    }

    /// What changes come to, each resource once and only if it differs.
    async fn changed(&self, changes: &[Change]) -> Result<Vec<Changed>, Refusal> {
        let mut changed: Vec<Changed> = Vec::new();
        let mut places: HashMap<&Key, usize> = HashMap::new();
        for change in changes {
            let (key, after) = match change {
                Change::Put(entry) => (&entry.key, Some(&entry.value)),
                Change::Delete(key) => (key, None),
                _ => unreachable!("plans put and delete"),
            };
            if let Some(place) = places.get(key) {
                changed[*place].after = after.cloned();
                continue;
            }
            places.insert(key, changed.len());
            let before = self.get(key).await?.map(|stored| stored.entry.value);
            changed.push(Changed {
                key: key.clone(),
                before,
                after: after.cloned(),
            });
        }
        changed.retain(|changed| changed.before != changed.after);
        Ok(changed)
    }
}

// === impl Desk ===

impl Desk {
    pub(crate) fn new(store: Arc<dyn ConfigStore>) -> Self {
        Self {
            store,
            waiting: Mutex::default(),
            catalog: tokio::sync::Mutex::default(),
        }
    }

    /// Writes, and waits until it is written. A dry run only checks.
    pub(crate) async fn write(
        self: &Arc<Self>,
        operation: Box<dyn Operation>,
        by: Arc<str>,
        dry_run: bool,
    ) -> Result<Done, Refusal> {
        let busy = |message: &str| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message);
        let (reply, answer) = oneshot::channel();
        {
            let mut waiting = self.waiting.lock();
            if waiting.len() >= WAITING {
                return Err(busy("too many writes are waiting; try again"));
            }
            waiting.push_back(Ticket {
                operation,
                by,
                dry_run,
                reply,
            });
        }
        // A task of its own: a client that leaves must not take down the writes of others.
        let desk = self.clone();
        tokio::spawn(async move { desk.work().await });
        answer
            .await
            .unwrap_or_else(|_| Err(busy("the write was abandoned")))
    }

    async fn work(&self) {
        let mut known = self.catalog.lock().await;
        loop {
            let tickets = self.take();
            if tickets.is_empty() {
                return;
            }
            self.serve(&mut known, tickets).await;
        }
    }

    fn take(&self) -> Vec<Ticket> {
        // A model in one document is two resources.
        let most = (self.store.most_at_once() / 2).clamp(1, TOGETHER);
        let mut waiting = self.waiting.lock();
        let mut tickets = Vec::new();
        while tickets.len() < most
            && let Some(next) = waiting.front()
        {
            let is_alone = next.operation.is_alone();
            if is_alone && !tickets.is_empty() {
                break;
            }
            tickets.extend(waiting.pop_front());
            if is_alone {
                break;
            }
        }
        tickets
    }

    async fn serve(&self, known: &mut Option<Catalog>, tickets: Vec<Ticket>) {
        let mut attempts = 0;
        let error = loop {
            attempts += 1;
            match self.attempt(known, &tickets).await {
                Ok(results) => {
                    for (ticket, result) in tickets.into_iter().zip(results) {
                        // Whoever asked may have left.
                        let _ = ticket.reply.send(result);
                    }
                    return;
                }
                Err(error) => {
                    // What was planned may be in the store, or not.
                    if error.kind() != StoreErrorKind::Conflict {
                        *known = None;
                    }
                    if error.kind() != StoreErrorKind::Conflict || attempts == ATTEMPTS {
                        break Refusal::from(error);
                    }
                }
            }
        };
        for ticket in tickets {
            let _ = ticket.reply.send(Err(error.clone()));
        }
    }

    /// Plans all and commits them together.
    async fn attempt(
        &self,
        known: &mut Option<Catalog>,
        tickets: &[Ticket],
    ) -> Result<Vec<Result<Done, Refusal>>, StoreError> {
        let store = self.store.as_ref();
        let is_fresh = match known {
            Some(catalog) => catalog.catch_up(store).await?,
            None => false,
        };
        if !is_fresh {
            *known = Some(Catalog::load(store).await?);
        }
        let Some(catalog) = known else {
            unreachable!("it was just loaded")
        };
        let (mut pending, mut edits) = (HashMap::new(), Vec::new());
        let mut results: Vec<Result<Done, Refusal>> = Vec::new();
        let expected = catalog.revision;
        let at = Timestamp::now();
        for ticket in tickets {
            let view = View {
                store,
                catalog,
                pending: &pending,
            };
            let planned = plan(&view, ticket).await;
            if let Ok(done) = &planned
                && !ticket.dry_run
                && !done.changed.is_empty()
            {
                let changes = done.changed.iter().map(change).collect();
                let by = ticket.by.to_string();
                edits.push(Edit { changes, by, at });
                catalog.revision += 1;
                catalog.apply(&done.changed);
                for changed in &done.changed {
                    let created = match pending.get(&changed.key) {
                        Some(stored) => stored.as_ref().map(|it: &Stored| it.created),
                        None => store.get(&changed.key).await?.map(|it| it.created),
                    };
                    let stored = stored(changed, created, catalog.revision);
                    pending.insert(changed.key.clone(), stored);
                }
            }
            results.push(planned.map(|done| Done {
                revision: match (ticket.dry_run, done.changed.is_empty()) {
                    (false, false) => catalog.revision,
                    _ => done.revision,
                },
                ..done
            }));
        }
        if !edits.is_empty() {
            let committed = store.commit(Some(expected), edits).await;
            if let Err(error) = committed {
                for (done, ticket) in results.iter().zip(tickets).rev() {
                    if let Ok(done) = done
                        && !ticket.dry_run
                    {
                        catalog.undo(&done.changed);
                    }
                }
                catalog.revision = expected;
                return Err(error);
            }
        }
        Ok(results)
    }
}

async fn plan(view: &View<'_>, ticket: &Ticket) -> Result<Done, Refusal> {
    let plan = ticket.operation.plan(view).await?;
    let changed = view.changed(&plan.changes).await?;
    view.catalog.check(&changed)?;
    // Of what does not change, the revision stays.
    let stored = match &plan.key {
        Some(key) => view.get(key).await?,
        None => None,
    };
    let revision = stored.as_ref().map(|stored| stored.entry.revision);
    let of_it = changed
        .iter()
        .find(|changed| Some(&changed.key) == plan.key.as_ref());
    let value = match of_it {
        Some(changed) => changed.after.clone(),
        None => stored.map(|stored| stored.entry.value),
    };
    Ok(Done {
        key: plan.key,
        plaintext: plan.plaintext,
        value,
        revision: revision.unwrap_or(view.catalog.revision),
        changed,
    })
}

fn change(changed: &Changed) -> Change {
    match &changed.after {
        Some(value) => Change::Put(Entry::new(
            changed.key.kind,
            changed.key.id.clone(),
            value.clone(),
        )),
        None => Change::Delete(changed.key.clone()),
    }
}

fn stored(changed: &Changed, created: Option<Revision>, revision: Revision) -> Option<Stored> {
    let value = changed.after.clone()?;
    Some(Stored {
        entry: Entry {
            key: changed.key.clone(),
            value,
            revision,
        },
        created: created.unwrap_or(revision),
    })
}
