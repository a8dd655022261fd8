//! Parts of a plan: a filter, a shard, what a run still lacks.

use super::{Plan, PlannedTrial};
use crate::experiment::{Experiment, NAMES, Selection};
use lab::yaml::{did_you_mean, one_of};
use std::collections::BTreeSet;

/// Why a part of the plan cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SelectError {
    message: String,
    hint: Option<String>,
}

impl SelectError {
    fn new(message: impl Into<String>, hint: Option<String>) -> Self {
        Self { message: message.into(), hint }
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl Plan {
    /// The trials of the cells that have all the levels named, such as
    /// `touch_rate=5000 pages/s, link_rate=lab`; `all` selects everything. A cell's id is the
    /// filter of that cell.
    ///
    /// # Errors
    /// When the filter cannot be read, or selects no cell.
    pub fn filter(mut self, filter: &str) -> Result<Self, SelectError> {
        if filter.trim() == "all" {
            return Ok(self);
        }
        let selection = read(filter)?;
        for (name, level) in selection.texts() {
            let levels = self.levels_of(name);
            if !levels.contains(&level) {
                let levels: Vec<&str> = levels.iter().map(String::as_str).collect();
                return Err(SelectError::new(
                    format!("no cell has {name}={level}"),
                    Some(format!("`{name}` is {} in this experiment", one_of(&levels))),
                ));
            }
        }
        let selected: Vec<bool> =
            self.cells.iter().map(|cell| selection.matches(&cell.levels)).collect();
        self.trials.retain(|trial| selected[trial.cell]);
        if !selected.contains(&true) {
            return Err(SelectError::new(
                format!("no cell has all of `{filter}`"),
                Some("such a combination is excluded".to_owned()),
            ));
        }
        Ok(self)
    }

    /// Part `number` of `of` (both from 1): whole blocks, since only trials of one block were
    /// meant to be compared with one another. Together the shards hold every trial once.
    ///
    /// # Errors
    /// When there is no such part, or there are fewer blocks than parts.
    pub fn shard(mut self, number: u32, of: u32) -> Result<Self, SelectError> {
        if number == 0 || number > of {
            return Err(SelectError::new(
                format!("there is no shard {number} of {of}"),
                Some("shards are numbered from 1, such as `1/3`, `2/3`, `3/3`".to_owned()),
            ));
        }
        let blocks: BTreeSet<u32> = self.trials.iter().map(|trial| trial.block).collect();
        if (of as usize) > blocks.len() {
            return Err(SelectError::new(
                format!("{} blocks cannot be split into {of} shards", blocks.len()),
                Some(
                    "a shard holds whole blocks; raise `replicates` or take fewer shards"
                        .to_owned(),
                ),
            ));
        }
        self.trials.retain(|trial| trial.block % of == number - 1);
        Ok(self)
    }

    /// The trials that are run whatever comes of them: those of as many of its blocks as the
    /// experiment's `replicates` says at least.
    #[must_use]
    pub fn at_least(&self, experiment: &Experiment) -> Self {
        let blocks: BTreeSet<u32> = self.trials.iter().map(|trial| trial.block).collect();
        let least = experiment.replicates.least() as usize;
        let first: BTreeSet<u32> = blocks.into_iter().take(least).collect();
        let mut plan = self.clone();
        plan.trials.retain(|trial| first.contains(&trial.block));
        plan
    }

    /// How many blocks it has trials of.
    #[must_use]
    pub fn blocks(&self) -> usize {
        let blocks: BTreeSet<u32> = self.trials.iter().map(|trial| trial.block).collect();
        blocks.len()
    }

    /// The trials that are not finished, in the planned order.
    pub fn remaining<'a>(
        &'a self,
        finished: &'a BTreeSet<u32>,
    ) -> impl Iterator<Item = &'a PlannedTrial> {
        self.trials.iter().filter(|trial| !finished.contains(&trial.trial))
    }

    /// The levels of a factor over all cells, each once.
    fn levels_of(&self, name: &str) -> Vec<String> {
        let mut levels = Vec::new();
        for cell in &self.cells {
            for (factor, level) in cell.levels.texts() {
                if factor == name && !levels.contains(&level) {
                    levels.push(level);
                }
            }
        }
        levels
    }
}

fn read(filter: &str) -> Result<Selection, SelectError> {
    let mut selection = Selection::default();
    for term in filter.split(',') {
        let Some((name, level)) = term.split_once('=') else {
            return Err(SelectError::new(
                format!("`{}` is no `factor=level`", term.trim()),
                Some("such as `touch_rate=5000 pages/s, memory=256 MiB`".to_owned()),
            ));
        };
        let name = name.trim();
        if selection.texts().iter().any(|(named, _)| *named == name) {
            return Err(SelectError::new(format!("`{name}` stands twice in the filter"), None));
        }
        match selection.set(name, level.trim()) {
            Some(Ok(())) => {}
            Some(Err(error)) => {
                return Err(SelectError::new(
                    format!("`{name}`: {error}"),
                    error.hint().map(str::to_owned),
                ));
            }
            None => {
                let hint = did_you_mean(name, NAMES.iter().copied())
                    .map_or_else(|| one_of(NAMES), |meant| format!("did you mean `{meant}`?"));
                return Err(SelectError::new(format!("`{name}` is no factor"), Some(hint)));
            }
        }
    }
    Ok(selection)
}
