//! TLS, with a certificate that may be replaced while it is used.

use std::{
    io,
    path::Path,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use arc_swap::ArcSwap;
use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};
use rustls::{
    ServerConfig,
    crypto::CryptoProvider,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::TlsAcceptor;

use super::TlsFiles;

/// Files that change are read when nothing changed for this long, or after the longer time.
const SETTLED: Duration = Duration::from_millis(200);
const OVERDUE: Duration = Duration::from_secs(2);

/// The server's side of TLS. Follows its files until it is dropped.
pub(super) struct Certificates {
    acceptor: TlsAcceptor,
    /// Ends the thread that reads the files when it is dropped.
    _watcher: Option<RecommendedWatcher>,
}

/// The certificate of the next handshake.
#[derive(Debug)]
struct Current {
    key: ArcSwap<CertifiedKey>,
    provider: Arc<CryptoProvider>,
    files: TlsFiles,
}

// === impl Certificates ===

impl Certificates {
    /// Reads the files, and follows them: a new pair serves the next handshake, a bad one is reported
    /// in the log and the old one stays.
    ///
    /// # Errors
    ///
    /// When the files cannot be used, or no process-wide TLS provider is installed. Files that cannot
    /// be watched are only reported in the log.
    pub(super) fn follow(files: &TlsFiles) -> anyhow::Result<Self> {
        let current = Arc::new(Current::read(files)?);
        let mut config = ServerConfig::builder_with_provider(current.provider.clone())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let watcher = watch(current)
            .inspect_err(|error| {
                tracing::warn!(%error, "cannot watch the TLS files, a restart reads them again");
            })
            .ok();
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            _watcher: watcher,
        })
    }

    /// What does handshakes.
    pub(super) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }
}

// === impl Current ===

impl Current {
    fn read(files: &TlsFiles) -> anyhow::Result<Self> {
        let provider = CryptoProvider::get_default()
            .context("no TLS provider is installed")?
            .clone();
        Ok(Self {
            key: ArcSwap::from_pointee(read(files, &provider)?),
            provider,
            files: files.clone(),
        })
    }

    /// Reads the files again. `reported` is the last complaint, which is not repeated.
    fn reload(&self, reported: &mut String) {
        match read(&self.files, &self.provider) {
            Ok(new) if new.cert == self.key.load().cert => reported.clear(),
            Ok(new) => {
                self.key.store(Arc::new(new));
                reported.clear();
                tracing::info!(file = %self.files.cert_file.display(), "TLS certificate replaced");
            }
            Err(error) => {
                let error = format!("{error:#}");
                if *reported != error {
                    tracing::warn!(%error, "TLS files changed and are bad, the old certificate stays");
                    *reported = error;
                }
            }
        }
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key.load_full())
    }
}

fn read(files: &TlsFiles, provider: &CryptoProvider) -> anyhow::Result<CertifiedKey> {
    let cert_file = files.cert_file.display();
    let chain = CertificateDer::pem_file_iter(&files.cert_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("cannot read the TLS certificate {cert_file}"))?;
    if chain.is_empty() {
        bail!("no certificate in {cert_file}");
    }
    let key_file = files.key_file.display();
    let key = PrivateKeyDer::from_pem_file(&files.key_file)
        .with_context(|| format!("cannot read the TLS key {key_file}"))?;
    CertifiedKey::from_der(chain, key, provider)
        .with_context(|| format!("cannot use the TLS key {key_file} with {cert_file}"))
}

/// Watches the folders of the files, because files are often replaced rather than written.
fn watch(current: Arc<Current>) -> anyhow::Result<RecommendedWatcher> {
    let (changed, changes) = mpsc::sync_channel(1);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if event.is_ok_and(|event| is_change(event.kind)) {
            // Full means that a look is due anyway.
            let _ = changed.try_send(());
        }
    })?;
    let folder = |file: &Path| match file.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => Path::new(".").to_owned(),
    };
    let folders = [
        folder(&current.files.cert_file),
        folder(&current.files.key_file),
    ];
    watcher.watch(&folders[0], RecursiveMode::NonRecursive)?;
    if folders[1] != folders[0] {
        watcher.watch(&folders[1], RecursiveMode::NonRecursive)?;
    }
    let follow = move || {
        let mut reported = String::new();
        while changes.recv().is_ok() {
            let overdue = Instant::now() + OVERDUE;
            while Instant::now() < overdue && changes.recv_timeout(SETTLED).is_ok() {}
            current.reload(&mut reported);
        }
    };
    thread::Builder::new()
        .name("aisix-tls-files".to_owned())
        .spawn(follow)
        .map_err(|error: io::Error| anyhow::anyhow!(error))?;
    Ok(watcher)
}

/// Whether an event may mean new content. Our own reading is an event, too.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn bad_files_leave_the_old_certificate_and_are_reported_once() {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let _ = CryptoProvider::install_default(provider);
        let folder = tempfile::tempdir().unwrap();
        let files = TlsFiles {
            cert_file: folder.path().join("cert.pem"),
            key_file: folder.path().join("key.pem"),
        };
        let renew = || {
            let made = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
            fs::write(&files.cert_file, made.cert.pem()).unwrap();
            fs::write(&files.key_file, made.signing_key.serialize_pem()).unwrap();
            made.cert.der().clone()
        };
        let old = renew();
        let current = Current::read(&files).unwrap();
        let mut reported = String::new();

        // A new certificate whose key has not come yet.
        let old_key = fs::read(&files.key_file).unwrap();
        let new = renew();
        let new_key = fs::read(&files.key_file).unwrap();
        fs::write(&files.key_file, old_key).unwrap();
        current.reload(&mut reported);
        assert_eq!(current.key.load().cert, [old]);
        assert!(reported.starts_with("cannot use the TLS key"), "{reported}");
        assert!(!reported.contains("PRIVATE"), "{reported}");

        fs::write(&files.key_file, new_key).unwrap();
        current.reload(&mut reported);
        assert_eq!(current.key.load().cert, [new]);
        assert_eq!(reported, "");
    }
}
