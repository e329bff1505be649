//! A watch that notices when nobody is at the other end.

use std::collections::VecDeque;

use etcd_client::{
    Client, KeyValue, WatchOptions, WatchResponse, WatchStream,
    proto::{PbEvent, PbKeyValue},
};
use tokio::time::{self, Instant};

use super::{
    Keepalive, Settings,
    fault::{Fault, FaultKind},
    layout::Layout,
    link::{ANSWER_BYTES, within},
    rows::{Row, unsigned},
};

/// A watch over everything below the prefix.
pub(super) struct Watch {
    stream: WatchStream,
    keepalive: Keepalive,
    pub(super) since: Instant,
    heard: Instant,
    asked: Option<Instant>,
    /// What came of a revision of which more will come.
    open: Vec<PbEvent>,
}

/// Everything that one revision of etcd has changed.
pub(super) struct Revised {
    pub(super) revision: u64,
    pub(super) events: Vec<Event>,
}

/// What became of a row.
pub(super) enum Event {
    Put(Row),
    Delete(Vec<u8>),
}

// === impl Watch ===

impl Watch {
    /// Watches from this revision on.
    pub(super) async fn start(
        client: &Client,
        settings: &Settings,
        layout: &Layout,
        from: u64,
    ) -> Result<Self, Fault> {
        let options = WatchOptions::new()
            .with_prefix()
            .with_start_revision(from.try_into().unwrap_or_default())
            .with_progress_notify()
            .with_fragment();
        let mut watch = client
            .watch_client()
            .max_decoding_message_size(ANSWER_BYTES);
        let time = settings.request_timeout;
        let stream = within("watch", time, watch.watch(layout.root(), Some(options))).await?;
        let mut watch = Self {
            stream,
            keepalive: settings.keepalive,
            since: Instant::now(),
            heard: Instant::now(),
            asked: None,
            open: Vec::new(),
        };
        let created = time::timeout(time, watch.message()).await;
        let created = created.map_err(|_| Fault::silent("watch", time))??;
        watch.take(created)?;
        Ok(watch)
    }

    /// What has changed since, one revision after the other; nothing after a mere sign of life.
    pub(super) async fn next(&mut self) -> Result<VecDeque<Revised>, Fault> {
        let message = self.message().await?;
        self.take(message)
    }

    async fn message(&mut self) -> Result<WatchResponse, Fault> {
        loop {
            let deadline = match self.asked {
                Some(asked) => asked + self.keepalive.timeout,
                None => self.heard + self.keepalive.interval,
            };
            // What has arrived comes first, however late we look.
            match time::timeout_at(deadline, self.stream.message()).await {
                Ok(Ok(Some(message))) => {
                    (self.heard, self.asked) = (Instant::now(), None);
                    return Ok(message);
                }
                Ok(Ok(None)) => return Err(Fault::ended("")),
                Ok(Err(error)) => return Err(error.into()),
                Err(_) if self.asked.is_none() => {
                    let time = self.keepalive.timeout;
                    within("sign of life", time, self.stream.request_progress()).await?;
                    self.asked = Some(Instant::now());
                }
                Err(_) => return Err(Fault::silent("sign of life", self.keepalive.timeout)),
            }
        }
    }

    fn take(&mut self, message: WatchResponse) -> Result<VecDeque<Revised>, Fault> {
        let message = message.0;
        if message.compact_revision > 0 {
            let reason = "the revisions that were missed have been compacted";
            return Err(Fault::new(FaultKind::Compacted, reason));
        }
        if message.canceled {
            return Err(Fault::ended(&message.cancel_reason));
        }
        let is_whole = !message.fragment;
        self.open.extend(message.events);
        let last = self.open.last().map(revision);
        let mut revised: VecDeque<Revised> = VecDeque::new();
        let is_ready = |event: &PbEvent| is_whole || Some(revision(event)) != last;
        let ready = self.open.iter().take_while(|event| is_ready(event)).count();
        for event in self.open.drain(..ready) {
            let revision = revision(&event);
            let Some(event) = read(event) else { continue };
            match revised.back_mut() {
                Some(last) if last.revision == revision => last.events.push(event),
                _ => revised.push_back(Revised {
                    revision,
                    events: vec![event],
                }),
            }
        }
        Ok(revised)
    }
}

fn revision(event: &PbEvent) -> u64 {
    let pair = event.kv.as_ref();
    unsigned(pair.map_or(0, |pair: &PbKeyValue| pair.mod_revision))
}

fn read(event: PbEvent) -> Option<Event> {
    const DELETE: i32 = 1;
    let pair = event.kv?;
    Some(match event.r#type {
        DELETE => Event::Delete(pair.key),
        _ => Event::Put(KeyValue(pair).into()),
    })
}
