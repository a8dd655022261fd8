//! Levels that are impossible by themselves.

use super::possible;
use crate::{
    experiment::{Experiment, Filled, LinkRate, Selection, qemus},
    settings::{BandwidthLimit, DiskSize},
};
use lab::{
    spec::LINK_RATE,
    units::{BlockRate, ByteRate, Bytes, Millis, PageRate},
    yaml::{Parsed, Problem},
};
use std::ops::RangeInclusive;

/// Above 3 GiB begins the PCI hole, which the guest does not step over yet.
pub(super) const MEMORY: RangeInclusive<Bytes> = Bytes(64 << 20)..=Bytes(3 << 30);
const SIZE: RangeInclusive<Bytes> = Bytes(4096)..=Bytes(3 << 30);
const MEMORY_STEP: Bytes = Bytes(1 << 20);
const PAGE: Bytes = Bytes(4096);
/// 4 GB/s of rewritten pages: more than a guest of one vCPU writes.
const TOUCH_RATE: RangeInclusive<PageRate> = PageRate(0)..=PageRate(1_000_000);
/// What a guest reads back and checks in some seconds.
const DISK: RangeInclusive<Bytes> = Bytes(4096)..=Bytes(1 << 30);
/// Four writes are in flight at most, and the guest looks for answers once a millisecond.
const DISK_WRITE_RATE: RangeInclusive<BlockRate> = BlockRate(0)..=BlockRate(4000);
/// QEMU's own upper bound.
const DOWNTIME_LIMIT: RangeInclusive<Millis> = Millis(1)..=Millis(2_000_000);
/// QEMU takes 0 for no cap at all.
const BANDWIDTH_LIMIT: RangeInclusive<ByteRate> = ByteRate(1 << 20)..=ByteRate(100 << 30);

/// Checks what every factor and every include names.
pub(super) fn check(parsed: &Parsed<Experiment>, problems: &mut Vec<Problem>) {
    let experiment = &parsed.value;
    for (name, levels) in experiment.factors.texts() {
        if levels.is_empty() {
            problems.push(
                parsed
                    .problem(&["factors", name], format!("`{name}` has no level"))
                    .hint("write at least one, or leave the factor out for its default"),
            );
        }
        for (index, level) in levels.iter().enumerate() {
            let Some(first) = levels[..index].iter().position(|other| other == level) else {
                continue;
            };
            let first = parsed.at(&["factors", name, &first.to_string()]);
            problems.push(
                parsed
                    .problem(
                        &["factors", name, &index.to_string()],
                        format!("`{name}` has the level {level} twice"),
                    )
                    .hint("keep one; more trials of a cell are made by `replicates`")
                    .also(first, "the first"),
            );
        }
    }
    for (name, index, level) in experiment.factors.each() {
        let index = index.to_string();
        impossible(parsed, &["factors", name, &index], &level, problems);
    }
    for (index, include) in experiment.include.iter().enumerate() {
        for (name, _) in include.texts() {
            let index = index.to_string();
            impossible(parsed, &["include", &index, name], &only(include, name), problems);
        }
    }
}

/// The one level of a selection that belongs to this factor.
fn only(selection: &Selection, name: &str) -> Selection {
    let mut only = Selection::default();
    for (factor, level) in selection.texts() {
        if factor == name {
            // It reads back: it came from such a text.
            let _ = only.set(factor, &level);
        }
    }
    only
}

/// Checks the level that is named, which lies at `path`.
fn impossible(
    parsed: &Parsed<Experiment>,
    path: &[&str],
    level: &Selection,
    problems: &mut Vec<Problem>,
) {
    let mut refuse = |name: &str, value: &dyn std::fmt::Display, possible: String| {
        problems.push(
            parsed
                .problem(path, format!("`{name}` cannot be {value}"))
                .expected(possible.clone())
                .hint(possible),
        );
    };
    if let Some(memory) = level.memory {
        if memory > *MEMORY.end() {
            refuse("memory", &memory, format!("{} is the most for now", MEMORY.end()));
        } else if memory < *MEMORY.start() {
            refuse(
                "memory",
                &memory,
                format!("{} is the least: a guest needs some of its own", MEMORY.start()),
            );
        } else if !memory.0.is_multiple_of(MEMORY_STEP.0) {
            refuse("memory", &memory, "memory comes in whole MiB".to_owned());
        }
    }
    let filled = match level.filled {
        Some(Filled::Size(size)) => Some(("filled", size)),
        _ => None,
    };
    for (name, size) in
        level.working_set.map(|size| ("working_set", size)).into_iter().chain(filled)
    {
        if !SIZE.contains(&size) {
            refuse(name, &size, format!("possible: {}", possible(&SIZE)));
        } else if !size.0.is_multiple_of(PAGE.0) {
            refuse(name, &size, format!("it comes in whole pages of {PAGE}"));
        }
    }
    if let Some(DiskSize::Size(size)) = level.disk {
        if !DISK.contains(&size) {
            refuse("disk", &size, format!("possible: {}, or `none`", possible(&DISK)));
        } else if !size.0.is_multiple_of(PAGE.0) {
            refuse("disk", &size, format!("it comes in whole blocks of {PAGE}"));
        }
    }
    if let Some(rate) = level.disk_write_rate.filter(|rate| !DISK_WRITE_RATE.contains(rate)) {
        let most = DISK_WRITE_RATE.end();
        refuse("disk_write_rate", &rate, format!("{most} is the most: a guest writes no faster"));
    }
    if let Some(rate) = level.touch_rate.filter(|rate| !TOUCH_RATE.contains(rate)) {
        refuse("touch_rate", &rate, format!("{} is the most: 4 GB/s", TOUCH_RATE.end()));
    }
    if let Some(LinkRate::Shaped(rate)) = level.link_rate
        && !LINK_RATE.contains(&rate)
    {
        refuse("link_rate", &rate, format!("possible: {}, or `lab`", possible(&LINK_RATE)));
    }
    if let Some(BandwidthLimit::Capped(rate)) = level.bandwidth_limit
        && !BANDWIDTH_LIMIT.contains(&rate)
    {
        let words = "or `default` or `unlimited`";
        refuse(
            "bandwidth_limit",
            &rate,
            format!("possible: {}, {words}", possible(&BANDWIDTH_LIMIT)),
        );
    }
    if let Some(limit) = level.downtime_limit.filter(|limit| !DOWNTIME_LIMIT.contains(limit)) {
        refuse("downtime_limit", &limit, format!("possible: {}", possible(&DOWNTIME_LIMIT)));
    }
    qemus::unknown(parsed, path, level, problems);
}
