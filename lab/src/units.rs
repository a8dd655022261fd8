//! Quantities with their units in the type, and their spelling in YAML, tables and records.
//!
//! Every quantity is written as a number and a unit (`256 MiB`, `1 Gbit/s`, `300 ms`); a bare
//! number is refused, because nobody can tell what it counts.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

/// Bytes of memory or of a stream. Written in KiB, MiB or GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

/// Bits per second on a wire (`tc`). Written in kbit/s, Mbit/s or Gbit/s (powers of 1000).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BitRate(pub u64);

/// Bytes per second of a cap inside the hypervisor. Written in KiB/s, MiB/s or GiB/s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteRate(pub u64);

/// Pages touched per second. Written in `pages/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageRate(pub u32);

/// Blocks of 4 KiB written to a disk per second. Written in `blocks/s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockRate(pub u32);

/// A length of time, to the millisecond. Written in ms, s, min or h.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// As the standard library's type.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl BlockRate {
    /// Whether nothing is written.
    #[must_use]
    pub const fn is_zero(&self) -> bool {
        self.0 == 0
    }
}

impl Bytes {
    /// Whole pages of 4 KiB in this many bytes.
    #[must_use]
    pub const fn pages(self) -> u64 {
        self.0 / 4096
    }
}

/// Why a text is not the quantity that was expected: what was expected, and an example.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, such as `{example}`, got `{got}`")]
pub struct QuantityError {
    expected: &'static str,
    example: &'static str,
    got: String,
    hint: Option<String>,
}

impl QuantityError {
    /// What was expected, with an example.
    #[must_use]
    pub fn expected(&self) -> String {
        format!("{}, such as `{}`", self.expected, self.example)
    }

    /// What was probably meant, where the text is a near miss.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// One unit of a quantity: its spelling and how many base units it is.
type Unit = (&'static str, u64);

struct Spelling {
    expected: &'static str,
    example: &'static str,
    /// Largest first; the first that divides the value is the one it is written in.
    units: &'static [Unit],
    /// What people write instead (in lower case, without blanks), and what to do about it.
    misses: &'static [(&'static [&'static str], &'static str)],
}

const BYTES: Spelling = Spelling {
    expected: "a size in KiB, MiB or GiB",
    example: "256 MiB",
    units: &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)],
    misses: &[
        (
            &["k", "kb", "m", "mb", "g", "gb"],
            "sizes count in powers of 1024: write KiB, MiB or GiB",
        ),
        (&["t", "tb", "tib"], "write it in GiB"),
        (&["pages", "page"], "write the size: a page is 4 KiB"),
    ],
};
const BIT_RATE: Spelling = Spelling {
    expected: "a link rate in kbit/s, Mbit/s or Gbit/s",
    example: "1 Gbit/s",
    units: &[("Gbit/s", 1_000_000_000), ("Mbit/s", 1_000_000), ("kbit/s", 1_000), ("bit/s", 1)],
    misses: &[
        (
            &["k", "kbit", "kbps", "m", "mbit", "mbps", "g", "gbit", "gbps"],
            "write kbit/s, Mbit/s or Gbit/s",
        ),
        (
            &["kb/s", "mb/s", "gb/s", "kib/s", "mib/s", "gib/s"],
            "a link counts bits, not bytes: write kbit/s, Mbit/s or Gbit/s; 1 MB/s is 8 Mbit/s",
        ),
    ],
};
const BYTE_RATE: Spelling = Spelling {
    expected: "a rate in KiB/s, MiB/s or GiB/s",
    example: "32 MiB/s",
    units: &[("GiB/s", 1 << 30), ("MiB/s", 1 << 20), ("KiB/s", 1 << 10), ("B/s", 1)],
    misses: &[
        (
            &["kb/s", "mb/s", "gb/s"],
            "this cap counts in powers of 1024: write KiB/s, MiB/s or GiB/s",
        ),
        (&["kib", "mib", "gib", "k", "m", "g"], "add `/s`: this is a rate"),
        (
            &["kbit/s", "mbit/s", "gbit/s", "kbps", "mbps", "gbps"],
            "this cap counts bytes, not bits: 8 Mbit/s are 0.95 MiB/s",
        ),
    ],
};
const PAGE_RATE: Spelling = Spelling {
    expected: "a touch rate in pages/s",
    example: "5000 pages/s",
    units: &[("pages/s", 1)],
    misses: &[
        (&["page/s", "p/s", "/s", "pps", "pages", "hz"], "write pages/s"),
        (&["kib/s", "mib/s", "mb/s"], "count pages of 4 KiB: 1 MiB/s is `256 pages/s`"),
    ],
};
const BLOCK_RATE: Spelling = Spelling {
    expected: "a write rate in blocks/s",
    example: "200 blocks/s",
    units: &[("blocks/s", 1)],
    misses: &[
        (&["block/s", "b/s", "/s", "iops", "blocks", "writes/s", "pages/s"], "write blocks/s"),
        (&["kib/s", "mib/s", "mb/s"], "count blocks of 4 KiB: 1 MiB/s is `256 blocks/s`"),
    ],
};
const MILLIS: Spelling = Spelling {
    expected: "a length of time in ms, s, min or h",
    example: "300 ms",
    units: &[("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)],
    misses: &[
        (&["sec", "secs", "second", "seconds"], "write s"),
        (&["m", "mins", "minute", "minutes"], "write min"),
        (&["hour", "hours", "hr"], "write h"),
        (&["msec", "msecs", "millis", "milliseconds"], "write ms"),
        (&["us", "µs", "ns"], "times are whole milliseconds here"),
    ],
};

impl Spelling {
    fn schema(&self) -> Schema {
        crate::schema::quantity(self.expected, self.example, self.units.iter().map(|unit| unit.0))
    }

    fn parse(&self, text: &str) -> Result<u64, QuantityError> {
        self.try_parse(text).ok_or_else(|| self.refuse(text))
    }

    fn refuse(&self, text: &str) -> QuantityError {
        QuantityError {
            expected: self.expected,
            example: self.example,
            got: text.to_owned(),
            hint: self.hint(text),
        }
    }

    fn hint(&self, text: &str) -> Option<String> {
        let (number, unit) = split_number(text);
        if number.is_empty() {
            return None;
        }
        if unit.is_empty() {
            let unit = self.example.split_once(' ').map_or("", |(_, unit)| unit);
            return Some(format!("add its unit, such as `{number} {unit}`"));
        }
        let unit: String = unit.to_lowercase().split_whitespace().collect();
        let miss = self.misses.iter().find(|(written, _)| written.contains(&unit.as_str()));
        miss.map(|(_, hint)| (*hint).to_owned())
    }

    fn try_parse(&self, text: &str) -> Option<u64> {
        let (number, unit) = split_number(text);
        let factor = self.units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?.1;
        decimal_times(&number.replace('_', ""), factor)
    }

    fn write(&self, value: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let smallest = self.units.last().copied().unwrap_or(("", 1));
        let (name, factor) = if value == 0 {
            // "0 MiB" reads better than "0 GiB"; the smallest common unit is never wrong.
            smallest
        } else {
            self.units
                .iter()
                .find(|(_, factor)| value.is_multiple_of(*factor))
                .copied()
                .unwrap_or(smallest)
        };
        f.pad(&format!("{} {name}", value / factor))
    }
}

/// A number and what follows it, both without blanks around.
fn split_number(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end =
        text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim())
}

/// `number × factor`, exact: `1.5` of 1024 is 1536; what is not a whole result is refused.
fn decimal_times(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || (number.contains('.') && fraction.is_empty()) || fraction.len() > 9 {
        return None;
    }
    let scale = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let scaled = digits.checked_mul(u128::from(factor))?;
    if !scaled.is_multiple_of(scale) {
        return None;
    }
    u64::try_from(scaled / scale).ok()
}

macro_rules! quantity {
    ($type:ident($inner:ty), $spelling:ident) => {
        impl FromStr for $type {
            type Err = QuantityError;
            fn from_str(text: &str) -> Result<Self, QuantityError> {
                let value = $spelling.parse(text)?;
                <$inner>::try_from(value).map(Self).map_err(|_| $spelling.refuse(text))
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                $spelling.write(u64::from(self.0), f)
            }
        }
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $spelling.schema()
            }
        }
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let expected = format!("{}, such as `{}`", $spelling.expected, $spelling.example);
                crate::yaml::from_text(deserializer, &expected, |text| {
                    text.parse().map_err(|error: QuantityError| {
                        crate::yaml::with_hint(&error, error.hint())
                    })
                })
            }
        }
    };
}

quantity!(Bytes(u64), BYTES);
quantity!(BitRate(u64), BIT_RATE);
quantity!(ByteRate(u64), BYTE_RATE);
quantity!(PageRate(u32), PAGE_RATE);
quantity!(BlockRate(u32), BLOCK_RATE);
quantity!(Millis(u64), MILLIS);

#[cfg(test)]
mod tests;
