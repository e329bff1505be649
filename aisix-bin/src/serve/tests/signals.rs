use rustix::process::{Signal, getpid, kill_process};
use tokio::sync::mpsc;

use super::{
    super::{Signals, shutdown::Phase},
    *,
};

#[tokio::test]
async fn signals_reload_then_drain_then_end() {
    let shutdown = Shutdown::new();
    shutdown.advance(Phase::Serving);
    let (reloaded, mut reloads) = mpsc::unbounded_channel();
    let signals = Signals::take().unwrap();
    let reload = move || reloaded.send(()).unwrap();
    let watching = tokio::spawn(signals.watch(shutdown.clone(), reload));
    let send = |signal| kill_process(getpid(), signal).unwrap();

    send(Signal::HUP);
    soon(reloads.recv()).await.unwrap();
    send(Signal::TERM);
    assert_eq!(
        soon(shutdown.reached(Phase::Draining)).await,
        Phase::Draining
    );
    send(Signal::INT);
    soon(shutdown.reached(Phase::Killed)).await;
    assert!(!watching.is_finished());
}
