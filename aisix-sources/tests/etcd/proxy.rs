//! A line to etcd that can be cut.

use std::net::SocketAddr;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// Passes connections on, until it is cut.
pub(crate) struct Line {
    addr: SocketAddr,
    is_up: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

// === impl Line ===

impl Line {
    pub(crate) async fn to(endpoint: &str) -> Self {
        let target: SocketAddr = endpoint.strip_prefix("http://").unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (is_up, told) = watch::channel(true);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut lines = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let mut told = told.clone();
                lines.spawn(async move {
                    tokio::select! {
                        _ = told.wait_for(|is_up| !is_up) => {}
                        () = pass(client, target) => {}
                    }
                });
            }
        });
        Self {
            addr,
            is_up,
            _tasks: tasks,
        }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Ends all connections, and those that are made from now on.
    pub(crate) fn cut(&self) {
        self.is_up.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.is_up.send_replace(true);
    }
}

async fn pass(mut client: TcpStream, target: SocketAddr) {
    if let Ok(mut server) = TcpStream::connect(target).await {
        // Either side may leave at any time.
        let _ = copy_bidirectional(&mut client, &mut server).await;
    }
}
