//! Who may mount.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An address, or a network of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Client {
    address: IpAddr,
    /// How many of its first bits count.
    bits: u8,
}

/// Something that is neither.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no client of NFS: write an address such as 10.0.0.7, or a network such as 10.0.0.0/24")]
pub struct BadClient(String);

impl Client {
    /// Everybody on this machine.
    #[must_use]
    pub fn of_this_machine() -> Vec<Client> {
        let four = Client {
            address: IpAddr::from([127, 0, 0, 0]),
            bits: 8,
        };
        let six = Client {
            address: IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
            bits: 128,
        };
        vec![four, six]
    }
}

fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

impl FromStr for Client {
    type Err = BadClient;

    fn from_str(text: &str) -> Result<Self, BadClient> {
        let bad = || BadClient(text.to_owned());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let widest = width(address);
        let bits = match bits {
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= widest).ok_or_else(bad)?,
            None => widest,
        };
        Ok(Client { address, bits })
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bits == width(self.address) {
            return write!(f, "{}", self.address);
        }
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl TryFrom<String> for Client {
    type Error = BadClient;

    fn try_from(text: String) -> Result<Self, BadClient> {
        text.parse()
    }
}

impl From<Client> for String {
    fn from(client: Client) -> String {
        client.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_networks_are_read_and_nothing_else() {
        for text in ["10.0.0.7", "10.0.0.0/24", "0.0.0.0/0", "::1", "fd00::/8"] {
            assert_eq!(text.parse::<Client>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "*",
            "host",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/",
            "10.0.0.1; }",
            "::1/129",
        ] {
            assert!(text.parse::<Client>().is_err(), "{text}");
        }
    }
}
