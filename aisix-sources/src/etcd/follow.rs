//! etcd as a source.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use aisix_core::config::{Change, ConfigSource, SourceError};
use futures_util::stream;
use jiff::Timestamp;
use tokio::{sync::watch::Sender, time};

use super::{
    Settings, Standing,
    fault::{Fault, FaultKind},
    image::{Moment, Reader},
    layout::Layout,
    link::connect,
    pace::Pace,
    rows::{Problems, Rows, told},
    watch::{Event, Revised, Watch},
};

struct Follower {
    settings: Arc<Settings>,
    layout: Arc<Layout>,
    standing: Sender<Standing>,
    rows: Rows,
    /// Up to where everything was told.
    seen: Option<Moment>,
    watch: Option<Watch>,
    pace: Pace,
    pause: Duration,
    /// Counts connections, and so goes round the endpoints.
    number: usize,
    ready: VecDeque<Result<Change, SourceError>>,
}

/// Follows what is below the prefix.
pub(super) fn follow(
    settings: Arc<Settings>,
    layout: Arc<Layout>,
    standing: Sender<Standing>,
) -> impl ConfigSource + Send + use<> {
    let follower = Follower {
        pace: Pace::new(settings.backoff, settings.endpoints.len()),
        // Nodes that start together need not all begin at the same member.
        number: fastrand::usize(..settings.endpoints.len()),
        settings,
        layout,
        standing,
        rows: Rows::default(),
        seen: None,
        watch: None,
        pause: Duration::ZERO,
        ready: VecDeque::new(),
    };
    stream::unfold(follower, |mut follower| async move {
        let item = Box::pin(follower.next()).await;
        Some((item, follower))
    })
}

// === impl Follower ===

impl Follower {
    async fn next(&mut self) -> Result<Change, SourceError> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return item;
            }
            let step = match &mut self.watch {
                None => Box::pin(self.connect()).await,
                Some(watch) => watch.next().await.map(|all| self.tell(all)),
            };
            if let Err(fault) = step {
                self.failed(&fault);
            }
        }
    }

    /// Connects, reads everything unless it is known, and watches from there.
    async fn connect(&mut self) -> Result<(), Fault> {
        time::sleep(std::mem::take(&mut self.pause)).await;
        let client = connect(&self.settings, self.number).await?;
        let mut reader = Reader::new(&client, &self.settings);
        reader.heard = Some(self.standing.clone());
        if let Some(seen) = self.seen {
            // Emptied, restored from a backup, or another one: there is nothing to go on from.
            if !seen.leads_to(&reader.now(self.layout.root()).await?) {
                tracing::warn!("etcd is behind what it was; everything is read again");
                self.seen = None;
            }
        }
        let seen = match self.seen {
            Some(seen) => seen,
            None => self.read(&mut reader).await?,
        };
        let watch = Watch::start(&client, &self.settings, &self.layout, seen.revision + 1);
        self.watch = Some(watch.await?);
        self.ready.push_back(Ok(Change::At(seen.revision)));
        self.heard();
        Ok(())
    }

    /// Reads everything.
    async fn read(&mut self, reader: &mut Reader) -> Result<Moment, Fault> {
        let (mut rows, mut problems) = (Vec::new(), Problems::default());
        reader.below(self.layout.root(), &mut rows).await?;
        let moment = reader
            .moment
            .ok_or_else(|| Fault::new(FaultKind::Link, "nothing was answered"))?;
        let (state, found) = Rows::all(&self.layout, rows, &mut problems);
        self.rows = state;
        self.seen = Some(moment);
        let entries = found.into_values().map(|stored| stored.entry).collect();
        self.ready.push_back(Ok(Change::Reset(entries)));
        self.report(problems);
        Ok(moment)
    }

    /// Tells what each revision has changed.
    fn tell(&mut self, all: VecDeque<Revised>) {
        for Revised { revision, events } in all {
            let (mut changes, mut problems) = (Vec::new(), Problems::default());
            for event in events {
                match event {
                    Event::Put(row) => {
                        self.rows
                            .put(&self.layout, &row, &mut changes, &mut problems);
                    }
                    Event::Delete(key) => self.rows.delete(&self.layout, &key, &mut changes),
                }
            }
            self.ready.push_back(Ok(told(changes, revision)));
            self.report(problems);
            if let Some(seen) = &mut self.seen {
                seen.revision = revision;
            }
        }
        self.heard();
    }

    /// etcd has said something.
    fn heard(&self) {
        self.standing
            .send_modify(|standing| standing.heard_at = Some(Timestamp::now()));
        self.stand();
    }

    fn stand(&self) {
        self.standing.send_modify(|standing| {
            standing.is_connected = self.watch.is_some();
            standing.revision = self.seen.map(|seen| seen.revision);
        });
    }

    fn report(&mut self, problems: Problems) {
        for problem in problems.into_sentences() {
            let problem = format!("etcd: {problem}");
            self.ready.push_back(Err(SourceError::new(problem)));
        }
    }

    fn failed(&mut self, fault: &Fault) {
        let lasted = self.watch.take().map(|watch| watch.since.elapsed());
        self.stand();
        if fault.kind == FaultKind::Compacted && self.seen.take().is_some() {
            // Not a failure: it is a matter of reading everything again.
            tracing::info!(%fault, "everything is read from etcd again");
            return;
        }
        self.number += 1;
        self.pause = self.pace.pause(lasted.unwrap_or_default(), fastrand::f64());
        let message = format!("etcd: {fault}; trying again in {:.1?}", self.pause);
        self.ready.push_back(Err(SourceError::new(message)));
    }
}
