//! The client's address.

use std::net::{IpAddr, SocketAddr};

use http::{Extensions, HeaderMap, HeaderName};
use ipnet::IpNet;

/// The address of the peer, which a server puts into the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddr(pub SocketAddr);

/// How the client's address is found.
///
/// Without trusted proxies it is the peer's. When the peer is a trusted proxy, it is taken from a
/// header that the proxy adds to.
#[derive(Clone, Debug)]
pub struct RealIp {
    /// Peers whose header is believed. Default: none.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether to walk the header's addresses from the right past every trusted one, instead of
    /// taking the last. Default: false.
    pub recursive: bool,
    /// The header. Default: `x-forwarded-for`.
    pub header: HeaderName,
}

// === impl RealIp ===

impl RealIp {
    /// The address of the client that sent this head; `None` when the server did not say.
    pub fn client(&self, headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
        let peer = extensions.get::<ClientAddr>()?.0.ip().to_canonical();
        if !self.trusts(peer) {
            return Some(peer);
        }
        let mut client = peer;
        for value in headers.get_all(&self.header).iter().rev() {
            let Ok(value) = value.to_str() else {
                return Some(client);
            };
            for part in value.rsplit(',') {
                let Some(address) = parse(part.trim()) else {
                    return Some(client);
                };
                client = address;
                if !self.recursive || !self.trusts(address) {
                    return Some(client);
                }
            }
        }
        Some(client)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies
            .iter()
            .any(|net| net.contains(&address))
    }
}

impl Default for RealIp {
    fn default() -> Self {
        Self {
            trusted_proxies: Vec::new(),
            recursive: false,
            header: HeaderName::from_static("x-forwarded-for"),
        }
    }
}

/// An address, with or without a port.
fn parse(text: &str) -> Option<IpAddr> {
    let address = text
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()))
        .ok()?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(real_ip: &RealIp, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        let mut extensions = Extensions::new();
        extensions.insert(ClientAddr("10.0.0.1:5000".parse().unwrap()));
        real_ip.client(&headers, &extensions).unwrap().to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        assert_eq!(client(&RealIp::default(), &["1.2.3.4"]), "10.0.0.1");
    }

    #[test]
    fn a_trusted_proxy_names_the_client() {
        let mut real_ip = RealIp {
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
            ..RealIp::default()
        };
        assert_eq!(client(&real_ip, &["6.6.6.6, 1.2.3.4"]), "1.2.3.4");
        assert_eq!(client(&real_ip, &["1.2.3.4", "10.0.0.2"]), "10.0.0.2");
        assert_eq!(client(&real_ip, &["nonsense"]), "10.0.0.1");
        assert_eq!(client(&real_ip, &[]), "10.0.0.1");
        real_ip.recursive = true;
        assert_eq!(
            client(&real_ip, &["6.6.6.6, 1.2.3.4:80, 10.0.0.2"]),
            "1.2.3.4"
        );
        assert_eq!(
            client(&real_ip, &["1.2.3.4", "10.0.0.3, 10.0.0.2"]),
            "1.2.3.4"
        );
    }
}
