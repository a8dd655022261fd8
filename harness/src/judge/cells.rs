//! Which cells carry a change. What a cell shows among all others is enough for a verdict; what it
//! shows by itself is diagnosis.

use super::effect::{Against, CellEffect, Effect, Map, shift_of, test};
use super::{ALPHA, CellDiagnosis, OpenInterval, Verdict};
use crate::statistics::adjust;

/// Confidence of a cell's interval.
const CONFIDENCE: f64 = 0.95;

/// One row for each cell and metric, by metric and then in the cells' order.
pub(super) fn diagnose(effects: &[Effect]) -> Vec<CellDiagnosis> {
    let mut rows: Vec<CellDiagnosis> = effects
        .iter()
        .flat_map(|effect| effect.cells.iter().filter_map(|cell| row(effect, cell)))
        .collect();
    let raw: Vec<f64> = rows.iter().map(|row| row.p_worse).collect();
    for (row, p) in rows.iter_mut().zip(adjust::holm(&raw)) {
        row.p_alone = p;
    }
    let adjust = |of: fn(&CellDiagnosis) -> f64| {
        adjust::benjamini_hochberg(&rows.iter().map(of).collect::<Vec<_>>())
    };
    let worse = adjust(|row| row.p_worse);
    let better = adjust(|row| row.p_better);
    for ((row, worse), better) in rows.iter_mut().zip(worse).zip(better) {
        row.p_worse = worse;
        row.p_better = better;
        row.verdict = if worse <= ALPHA {
            Some(Verdict::Regressed)
        } else if better <= ALPHA {
            Some(Verdict::Improved)
        } else {
            None
        };
    }
    rows
}

/// With p-values that are not adjusted yet.
fn row(effect: &Effect, cell: &CellEffect) -> Option<CellDiagnosis> {
    let map = Map::of(&effect.rule);
    let one = std::slice::from_ref(cell);
    let shift = shift_of(one, CONFIDENCE)?;
    let interval = if shift.interval.confidence >= CONFIDENCE - 1e-6 {
        map.interval(shift.interval.low, shift.interval.high)
    } else {
        OpenInterval::default()
    };
    let delta = cell.cliffs_delta();
    Some(CellDiagnosis {
        cell: cell.cell.clone(),
        metric: effect.rule.name.to_owned(),
        shift: map.shift(shift.estimate),
        interval,
        margin: cell.declared(map),
        cliffs_delta: map.direction() * delta,
        p_alone: 1.0,
        p_worse: test(one, Against::WorseByMargin)?.greater,
        p_better: test(one, Against::BetterByMargin)?.less,
        verdict: None,
        n: cell.n(),
    })
}
