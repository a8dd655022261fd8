//! Two samples, and what their difference comes to.

use super::assemble::{Comparison, assemble, few};
use super::effect::{CellEffect, Effect};
use super::outcomes::Pair;
use super::{Form, JudgeError, Judgement, Rule, Rules, Sample, Sides};

/// See [`super::judge`].
pub(super) fn judge(
    baseline: &Sample,
    candidate: &Sample,
    rules: &Rules,
) -> Result<Judgement, JudgeError> {
    let cells: Vec<Pair<'_>> = common(baseline, candidate);
    if cells.is_empty() {
        return Err(nothing_in_common(baseline, candidate));
    }
    let contexts = baseline.context.differences(&candidate.context);
    let mut notes = matrix_notes(baseline, candidate);
    let judged: Vec<Rule> = if contexts.is_empty() {
        rules.gate().collect()
    } else if baseline.context.metrics == candidate.context.metrics {
        rules.scale_free().collect()
    } else {
        notes.push(
            "the metrics were defined otherwise then: only outcomes can be compared".to_owned(),
        );
        Vec::new()
    };
    let effects = judged.iter().map(|rule| effect_of(rule, &cells)).collect();
    Ok(assemble(Comparison {
        experiment: candidate.experiment.clone(),
        form: Form::Runs,
        subjects: baseline.subject.differences(&candidate.subject),
        contexts,
        cells,
        effects,
        notes,
    }))
}

/// The cells that both have, in the order in which people list them.
pub(super) fn common<'a>(baseline: &'a Sample, candidate: &'a Sample) -> Vec<Pair<'a>> {
    baseline
        .in_order()
        .into_iter()
        .filter_map(|(id, of_baseline)| {
            let of_candidate = candidate.cells.get(id)?;
            Some((id, Sides { baseline: of_baseline, candidate: of_candidate }))
        })
        .collect()
}

/// A metric over the cells that have values of it on both sides.
fn effect_of(rule: &Rule, cells: &[Pair<'_>]) -> Effect {
    let mut effect = Effect::new(*rule);
    for (id, sides) in cells {
        let values = |side: &super::CellSample| side.metrics.get(rule.name).cloned();
        let (baseline, candidate) = (values(sides.baseline), values(sides.candidate));
        effect.in_baseline |= baseline.is_some();
        effect.in_candidate |= candidate.is_some();
        if let (Some(baseline), Some(candidate)) = (baseline, candidate) {
            effect.cells.extend(CellEffect::of_groups(rule, id, &baseline, &candidate));
            effect.unit = candidate.unit;
        }
    }
    effect
}

fn nothing_in_common(baseline: &Sample, candidate: &Sample) -> JudgeError {
    let first =
        |sample: &Sample| sample.in_order().first().map_or("none", |(id, _)| *id).to_owned();
    JudgeError::new(
        "the two have no cell in common",
        format!(
            "the baseline's cells are such as `{}`, the candidate's such as `{}`; a setting that is \
             the same in all cells of a run may differ, factors that make the cells may not",
            first(baseline),
            first(candidate)
        ),
    )
}

/// Cells of only one of the two.
pub(super) fn matrix_notes(baseline: &Sample, candidate: &Sample) -> Vec<String> {
    let mut notes = Vec::new();
    if baseline.experiment != candidate.experiment {
        notes.push(format!(
            "the experiments differ: `{}` and `{}`",
            baseline.experiment, candidate.experiment
        ));
    }
    for (which, own, other) in
        [("baseline", baseline, candidate), ("candidate", candidate, baseline)]
    {
        let only: Vec<&str> = own
            .in_order()
            .into_iter()
            .map(|(id, _)| id)
            .filter(|id| !other.cells.contains_key(*id))
            .collect();
        if !only.is_empty() {
            notes.push(format!("only the {which} has {}: not judged", few(&only)));
        }
    }
    notes
}
