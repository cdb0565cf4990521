//! Kinds of addresses, as the registries of special-purpose addresses say (RFC 6890 and its successors).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses behind which no model server is, whatever a list says: nothing listens there, or a cloud's metadata does.
pub(super) fn is_never_a_model_server(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => {
            it.octets()[0] == 0
                || it.is_link_local()
                || it.is_multicast()
                || it.is_broadcast()
                // Alibaba Cloud's metadata, inside the shared address space.
                || it == Ipv4Addr::new(100, 100, 100, 200)
        }
        IpAddr::V6(it) => {
            it.is_unspecified()
                || it.is_multicast()
                || it.is_unicast_link_local()
                // Amazon's metadata, among the unique local addresses.
                || it == Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)
        }
    }
}

/// Networks of one's own: RFC 1918, shared address space (RFC 6598, used by overlay networks), unique local IPv6.
pub(super) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => it.is_private() || is_shared(it),
        IpAddr::V6(it) => it.is_unique_local(),
    }
}

/// Addresses of the public internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => {
            let [a, b, c, _] = it.octets();
            !(it.is_private()
                || it.is_loopback()
                || it.is_link_local()
                || it.is_documentation()
                || is_shared(it)
                || a == 0
                || a >= 224
                || (a, b, c) == (192, 0, 0)
                || (a, b, c) == (192, 88, 99)
                || (a == 198 && (b & 0xfe) == 18))
        }
        IpAddr::V6(it) => {
            let [a, b, ..] = it.segments();
            // Global unicast without what embeds an IPv4 address (Teredo, 6to4) or is for documents.
            (a & 0xe000) == 0x2000
                && !(a == 0x2001 && (b < 0x0200 || b == 0x0db8))
                && a != 0x2002
                && !(a == 0x3fff && b < 0x1000)
        }
    }
}

/// 100.64.0.0/10.
fn is_shared(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    a == 100 && (b & 0xc0) == 64
}
