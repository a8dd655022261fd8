//! One line of a migration's log.

use super::{Outcome, civil, size::Size};
use crate::hypervisor::proxmox::tasks::Exit;
use serde::Serialize;

/// A line of progress.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Progress {
    /// QEMU's word: `active`, `device`, `completed`.
    pub status: String,
    /// Sent so far; may be more than `total`.
    pub transferred: Size,
    /// The guest's memory and devices.
    pub total: Size,
    /// Pages a second times their size, zero pages too: may be more than the wire carries.
    pub speed: Size,
    /// Sent of devices handed through (VFIO).
    pub vfio: Option<Size>,
    /// How fast the guest dirties memory, where that is faster than `speed`.
    pub dirtied: Option<Size>,
}

/// What XBZRLE has done so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Xbzrle {
    /// Pages sent as differences.
    pub pages: u64,
    /// The size of those.
    pub encoded: Size,
    /// Share of pages that were not in the cache, percent.
    pub cache_miss_percent: Option<f64>,
    /// Pages whose difference was too large.
    pub overflow: Option<u64>,
}

/// What Proxmox says of the whole migration.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Average {
    /// The guest's whole memory over whole seconds, a second.
    pub speed: Size,
    /// QEMU's downtime: until the source has sent its state, not until the guest runs again.
    pub downtime_ms: u64,
}

/// A local disk that is mirrored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mirror {
    /// The job, such as `mirror-scsi0` (`drive-scsi0` before machine version 10.0).
    pub job: String,
    /// Sent so far.
    pub transferred: Size,
    /// The disk.
    pub total: Size,
    /// Whether source and target are the same now.
    pub ready: bool,
}

/// What a line says.
pub(super) enum Line<'a> {
    DedicatedNetwork,
    Starting {
        target: &'a str,
        address: &'a str,
    },
    Migrate(&'a str),
    SpeedLimit(Size),
    DowntimeLimit(f64),
    Increase(f64),
    Capped,
    Cache(Size),
    Progress(Progress),
    Xbzrle(Xbzrle),
    Mirror(Mirror),
    Average(Average),
    Completed,
    Final {
        state: Size,
        vfio: Option<Size>,
    },
    StatusError,
    End {
        outcome: Outcome,
        duration_s: u64,
        why: Option<&'a str>,
    },
    Task(Exit),
    Remote,
    /// A step that always comes and tells nothing more.
    Step,
    Other,
}

/// Seconds and text of a stamp.
type Stamp<'a> = (i64, &'a str);

/// Takes the stamp and the mark of errors off.
pub(super) fn unstamped(text: &str) -> (Option<Stamp<'_>>, bool, &str) {
    let stamped = text.split_at_checked(19).and_then(|(stamp, rest)| {
        Some(((civil::seconds(stamp)?, stamp), rest.strip_prefix(' ').unwrap_or(rest)))
    });
    let (stamp, text) = stamped.map_or((None, text), |(stamp, rest)| (Some(stamp), rest));
    let error = stamp.and_then(|_| text.strip_prefix("ERROR: "));
    (stamp, error.is_some(), error.unwrap_or(text))
}

impl<'a> Line<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self::known(text).unwrap_or(if text.starts_with('[') { Self::Remote } else { Self::Other })
    }

    fn known(text: &'a str) -> Option<Self> {
        if is_step(text) {
            return Some(Self::Step);
        }
        let after = |start: &str| text.strip_prefix(start);
        if after("use dedicated network address for sending migration traffic (").is_some() {
            return Some(Self::DedicatedNetwork);
        }
        if let Some(rest) = after("starting migration of VM ") {
            let (_, rest) = rest.split_once(" to node '")?;
            let (target, rest) = rest.split_once("' (")?;
            return Some(Self::Starting { target, address: rest.strip_suffix(')')? });
        }
        if let Some(uri) = after("start migrate command to ") {
            return Some(Self::Migrate(uri));
        }
        if let Some(rest) = after("migration speed limit: ") {
            return Some(Self::SpeedLimit(Size::parse(rest.strip_suffix("/s")?)?));
        }
        if let Some(rest) = after("migration downtime limit: ") {
            return Some(Self::DowntimeLimit(milliseconds(rest)?));
        }
        if let Some(rest) = after("auto-increased downtime to continue migration: ") {
            return Some(Self::Increase(milliseconds(rest)?));
        }
        if after("capping downtime limit to maximum possible: ").is_some() {
            return Some(Self::Capped);
        }
        if let Some(rest) = after("migration cachesize: ") {
            return Some(Self::Cache(Size::parse(rest)?));
        }
        if let Some(rest) = after("xbzrle: ") {
            return Some(Self::Xbzrle(xbzrle(rest)?));
        }
        if let Some(rest) = after("average migration speed: ") {
            let (speed, downtime) = rest.split_once("/s - downtime ")?;
            let downtime_ms = downtime.strip_suffix(" ms")?.parse().ok()?;
            return Some(Self::Average(Average { speed: Size::parse(speed)?, downtime_ms }));
        }
        if let Some(status) = after("migration status: ") {
            return (status == "completed").then_some(Self::Completed);
        }
        if after("migration status error: ").is_some() {
            return Some(Self::StatusError);
        }
        if let Some(rest) = after("TASK ") {
            return Some(Self::Task(Exit::of(rest.strip_prefix("ERROR: ").unwrap_or(rest))));
        }
        if let Some(rest) = after("migration ") {
            return end(rest).or_else(|| progress(rest));
        }
        mirror(text).map(Self::Mirror)
    }
}

fn is_step(text: &str) -> bool {
    let steps = [
        "start remote tunnel",
        "set migration capabilities",
        "set migration parameters",
        "migrate_cancel",
    ];
    let starts = [
        "starting online/live migration on ",
        "ssh tunnel ver ",
        "aborting phase ",
        "starting VM ",
    ];
    steps.contains(&text) || starts.iter().any(|start| text.starts_with(start))
}

/// `100 ms`; Perl may write `33.3` and, of large ones, `1.024e+15`.
fn milliseconds(text: &str) -> Option<f64> {
    let number = text.strip_suffix(" ms")?;
    let plain = |c: char| c.is_ascii_digit() || ".e+".contains(c);
    number.chars().all(plain).then(|| number.parse().ok())?
}

/// `active, transferred 515.4 MiB of 2.0 GiB VM-state, 428.3 MiB/s` and what may follow.
fn progress(text: &str) -> Option<Line<'_>> {
    let (status, rest) = text.split_once(", transferred ")?;
    if status.is_empty() || status.contains(' ') {
        return None;
    }
    let Some((transferred, rest)) = rest.split_once(" of ") else {
        let (state, rest) = rest.split_once(" VM-state")?;
        let vfio = if rest.is_empty() { None } else { Some(of_vfio(rest)?) };
        return Some(Line::Final { state: Size::parse(state)?, vfio });
    };
    let (total, rest) = rest.split_once(" VM-state, ")?;
    let (speed, rest) = rest.split_once("/s")?;
    let (vfio, dirtied) = match rest.split_once(", VM dirties lots of memory: ") {
        Some((vfio, dirtied)) => (vfio, Some(Size::parse(dirtied.strip_suffix("/s")?)?)),
        None => (rest, None),
    };
    Some(Line::Progress(Progress {
        status: status.to_owned(),
        transferred: Size::parse(transferred)?,
        total: Size::parse(total)?,
        speed: Size::parse(speed)?,
        vfio: if vfio.is_empty() { None } else { Some(of_vfio(vfio)?) },
        dirtied,
    }))
}

/// ` (+ 1.2 GiB VFIO-state)`
fn of_vfio(text: &str) -> Option<Size> {
    Size::parse(text.strip_prefix(" (+ ")?.strip_suffix(" VFIO-state)")?)
}

/// `finished successfully (duration 00:00:20)`, `aborted (duration 00:00:01): why`
fn end(text: &str) -> Option<Line<'_>> {
    let (how, rest) = text.split_once(" (duration ")?;
    let outcome = match how {
        "finished successfully" => Outcome::Completed,
        "finished with problems" => Outcome::Problems,
        "aborted" => Outcome::Aborted,
        _ => return None,
    };
    let (duration, why) = rest.split_once(')')?;
    let mut parts = duration.split(':').map(|part| part.parse::<u64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    let duration_s = parts.next().is_none().then_some(hours * 3600 + minutes * 60 + seconds)?;
    Some(Line::End { outcome, duration_s, why: why.strip_prefix(": ") })
}

/// `send updates to 9810 pages in 7.2 MiB encoded memory, cache-miss 99.59%, overflow 1300`
fn xbzrle(text: &str) -> Option<Xbzrle> {
    let (pages, rest) = text.strip_prefix("send updates to ")?.split_once(" pages in ")?;
    let (encoded, rest) = rest.split_once(" encoded memory")?;
    let (mut cache_miss_percent, mut overflow) = (None, None);
    for part in rest.split(", ").filter(|part| !part.is_empty()) {
        match part.split_once(' ')? {
            ("cache-miss", percent) => {
                cache_miss_percent = Some(percent.strip_suffix('%')?.parse().ok()?);
            }
            ("overflow", pages) => overflow = Some(pages.parse().ok()?),
            _ => return None,
        }
    }
    let (pages, encoded) = (pages.parse().ok()?, Size::parse(encoded)?);
    Some(Xbzrle { pages, encoded, cache_miss_percent, overflow })
}

/// `mirror-scsi0: transferred 1.0 GiB of 1.0 GiB (100.00%) in 1s, ready`
fn mirror(text: &str) -> Option<Mirror> {
    let (job, rest) = text.split_once(": transferred ")?;
    if !job.starts_with("mirror-") && !job.starts_with("drive-") {
        return None;
    }
    let (transferred, rest) = rest.split_once(" of ")?;
    let (total, rest) = rest.split_once(" (")?;
    Some(Mirror {
        job: job.to_owned(),
        transferred: Size::parse(transferred)?,
        total: Size::parse(total)?,
        ready: rest.ends_with(", ready"),
    })
}
