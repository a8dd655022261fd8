//! Sizes as Proxmox writes them.

use serde::Serialize;

/// Bytes, rounded when they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Size {
    /// As written.
    pub bytes: u64,
    /// The true size is not further away than this.
    pub within_bytes: u64,
}

const UNITS: [(&str, u32); 6] =
    [("B", 0), ("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40), ("PiB", 50)];

impl Size {
    /// Reads `12.6 GiB`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (number, unit) = text.split_once(' ')?;
        let (_, power) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let (whole, tenth) = number.split_once('.')?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(tenth) || tenth.len() > 3 {
            return None;
        }
        Self::of(whole, tenth, *power)
    }

    /// Reads `4 KiB`, `703 MiB`, `4.02 GiB`, `0 B`: three digits, as QEMU writes sizes for people.
    pub(crate) fn parse_short(text: &str) -> Option<Self> {
        let (number, unit) = text.split_once(' ')?;
        let (_, power) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let (whole, rest) = number.split_once('.').unwrap_or((number, ""));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(rest) || rest.len() > 3 {
            return None;
        }
        let mut size = Self::of(whole, rest, *power)?;
        // Trailing zeros are not written, so the digits that are there do not tell how exact it
        // is; three digits are.
        let mut unit_of_last = 1.max(size.bytes / 1000);
        if *power == 0 {
            unit_of_last = 0;
        }
        size.within_bytes = unit_of_last;
        Some(size)
    }

    fn of(whole: &str, decimals: &str, power: u32) -> Option<Self> {
        let places = u32::try_from(decimals.len()).ok()?;
        let scale = 10_u128.pow(places);
        let number = whole.parse::<u128>().ok()?.checked_mul(scale)?;
        let number =
            number + if decimals.is_empty() { 0 } else { decimals.parse::<u128>().ok()? };
        let unit = 1_u128 << power;
        let bytes = u64::try_from(number.checked_mul(unit)? / scale).ok()?;
        // Half of the last digit's worth, and what the division above cut off.
        let within_bytes = u64::try_from(unit / (2 * scale) + 1).ok()?;
        Some(Self { bytes, within_bytes: if power == 0 { 0 } else { within_bytes } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_read() {
        let bytes = |text: &str| Size::parse(text).map(|size| size.bytes);
        assert_eq!(bytes("0.0 B"), Some(0));
        assert_eq!(bytes("14.0 KiB"), Some(14 * 1024));
        assert_eq!(bytes("256.8 MiB"), Some(269_274_316));
        assert_eq!(bytes("12.6 GiB"), Some(13_529_146_982));
        for wrong in ["", "12", "12 MiB", "12.6", "12.6 MB", "-1.0 MiB", "1.x MiB", ".5 MiB"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
        let short =
            |text: &str| Size::parse_short(text).map(|size| (size.bytes, size.within_bytes));
        assert_eq!(short("0 B"), Some((0, 0)));
        assert_eq!(short("4 KiB"), Some((4096, 4)));
        assert_eq!(short("703 MiB"), Some((703 << 20, 737_148)));
        assert_eq!(short("4.02 GiB"), Some((4_316_442_132, 4_316_442)));
    }

    proptest! {
        #[test]
        fn the_true_size_is_within(bytes in 0u64..1 << 50) {
            // As Proxmox writes it: the largest unit of which there is at least one, one decimal.
            let power = if bytes == 0 { 0 } else { bytes.ilog2() / 10 * 10 };
            let unit = UNITS[(power / 10) as usize].0;
            #[expect(clippy::cast_precision_loss, reason = "as Perl does it, 2^50 is exact")]
            let text = format!("{:.1} {unit}", bytes as f64 / (1u64 << power) as f64);
            let size = Size::parse(&text).unwrap();
            prop_assert!(size.bytes.abs_diff(bytes) <= size.within_bytes, "{text}: {size:?}");
        }

        #[test]
        fn nothing_makes_it_panic(text in any::<String>()) {
            let _ = (Size::parse(&text), Size::parse_short(&text));
        }
    }
}
