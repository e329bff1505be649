//! etcd as a store.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use aisix_core::config::{
    ConfigStore, Key, Kind,
    resource::own_provider_key,
    store::{Edit, HISTORY, Listing, Record, Revision, StoreError, StoreErrorKind, Stored},
};
use async_trait::async_trait;
use etcd_client::{Compare, CompareOp, DeleteOptions, Txn, TxnOp};
use serde_json::{Value, json};

use super::{
    Etcd,
    draft::{Draft, touched},
    fault::{Fault, FaultKind},
    image::Reader,
    link::unavailable,
    rows::{Problems, Row, Rows},
};
use crate::record;

/// How often a commit is made anew because somebody else was quicker.
const ATTEMPTS: u32 = 32;
/// The longest pause before the second attempt; it doubles, up to 32 times that.
const PAUSE: Duration = Duration::from_millis(2);

/// What was read, as it stood together.
struct Image {
    revision: Revision,
    stored: BTreeMap<Key, Stored>,
    rows: Rows,
    /// etcd's revisions of the rows.
    changed: HashMap<Vec<u8>, u64>,
}

// === impl Etcd ===

#[async_trait]
impl ConfigStore for Etcd {
    async fn revision(&self) -> Result<Revision, StoreError> {
        let revision = self.link.ask(|mut reader| async move {
            let row = reader.get(&self.layout.revision()).await?;
            read_revision(row.as_ref())
        });
        revision.await.map_err(|fault| unavailable(&fault))
    }

    async fn list(&self, kind: Option<Kind>) -> Result<Listing, StoreError> {
        let image = self.link.ask(|reader| self.image(reader, kind));
        let image = image.await.map_err(|fault| unavailable(&fault))?;
        let entries = image.stored.into_values();
        let is_asked = |stored: &Stored| kind.is_none_or(|kind| stored.entry.key.kind == kind);
        Ok(Listing {
            revision: image.revision,
            entries: entries.filter(is_asked).filter(is_readable).collect(),
        })
    }

    async fn get(&self, key: &Key) -> Result<Option<Stored>, StoreError> {
        let keys = [key.clone()];
        let image = self.link.ask(|reader| self.few(reader, &keys));
        let image = image.await.map_err(|fault| unavailable(&fault))?;
        Ok(image
            .stored
            .into_values()
            .find(|stored| stored.entry.key == *key && is_readable(stored)))
    }

    async fn commit(
        &self,
        expected: Option<Revision>,
        edits: Vec<Edit>,
    ) -> Result<Revision, StoreError> {
        let touched = touched(&edits);
        let touched: Option<Vec<Key>> = touched.map(|keys| keys.into_iter().collect());
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                // So that those who write do not meet again and again.
                let longest = PAUSE * (1 << (attempt - 1).min(5));
                tokio::time::sleep(longest.mul_f64(fastrand::f64())).await;
            }
            let image = self
                .link
                .ask(|reader| self.image_of(reader, touched.as_deref()));
            let image = image.await.map_err(|fault| unavailable(&fault))?;
            let found = image.revision;
            if let Some(expected) = expected
                && expected != found
            {
                return Err(StoreError::conflict(expected, found));
            }
            let mut draft = Draft::new(found, image.stored.clone());
            edits.iter().for_each(|edit| draft.apply(edit));
            if draft.records.is_empty() {
                return Ok(found);
            }
            let (transaction, size) = self.transaction(&image, &draft)?;
            let write = |mut reader: Reader| {
                let transaction = transaction.clone();
                async move { reader.write(transaction).await }
            };
            match self.link.ask_once(write).await {
                Ok(Some(told)) => {
                    self.written.send_modify(|(revision, at)| {
                        (*revision, *at) = (draft.revision.max(*revision), told.max(*at));
                    });
                    return Ok(draft.revision);
                }
                // Something is not as it was read.
                Ok(None) => {}
                Err(fault) => return Err(failed(&fault, size)),
            }
        }
        let message = "others write to etcd all the time";
        Err(StoreError::new(StoreErrorKind::Conflict, message))
    }

    async fn history(&self, after: Revision) -> Result<Vec<Record>, StoreError> {
        let rows = self.link.ask(|mut reader| async move {
            let mut rows = Vec::new();
            let start = self.layout.history(after.saturating_add(1));
            let end = self.layout.history_end();
            reader
                .between(start.as_bytes(), end.as_bytes(), &mut rows)
                .await?;
            Ok(rows)
        });
        let rows = rows.await.map_err(|fault| unavailable(&fault))?;
        let mut records: Vec<Record> = rows.iter().flat_map(read_records).collect();
        records.retain(|record| record.revision > after);
        let old = records.len().saturating_sub(HISTORY);
        records.drain(..old);
        Ok(records)
    }

    fn told_as(&self, revision: Revision) -> u64 {
        let (last, told) = *self.written.borrow();
        // Of what others have committed nothing is known.
        if revision <= last { told } else { 0 }
    }

    async fn moment(&self) -> Result<u64, StoreError> {
        let moment = self.link.ask(|mut reader| async move {
            reader.get(&self.layout.revision()).await?;
            Ok(reader.moment.map_or(0, |moment| moment.revision))
        });
        moment.await.map_err(|fault| unavailable(&fault))
    }

    /// etcd counts whatever is written to it.
    fn moment_after(&self, before: u64, revision: Revision) -> Option<u64> {
        let now = self.told_as(revision);
        (now == before + 1).then_some(now)
    }

    fn most_at_once(&self) -> usize {
        // Each is written with a note; the revision and the history are three operations more.
        self.settings.transaction_operations.saturating_sub(3) / 2
    }
}

impl Etcd {
    /// Reads what these resources are made of, or all of them.
    async fn image_of(&self, reader: Reader, keys: Option<&[Key]>) -> Result<Image, Fault> {
        match keys {
            Some(keys) => self.few(reader, keys).await,
            None => self.image(reader, None).await,
        }
    }

    /// Reads all that resources of a kind, or of all, are made of.
    async fn image(&self, mut reader: Reader, kind: Option<Kind>) -> Result<Image, Fault> {
        let revision = reader.get(&self.layout.revision()).await?;
        let (mut rows, mut notes) = (Vec::new(), Vec::new());
        for start in self.layout.of_kind(kind) {
            reader.below(&start, &mut rows).await?;
        }
        reader.below(&self.layout.rows(kind), &mut notes).await?;
        Ok(self.assemble(read_revision(revision.as_ref())?, rows, notes))
    }

    /// Reads all that a few resources are made of.
    async fn few(&self, mut reader: Reader, keys: &[Key]) -> Result<Image, Fault> {
        let mut names = BTreeSet::from([self.layout.revision()]);
        for key in keys {
            names.extend([self.layout.resource(key), self.layout.row(key)]);
            match key.kind {
                Kind::ApiKey => drop(names.insert(self.layout.first_api_key(&key.id))),
                Kind::Model => drop(names.insert(self.layout.resource(&own_provider_key(key)))),
                Kind::ProviderKey => names.extend(key.id.strip_prefix("model-").map(|id| {
                    let (kind, id) = (Kind::Model, id.into());
                    self.layout.resource(&Key { kind, id })
                })),
                _ => {}
            }
        }
        let names: Vec<String> = names.into_iter().collect();
        let (mut revision, mut rows, mut notes) = (0, Vec::new(), Vec::new());
        for row in reader.several(&names).await? {
            if row.key == self.layout.revision().as_bytes() {
                revision = read_revision(Some(&row))?;
            } else if self.layout.parse_row(&row.key).is_some() {
                notes.push(row);
            } else {
                rows.push(row);
            }
        }
        Ok(self.assemble(revision, rows, notes))
    }

    /// What rows come to, with the store's revisions instead of etcd's where they are noted.
    fn assemble(&self, revision: Revision, rows: Vec<Row>, notes: Vec<Row>) -> Image {
        let changed = rows.iter().map(|row| (row.key.clone(), row.changed));
        let changed = changed.collect();
        // Whoever follows is told what is wrong with them.
        let mut problems = Problems::default();
        let (rows, mut stored) = Rows::all(&self.layout, rows, &mut problems);
        for note in notes {
            let Some(key) = self.layout.parse_row(&note.key) else {
                continue;
            };
            let Some(stored) = stored.get_mut(&key).filter(|_| !rows.is_made(&key)) else {
                continue;
            };
            let Some((created, revision)) = read_note(&note.value) else {
                continue;
            };
            // Somebody who keeps no notes may have written since, or made it anew.
            if stored.created <= note.changed {
                stored.created = created;
            }
            if stored.entry.revision == note.changed {
                stored.entry.revision = revision;
            }
        }
        Image {
            revision,
            stored,
            rows,
            changed,
        }
    }

    /// All that a draft writes, if everything is still as it was read; and about how many bytes that is.
    fn transaction(&self, image: &Image, draft: &Draft) -> Result<(Txn, usize), StoreError> {
        let mut size = 0;
        let revision = self.layout.revision();
        let mut compares = vec![match image.revision {
            0 => Compare::version(revision.clone(), CompareOp::Equal, 0),
            found => Compare::value(revision.clone(), CompareOp::Equal, found.to_string()),
        }];
        let mut operations = vec![TxnOp::put(revision, draft.revision.to_string(), None)];
        let mut write = |name: String, value: Option<String>| {
            let changed = image.changed.get(name.as_bytes()).copied();
            if value.is_none() && changed.is_none() {
                return;
            }
            let changed = changed.unwrap_or_default().try_into().unwrap_or_default();
            size += name.len() + value.as_ref().map_or(0, String::len);
            compares.push(Compare::mod_revision(
                name.clone(),
                CompareOp::Equal,
                changed,
            ));
            operations.push(match value {
                Some(value) => TxnOp::put(name, value, None),
                None => TxnOp::delete(name, None),
            });
        };
        let mut notes = Vec::new();
        for key in &draft.writes {
            let row = draft.rows.get(key);
            let value = row.map(|row| row.entry.value.to_string());
            write(self.layout.resource(key), value);
            let note = row.map(|row| format!("{} {}", row.created, row.entry.revision));
            notes.push((self.layout.row(key), note));
            match key.kind {
                // What it was in the first generation is gone with it.
                Kind::ApiKey => write(self.layout.first_api_key(&key.id), None),
                // The provider key that it held stands for itself now.
                Kind::Model => {
                    let own = own_provider_key(key);
                    if row.is_some()
                        && image.rows.is_made(&own)
                        && !draft.writes.contains(&own)
                        && let Some(held) = image.stored.get(&own)
                    {
                        let value = held.entry.value.to_string();
                        write(self.layout.resource(&own), Some(value));
                    }
                }
                _ => {}
            }
        }
        operations.extend(notes.into_iter().map(|(name, note)| match note {
            Some(note) => TxnOp::put(name, note, None),
            None => TxnOp::delete(name, None),
        }));
        let history = self.layout.history(draft.revision);
        let records = write_records(&draft.records);
        size += records.len();
        operations.push(TxnOp::put(history, records, None));
        let gone = draft.revision.saturating_sub(HISTORY as u64) + 1;
        let gone = DeleteOptions::new().with_range(self.layout.history(gone));
        operations.push(TxnOp::delete(self.layout.history(0), Some(gone)));
        let most = self.settings.transaction_operations;
        if operations.len().max(compares.len()) > most {
            let message = format!(
                "{} resources are too many for one transaction of etcd, which takes {most} operations",
                draft.writes.len()
            );
            return Err(StoreError::new(StoreErrorKind::TooLarge, message));
        }
        Ok((Txn::new().when(compares).and_then(operations), size))
    }
}

/// What is no resource is for whoever follows to complain about.
fn is_readable(stored: &Stored) -> bool {
    stored.entry.value.is_object()
}

fn failed(fault: &Fault, size: usize) -> StoreError {
    match fault.kind {
        FaultKind::LongRequest => {
            let message = format!(
                "too large for one transaction of etcd: {size} bytes, the record in the history included ({fault})"
            );
            StoreError::new(StoreErrorKind::TooLarge, message)
        }
        FaultKind::Refused => unavailable(fault),
        _ => {
            let message = format!("etcd: {fault}; the commit was written, or not");
            StoreError::new(StoreErrorKind::Unavailable, message)
        }
    }
}

fn read_revision(row: Option<&Row>) -> Result<Revision, Fault> {
    let Some(row) = row else { return Ok(0) };
    let text = std::str::from_utf8(&row.value).ok();
    text.and_then(|text| text.parse().ok()).ok_or_else(|| {
        let message = "the revision that is kept in etcd is not a number";
        Fault::new(FaultKind::Refused, message)
    })
}

fn read_note(value: &[u8]) -> Option<(Revision, Revision)> {
    let (created, changed) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    Some((created.parse().ok()?, changed.parse().ok()?))
}

fn write_records(records: &[Record]) -> String {
    let records = records
        .iter()
        .map(|record| json!({"revision": record.revision, "record": record::write(record)}));
    Value::Array(records.collect()).to_string()
}

fn read_records(row: &Row) -> Vec<Record> {
    let records = serde_json::from_slice::<Vec<Value>>(&row.value).unwrap_or_default();
    let records = records.into_iter().filter_map(|mut record| {
        let revision = record["revision"].as_u64()?;
        record::read(revision, record.get_mut("record")?.take())
    });
    records.collect()
}
