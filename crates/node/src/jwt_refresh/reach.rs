//! Which addresses the keys of an issuer are fetched from.
//!
//! The node stands inside a network that the issuer does not see. Whoever the node is told to connect to learns no more
//! than that, since nothing is asked before the voted certificates have vouched for the other end; but knocking is enough
//! to be a nuisance, and an issuer can point anywhere, by its document or by its entry in the DNS.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Who chose the host of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chosen {
    /// The members: it is the one of the issuer that they voted for.
    ByMembers,
    /// The issuer: it stands in a document of its.
    ByIssuer,
}

/// The addresses of a host that may be connected to.
///
/// # Errors
/// There are none.
pub(super) fn allowed(
    host: &str,
    chosen: Chosen,
    addresses: impl Iterator<Item = SocketAddr>,
) -> Result<Vec<SocketAddr>, String> {
    let (good, bad): (Vec<_>, Vec<_>) = addresses.partition(|address| is_allowed(host, chosen, address.ip()));
    match (good.is_empty(), bad.first()) {
        (false, _) => Ok(good),
        (true, Some(bad)) => Err(format!("{host} is at {}, where no keys are fetched from", bad.ip())),
        (true, None) => Err(format!("{host} has no address")),
    }
}

fn is_allowed(host: &str, chosen: Chosen, address: IpAddr) -> bool {
    let by_members = chosen == Chosen::ByMembers;
    match address.to_canonical() {
        address if address.is_unspecified() || address.is_multicast() || is_link_local(address) => false,
        address if address.is_loopback() => by_members && names_loopback(host),
        address => by_members || !is_private(address),
    }
}

/// Neighbours on the same wire, among them the metadata services of clouds.
fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local() || address.is_broadcast() || address.octets()[0] == 0,
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// A network of somebody's own.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || is_shared(address),
        IpAddr::V6(address) => address.is_unique_local(),
    }
}

/// RFC 6598: 100.64.0.0/10.
fn is_shared(address: Ipv4Addr) -> bool {
    matches!(address.octets(), [100, 64..=127, ..])
}

/// Whether a host says itself that it is this machine.
fn names_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(host: &str, chosen: Chosen, address: &str) -> bool {
        let address = SocketAddr::new(address.parse().unwrap(), 443);
        allowed(host, chosen, std::iter::once(address)).is_ok()
    }

    #[test]
    fn an_issuer_does_not_choose_addresses_inside() {
        for address in ["127.0.0.1", "10.0.0.1", "192.168.1.1", "100.64.0.1", "fd00:ec2::254", "::1", "::ffff:10.0.0.1"]
        {
            assert!(!may("keys.example.net", Chosen::ByIssuer, address), "{address}");
        }
        assert!(!may("localhost", Chosen::ByIssuer, "127.0.0.1"));
        for address in ["203.0.113.7", "2001:db8::1", "100.128.0.1"] {
            assert!(may("keys.example.net", Chosen::ByIssuer, address), "{address}");
        }
    }

    #[test]
    fn members_choose_a_network_of_their_own_and_no_metadata() {
        for address in ["10.0.0.1", "fd12::1", "203.0.113.7"] {
            assert!(may("idp.example.com", Chosen::ByMembers, address), "{address}");
        }
        for address in ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "0.0.0.0", "::", "224.0.0.1", "0.1.2.3"]
        {
            assert!(!may("idp.example.com", Chosen::ByMembers, address), "{address}");
        }
        // Its DNS must not turn a name that was voted into this machine; who means it says so.
        assert!(!may("idp.example.com", Chosen::ByMembers, "127.0.0.1"));
        assert!(may("localhost", Chosen::ByMembers, "127.0.0.1") && may("::1", Chosen::ByMembers, "::1"));
    }

    #[test]
    fn good_addresses_are_used_and_bad_ones_named() {
        let addresses = ["10.0.0.1", "203.0.113.7"].map(|one| SocketAddr::new(one.parse().unwrap(), 443));
        assert_eq!(allowed("a", Chosen::ByIssuer, addresses.into_iter()).unwrap(), addresses[1..]);
        let why = allowed("a", Chosen::ByIssuer, addresses.into_iter().take(1)).unwrap_err();
        assert_eq!(why, "a is at 10.0.0.1, where no keys are fetched from");
        assert!(allowed("a", Chosen::ByMembers, std::iter::empty()).is_err());
    }
}
