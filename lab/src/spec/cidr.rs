//! A range of IPv4 addresses, as `10.77.0.0/24`.

use crate::{
    schema,
    yaml::{from_text, with_hint},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{borrow::Cow, fmt, net::Ipv4Addr, str::FromStr};

/// A range of IPv4 addresses: a network's address and the length of its prefix. Bits behind the
/// prefix are kept as they are written, so that a check can refuse them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ipv4Cidr {
    address: Ipv4Addr,
    prefix: u8,
}

impl Ipv4Cidr {
    /// A range. A prefix above 32 is 32.
    #[must_use]
    pub const fn new(address: Ipv4Addr, prefix: u8) -> Self {
        Self { address, prefix: if prefix > 32 { 32 } else { prefix } }
    }

    /// The address as it is written.
    #[must_use]
    pub const fn address(self) -> Ipv4Addr {
        self.address
    }

    /// Bits of the prefix, 0 to 32.
    #[must_use]
    pub const fn prefix(self) -> u8 {
        self.prefix
    }

    /// The netmask as a number.
    const fn mask(self) -> u32 {
        match 32 - self.prefix as u32 {
            32 => 0,
            host_bits => u32::MAX << host_bits,
        }
    }

    /// The same range with no bit set behind the prefix.
    #[must_use]
    pub fn network(self) -> Self {
        Self { address: Ipv4Addr::from_bits(self.address.to_bits() & self.mask()), ..self }
    }

    /// The last address, which is the broadcast address.
    #[must_use]
    pub fn last(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address.to_bits() | !self.mask())
    }

    /// How many hosts can have an address: all but the first and the last.
    #[must_use]
    pub const fn hosts(self) -> u32 {
        (!self.mask()).saturating_sub(1)
    }

    /// The address of a host, numbered from 1.
    #[must_use]
    pub fn host(self, number: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.network().address.to_bits().saturating_add(number))
    }

    /// Whether an address lies in the range.
    #[must_use]
    pub fn contains(self, address: Ipv4Addr) -> bool {
        (address.to_bits() ^ self.address.to_bits()) & self.mask() == 0
    }

    /// Whether any address lies in both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other.address) || other.contains(self.address)
    }
}

impl JsonSchema for Ipv4Cidr {
    fn schema_name() -> Cow<'static, str> {
        "Ipv4Cidr".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let example = "10.77.0.0/24";
        let expected = format!("a range of IPv4 addresses, such as `{example}`");
        schema::text(
            &expected,
            "^([0-9]{1,3}[.]){3}[0-9]{1,3}/([0-9]|[12][0-9]|3[0-2])$",
            &[example],
        )
    }
}

/// Why a text is not a range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a range of IPv4 addresses, such as `10.77.0.0/24`, got `{0}`")]
pub struct CidrError(String);

impl FromStr for Ipv4Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let parsed = || {
            let (address, prefix) = text.split_once('/')?;
            let digits = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
            let prefix: u8 = prefix.parse().ok().filter(|prefix| digits && *prefix <= 32)?;
            Some(Self { address: address.parse().ok()?, prefix })
        };
        parsed().ok_or_else(|| CidrError(text.to_owned()))
    }
}

impl fmt::Display for Ipv4Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.address, self.prefix))
    }
}

impl Serialize for Ipv4Cidr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Ipv4Cidr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer, "a range of addresses, such as `10.77.0.0/24`", |text| {
            text.parse().map_err(|error| {
                let hint = match text.parse::<Ipv4Addr>() {
                    Ok(_) => Some("add the length of the prefix, such as `/24`"),
                    Err(_) if text.contains(':') => Some("a lab's networks are IPv4 for now"),
                    Err(_) => None,
                };
                with_hint(error, hint)
            })
        })
    }
}
