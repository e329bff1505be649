//! Certificates of the test's own, TLS towards the gateway, and an upstream that is far away.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};

use crate::within;

/// A self-signed certificate with its key.
#[derive(Clone, Debug)]
pub struct Certificate {
    name: String,
    pem: String,
    key: String,
}

/// A proxy that opens tunnels, all to one upstream: behind it stands TLS with a certificate.
#[derive(Debug)]
pub struct ConnectProxy {
    addr: SocketAddr,
    asked: watch::Sender<Vec<String>>,
    _tasks: JoinSet<()>,
}

/// TLS with a certificate in front of something that speaks HTTP/2 in plain text.
#[derive(Debug)]
pub struct Front {
    addr: SocketAddr,
    _tasks: JoinSet<()>,
}

// === impl Certificate ===

impl Certificate {
    /// Makes one for this host.
    #[must_use]
    pub fn new(host: &str) -> Self {
        let made = rcgen::generate_simple_self_signed([host.to_owned()]).expect("a valid name");
        Self {
            name: host.to_owned(),
            pem: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
        }
    }

    /// The certificate in PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Puts both files into a directory, in place of older ones, and says where they are: certificate, key.
    pub fn write(&self, directory: &Path) -> (PathBuf, PathBuf) {
        let put = |name: &str, text: &str| {
            let (new, file) = (directory.join("new.pem"), directory.join(name));
            fs::write(&new, text).expect("the directory is writable");
            fs::rename(new, &file).expect("same directory");
            file
        };
        let key = put("key.pem", &self.key);
        (put("cert.pem", &self.pem), key)
    }

    /// Connects to a server and trusts this certificate alone.
    ///
    /// # Errors
    ///
    /// When the server shows another one.
    pub async fn connect(&self, addr: SocketAddr, alpn: &str) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der()).expect("our certificate is valid");
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider knows them")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        let name = ServerName::try_from(self.name.clone()).expect("the name was accepted before");
        let stream = within("a connection", TcpStream::connect(addr)).await?;
        let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
        within("the TLS handshake", handshake).await
    }

    fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.pem.as_bytes()).expect("we wrote it")
    }

    fn acceptor(&self, alpn: &[&str]) -> TlsAcceptor {
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("we wrote it");
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider knows them")
            .with_no_client_auth()
            .with_single_cert(vec![self.der()], key)
            .expect("they belong together");
        let alpn = alpn.iter().map(|name| name.as_bytes().to_vec());
        config.alpn_protocols = alpn.collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

// === impl ConnectProxy ===

impl ConnectProxy {
    /// Starts it on a free port, in front of this upstream.
    pub async fn start(upstream: SocketAddr, certificate: &Certificate) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("loopback has a free port");
        let addr = listener.local_addr().expect("it is bound");
        let (asked, acceptor) = (watch::Sender::default(), certificate.acceptor(&[]));
        let mut tasks = JoinSet::new();
        let told = asked.clone();
        tasks.spawn(async move {
            let mut tunnels = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let tunnel = tunnel(client, upstream, acceptor.clone(), told.clone());
                // The gateway may leave at any time.
                tunnels.spawn(async move { tunnel.await.unwrap_or_default() });
            }
        });
        Self {
            addr,
            asked,
            _tasks: tasks,
        }
    }

    /// The value for `HTTPS_PROXY`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The destinations asked for so far.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.asked.borrow().clone()
    }
}

async fn tunnel(
    mut client: TcpStream,
    upstream: SocketAddr,
    acceptor: TlsAcceptor,
    asked: watch::Sender<Vec<String>>,
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head
        .strip_prefix("CONNECT ")
        .and_then(|rest| rest.split(' ').next());
    asked.send_modify(|asked| asked.push(target.unwrap_or(&head).to_owned()));
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    let mut inner = acceptor.accept(client).await?;
    let mut server = TcpStream::connect(upstream).await?;
    copy_bidirectional(&mut inner, &mut server).await?;
    Ok(())
}

// === impl Front ===

impl Front {
    /// Starts it on a free port.
    pub async fn start(plain: SocketAddr, certificate: &Certificate) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("loopback has a free port");
        let addr = listener.local_addr().expect("it is bound");
        let acceptor = certificate.acceptor(&["h2"]);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                connections.spawn(async move {
                    // Either side may leave at any time.
                    if let (Ok(mut client), Ok(mut server)) = (
                        acceptor.accept(client).await,
                        TcpStream::connect(plain).await,
                    ) {
                        let _ = copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        Self {
            addr,
            _tasks: tasks,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}
