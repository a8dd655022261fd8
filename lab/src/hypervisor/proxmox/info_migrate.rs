//! What a QEMU's monitor says to `info migrate`, in both of its formats.
//!
//! Up to QEMU 10.0 every value has a line of its own; since 10.1 they are grouped, and sizes have
//! three digits only.

mod query;

use super::{capabilities::InfoMigrateFormat, migration_log::Size};
use serde::Serialize;

/// A migration as the monitor tells it. What is absent was not said.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct InfoMigrate {
    /// QEMU's word, such as `active`; `None` where none was ever begun.
    pub status: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// Since it began.
    pub total_time_ms: Option<u64>,
    /// Setting it up.
    pub setup_ms: Option<u64>,
    /// What QEMU expects of the stop now.
    pub expected_downtime_ms: Option<u64>,
    /// QEMU's downtime, when it is over.
    pub downtime_ms: Option<u64>,
    /// Sent.
    pub transferred: Option<Size>,
    /// Left to send.
    pub remaining: Option<Size>,
    /// The guest's memory.
    pub total: Option<Size>,
    /// On the wire, 10⁶ bit/s.
    pub throughput_mbps: Option<f64>,
    /// Pages that were all zero.
    pub zero_pages: Option<u64>,
    /// Pages sent as they are.
    pub normal_pages: Option<u64>,
    /// Readings of the dirty bitmap.
    pub dirty_syncs: Option<u64>,
    /// Of a page, bytes.
    pub page_size_bytes: Option<u64>,
    /// Pages sent a second.
    pub pages_per_second: Option<u64>,
    /// Pages dirtied a second; not said when there are none.
    pub dirty_pages_per_second: Option<u64>,
    /// Pages that XBZRLE sent as differences.
    pub xbzrle_pages: Option<u64>,
    /// The size of those, bytes; exact to a KiB in the older format.
    pub xbzrle_bytes: Option<u64>,
    /// Pages that were not in its cache.
    pub xbzrle_cache_miss_pages: Option<u64>,
    /// Pages whose difference was too large.
    pub xbzrle_overflow: Option<u64>,
    /// How far auto-converge throttles the guest; not said when it does not.
    pub cpu_throttle_percent: Option<u64>,
}

/// What the monitor said that is none of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the monitor does not say how the migration is: {0:?}")]
pub struct NotInfoMigrate(pub String);

impl InfoMigrate {
    /// Reads the monitor's text. Proxmox gives failures of monitor commands as text too.
    ///
    /// # Errors
    /// A text that says nothing of a migration, such as `Error: …`.
    pub fn read(text: &str, format: InfoMigrateFormat) -> Result<Self, NotInfoMigrate> {
        let mut info = Self::default();
        let mut known = false;
        for line in text.lines() {
            known |= match format {
                InfoMigrateFormat::Lines => info.take_line(line),
                InfoMigrateFormat::Groups => info.take_group(line),
            };
        }
        // Where no migration was ever begun there may be globals, or nothing.
        let lower = text.trim().to_lowercase();
        let idle = lower.is_empty() || lower.starts_with("globals:") && !lower.contains("status:");
        if known || idle { Ok(info) } else { Err(NotInfoMigrate(shortened(text))) }
    }

    fn take_line(&mut self, line: &str) -> bool {
        let Some((key, value)) = line.split_once(':') else { return false };
        let value = value.trim();
        let number = |unit: &str| value.strip_suffix(unit)?.trim().parse::<u64>().ok();
        let size = || {
            let bytes = number("kbytes")?.checked_mul(1024)?;
            Some(Size { bytes, within_bytes: 1023 })
        };
        match key.trim() {
            "Migration status" => self.take_status(value),
            "total time" => self.total_time_ms = number("ms"),
            "setup" => self.setup_ms = number("ms"),
            "expected downtime" => self.expected_downtime_ms = number("ms"),
            "downtime" => self.downtime_ms = number("ms"),
            "transferred ram" => self.transferred = size(),
            "remaining ram" => self.remaining = size(),
            "total ram" => self.total = size(),
            "throughput" => {
                self.throughput_mbps =
                    value.strip_suffix("mbps").and_then(|v| v.trim().parse().ok());
            }
            "duplicate" => self.zero_pages = number("pages"),
            "normal" => self.normal_pages = number("pages"),
            "dirty sync count" => self.dirty_syncs = number(""),
            "page size" => self.page_size_bytes = number("kbytes").map(|kib| kib * 1024),
            "pages-per-second" => self.pages_per_second = number(""),
            "dirty pages rate" => self.dirty_pages_per_second = number("pages"),
            "xbzrle pages" => self.xbzrle_pages = number("pages"),
            "xbzrle transferred" => self.xbzrle_bytes = number("kbytes").map(|kib| kib * 1024),
            "xbzrle cache miss" => self.xbzrle_cache_miss_pages = number("pages"),
            "xbzrle overflow" => self.xbzrle_overflow = number(""),
            "cpu throttle percentage" => self.cpu_throttle_percent = number(""),
            _ => return false,
        }
        true
    }

    fn take_group(&mut self, line: &str) -> bool {
        // XBZRLE's second line has no name.
        let (group, values) = match line.split_once(':') {
            Some((group, values)) => (group.trim(), values.trim()),
            None if line.trim_start().starts_with("miss_rate=") => ("XBZRLE", line.trim()),
            None => return false,
        };
        match group {
            "Status" => self.take_status(values),
            "Throughput (Mbps)" => self.throughput_mbps = values.parse().ok(),
            "CPU Throttle (%)" => self.cpu_throttle_percent = values.parse().ok(),
            "Time (ms)" | "Sizes" | "Transfers" | "Page Types" | "Page Rates (pps)" | "Others"
            | "XBZRLE" => {
                for pair in values.split(',') {
                    if let Some((name, value)) = pair.trim().split_once('=') {
                        self.take_value(group, name, value.trim());
                    }
                }
            }
            _ => return false,
        }
        true
    }

    fn take_value(&mut self, group: &str, name: &str, value: &str) {
        let number = || value.parse::<u64>().ok();
        let size = || Size::parse_short(value);
        match (group, name) {
            ("Time (ms)", "total") => self.total_time_ms = number(),
            ("Time (ms)", "setup") => self.setup_ms = number(),
            ("Time (ms)", "exp_down") => self.expected_downtime_ms = number(),
            ("Time (ms)", "down") => self.downtime_ms = number(),
            ("Sizes", "pagesize") => self.page_size_bytes = size().map(|size| size.bytes),
            ("Sizes", "total") => self.total = size(),
            ("Transfers", "transferred") => self.transferred = size(),
            ("Transfers", "remain") => self.remaining = size(),
            ("Page Types", "normal") => self.normal_pages = number(),
            ("Page Types", "zero") => self.zero_pages = number(),
            ("Page Rates (pps)", "transfer") => self.pages_per_second = number(),
            ("Page Rates (pps)", "dirty") => self.dirty_pages_per_second = number(),
            ("Others", "dirty_syncs") => self.dirty_syncs = number(),
            ("XBZRLE", "transferred") => self.xbzrle_bytes = number(),
            ("XBZRLE", "pages") => self.xbzrle_pages = number(),
            ("XBZRLE", "miss") => self.xbzrle_cache_miss_pages = number(),
            ("XBZRLE", "overflow") => self.xbzrle_overflow = number(),
            _ => {}
        }
    }

    /// `active`, or `failed (why)`.
    fn take_status(&mut self, text: &str) {
        let (status, why) = text.split_once(" (").map_or((text, None), |(s, w)| (s, Some(w)));
        self.status = Some(status.to_owned());
        self.error = why.map(|why| why.strip_suffix(')').unwrap_or(why).to_owned());
    }
}

fn shortened(text: &str) -> String {
    text.trim().chars().take(200).collect()
}

#[cfg(test)]
#[path = "info_migrate/tests.rs"]
mod tests;
