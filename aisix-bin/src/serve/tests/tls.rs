use std::{fs, path::PathBuf};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::{CryptoProvider, aws_lc_rs},
};
use rustls_pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{super::TlsFiles, *};

/// A folder with the files of a certificate.
struct Files {
    folder: TempDir,
    files: TlsFiles,
}

impl Files {
    fn new() -> (Self, CertificateDer<'static>) {
        let _ = CryptoProvider::install_default(aws_lc_rs::default_provider());
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| -> PathBuf { folder.path().join(name) };
        let files = TlsFiles {
            cert_file: file("cert.pem"),
            key_file: file("key.pem"),
        };
        let files = Self { folder, files };
        let certificate = files.replace();
        (files, certificate)
    }

    /// Puts a new certificate in place of the old one, as tools do.
    fn replace(&self) -> CertificateDer<'static> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        for (file, content) in [
            (&self.files.key_file, made.signing_key.serialize_pem()),
            (&self.files.cert_file, made.cert.pem()),
        ] {
            let next = self.folder.path().join("next");
            fs::write(&next, content).unwrap();
            fs::rename(&next, file).unwrap();
        }
        made.cert.der().clone()
    }

    fn proxy(&self) -> Proxy {
        let mut proxy = proxy();
        proxy.listener.tls = Some(self.files.clone());
        proxy
    }
}

async fn connect(
    addr: SocketAddr,
    trusted: &[&CertificateDer<'static>],
    alpn: &[&str],
) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add((*certificate).clone()).unwrap();
    }
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = soon(TcpStream::connect(addr)).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    soon(connector.connect(name, stream)).await.unwrap()
}

#[tokio::test]
async fn tls_clients_choose_between_h2_and_http1() {
    let (files, certificate) = Files::new();
    let server = start(files.proxy(), tower::service_fn(echo));

    let stream = connect(server.addr, &[&certificate], &["h2", "http/1.1"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(executor, TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let request = Request::post("https://localhost/")
        .body(Full::<Bytes>::from("over h2"))
        .unwrap();
    let response = text(soon(client.send_request(request)).await.unwrap()).await;
    assert_eq!(response.body(), "over h2");

    for alpn in [&["http/1.1"][..], &[]] {
        let mut client = handshake(connect(server.addr, &[&certificate], alpn).await).await;
        assert_eq!(send(&mut client, get("/")).await.status(), 200);
    }
}

#[tokio::test]
async fn a_replaced_certificate_serves_the_next_handshake() {
    let (files, old) = Files::new();
    let server = start(files.proxy(), tower::service_fn(echo));
    let mut early = handshake(connect(server.addr, &[&old], &[]).await).await;
    send(&mut early, get("/")).await;

    let new = files.replace();
    let replaced = async {
        loop {
            let stream = connect(server.addr, &[&old, &new], &[]).await;
            let shown = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
            if shown == new {
                break;
            }
            assert_eq!(shown, old);
        }
    };
    soon(replaced).await;
    assert_eq!(send(&mut early, get("/")).await.status(), 200);
}

#[tokio::test]
async fn files_that_do_not_belong_together_are_refused_at_the_start() {
    let (files, _) = Files::new();
    let (others, _) = Files::new();
    let mut proxy = files.proxy();
    proxy.listener.tls.as_mut().unwrap().key_file = others.files.key_file.clone();
    let error = proxy.bind().err().unwrap().to_string();
    assert!(error.starts_with("cannot use the TLS key"), "{error}");

    let mut proxy = files.proxy();
    proxy.listener.tls.as_mut().unwrap().cert_file = files.folder.path().join("missing");
    let error = proxy.bind().err().unwrap().to_string();
    assert!(
        error.starts_with("cannot read the TLS certificate"),
        "{error}"
    );
}

#[tokio::test]
async fn a_handshake_that_does_not_arrive_is_not_waited_for() {
    let (files, _) = Files::new();
    let mut proxy = files.proxy();
    proxy.listener.head_timeout = Duration::from_millis(100);
    let server = start(proxy, tower::service_fn(echo));
    assert_eq!(talk(server.addr, b"").await, "");
}
