use std::{collections::BTreeSet, thread};

use super::{super::listen, *};

fn per_core(count: usize) -> Proxy {
    Proxy {
        workers: Workers::PerCore(NonZeroUsize::new(count).unwrap()),
        ..proxy()
    }
}

/// Answers with the worker for which it was made, and the thread that runs it.
fn named(index: usize) -> impl HttpService {
    tower::service_fn(move |_: Request<Body>| async move {
        let thread = thread::current().name().unwrap_or_default().to_owned();
        Ok::<_, Infallible>(Response::new(Body::from(format!("{index} {thread}"))))
    })
}

#[tokio::test]
async fn every_worker_serves_on_its_own_thread() {
    let bound = per_core(3).bind().unwrap();
    let addr = bound.addr();
    let running = tokio::spawn(bound.run(|index| anyhow::Ok(named(index)), Shutdown::new()));
    let mut seen = BTreeSet::new();
    // The kernel spreads connections by their ports; all but one in 10^35 runs see everybody.
    for _ in 0..200 {
        let mut client = connect(addr).await;
        seen.insert(send(&mut client, get("/")).await.into_body());
    }
    let seen: Vec<_> = seen.iter().map(String::as_str).collect();
    assert_eq!(
        seen,
        ["0 aisix-worker-0", "1 aisix-worker-1", "2 aisix-worker-2"]
    );
    assert!(!running.is_finished());
}

#[tokio::test]
async fn a_shared_runtime_serves_with_one_service() {
    let proxy = Proxy {
        workers: Workers::Shared,
        ..proxy()
    };
    let bound = proxy.bind().unwrap();
    let addr = bound.addr();
    let shutdown = Shutdown::new();
    let running = tokio::spawn(bound.run(|index| anyhow::Ok(named(index)), shutdown.clone()));
    let mut client = connect(addr).await;
    let answer = send(&mut client, get("/")).await.into_body();
    assert!(answer.starts_with("0 aisix-worker-"), "{answer}");
    shutdown.request();
    assert_eq!(soon(running).await.unwrap().unwrap(), Ended::Drained);
}

#[tokio::test]
async fn a_port_that_is_taken_is_refused() {
    for taken in [1, 2] {
        let first = per_core(taken).bind().unwrap();
        for count in [1, 2] {
            let mut second = per_core(count);
            second.listener.addr = first.addr();
            let error = second.bind().err().unwrap();
            let error = format!("{error:#}");
            assert!(error.starts_with("cannot listen on 127.0.0.1:"), "{error}");
            assert!(error.contains("in use"), "{error}");
        }
    }
}

#[tokio::test]
async fn nobody_is_served_when_one_worker_cannot_be_made() {
    let make = |index| match index {
        0 => Ok(named(0)),
        _ => Err(anyhow::anyhow!("no upstream pool")),
    };
    let bound = per_core(2).bind().unwrap();
    let error = soon(bound.run(make, Shutdown::new())).await.unwrap_err();
    assert_eq!(error.to_string(), "no upstream pool");
}

#[tokio::test]
async fn accepted_connections_send_small_writes_at_once() {
    let listener = listen::bind(localhost(), NonZeroUsize::MIN)
        .unwrap()
        .remove(0);
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (stream, peer) = soon(listen::accept(&listener)).await;
    assert!(stream.nodelay().unwrap());
    assert!(socket2::SockRef::from(&stream).keepalive().unwrap());
    assert_eq!(peer, client.local_addr().unwrap());
}
