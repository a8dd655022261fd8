//! What was sampled during a trial: the raw material of its record, kept beside it in
//! `series/<trial>.json.gz`.

use crate::record::Round;
use serde::{Deserialize, Serialize};

/// Version of the series' layout, the field `schema`.
pub const SCHEMA: u32 = 1;

/// Everything sampled in one trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// Answers of `query-migrate`, in order.
    pub samples: Vec<Sample>,
    /// Events of both ends, in the order of their time.
    pub events: Vec<Event>,
    /// Every round: a record's line may have to leave some out ([`crate::run_folder`]).
    pub rounds: Vec<Round>,
    /// Heartbeats as the observer on the witness received them.
    pub beats: Beats,
}

impl Series {
    /// An empty series of the present schema.
    #[must_use]
    pub fn new() -> Self {
        Self { schema: SCHEMA, ..Self::default() }
    }
}

/// One answer of `query-migrate`. A field is `None` where QEMU left it out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Seconds from when `migrate` was asked to the arrival of the answer.
    pub t_s: f64,
    /// QEMU's migration status.
    pub status: String,
    /// `ram.transferred`, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transferred_bytes: Option<u64>,
    /// `ram.remaining`, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_bytes: Option<u64>,
    /// `ram.total`, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
    /// `ram.dirty-sync-count`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dirty_sync_count: Option<u64>,
    /// `ram.normal`, pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normal_pages: Option<u64>,
    /// `ram.duplicate`, pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zero_pages: Option<u64>,
    /// `ram.precopy-bytes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precopy_bytes: Option<u64>,
    /// `ram.downtime-bytes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downtime_bytes: Option<u64>,
    /// `ram.mbps`, Mbit/s: of the last 100 ms while active, of the whole run once completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mbps: Option<f64>,
    /// `ram.dirty-pages-rate`, pages/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dirty_pages_rate: Option<u64>,
    /// `expected-downtime`, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_downtime_ms: Option<u64>,
    /// `setup-time`, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup_time_ms: Option<u64>,
    /// `total-time`, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_time_ms: Option<u64>,
    /// `downtime`, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downtime_ms: Option<u64>,
    /// `cpu-throttle-percentage`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttle_percent: Option<u64>,
}

impl Sample {
    /// From an answer of `query-migrate` that came `t_s` seconds after `migrate`.
    #[must_use]
    pub fn of(t_s: f64, answer: &serde_json::Value) -> Self {
        let ram = |key: &str| answer["ram"][key].as_u64();
        let top = |key: &str| answer[key].as_u64();
        Self {
            t_s,
            status: answer["status"].as_str().unwrap_or_default().to_owned(),
            transferred_bytes: ram("transferred"),
            remaining_bytes: ram("remaining"),
            total_bytes: ram("total"),
            dirty_sync_count: ram("dirty-sync-count"),
            normal_pages: ram("normal"),
            zero_pages: ram("duplicate"),
            precopy_bytes: ram("precopy-bytes"),
            downtime_bytes: ram("downtime-bytes"),
            mbps: answer["ram"]["mbps"].as_f64(),
            dirty_pages_rate: ram("dirty-pages-rate"),
            expected_downtime_ms: top("expected-downtime"),
            setup_time_ms: top("setup-time"),
            total_time_ms: top("total-time"),
            downtime_ms: top("downtime"),
            throttle_percent: top("cpu-throttle-percentage"),
        }
    }
}

/// Which of the two QEMUs said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The one that the guest leaves.
    Source,
    /// The one that it arrives at.
    Target,
}

/// A QMP event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Seconds from when `migrate` was asked; negative before it.
    pub t_s: f64,
    /// Who said it.
    pub side: Side,
    /// QMP's name of it: `STOP`, `MIGRATION_PASS`, …
    pub name: String,
    /// Its data as QEMU sent them; `null` where there are none.
    #[serde(default)]
    pub data: serde_json::Value,
}

/// One heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Arrival by the observer's monotonic clock, nanoseconds.
    pub observer_ns: u64,
    /// The guest's count of its beats.
    pub sequence: u64,
    /// The guest's own clock, nanoseconds.
    pub guest_ns: u64,
    /// What the guest did: 0 waiting, 1 filling, 2 steady, 3 verifying.
    pub state: u64,
    /// Touches done since the workload began.
    pub pages_written: u64,
    /// Writes that the guest's disk has acknowledged.
    pub disk_writes: u64,
}

/// Heartbeats by column. In JSON each column is its first value followed by the differences
/// from one to the next (a running sum restores it), which compress to little.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Columns", into = "Columns")]
pub struct Beats {
    rows: Vec<Beat>,
}

impl Beats {
    /// Adds the next beat.
    pub fn push(&mut self, beat: Beat) {
        self.rows.push(beat);
    }

    /// The beats in the order of their arrival.
    #[must_use]
    pub fn as_slice(&self) -> &[Beat] {
        &self.rows
    }
}

impl FromIterator<Beat> for Beats {
    fn from_iter<I: IntoIterator<Item = Beat>>(beats: I) -> Self {
        Self { rows: beats.into_iter().collect() }
    }
}

/// How [`Beats`] lie in JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Columns {
    observer_ns: Vec<i64>,
    sequence: Vec<i64>,
    guest_ns: Vec<i64>,
    state: Vec<i64>,
    pages_written: Vec<i64>,
    /// Absent for a guest that writes to no disk.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    disk_writes: Vec<i64>,
}

/// Differences, wrapping, so that every sequence of `u64` has exactly one.
fn deltas(values: impl Iterator<Item = u64>) -> Vec<i64> {
    let mut before = 0u64;
    values
        .map(|value| {
            let delta = value.wrapping_sub(before).cast_signed();
            before = value;
            delta
        })
        .collect()
}

fn sums(deltas: Vec<i64>) -> impl Iterator<Item = u64> {
    deltas.into_iter().scan(0u64, |sum, delta| {
        *sum = sum.wrapping_add(delta.cast_unsigned());
        Some(*sum)
    })
}

impl From<Beats> for Columns {
    fn from(beats: Beats) -> Self {
        let rows = &beats.rows;
        let no_disk = rows.iter().all(|beat| beat.disk_writes == 0);
        let disk_rows = if no_disk { &[] } else { rows.as_slice() };
        Self {
            observer_ns: deltas(rows.iter().map(|beat| beat.observer_ns)),
            sequence: deltas(rows.iter().map(|beat| beat.sequence)),
            guest_ns: deltas(rows.iter().map(|beat| beat.guest_ns)),
            state: deltas(rows.iter().map(|beat| beat.state)),
            pages_written: deltas(rows.iter().map(|beat| beat.pages_written)),
            disk_writes: deltas(disk_rows.iter().map(|beat| beat.disk_writes)),
        }
    }
}

impl TryFrom<Columns> for Beats {
    type Error = String;

    fn try_from(mut columns: Columns) -> Result<Self, String> {
        if columns.disk_writes.is_empty() {
            columns.disk_writes = vec![0; columns.observer_ns.len()];
        }
        let lengths = [
            columns.observer_ns.len(),
            columns.sequence.len(),
            columns.guest_ns.len(),
            columns.state.len(),
            columns.pages_written.len(),
            columns.disk_writes.len(),
        ];
        if lengths.iter().any(|&length| length != lengths[0]) {
            return Err(format!("columns of beats differ in length: {lengths:?}"));
        }
        let rows = sums(columns.observer_ns)
            .zip(sums(columns.sequence))
            .zip(sums(columns.guest_ns))
            .zip(sums(columns.state))
            .zip(sums(columns.pages_written).zip(sums(columns.disk_writes)))
            .map(|((((observer_ns, sequence), guest_ns), state), (pages_written, disk_writes))| {
                Beat { observer_ns, sequence, guest_ns, state, pages_written, disk_writes }
            })
            .collect();
        Ok(Self { rows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn beats_come_back_as_they_were(
            rows in prop::collection::vec(any::<(u64, u64, u64, u64, u64, u64)>(), 0..50)
        ) {
            let beats: Beats = rows
                .into_iter()
                .map(|(observer_ns, sequence, guest_ns, state, pages_written, disk_writes)| Beat {
                    observer_ns, sequence, guest_ns, state, pages_written, disk_writes,
                })
                .collect();
            let json = serde_json::to_string(&beats).unwrap();
            prop_assert_eq!(serde_json::from_str::<Beats>(&json).unwrap(), beats);
        }
    }

    #[test]
    fn columns_of_different_lengths_are_refused() {
        let json =
            r#"{"observer_ns":[1],"sequence":[],"guest_ns":[1],"state":[1],"pages_written":[1]}"#;
        let error = serde_json::from_str::<Beats>(json).expect_err("must be refused");
        assert!(error.to_string().contains("[1, 0, 1, 1, 1, 1]"), "{error}");
    }

    #[test]
    fn json_holds_differences() {
        let beats: Beats = (0..3)
            .map(|i| Beat {
                observer_ns: 5_000_000 + i * 1_000_000,
                sequence: 7 + i,
                guest_ns: 9,
                state: 2,
                pages_written: 5 * i,
                disk_writes: 0,
            })
            .collect();
        assert_eq!(
            serde_json::to_string(&beats).unwrap(),
            r#"{"observer_ns":[5000000,1000000,1000000],"sequence":[7,1,1],"guest_ns":[9,0,0],"state":[2,0,0],"pages_written":[0,5,5]}"#
        );
    }
}
