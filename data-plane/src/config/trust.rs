//! Which proxies in front of the process are believed about the client's address.

use std::{net::IpAddr, str::FromStr};

use ipnet::IpNet;

/// Whom `X-Forwarded-For` is believed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustedProxies {
    /// So many hops, counted from the socket.
    Hops(usize),
    /// Everybody.
    All,
    /// These networks.
    Networks(Vec<IpNet>),
}

impl FromStr for TrustedProxies {
    type Err = String;

    /// Reads `true`, `false`, a number of hops, or a list of addresses, networks and the names `loopback`, `linklocal` and `uniquelocal`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "true" => return Ok(Self::All),
            "false" | "" => return Ok(Self::Hops(0)),
            _ => {}
        }
        if let Ok(hops) = text.trim().parse() {
            return Ok(Self::Hops(hops));
        }
        let mut networks = Vec::new();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let named: &[&str] = match word {
                "loopback" => &["127.0.0.0/8", "::1/128"],
                "linklocal" => &["169.254.0.0/16", "fe80::/10"],
                "uniquelocal" => &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
                _ => &[],
            };
            networks.extend(named.iter().map(|network| network.parse::<IpNet>().expect("constant networks")));
            if named.is_empty() {
                networks.push(network(word)?);
            }
        }
        Ok(Self::Networks(networks))
    }
}

impl TrustedProxies {
    /// The client's address: what the farthest believed hop says, or the socket. `forwarded` is as in the header, nearest hop last.
    #[must_use]
    pub fn client(&self, socket: Option<IpAddr>, forwarded: &[&str]) -> Option<IpAddr> {
        let mut client = socket;
        for (hop, text) in forwarded.iter().rev().enumerate() {
            let believed = match self {
                Self::Hops(hops) => hop < *hops,
                Self::All => true,
                Self::Networks(networks) => {
                    client.is_some_and(|near| networks.iter().any(|network| network.contains(&near.to_canonical())))
                }
            };
            match text.parse() {
                Ok(farther) if believed => client = Some(farther),
                _ => break,
            }
        }
        client
    }
}

/// A network, or an address as the network of itself.
///
/// # Errors
/// It is neither.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| format!("'{text}' is neither an address nor a network"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_farthest_believed_hop_names_the_client() {
        let client = |trust: &str, socket: &str, forwarded: &[&str]| {
            let trust: TrustedProxies = trust.parse().expect("a setting");
            trust.client(Some(socket.parse().expect("an address")), forwarded).expect("a client").to_string()
        };
        let chain = ["6.6.6.6", "1.1.1.1", "10.0.0.2"];
        assert_eq!(client("false", "10.0.0.1", &chain), "10.0.0.1");
        assert_eq!(client("1", "10.0.0.1", &chain), "10.0.0.2");
        assert_eq!(client("2", "10.0.0.1", &chain), "1.1.1.1");
        assert_eq!(client("true", "10.0.0.1", &chain), "6.6.6.6");
        assert_eq!(client("uniquelocal", "10.0.0.1", &chain), "1.1.1.1");
        assert_eq!(client("loopback, 10.0.0.1", "10.0.0.1", &chain), "10.0.0.2");
        assert_eq!(client("loopback", "10.0.0.1", &chain), "10.0.0.1");
        assert_eq!(client("2", "10.0.0.1", &["7.7.7.7"]), "7.7.7.7");
        assert_eq!(client("true", "10.0.0.1", &["6.6.6.6", "not an address", "9.9.9.9"]), "9.9.9.9");
        assert!("somebody".parse::<TrustedProxies>().is_err());
    }
}
