//! What the process prints, line by line, for tests that wait for a line.

use std::sync::Arc;

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    sync::watch,
};

/// The lines of one output so far, and whether more can come.
#[derive(Clone, Debug)]
pub(super) struct Log(watch::Receiver<Printed>);

#[derive(Clone, Debug, Default)]
struct Printed {
    lines: Vec<Arc<str>>,
    ended: bool,
}

impl Log {
    /// Reads `output` to its end. Must be called inside a runtime.
    pub(super) fn of(output: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let (sender, receiver) = watch::channel(Printed::default());
        tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                sender.send_modify(|printed| printed.lines.push(line.into()));
            }
            sender.send_modify(|printed| printed.ended = true);
        });
        Self(receiver)
    }

    pub(super) fn text(&self) -> String {
        self.0.borrow().lines.join("\n")
    }

    pub(super) fn json(&self) -> Vec<Value> {
        self.0
            .borrow()
            .lines
            .iter()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// The first JSON line that `wanted` accepts, now or later; `None` when the output ends without it.
    pub(super) async fn find(&self, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        let json = |line: &str| serde_json::from_str(line).ok().filter(&wanted);
        self.first(json).await
    }

    /// The first line that `wanted` accepts, in the same way.
    pub(super) async fn line(&self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        self.first(|line| wanted(line).then(|| line.to_owned()))
            .await
    }

    async fn first<T>(&self, wanted: impl Fn(&str) -> Option<T>) -> Option<T> {
        let mut receiver = self.0.clone();
        let mut read = 0;
        loop {
            let printed = receiver.borrow_and_update().clone();
            let new = &printed.lines[read..];
            if let Some(found) = new.iter().find_map(|line| wanted(line)) {
                return Some(found);
            }
            read = printed.lines.len();
            if printed.ended || receiver.changed().await.is_err() {
                return None;
            }
        }
    }

    /// Waits until everything that was printed has been read.
    pub(super) async fn ended(&self) {
        self.0.clone().wait_for(|printed| printed.ended).await.ok();
    }
}
