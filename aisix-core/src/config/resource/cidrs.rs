//! Lists of client addresses.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};

/// Networks that clients may come from.
///
/// An empty list admits everybody. Entries that are no network admit nobody, but still make the
/// list one that restricts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cidrs {
    nets: Vec<IpNet>,
    restricted: bool,
}

// === impl Cidrs ===

impl Cidrs {
    /// The networks.
    pub fn nets(&self) -> &[IpNet] {
        &self.nets
    }

    /// Whether anybody is kept out.
    pub fn is_restricted(&self) -> bool {
        self.restricted
    }

    /// Whether a client at this address is admitted; an unknown address only by an empty list.
    pub fn admits(&self, client: Option<IpAddr>) -> bool {
        !self.restricted || client.is_some_and(|ip| self.nets.iter().any(|net| net.contains(&ip)))
    }
}

/// Reads a network such as `10.0.0.0/8`, or one address.
pub(super) fn parse(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .ok()
}

impl<S: AsRef<str>> FromIterator<S> for Cidrs {
    fn from_iter<I: IntoIterator<Item = S>>(texts: I) -> Self {
        let mut cidrs = Self::default();
        for text in texts {
            cidrs.restricted = true;
            cidrs.nets.extend(parse(text.as_ref()));
        }
        cidrs
    }
}

impl<'de> Deserialize<'de> for Cidrs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<String>::deserialize(deserializer)?
            .into_iter()
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::Cidrs;

    fn admits(list: &[&str], ip: &str) -> bool {
        list.iter().collect::<Cidrs>().admits(ip.parse().ok())
    }

    #[test]
    fn an_empty_list_admits_even_an_unknown_address() {
        assert!(Cidrs::default().admits(None));
        assert!(admits(&[], "192.0.2.1"));
    }

    #[test]
    fn a_list_of_broken_entries_admits_nobody() {
        assert!(!admits(&["10.0.0.0/99"], "10.0.0.1"));
    }

    #[test]
    fn networks_and_single_addresses_admit_their_own() {
        let list = ["10.0.0.0/8", "2001:db8::1"];
        assert!(admits(&list, "10.1.2.3"));
        assert!(admits(&list, "2001:db8::1"));
        assert!(!admits(&list, "2001:db8::2"));
        assert!(!admits(&list, "nonsense"));
    }
}
