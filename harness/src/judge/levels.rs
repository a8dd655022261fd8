//! Two levels of a factor within one run: trials of one block are compared with each other.

use super::assemble::{Comparison, assemble};
use super::effect::{CellEffect, Effect};
use super::gate::{common, matrix_notes};
use super::{Difference, Form, JudgeError, Judgement, Rule, Rules, Sample, SampleBuilder};
use crate::experiment::{NAMES, Selection};
use crate::record::{Metric, Outcome, Record};
use crate::run_folder::Manifest;
use crate::summary::{Factor, factors_of_cell};
use lab::yaml::{did_you_mean, one_of};
use std::collections::{BTreeMap, BTreeSet};

/// Values of a metric by cell (without the factor) and block: of the baseline, of the candidate.
type Values = BTreeMap<String, BTreeMap<u32, (Option<f64>, Option<f64>)>>;

/// Judges one level of a factor against another within a run. `baseline` and `candidate` are
/// such as `downtime_limit=100 ms` and `downtime_limit=200 ms`. Cells are matched on all their
/// other factors, trials by their block.
///
/// # Errors
/// When the two are no levels of one factor of this run.
pub fn paired<'a>(
    manifest: &Manifest,
    records: impl IntoIterator<Item = &'a Record>,
    baseline: &str,
    candidate: &str,
    rules: &Rules,
) -> Result<Judgement, JudgeError> {
    let (baseline, candidate) = (read(baseline)?, read(candidate)?);
    if baseline.name != candidate.name {
        return Err(JudgeError::new(
            format!("`{}` and `{}` are two factors", baseline.name, candidate.name),
            "name two levels of one factor".to_owned(),
        ));
    }
    if baseline.value == candidate.value {
        return Err(JudgeError::new(
            format!("both are {}={}", baseline.name, baseline.value),
            None,
        ));
    }
    let mut collected = Collected::new(manifest, rules);
    for record in records {
        collected.add(record, &baseline, &candidate);
    }
    let mut judgement = collected.judge(&baseline, &candidate)?;
    if baseline.name == QEMU {
        for difference in &mut judgement.subjects {
            let sides = [&mut difference.baseline, &mut difference.candidate];
            for level in sides.into_iter().flatten() {
                *level = with_versions(manifest, level);
            }
        }
    }
    Ok(judgement)
}

/// The factor whose levels are names of programs.
const QEMU: &str = "qemu";

/// A level of the factor `qemu` with what its names stand for: `old to new (9.2.0 to 10.0.2)`.
fn with_versions(manifest: &Manifest, level: &str) -> String {
    let version = |name: &str| {
        let qemu = manifest.qemus.get(name)?;
        // Without the distribution's own number, which is in the manifest.
        qemu.version.split(' ').next()
    };
    let versions: Vec<&str> = level.split(" to ").filter_map(version).collect();
    if versions.is_empty() {
        level.to_owned()
    } else {
        format!("{level} ({})", versions.join(" to "))
    }
}

/// Reads `factor=level`; the level is as cells have it.
fn read(text: &str) -> Result<Factor, JudgeError> {
    let Some((name, level)) = text.split_once('=') else {
        return Err(JudgeError::new(
            format!("`{text}` is no `factor=level`"),
            "such as `downtime_limit=100 ms`".to_owned(),
        ));
    };
    let (name, level) = (name.trim(), level.trim());
    let mut selection = Selection::default();
    match selection.set(name, level) {
        Some(Ok(())) => {}
        Some(Err(error)) => {
            let message = format!("`{name}`: {error}");
            return Err(JudgeError::new(message, error.hint().map(str::to_owned)));
        }
        None => {
            let hint = did_you_mean(name, NAMES.iter().copied())
                .map_or_else(|| one_of(NAMES), |meant| format!("did you mean `{meant}`?"));
            return Err(JudgeError::new(format!("`{name}` is no factor"), hint));
        }
    }
    let value = selection.texts().pop().map_or_else(|| level.to_owned(), |(_, text)| text);
    Ok(Factor { name: name.to_owned(), value })
}

/// The records of both levels, so far.
struct Collected {
    rules: Vec<Rule>,
    baseline: SampleBuilder,
    candidate: SampleBuilder,
    /// One for each rule.
    values: Vec<Values>,
    /// Levels of the factor that were seen.
    levels: BTreeSet<String>,
}

impl Collected {
    fn new(manifest: &Manifest, rules: &Rules) -> Self {
        let builder = SampleBuilder::new(manifest, rules);
        let rules: Vec<Rule> = rules.gate().collect();
        Self {
            values: vec![Values::new(); rules.len()],
            rules,
            baseline: builder.clone(),
            candidate: builder,
            levels: BTreeSet::new(),
        }
    }

    fn add(&mut self, record: &Record, baseline: &Factor, candidate: &Factor) {
        let (own, others): (Vec<Factor>, Vec<Factor>) = factors_of_cell(&record.cell)
            .into_iter()
            .partition(|factor| factor.name == baseline.name);
        let Some(own) = own.into_iter().next() else { return };
        let is_candidate = own == *candidate;
        let is_either = is_candidate || own == *baseline;
        self.levels.insert(own.value);
        if !is_either {
            return;
        }
        let cell = id_of(&others);
        let builder = if is_candidate { &mut self.candidate } else { &mut self.baseline };
        builder.add_to(&cell, record);
        if record.outcome != Outcome::Completed {
            return;
        }
        for (rule, values) in self.rules.iter().zip(&mut self.values) {
            let Some(Metric::Measured(measured)) = record.metrics.get(rule.name) else { continue };
            if !measured.value.is_finite() {
                continue;
            }
            let pair = values.entry(cell.clone()).or_default().entry(record.block).or_default();
            let side = if is_candidate { &mut pair.1 } else { &mut pair.0 };
            *side = Some(measured.value);
        }
    }

    fn judge(self, baseline: &Factor, candidate: &Factor) -> Result<Judgement, JudgeError> {
        let Self { rules, values, levels, .. } = self;
        for level in [baseline, candidate] {
            if !levels.contains(&level.value) {
                return Err(no_such_level(level, &levels));
            }
        }
        let (of_baseline, of_candidate) = (self.baseline.finish(), self.candidate.finish());
        let cells = common(&of_baseline, &of_candidate);
        if cells.is_empty() {
            return Err(JudgeError::new(
                "no cell of the one level has its like at the other",
                "all other factors must be the same".to_owned(),
            ));
        }
        let mut notes = matrix_notes(&of_baseline, &of_candidate);
        let mut alone = 0;
        let effects = rules
            .iter()
            .zip(&values)
            .map(|(rule, values)| {
                let (effect, unpaired) = effect_of(rule, values, &of_baseline, &of_candidate);
                alone = alone.max(unpaired);
                effect
            })
            .collect();
        if alone > 0 {
            notes.push(format!(
                "{alone} completed trials have no completed counterpart in their block: not compared"
            ));
        }
        Ok(assemble(Comparison {
            experiment: of_candidate.experiment.clone(),
            form: Form::Levels,
            contexts: Vec::new(),
            subjects: vec![Difference {
                what: baseline.name.clone(),
                baseline: Some(baseline.value.clone()),
                candidate: Some(candidate.value.clone()),
            }],
            cells,
            effects,
            notes,
        }))
    }
}

/// The identity that cells of both levels share.
fn id_of(factors: &[Factor]) -> String {
    if factors.is_empty() {
        return "all".to_owned();
    }
    let texts: Vec<String> =
        factors.iter().map(|factor| format!("{}={}", factor.name, factor.value)).collect();
    texts.join(", ")
}

/// A metric over the pairs of both levels, and how many values have no counterpart.
fn effect_of(rule: &Rule, values: &Values, a: &Sample, b: &Sample) -> (Effect, usize) {
    let mut effect = Effect::new(*rule);
    let mut alone = 0;
    let mut ids: Vec<&String> = values.keys().collect();
    ids.sort_by(|a, b| crate::summary::order_of_cells(a, b));
    for id in ids {
        let of = |sample: &Sample| {
            sample.cells.get(id).and_then(|cell| cell.metrics.get(rule.name)).cloned()
        };
        let sides = [of(a), of(b)];
        effect.in_baseline |= sides[0].is_some();
        effect.in_candidate |= sides[1].is_some();
        let resolution = sides.iter().flatten().map(|values| values.resolution).fold(0.0, f64::max);
        if let Some(unit) = sides.iter().flatten().map(|values| values.unit.clone()).next() {
            effect.unit = unit;
        }
        let pairs: Vec<(f64, f64)> =
            values[id].values().filter_map(|&(a, b)| Some((a?, b?))).collect();
        alone += values[id].len() - pairs.len();
        effect.cells.extend(CellEffect::of_pairs(rule, id, &pairs, resolution));
    }
    (effect, alone)
}

fn no_such_level(level: &Factor, levels: &BTreeSet<String>) -> JudgeError {
    let Factor { name, value } = level;
    if levels.is_empty() {
        return JudgeError::new(
            format!("`{name}` is the same in all cells of this run"),
            "compare two runs instead, one of each level".to_owned(),
        );
    }
    let levels: Vec<&str> = levels.iter().map(String::as_str).collect();
    JudgeError::new(
        format!("no cell of this run has {name}={value}"),
        format!("`{name}` is {} in this run", one_of(&levels)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn names_of_programs_are_told_with_their_versions() {
        let mut manifest = fixture::manifest();
        let mut old = manifest.qemu.clone();
        old.version = "9.2.0 (mine)".to_owned();
        manifest.qemus =
            [("old", old), ("lab", manifest.qemu.clone())].map(|(n, q)| (n.to_owned(), q)).into();
        let new = manifest.qemu.version.split(' ').next().expect("a version");
        assert_eq!(with_versions(&manifest, "old"), "old (9.2.0)");
        assert_eq!(with_versions(&manifest, "old to lab"), format!("old to lab (9.2.0 to {new})"));
        assert_eq!(with_versions(&manifest, "gone"), "gone");
    }
}
