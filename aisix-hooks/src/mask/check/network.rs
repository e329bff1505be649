//! Addresses and numbers in networks.

use std::net::Ipv6Addr;

/// An address of IP version 6. `::` alone and what has no digit is more often something else.
pub(crate) fn ipv6(text: &str) -> bool {
    text.contains(|character: char| character.is_ascii_digit())
        && text
            .parse::<Ipv6Addr>()
            .is_ok_and(|address| !address.is_unspecified())
}

/// A telephone number.
pub(crate) fn phone(text: &str) -> bool {
    let count = super::digits(text).count();
    (8..=15).contains(&count)
}
