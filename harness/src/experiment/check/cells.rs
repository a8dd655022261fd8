//! Levels that are impossible together.

use super::levels::MEMORY;
use crate::{
    experiment::{Experiment, Filled, GUEST_OWN, Levels, fillable},
    settings::Pattern,
};
use lab::yaml::{Parsed, Place, Problem};

/// The fewest pages of which a tenth is a page: what a hotspot needs.
const HOTSPOT_PAGES: u64 = 10;

/// Checks every cell that is left. A mistake that many cells share is the same problem at the
/// same place, which the report shows once.
pub(super) fn check(parsed: &Parsed<Experiment>, problems: &mut Vec<Problem>) {
    let experiment = &parsed.value;
    let cells = experiment.combinations();
    let own = cells.len() - experiment.include.len();
    for (index, levels) in cells.iter().enumerate() {
        let cell = Cell { parsed, levels, include: index.checked_sub(own) };
        cell.sizes(problems);
        cell.workload(problems);
        cell.disk(problems);
    }
}

struct Cell<'a> {
    parsed: &'a Parsed<Experiment>,
    levels: &'a Levels,
    /// Index of the include that made it, if one did.
    include: Option<usize>,
}

impl Cell<'_> {
    fn sizes(&self, problems: &mut Vec<Problem>) {
        let Levels { memory, working_set, filled, .. } = *self.levels;
        let most = fillable(memory);
        let of_memory = format!("memory of {memory}, of which the guest needs {GUEST_OWN} itself");
        let most_hint = || self.or_exclude(&format!("{most} is the most"));
        if memory < *MEMORY.start() {
            // Wrong by itself, and said; that nothing fits it is no second mistake.
            return;
        }
        match filled {
            Filled::WorkingSet | Filled::Memory if working_set > most => problems.push(
                Problem::new(
                    self.place(&["working_set", "memory"]),
                    format!("a working_set of {working_set} does not fit a {of_memory}"),
                )
                .hint(most_hint()),
            ),
            Filled::Size(size) if size > most => problems.push(
                Problem::new(
                    self.place(&["filled", "memory"]),
                    format!("filled, {size}, does not fit a {of_memory}"),
                )
                .hint(most_hint()),
            ),
            Filled::Size(size) if working_set > size => problems.push(
                Problem::new(
                    self.place(&["working_set", "filled"]),
                    format!("a working_set of {working_set} is larger than what is filled, {size}"),
                )
                .hint(self.or_exclude("what is touched is part of what is filled: raise `filled`")),
            ),
            _ => {}
        }
    }

    fn workload(&self, problems: &mut Vec<Problem>) {
        let Levels { pattern, touch_rate, working_set, .. } = *self.levels;
        if pattern == Pattern::Idle && touch_rate.0 > 0 {
            problems.push(
                Problem::new(
                    self.place(&["touch_rate", "pattern"]),
                    format!(
                        "the pattern `idle` touches nothing, here with a touch_rate of {touch_rate}"
                    ),
                )
                .hint(
                    self.or_exclude(
                        "give `idle` the touch_rate `0 pages/s`, by an include of its own",
                    ),
                ),
            );
        }
        if pattern != Pattern::Idle && touch_rate.0 == 0 {
            problems.push(
                Problem::new(
                    self.place(&["touch_rate", "pattern"]),
                    format!("a touch_rate of {touch_rate} is no `{pattern}` pattern"),
                )
                .hint("a guest that touches nothing has the pattern `idle`"),
            );
        }
        if pattern == Pattern::Hotspot && working_set.pages() < HOTSPOT_PAGES {
            problems.push(
                Problem::new(
                    self.place(&["working_set", "pattern"]),
                    format!("a working_set of {working_set} has no tenth for `hotspot` to be in"),
                )
                .hint(format!("{HOTSPOT_PAGES} pages, 40 KiB, are the least")),
            );
        }
    }

    fn disk(&self, problems: &mut Vec<Problem>) {
        let Levels { disk, disk_write_rate, .. } = *self.levels;
        let (message, hint) = match (disk.is_none(), disk_write_rate.is_zero()) {
            (false, true) => (
                format!(
                    "a disk of {disk} that nothing is written to measures nothing of a storage"
                ),
                "give it a `disk_write_rate`, such as `200 blocks/s`",
            ),
            (true, false) => (
                format!("a disk_write_rate of {disk_write_rate} has no disk to write to"),
                "give the guest a `disk`, such as `16 MiB`, or no rate, by an include of its own",
            ),
            _ => return,
        };
        problems.push(
            Problem::new(self.place(&["disk_write_rate", "disk"]), message)
                .hint(self.or_exclude(hint)),
        );
    }

    /// A hint; a cell of the factorial can also be left out.
    fn or_exclude(&self, hint: &str) -> String {
        match self.include {
            Some(_) => hint.to_owned(),
            None => format!("{hint}; or exclude this combination"),
        }
    }

    /// Where the cell's level of the first of these factors stands that the file names.
    fn place(&self, names: &[&str]) -> Place {
        if let Some(include) = self.include {
            let include = include.to_string();
            let named = names.iter().find(|name| self.parsed.says(&["include", &include, name]));
            // A level that it does not name is not its own fault, but it is what to change.
            return self.parsed.at(&["include", &include, named.unwrap_or(&"")]);
        }
        let name = names.iter().find(|name| self.parsed.says(&["factors", name]));
        let Some(name) = name else { return self.parsed.at_key(&["factors"]) };
        let index = self.index(name).to_string();
        self.parsed.at(&["factors", name, &index])
    }

    /// Which level of its factor the cell has.
    fn index(&self, name: &str) -> usize {
        let own = self.levels.texts();
        let own = own.iter().find(|(factor, _)| *factor == name).map(|(_, level)| level);
        let all = self.parsed.value.factors.texts();
        let all = all.iter().find(|(factor, _)| *factor == name).map(|(_, levels)| levels);
        all.zip(own).and_then(|(all, own)| all.iter().position(|level| level == own)).unwrap_or(0)
    }
}
