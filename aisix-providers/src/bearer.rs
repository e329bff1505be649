//! The endpoint that all OpenAI-dialect servers share: one address per operation, a bearer token.

use aisix_core::{Error, ErrorKind, body::Body, upstream::Spec};
use aisix_wire::{Form, Operation};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT},
};

use crate::address;

/// Addresses and headers, made when the configuration is compiled.
#[derive(Clone, Debug)]
pub(crate) struct Bearer {
    addresses: [(Form, Uri); 3],
    headers: HeaderMap,
}

// === impl Bearer ===

impl Bearer {
    /// An endpoint at the configured address, or at `default_base`.
    pub(crate) fn new(spec: &Spec<'_>, default_base: Option<&str>) -> Result<Self, Error> {
        let base = spec.api_base.or(default_base).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidRequest,
                "the provider key of this model needs an api_base",
            )
        })?;
        let base = address::base(base)?;
        let address = |form| Ok::<_, Error>((form, address::endpoint(&base, form)?));
        let addresses = [
            address(Form::Chat)?,
            address(Form::Complete)?,
            address(Form::Embed)?,
        ];

        let token = spec.api_key.expose().trim();
        let mut bearer = HeaderValue::try_from(format!("Bearer {token}"))
            .ok()
            .filter(|_| !token.is_empty())
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Credential,
                    "the provider key's api_key is empty or not usable",
                )
            })?;
        bearer.set_sensitive(true);
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(AUTHORIZATION, bearer);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("aisix/", env!("CARGO_PKG_VERSION"))),
        );
        Ok(Self { addresses, headers })
    }

    pub(crate) fn request(
        &self,
        operation: &Operation,
        body: Bytes,
    ) -> Result<http::Request<Body>, Error> {
        let address = self
            .address(operation.form)
            .cloned()
            .ok_or_else(|| Error::new(ErrorKind::NotImplemented, "operation not supported"))?;
        Ok(self.request_to(address, body))
    }

    /// The address for a kind of work.
    pub(crate) fn address(&self, form: Form) -> Option<&Uri> {
        let found = self.addresses.iter().find(|(known, _)| *known == form);
        found.map(|(_, address)| address)
    }

    pub(crate) fn request_to(&self, address: Uri, body: Bytes) -> http::Request<Body> {
        let mut request = http::Request::new(Body::full(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = address;
        *request.headers_mut() = self.headers.clone();
        request
    }
}
