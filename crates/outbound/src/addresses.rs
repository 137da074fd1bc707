//! Which addresses a tenant may have us call: the public internet, and what the operator allows besides.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Networks that are not the public internet (IANA special-purpose registry), as address and prefix length.
const SPECIAL_V4: &[([u8; 4], u8)] = &[
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 31, 196, 0], 24),
    ([192, 52, 193, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([192, 175, 48, 0], 24),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// The only part of IPv6 that is handed out for the public internet.
const GLOBAL_V6: ([u16; 8], u8) = ([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// Parts of it that are not: protocol assignments with Teredo, benchmarks, documentation.
const SPECIAL_V6: &[([u16; 8], u8)] = &[
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
];

/// Addresses that may be called.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses {
    /// Networks that the operator allows although they are not public.
    pub(crate) allowed: Vec<IpNet>,
}

impl Addresses {
    /// Whether `address` may be called. An address that carries another one inside counts as that one.
    pub(crate) fn permits(&self, address: IpAddr) -> bool {
        let address = unwrapped(address);
        self.operator_allows(address) || public(address)
    }

    /// Whether the operator allows `address` although it may be private.
    pub(crate) fn operator_allows(&self, address: IpAddr) -> bool {
        let address = unwrapped(address);
        self.allowed.iter().any(|network| network.contains(&address))
    }
}

/// The IPv4 address inside a mapped, compatible, translated (NAT64) or tunnelled (6to4) IPv6 address; any other address itself.
fn unwrapped(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let parts = v6.segments();
    let last = Ipv4Addr::from((u32::from(parts[6]) << 16) | u32::from(parts[7]));
    match parts {
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => IpAddr::V4(last),
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => IpAddr::V4(last),
        [0x2002, high, low, ..] => IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))),
        _ => address,
    }
}

fn public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !SPECIAL_V4.iter().any(|(base, length)| v4_network(*base, *length).contains(&v4)),
        IpAddr::V6(v6) => {
            v6_network(GLOBAL_V6.0, GLOBAL_V6.1).contains(&v6)
                && !SPECIAL_V6.iter().any(|(base, length)| v6_network(*base, *length).contains(&v6))
        }
    }
}

fn v4_network(base: [u8; 4], length: u8) -> Ipv4Net {
    Ipv4Net::new(Ipv4Addr::from(base), length).expect("lengths in the table are at most 32")
}

fn v6_network(base: [u16; 8], length: u8) -> Ipv6Net {
    Ipv6Net::new(Ipv6Addr::from(base), length).expect("lengths in the table are at most 128")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn private_addresses_are_refused_in_every_disguise() {
        let addresses = Addresses::default();
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:0:7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:c0a8:101::1",
            "2001:0:4136:e378::1",
            "2001:db8::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
        ] {
            assert!(!addresses.permits(address(private)), "{private}");
        }
        for public in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "2002:808:808::1"] {
            assert!(addresses.permits(address(public)), "{public}");
        }
    }

    #[test]
    fn the_operator_may_allow_networks() {
        let addresses = Addresses { allowed: vec!["127.0.0.0/8".parse().expect("a network")] };
        assert!(addresses.permits(address("127.0.0.1")));
        assert!(addresses.permits(address("::ffff:127.0.0.1")));
        assert!(!addresses.permits(address("10.0.0.1")));
        assert!(!addresses.permits(address("::1")));
    }
}
