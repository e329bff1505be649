//! TLS towards upstreams.

use std::{path::Path, sync::Arc};

use aisix_core::{Error, ErrorKind, upstream::Tls};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::CryptoProvider,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject};

use super::Settings;

/// The configuration for all upstreams, with what one provider key adds. `None` when the process has
/// no TLS provider.
///
/// The system's roots and Mozilla's are trusted, so that a bare container works too.
///
/// # Errors
///
/// When a certificate cannot be read or used.
pub(super) fn config(
    settings: &Settings,
    tls: Option<&Tls>,
) -> Result<Option<ClientConfig>, Error> {
    let Some(provider) = CryptoProvider::get_default().cloned() else {
        return Ok(None);
    };
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable("TLS versions", error))?;
    let verify = settings.verify && tls.is_none_or(|tls| tls.verify);
    let builder = if verify {
        builder.with_root_certificates(roots(settings, tls)?)
    } else {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(NoCheck(provider)))
    };
    let config = match &settings.client_cert {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            let key = PrivateKeyDer::from_pem_file(key).map_err(|e| unreadable(key, e))?;
            builder
                .with_client_auth_cert(certificates(cert)?, key)
                .map_err(|error| unusable("the client certificate", error))?
        }
    };
    Ok(Some(config))
}

fn roots(settings: &Settings, tls: Option<&Tls>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = &settings.ca_file {
        add(&mut roots, certificates(file)?)?;
    }
    if let Some(pem) = tls.and_then(|tls| tls.ca_cert.as_deref()) {
        let certs: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        let certs = certs.map_err(|error| unusable("the provider key's ca_cert", error))?;
        if certs.is_empty() {
            return Err(unusable(
                "the provider key's ca_cert",
                "no certificate in it",
            ));
        }
        add(&mut roots, certs)?;
    }
    Ok(roots)
}

fn add(roots: &mut RootCertStore, certs: Vec<CertificateDer<'static>>) -> Result<(), Error> {
    for cert in certs {
        roots
            .add(cert)
            .map_err(|error| unusable("a trusted root", error))?;
    }
    Ok(())
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(file, error))
}

fn unreadable(file: &Path, error: impl std::fmt::Display) -> Error {
    unusable(&file.display().to_string(), error)
}

fn unusable(what: &str, error: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("TLS towards upstreams: {what} cannot be used"),
    )
    .with_source(error.to_string())
}

/// Accepts every certificate, because the operator said so.
#[derive(Debug)]
struct NoCheck(Arc<CryptoProvider>);

impl ServerCertVerifier for NoCheck {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
