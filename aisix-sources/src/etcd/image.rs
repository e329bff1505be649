//! Reading in pieces that stand together.

use std::time::Duration;

use etcd_client::{Client, GetOptions, KvClient, ResponseHeader, Txn, TxnOp, TxnOpResponse};
use jiff::Timestamp;
use tokio::sync::watch::Sender;

use super::{
    Settings, Standing,
    fault::{Fault, FaultKind},
    link::{ANSWER_BYTES, within},
    rows::{Row, unsigned},
};

/// How many rows are asked for at first.
const FIRST_PIECE: i64 = 512;
/// How many rows are asked for at most. For each answer etcd counts all the rows that are left, so that
/// many small answers take long.
const LARGEST_PIECE: i64 = 32 * 1024;
/// The size of an answer, in bytes, that is large enough; it must arrive in time over slow links too.
const GOOD_ANSWER: usize = 2 * 1024 * 1024;

/// What is known about etcd at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) cluster: u64,
    pub(super) term: u64,
    pub(super) revision: u64,
}

/// Reads of etcd what stands together at one revision.
pub(super) struct Reader {
    kv: KvClient,
    timeout: Duration,
    /// How many rows are asked for by name at a time.
    several: usize,
    /// The revision that is read, once it is known.
    pub(super) moment: Option<Moment>,
    /// Whom to tell of each answer.
    pub(super) heard: Option<Sender<Standing>>,
}

// === impl Moment ===

impl Moment {
    fn of(header: Option<&ResponseHeader>) -> Result<Self, Fault> {
        let header = header.ok_or_else(|| Fault::new(FaultKind::Link, "an answer has no head"))?;
        Ok(Self {
            cluster: header.cluster_id(),
            term: header.raft_term(),
            revision: unsigned(header.revision()),
        })
    }

    /// Whether `later` may be the same etcd, somewhat later.
    pub(super) fn leads_to(&self, later: &Self) -> bool {
        self.cluster == later.cluster && self.term <= later.term && self.revision <= later.revision
    }
}

// === impl Reader ===

impl Reader {
    pub(super) fn new(client: &Client, settings: &Settings) -> Self {
        Self {
            kv: client.kv_client().max_decoding_message_size(ANSWER_BYTES),
            timeout: settings.request_timeout,
            several: settings.transaction_operations.max(1),
            moment: None,
            heard: None,
        }
    }

    /// Writes, if all comparisons hold; gives etcd's revision then.
    pub(super) async fn write(&mut self, transaction: Txn) -> Result<Option<u64>, Fault> {
        let answer = within("answer", self.timeout, self.kv.txn(transaction)).await?;
        let moment = Moment::of(answer.header())?;
        Ok(answer.succeeded().then_some(moment.revision))
    }

    /// What is known about etcd now, of which only the head is asked for.
    pub(super) async fn now(&mut self, below: &str) -> Result<Moment, Fault> {
        let options = GetOptions::new()
            .with_prefix()
            .with_limit(1)
            .with_keys_only();
        let answer = within("answer", self.timeout, self.kv.get(below, Some(options)));
        Moment::of(answer.await?.header())
    }

    /// Those rows of these that exist.
    pub(super) async fn several(&mut self, keys: &[String]) -> Result<Vec<Row>, Fault> {
        let mut rows = Vec::new();
        for keys in keys.chunks(self.several) {
            let gets = keys
                .iter()
                .map(|key| TxnOp::get(key.as_str(), Some(self.options())));
            let gets = Txn::new().and_then(gets.collect::<Vec<_>>());
            let answer = within("answer", self.timeout, self.kv.txn(gets)).await?;
            self.began(answer.header())?;
            for response in answer.op_responses() {
                if let TxnOpResponse::Get(mut found) = response {
                    rows.extend(found.take_kvs().into_iter().map(Row::from));
                }
            }
        }
        Ok(rows)
    }

    /// One row.
    pub(super) async fn get(&mut self, key: &str) -> Result<Option<Row>, Fault> {
        let rows = self.ask(key.into(), self.options()).await?;
        Ok(rows.0.into_iter().next())
    }

    /// All rows whose keys begin with a text.
    pub(super) async fn below(&mut self, start: &str, rows: &mut Vec<Row>) -> Result<(), Fault> {
        let mut end = start.as_bytes().to_vec();
        // What we ask for ends with a slash, which is not the last byte there is.
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        self.between(start.as_bytes(), &end, rows).await
    }

    /// All rows from a key to another one, which is not meant any more.
    pub(super) async fn between(
        &mut self,
        start: &[u8],
        end: &[u8],
        rows: &mut Vec<Row>,
    ) -> Result<(), Fault> {
        let (mut start, mut piece) = (start.to_vec(), FIRST_PIECE);
        loop {
            let options = self.options().with_range(end).with_limit(piece);
            let (found, is_more) = match self.ask(start.clone(), options).await {
                Err(fault) if fault.kind == FaultKind::LongAnswer && piece > 1 => {
                    piece /= 2;
                    continue;
                }
                answer => answer?,
            };
            piece = next_piece(piece, &found);
            rows.extend(found);
            match rows.last() {
                Some(last) if is_more => {
                    start.clone_from(&last.key);
                    start.push(0);
                }
                _ => return Ok(()),
            }
        }
    }

    async fn ask(&mut self, key: Vec<u8>, options: GetOptions) -> Result<(Vec<Row>, bool), Fault> {
        let answer = within("answer", self.timeout, self.kv.get(key, Some(options)));
        let mut answer = answer.await?;
        self.began(answer.header())?;
        let rows = answer.take_kvs().into_iter().map(Row::from).collect();
        Ok((rows, answer.more()))
    }

    /// Whatever is read later stands with what was read first.
    fn options(&self) -> GetOptions {
        let revision = self.moment.map_or(0, |moment| moment.revision);
        GetOptions::new().with_revision(revision.try_into().unwrap_or_default())
    }

    fn began(&mut self, header: Option<&ResponseHeader>) -> Result<(), Fault> {
        if let Some(heard) = &self.heard {
            heard.send_modify(|standing| standing.heard_at = Some(Timestamp::now()));
        }
        if self.moment.is_none() {
            self.moment = Some(Moment::of(header)?);
        }
        Ok(())
    }
}

/// How many rows are asked for after an answer to so many.
fn next_piece(piece: i64, found: &[Row]) -> i64 {
    let size = |row: &Row| row.key.len() + row.value.len();
    let bytes: usize = found.iter().map(size).sum();
    match bytes * 2 <= GOOD_ANSWER {
        true => (piece * 2).min(LARGEST_PIECE),
        false => piece,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize, bytes: usize) -> Vec<Row> {
        let row = Row {
            key: Vec::new(),
            value: vec![b' '; bytes],
            created: 1,
            changed: 1,
        };
        vec![row; count]
    }

    #[test]
    fn small_answers_grow_and_large_ones_do_not() {
        assert_eq!(next_piece(512, &rows(512, 300)), 1_024);
        assert_eq!(next_piece(LARGEST_PIECE, &rows(512, 300)), LARGEST_PIECE);
        assert_eq!(next_piece(512, &rows(512, 64 * 1024)), 512);
    }
}
