//! What a QEMU's monitor says of how fast a guest dirties its memory: `calc_dirty_rate` and
//! `info dirty_rate`, in the mode that asks nothing of the guest: it compares samples of pages
//! before and after.

use serde::Serialize;

/// The smallest memory of which QEMU takes samples, bytes: smaller blocks count as never written.
pub const LEAST_MEMORY_BYTES: u64 = 128 << 20;
/// Samples that QEMU takes of a GiB: from, unless told otherwise, and to.
const SAMPLES_PER_GIB: (u64, u64, u64) = (128, 512, 4096);
/// Samples that are taken of all memory, about, where that leaves enough for a GiB.
const SAMPLES: u64 = 32_768;

/// How far a measurement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// None was ever made, or one is about to begin.
    Unstarted,
    /// It goes on.
    Measuring,
    /// It is over.
    Measured,
}

/// A measurement as `info dirty_rate` tells of it. What is absent was not said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DirtyRate {
    /// How far it is.
    pub status: Status,
    /// Distinct memory dirtied within the period, over the period: MiB a second, cut off.
    pub mib_per_s: Option<u64>,
    /// For how long, seconds.
    pub period_s: Option<u64>,
    /// Pages that were looked at, of each GiB.
    pub sample_pages_per_gib: Option<u64>,
    /// Such as `page-sampling`.
    pub mode: Option<String>,
}

/// A text that says nothing of a measurement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the monitor does not say how fast memory is dirtied: {0:?}")]
pub struct NotADirtyRate(pub String);

impl DirtyRate {
    /// Reads the monitor's text. Proxmox gives failures of monitor commands as text too.
    ///
    /// # Errors
    /// A text without a status, such as `Error: …`.
    pub fn read(text: &str) -> Result<Self, NotADirtyRate> {
        let value = |wanted: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(':'));
            let found = lines.find(|(key, _)| key.trim().eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
        };
        // The unit stands behind it, in brackets.
        let number = |wanted: &str| -> Option<u64> {
            value(wanted)?.split([' ', '(', '\t']).next()?.parse().ok()
        };
        let status = match value("Status") {
            Some("unstarted") => Status::Unstarted,
            Some("measuring") => Status::Measuring,
            Some("measured") => Status::Measured,
            _ => return Err(NotADirtyRate(shortened(text))),
        };
        Ok(Self {
            status,
            mib_per_s: number("Dirty rate").filter(|_| status == Status::Measured),
            period_s: number("Period"),
            sample_pages_per_gib: number("Sample Pages"),
            mode: value("Mode").map(str::to_owned),
        })
    }
}

/// The command that begins a measurement, by samples of pages.
#[must_use]
pub fn command(window_s: u64, samples_per_gib: u64) -> String {
    format!("calc_dirty_rate {window_s} {samples_per_gib}")
}

/// Whether the monitor's words say that a measurement has begun; whatever else it says, it has not.
#[must_use]
pub fn has_begun(said: &str) -> bool {
    said.lines().any(|line| line.trim_start().starts_with("Starting dirty rate measurement"))
}

/// How many pages of each GiB to look at: more than QEMU's usual 512 of a small guest, so that
/// little is overlooked, and no more of a large one, which would take it long.
#[must_use]
pub fn samples_per_gib(memory_bytes: u64) -> u64 {
    let (least, usual, most) = SAMPLES_PER_GIB;
    let gib = (memory_bytes >> 30).max(1);
    (SAMPLES / gib).clamp(usual.max(least), most)
}

fn shortened(text: &str) -> String {
    text.trim().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As QEMU 10.0.2 says it, with Proxmox's ends of lines.
    fn said(status: &str, rate: &str) -> String {
        format!(
            "Status: {status}\r\nStart Time: 1795400022 (ms)\r\nSample Pages: 4096 (per GB)\r\n\
             Period: 1 (sec)\r\nMode: page-sampling\r\nDirty rate: {rate}\r\n"
        )
    }

    #[test]
    fn a_measurement_is_read() {
        let expected = DirtyRate {
            status: Status::Measured,
            mib_per_s: Some(37),
            period_s: Some(1),
            sample_pages_per_gib: Some(4096),
            mode: Some("page-sampling".to_owned()),
        };
        assert_eq!(DirtyRate::read(&said("measured", "37 (MB/s)")), Ok(expected.clone()));
        for (word, status) in [("unstarted", Status::Unstarted), ("measuring", Status::Measuring)] {
            let read = DirtyRate::read(&said(word, "(not ready)"));
            assert_eq!(read, Ok(DirtyRate { status, mib_per_s: None, ..expected.clone() }));
        }
        // A rate that is not this measurement's, order, case and blanks do not matter.
        let odd = "globals:\n  dirty rate:\t37 (MB/s)\nMODE:page-sampling\n status : measuring\n";
        let read = DirtyRate::read(odd).unwrap();
        assert_eq!((read.status, read.mib_per_s, read.period_s), (Status::Measuring, None, None));
    }

    #[test]
    fn what_says_nothing_is_an_error_and_begins_nothing() {
        for text in [
            "",
            "Error: sample-pages is out of range[128, 16384].\r\n",
            "ERROR: VM 101 qmp command 'human-monitor-command' failed - got timeout\n",
            "unknown command: 'calc_dirty_rate'",
            "Incorrect period length specified!",
            "Status: somehow\n",
        ] {
            assert!(DirtyRate::read(text).is_err() && !has_begun(text), "{text:?}");
        }
        let begun = "Starting dirty rate measurement with period 1 seconds\r\n\
                     [Please use 'info dirty_rate' to check results]\r\n";
        assert!(has_begun(begun) && DirtyRate::read(begun).is_err());
    }

    #[test]
    fn samples_are_as_qemu_allows_and_no_more_than_are_needed() {
        let of = |gib: u64| samples_per_gib(gib << 30);
        assert_eq!(
            [of(0), of(1), of(8), of(16), of(64), of(4096)],
            [4096, 4096, 4096, 2048, 512, 512]
        );
        assert_eq!(command(4, of(1)), "calc_dirty_rate 4 4096");
    }
}
