use std::{
    collections::BTreeSet,
    env,
    io::{BufRead, BufReader},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    pin::pin,
    process::{Child, Command, Stdio},
    time::Duration,
};

use aisix_core::config::{Change, Config, Entry, KeyHash, SourceError};
use futures_util::{Stream, StreamExt};
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

fn key(id: &str) -> Key {
    Key {
        kind: Kind::ApiKey,
        id: id.into(),
    }
}

fn document(text: &str) -> Value {
    json!({"key_hash": KeyHash::of(text).to_hex(), "allowed_models": ["*"]})
}

fn put(id: &str, text: &str) -> Change {
    Change::Put(Entry::new(Kind::ApiKey, id, document(text)))
}

fn edit(changes: impl IntoIterator<Item = Change>) -> Edit {
    Edit {
        changes: changes.into_iter().collect(),
        by: "tester".to_owned(),
        at: Timestamp::UNIX_EPOCH,
    }
}

fn store() -> (TempDir, Embedded) {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path().join("data")).unwrap();
    (directory, store)
}

/// Opens a directory that was just given back: the thread that had it may need a moment.
fn reopen(directory: &Path) -> Embedded {
    for _ in 0..1_000 {
        match Embedded::open(directory) {
            Ok(store) => return store,
            Err(error) => assert!(error.to_string().contains("in use"), "{error}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("the directory is not given back");
}

async fn next(changes: impl Stream<Item = Result<Change, SourceError>> + Unpin) -> Option<Change> {
    let mut changes = changes;
    loop {
        let wait = tokio::time::timeout(Duration::from_secs(20), changes.next());
        match wait.await.expect("a change in time").map(Result::unwrap) {
            Some(Change::At(_)) => {}
            change => return change,
        }
    }
}

fn ids(change: &Change) -> Vec<String> {
    match change {
        Change::Reset(entries) | Change::All { entries, .. } => {
            entries.iter().map(|it| it.key.id.to_string()).collect()
        }
        Change::Put(entry) => vec![format!("+{}", entry.key.id)],
        Change::Delete(key) => vec![format!("-{}", key.id)],
        Change::Together(changes) => changes.iter().flat_map(ids).collect(),
        Change::At(_) | Change::Hash(_) | Change::Reject(_) | Change::Forget(_) => Vec::new(),
    }
}

#[tokio::test]
async fn what_was_committed_is_there_when_the_store_is_opened_again() {
    let (directory, store) = store();
    assert_eq!(
        store
            .commit(Some(0), vec![edit([put("a", "1")])])
            .await
            .unwrap(),
        1
    );
    let two = vec![
        edit([put("b", "2"), put("a", "3")]),
        edit([Change::Delete(key("b"))]),
    ];
    assert_eq!(store.commit(Some(1), two).await.unwrap(), 3);
    drop(store);

    let store = reopen(&directory.path().join("data"));
    let listing = store.list(None).await.unwrap();
    assert_eq!(listing.revision, 3);
    let [only] = listing.entries.as_slice() else {
        panic!("{listing:?}")
    };
    assert_eq!((only.created, only.entry.revision), (1, 2));
    assert_eq!(only.entry.value, document("3"));
    assert!(store.get(&key("b")).await.unwrap().is_none());
    assert!(
        store
            .list(Some(Kind::Model))
            .await
            .unwrap()
            .entries
            .is_empty()
    );
}

#[tokio::test]
async fn a_writer_that_was_slower_writes_nothing() {
    let (_directory, store) = store();
    let first = store.commit(Some(0), vec![edit([put("a", "1")])]);
    let second = store.commit(Some(0), vec![edit([put("b", "1")])]);
    let (first, second) = tokio::join!(first, second);
    assert_eq!(first.unwrap(), 1);
    assert_eq!(second.unwrap_err().kind(), StoreErrorKind::Conflict);
    assert_eq!(store.list(None).await.unwrap().entries.len(), 1);
}

#[tokio::test]
async fn history_tells_who_did_what_and_keeps_a_thousand() {
    let (_directory, store) = store();
    let edits = vec![
        edit([put("a", "1")]),
        edit([put("a", "1")]),
        edit([put("a", "2"), put("b", "1")]),
        edit([Change::Reset(vec![Entry::new(
            Kind::ApiKey,
            "c",
            document("1"),
        )])]),
    ];
    store.commit(None, edits).await.unwrap();
    let records = store.history(0).await.unwrap();
    let told: Vec<_> = records
        .iter()
        .map(|record| {
            let changes = record.changes.iter();
            let changes = changes.map(|it| (&*it.key.id, it.before.is_some(), it.after.is_some()));
            (record.revision, changes.collect::<Vec<_>>())
        })
        .collect();
    let expected = vec![
        (1, vec![("a", false, true)]),
        (2, vec![]),
        (3, vec![("a", true, true), ("b", false, true)]),
        (
            4,
            vec![("a", true, false), ("b", true, false), ("c", false, true)],
        ),
    ];
    assert_eq!(told, expected);
    assert_eq!(
        (records[0].by.as_str(), records[0].at),
        ("tester", Timestamp::UNIX_EPOCH)
    );
    assert_eq!(records[2].changes[0].before, Some(document("1")));
    assert_eq!(records[2].changes[0].after, Some(document("2")));
    assert_eq!(store.history(3).await.unwrap().len(), 1);

    let many = (0..1_000).map(|n| edit([put("a", &n.to_string())]));
    store.commit(None, many.collect()).await.unwrap();
    let records = store.history(0).await.unwrap();
    assert_eq!((records.len(), records[0].revision), (1_000, 5));
}

#[tokio::test]
async fn changes_begin_with_everything_and_follow_each_edit() {
    let (_directory, store) = store();
    store
        .commit(None, vec![edit([put("a", "1")])])
        .await
        .unwrap();
    let mut changes = pin!(store.changes());
    assert_eq!(ids(&next(&mut changes).await.unwrap()), ["a"]);
    let edits = vec![
        edit([put("b", "1"), put("c", "1")]),
        edit([Change::Delete(key("a"))]),
    ];
    store.commit(None, edits).await.unwrap();
    let both = next(&mut changes).await.unwrap();
    assert!(matches!(both, Change::Together(_)), "{both:?}");
    assert_eq!(ids(&both), ["+b", "+c"]);
    assert_eq!(ids(&next(&mut changes).await.unwrap()), ["-a"]);

    // Far behind, everything is told anew.
    let many = (0..9_000).map(|n| edit([put("d", &n.to_string())]));
    store.commit(None, many.collect()).await.unwrap();
    let change = next(&mut changes).await.unwrap();
    assert!(matches!(change, Change::Reset(_)), "{change:?}");
    assert_eq!(ids(&change), ["b", "c", "d"]);

    drop(store);
    assert!(
        next(&mut changes).await.is_none(),
        "nobody can write any more"
    );
}

#[tokio::test]
async fn a_gateway_follows_the_store() {
    let (_directory, store) = store();
    let config = Config::builder().build();
    let hash = KeyHash::of("sk-1");
    let writing = async {
        store
            .commit(None, vec![edit([put("a", "sk-1")])])
            .await
            .unwrap();
        config.until(1).await;
    };
    tokio::select! {
        () = config.follow(store.changes()) => panic!("the store is open"),
        written = tokio::time::timeout(Duration::from_secs(20), writing) => written.unwrap(),
    }
    let caller = config.current().caller(&hash).cloned();
    assert_eq!(caller.unwrap().id().as_ref(), "a");
}

#[tokio::test]
async fn only_the_owner_can_read_it() {
    let (directory, store) = store();
    store
        .commit(None, vec![edit([put("a", "1")])])
        .await
        .unwrap();
    let data = directory.path().join("data");
    assert_eq!(data.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    for file in data.read_dir().unwrap() {
        let file = file.unwrap();
        assert_eq!(file.file_name(), "store.redb");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(file.metadata().unwrap().nlink(), 1);
    }
}

#[tokio::test]
async fn a_second_opener_is_told_that_it_is_in_use() {
    let (directory, _store) = store();
    let error = Embedded::open(directory.path().join("data")).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("store.redb is in use by another process: stop that"),
        "{message}"
    );
}

#[test]
fn what_is_no_store_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("store.redb");
    std::fs::write(&file, "something else").unwrap();
    let error = Embedded::open(directory.path()).unwrap_err().to_string();
    assert!(error.contains("store.redb"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "something else");

    let below_a_file = Embedded::open(file.join("data")).unwrap_err().to_string();
    assert!(
        below_a_file.contains("cannot make the directory"),
        "{below_a_file}"
    );
}

#[test]
fn a_store_that_was_never_finished_is_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("store.new"), [0; 100]).unwrap();
    Embedded::open(directory.path()).unwrap();
    assert!(!directory.path().join("store.new").exists());
}

// === kill -9 ===

const DIRECTORY: &str = "EMBEDDED_STORE_DIRECTORY";

/// What [`killed_at_any_moment_nothing_acknowledged_is_lost`] kills: tells each commit that was
/// acknowledged, for ever.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a process of its own, started by another test"]
async fn writes_for_ever() {
    let store = reopen(env::var(DIRECTORY).unwrap().as_ref());
    let begin = store.revision().await.unwrap();
    let writers = (0..8).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0_u64.. {
                let id = format!("{begin}-{writer}-{n}");
                let pair = [put(&format!("{id}-x"), "1"), put(&format!("{id}-y"), "1")];
                let revision = store.commit(None, vec![edit(pair)]).await.unwrap();
                println!("wrote {id} {revision}");
            }
        })
    });
    futures_util::future::join_all(writers.collect::<Vec<_>>()).await;
}

fn writer(directory: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "embedded::tests::writes_for_ever",
            "--ignored",
            "--nocapture",
        ])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn killed_at_any_moment_nothing_acknowledged_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    let mut last = 0;
    for round in 0..6 {
        let mut child = writer(directory.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut told = |line: String| -> Option<()> {
            let mut words = line.strip_prefix("wrote ")?.split(' ').map(str::to_owned);
            acknowledged.insert(words.next()?);
            last = last.max(words.next()?.parse::<u64>().ok()?);
            Some(())
        };
        let mut count = 0;
        while count < 20 + 37 * round {
            count += told(lines.next().expect("it writes for ever").unwrap()).map_or(0, |()| 1);
        }
        if round == 0 {
            let error = Embedded::open(directory.path()).unwrap_err().to_string();
            assert!(error.contains("in use by another process"), "{error}");
        }
        // SIGKILL, in the middle of it.
        child.kill().unwrap();
        child.wait().unwrap();
        while let Some(Ok(line)) = lines.next() {
            told(line);
        }

        let store = reopen(directory.path());
        let listing = store.list(None).await.unwrap();
        let found: BTreeSet<String> = listing
            .entries
            .iter()
            .map(|it| it.entry.key.id.to_string())
            .collect();
        for id in &acknowledged {
            assert!(found.contains(&format!("{id}-x")), "{id} was acknowledged");
            assert!(found.contains(&format!("{id}-y")), "{id} was acknowledged");
        }
        for id in &found {
            let (pair, half) = id.split_at(id.len() - 1);
            let other = if half == "x" { "y" } else { "x" };
            assert!(
                found.contains(&format!("{pair}{other}")),
                "half of {pair} was written"
            );
        }
        assert!(listing.revision >= last);
        let history = store.history(0).await.unwrap();
        let revisions: Vec<_> = history.iter().map(|record| record.revision).collect();
        assert!(revisions.windows(2).all(|pair| pair[0] + 1 == pair[1]));
        assert_eq!(revisions.last(), Some(&listing.revision));
    }
}

// === trouble with the disk ===

#[tokio::test]
async fn a_full_disk_refuses_the_commit_and_the_store_goes_on() {
    // The limit holds for the whole process, so this test wants one of its own.
    if env::var_os(DIRECTORY).is_none() {
        let directory = tempfile::tempdir().unwrap();
        let ended = Command::new("sh")
            // Without this the signal of the limit would end the process.
            .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
            .arg(env::current_exe().unwrap())
            .args([
                "--exact",
                "embedded::tests::a_full_disk_refuses_the_commit_and_the_store_goes_on",
            ])
            .env(DIRECTORY, directory.path())
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&ended.stdout);
        assert!(
            ended.status.success() && printed.contains("1 passed"),
            "{printed}"
        );
        return;
    }
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let store = Embedded::open(env::var(DIRECTORY).unwrap()).unwrap();
    store
        .commit(None, vec![edit([put("a", "1")])])
        .await
        .unwrap();
    let mut changes = pin!(store.changes());
    assert_eq!(ids(&next(&mut changes).await.unwrap()), ["a"]);

    // A file that may not grow answers as a disk that is full.
    let unlimited = getrlimit(Resource::Fsize);
    let limit = |bytes| Rlimit {
        current: bytes,
        maximum: unlimited.maximum,
    };
    setrlimit(Resource::Fsize, limit(Some(200 * 1024))).unwrap();
    let big = json!({"display_name": "x".repeat(1024 * 1024)});
    let big = Change::Put(Entry::new(Kind::ApiKey, "big", big));
    let refused = store.commit(None, vec![edit([big])]).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Unavailable, "{refused}");
    assert!(store.get(&key("big")).await.unwrap().is_none());
    assert_eq!(store.revision().await.unwrap(), 1);
    setrlimit(Resource::Fsize, limit(unlimited.current)).unwrap();

    assert_eq!(
        store
            .commit(Some(1), vec![edit([put("b", "1")])])
            .await
            .unwrap(),
        2
    );
    assert_eq!(ids(&next(&mut changes).await.unwrap()), ["+b"]);
    assert_eq!(store.history(0).await.unwrap().len(), 2);
}
