//! From effects and outcomes to a judgement: the decisions of METHODOLOGY.md, "Judging".

use super::cells::diagnose;
use super::effect::{Against, Effect, Map, shift_of, test};
use super::outcomes::{Pair, findings};
use super::trials::{self, Need};
use super::{
    ALPHA, CELL_ALPHA, CellDiagnosis, CellSample, Difference, Form, GATE_ALPHA, Judgement,
    MetricJudgement, OpenInterval, OutcomeFinding, PValues, SCHEMA, Sides, Verdict,
};
use crate::record::Outcome;
use crate::statistics::adjust;
use std::collections::BTreeMap;

/// Confidence of a gate metric's interval: it lies within the margin when two one-sided tests at
/// 5 % say so.
const CONFIDENCE: f64 = 1.0 - 2.0 * ALPHA;

/// What is held against each other.
pub(super) struct Comparison<'a> {
    pub(super) experiment: String,
    pub(super) form: Form,
    pub(super) contexts: Vec<Difference>,
    pub(super) subjects: Vec<Difference>,
    pub(super) cells: Vec<Pair<'a>>,
    pub(super) effects: Vec<Effect>,
    pub(super) notes: Vec<String>,
}

/// The judgement of a comparison.
pub(super) fn assemble(comparison: Comparison<'_>) -> Judgement {
    let Comparison { experiment, form, contexts, subjects, cells, effects, mut notes } = comparison;
    let findings = findings(&cells);
    let diagnosis = diagnose(&effects);
    let p = p_values(&effects);
    let compared = effects.iter().filter(|effect| !effect.cells.is_empty()).count();
    let mut metrics = Vec::new();
    let mut nowhere = Vec::new();
    for (effect, p) in effects.iter().zip(p) {
        // What neither side has cannot have changed; in another context, or without convergence,
        // that is how it is.
        if effect.in_baseline || effect.in_candidate {
            metrics.push(judge_metric(effect, p, compared, &diagnosis));
        } else {
            nowhere.push(effect.rule.name);
        }
    }
    if !nowhere.is_empty() {
        notes.push(format!("neither side has {}: not judged", crate::report::list(&nowhere)));
    }
    notes.extend(not_judged(&cells));
    Judgement {
        schema: SCHEMA,
        experiment,
        verdict: overall(&metrics, &findings),
        form,
        contexts,
        subjects,
        common_cells: u32::try_from(cells.len()).unwrap_or(u32::MAX),
        outcomes: outcomes(&cells),
        metrics,
        findings,
        cells: diagnosis,
        notes,
    }
}

/// Regressed outweighs undecided, undecided outweighs improved. Nothing compared is undecided.
fn overall(metrics: &[MetricJudgement], findings: &[OutcomeFinding]) -> Verdict {
    let all = metrics.iter().map(|metric| metric.verdict);
    let all = all.chain(findings.iter().map(|finding| finding.verdict));
    all.max().unwrap_or(Verdict::Undecided)
}

/// Raw one-sided p-values of an effect, and Holm's of the family; `None` without cells.
fn p_values(effects: &[Effect]) -> Vec<Option<PValues>> {
    let tests: Vec<_> = effects
        .iter()
        .map(|effect| {
            let worse = test(&effect.cells, Against::WorseByMargin)?;
            let better = test(&effect.cells, Against::BetterByMargin)?;
            Some((worse, better))
        })
        .collect();
    let holm = |of: fn(&(_, _)) -> f64| {
        let raw: Vec<f64> = tests.iter().flatten().map(of).collect();
        adjust::holm(&raw)
    };
    let regressed = holm(|(worse, _): &(crate::statistics::RankTest, _)| worse.greater);
    let improved = holm(|(_, better): &(_, crate::statistics::RankTest)| better.less);
    let mut adjusted = regressed.into_iter().zip(improved);
    tests
        .iter()
        .map(|tests| {
            let (worse, better) = tests.as_ref()?;
            let (regressed, improved) = adjusted.next()?;
            Some(PValues { regressed, improved, equivalent: worse.less.max(better.greater) })
        })
        .collect()
}

fn judge_metric(
    effect: &Effect,
    p: Option<PValues>,
    family: usize,
    diagnosis: &[CellDiagnosis],
) -> MetricJudgement {
    let rule = effect.rule;
    let map = Map::of(&rule);
    let shift = shift_of(&effect.cells, CONFIDENCE);
    let interval = shift
        .as_ref()
        .filter(|shift| shift.interval.confidence >= CONFIDENCE - 1e-6)
        .map(|shift| shift.interval);
    let disagreeing: Vec<&str> = diagnosis
        .iter()
        .filter(|row| row.metric == rule.name && row.verdict == Some(Verdict::Regressed))
        .map(|row| row.cell.as_str())
        .collect();
    let alone: Vec<&str> = diagnosis
        .iter()
        .filter(|row| row.metric == rule.name && row.p_alone <= CELL_ALPHA)
        .map(|row| row.cell.as_str())
        .collect();
    let on_average = match p {
        None => Verdict::Undecided,
        Some(p) if p.regressed <= GATE_ALPHA => Verdict::Regressed,
        Some(p) if p.improved <= GATE_ALPHA => Verdict::Improved,
        Some(p) if p.equivalent <= ALPHA => Verdict::Equivalent,
        Some(_) => Verdict::Undecided,
    };
    // What holds on average must not hide a cell that is worse.
    let good = matches!(on_average, Verdict::Improved | Verdict::Equivalent);
    let hides = good && !disagreeing.is_empty();
    let verdict = match on_average {
        _ if !alone.is_empty() => Verdict::Regressed,
        _ if hides => Verdict::Undecided,
        on_average => on_average,
    };
    let need = match &shift {
        Some(shift) if verdict == Verdict::Undecided && !hides => {
            trials::need(effect, shift.estimate, interval, family)
        }
        _ => Need::Unknown,
    };
    let in_cells = verdict == Verdict::Regressed && on_average != Verdict::Regressed;
    let because = (in_cells || verdict == Verdict::Undecided).then(|| {
        if in_cells {
            return format!("{on_average} over all cells together, but worse in {}", few(&alone));
        }
        if p.is_none() {
            missing(effect)
        } else if hides {
            format!(
                "{on_average} over all cells, but worse in {}; more trials would not change that",
                few(&disagreeing)
            )
        } else {
            need.words()
        }
    });
    let more_trials = match need {
        Need::More(more) => Some(more),
        _ => None,
    };
    let detectable = interval
        .map(|interval| trials::detectable(effect, interval, family))
        .map(|worse| map.shift(worse));
    let widest = effect.cells.iter().map(|cell| cell.declared(map)).fold(rule.margin, f64::max);
    MetricJudgement {
        name: rule.name.to_owned(),
        unit: effect.unit.clone(),
        scale: rule.judged.scale.into(),
        worse: rule.judged.worse.into(),
        verdict,
        shift: shift.map(|shift| map.shift(shift.estimate)),
        interval: interval
            .map_or_else(OpenInterval::default, |ends| map.interval(ends.low, ends.high)),
        margin: rule.margin,
        widest_margin: widest,
        n: effect.n(),
        cells: u32::try_from(effect.cells.len()).unwrap_or(u32::MAX),
        p,
        more_trials,
        detectable,
        because,
    }
}

/// How many cells are named.
const NAMED: usize = 3;

/// The cells in words, the first few of them.
pub(super) fn few(cells: &[&str]) -> String {
    let mut named: Vec<String> = cells.iter().take(NAMED).map(|cell| format!("({cell})")).collect();
    if cells.len() > NAMED {
        named.push(format!("{} more cells", cells.len() - NAMED));
    }
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    crate::report::list(&named)
}

/// Why there is nothing to compare.
fn missing(effect: &Effect) -> String {
    match (effect.in_baseline, effect.in_candidate) {
        (true, false) => "no trial of the candidate has it".to_owned(),
        (false, true) => "the baseline does not hold it: accept a run that does".to_owned(),
        _ => "no cell has it on both sides".to_owned(),
    }
}

fn outcomes(cells: &[Pair<'_>]) -> Sides<BTreeMap<Outcome, u32>> {
    let sum = |side: fn(&Sides<&CellSample>) -> BTreeMap<Outcome, u32>| {
        let mut sum = BTreeMap::new();
        for (_, sides) in cells {
            for (outcome, n) in side(sides) {
                *sum.entry(outcome).or_insert(0) += n;
            }
        }
        sum
    };
    Sides {
        baseline: sum(|sides| sides.baseline.outcomes.clone()),
        candidate: sum(|sides| sides.candidate.outcomes.clone()),
    }
}

/// Trials that are counted and not judged.
fn not_judged(cells: &[Pair<'_>]) -> Vec<String> {
    let all = outcomes(cells);
    let mut notes = Vec::new();
    for (outcome, why) in [
        (Outcome::Invalid, "the gate did not open"),
        (Outcome::Cancelled, "somebody else ended them"),
    ] {
        let count = |side: &BTreeMap<Outcome, u32>| side.get(&outcome).copied().unwrap_or(0);
        let (baseline, candidate) = (count(&all.baseline), count(&all.candidate));
        if baseline + candidate > 0 {
            notes.push(format!(
                "{} trials are not judged ({why}): {baseline} of the baseline, {candidate} of the candidate",
                outcome.words()
            ));
        }
    }
    notes
}
