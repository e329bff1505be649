//! Over TLS, with what provider keys say about it.

use aisix_core::{ErrorKind, testing, upstream::Tls};
use aisix_providers::http::{Client, Settings};

use crate::{
    plain::{post, settings},
    server::{identity, start},
};

#[tokio::test]
async fn a_strange_certificate_is_refused_unless_the_key_says_otherwise() {
    let identity = identity();
    let other = crate::server::identity();
    let url = format!("https://localhost:{}/", start(Some(&identity)).await.port());
    let client = Client::new(settings()).unwrap();
    let trusted = |pem: &str| Tls {
        ca_cert: Some(pem.to_owned()),
        verify: true,
    };
    let unverified = Tls {
        ca_cert: None,
        verify: false,
    };
    for (tls, works) in [
        (None, false),
        (Some(trusted(&identity.pem)), true),
        (Some(trusted(&other.pem)), false),
        (Some(unverified), true),
        (None, false),
    ] {
        match post(&client, &url, tls).await {
            Ok(response) => {
                assert!(works);
                assert_eq!(testing::text(response).await, "/ hello");
            }
            Err(error) => {
                assert!(!works, "{error:?}");
                assert_eq!(error.kind(), ErrorKind::Transport);
            }
        }
    }
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused() {
    let identity = identity();
    let address = start(Some(&identity)).await;
    let client = Client::new(settings()).unwrap();
    let tls = Tls {
        ca_cert: Some(identity.pem.clone()),
        verify: true,
    };
    let error = post(&client, &format!("https://{address}/"), Some(tls))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
}

#[tokio::test]
async fn the_settings_hold_for_all_keys() {
    let identity = identity();
    let url = format!("https://localhost:{}/", start(Some(&identity)).await.port());
    let client = Client::new(Settings {
        verify: false,
        ..settings()
    })
    .unwrap();
    let response = post(&client, &url, None).await.unwrap();
    assert_eq!(testing::text(response).await, "/ hello");
}

#[tokio::test]
async fn a_certificate_that_is_none_is_a_mistake_in_the_configuration() {
    identity();
    let client = Client::new(settings()).unwrap();
    for pem in [
        "nonsense",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let tls = Tls {
            ca_cert: Some(pem.to_owned()),
            verify: true,
        };
        let error = post(&client, "https://localhost:1/", Some(tls))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!error.message().contains("AAAA"));
    }
}
