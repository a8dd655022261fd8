//! One metric over the cells of a comparison, on the scale and in the direction in which it is
//! judged: logarithms for ratios, and more is worse.

use super::{OpenInterval, Rule, Sides, Values};
use crate::metric::{Scale, Worse};
use crate::statistics::rank_sum::{self, Stratum};
use crate::statistics::shift::{self, Shift};
use crate::statistics::{RankTest, signed_rank};

/// A metric over the cells that have values of it on both sides.
#[derive(Clone, Debug)]
pub(super) struct Effect {
    pub(super) rule: Rule,
    pub(super) unit: String,
    pub(super) cells: Vec<CellEffect>,
    /// Whether any cell of the baseline has values of it.
    pub(super) in_baseline: bool,
    /// Whether any cell of the candidate has.
    pub(super) in_candidate: bool,
}

/// A metric in one cell.
#[derive(Clone, Debug)]
pub(super) struct CellEffect {
    pub(super) cell: String,
    /// On the scale of the judgement.
    margin: f64,
    data: Data,
}

/// What is compared, on the scale of the judgement.
#[derive(Clone, Debug)]
enum Data {
    /// Values of two groups.
    Groups { baseline: Vec<f64>, candidate: Vec<f64> },
    /// Differences of pairs, candidate less baseline.
    Pairs(Vec<f64>),
}

/// Which hypothesis a test is against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Against {
    /// The candidate is worse by the margin exactly.
    WorseByMargin,
    /// The candidate is better by the margin exactly.
    BetterByMargin,
}

impl Against {
    /// Where the hypothesis lies on the scale of the judgement.
    fn at(self, margin: f64) -> f64 {
        match self {
            Self::WorseByMargin => margin,
            Self::BetterByMargin => -margin,
        }
    }
}

/// What turns a metric's values into those that are compared, and back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Map {
    scale: Scale,
    sign: f64,
}

impl Map {
    pub(super) fn of(rule: &Rule) -> Self {
        let sign = match rule.judged.worse {
            Worse::Higher => 1.0,
            Worse::Lower => -1.0,
        };
        Self { scale: rule.judged.scale, sign }
    }

    /// A value on the scale of the judgement. Of a ratio, what lies below half of the resolution
    /// counts as that: zero has no logarithm, and the source cannot tell the two apart.
    pub(super) fn value(self, value: f64, resolution: f64) -> f64 {
        match self.scale {
            Scale::Ratio => self.sign * value.max(resolution / 2.0).max(f64::MIN_POSITIVE).ln(),
            Scale::Difference => self.sign * value,
        }
    }

    /// A margin on the scale of the judgement: a fraction, or in the unit.
    pub(super) fn margin(self, margin: f64) -> f64 {
        match self.scale {
            Scale::Ratio => margin.ln_1p(),
            Scale::Difference => margin,
        }
    }

    /// A shift on the scale of the judgement, as a fraction or in the unit; plus is more.
    pub(super) fn shift(self, shift: f64) -> f64 {
        match self.scale {
            Scale::Ratio => (self.sign * shift).exp_m1(),
            Scale::Difference => self.sign * shift,
        }
    }

    /// A margin as a fraction or in the unit again.
    fn declared(self, margin: f64) -> f64 {
        match self.scale {
            Scale::Ratio => margin.exp_m1(),
            Scale::Difference => margin,
        }
    }

    /// 1 where more is worse, else −1.
    pub(super) const fn direction(self) -> f64 {
        self.sign
    }

    /// As [`Map::shift`], of an interval.
    pub(super) fn interval(self, low: f64, high: f64) -> OpenInterval {
        let (low, high) = if self.sign < 0.0 { (high, low) } else { (low, high) };
        let end = |end: f64| end.is_finite().then(|| self.shift(end));
        OpenInterval { low: end(low), high: end(high) }
    }
}

/// The margin of a cell, a fraction or in the unit: the declared one, but never less than what
/// the measurement can show there.
fn margin_of(rule: &Rule, baseline_median: f64, resolution: f64) -> f64 {
    let shown = match rule.judged.scale {
        Scale::Ratio if baseline_median.abs() > 0.0 => resolution / baseline_median.abs(),
        Scale::Ratio => 0.0,
        Scale::Difference => resolution,
    };
    rule.margin.max(shown)
}

impl CellEffect {
    /// Two groups of values of one cell; `None` when either is empty.
    pub(super) fn of_groups(
        rule: &Rule,
        cell: &str,
        baseline: &Values,
        candidate: &Values,
    ) -> Option<Self> {
        if candidate.values.is_empty() {
            return None;
        }
        let map = Map::of(rule);
        let resolution = baseline.resolution.max(candidate.resolution);
        let scaled = |values: &Values| -> Vec<f64> {
            values.values.iter().map(|value| map.value(*value, resolution)).collect()
        };
        Some(Self {
            cell: cell.to_owned(),
            margin: map.margin(margin_of(rule, baseline.median()?, resolution)),
            data: Data::Groups { baseline: scaled(baseline), candidate: scaled(candidate) },
        })
    }

    /// Pairs of one cell, baseline and candidate; `None` when there are none.
    pub(super) fn of_pairs(
        rule: &Rule,
        cell: &str,
        pairs: &[(f64, f64)],
        resolution: f64,
    ) -> Option<Self> {
        let map = Map::of(rule);
        let baseline: Vec<f64> = pairs.iter().map(|(baseline, _)| *baseline).collect();
        let median = crate::statistics::median::median(&baseline)?;
        let difference = |(baseline, candidate): &(f64, f64)| {
            map.value(*candidate, resolution) - map.value(*baseline, resolution)
        };
        Some(Self {
            cell: cell.to_owned(),
            margin: map.margin(margin_of(rule, median, resolution)),
            data: Data::Pairs(pairs.iter().map(difference).collect()),
        })
    }

    /// The margin on the scale of the judgement.
    pub(super) const fn margin(&self) -> f64 {
        self.margin
    }

    /// The margin as a fraction or in the unit.
    pub(super) fn declared(&self, map: Map) -> f64 {
        map.declared(self.margin)
    }

    /// Values on both sides.
    pub(super) fn n(&self) -> Sides<u32> {
        let count = |values: &[f64]| u32::try_from(values.len()).unwrap_or(u32::MAX);
        match &self.data {
            Data::Groups { baseline, candidate } => {
                Sides { baseline: count(baseline), candidate: count(candidate) }
            }
            Data::Pairs(pairs) => Sides { baseline: count(pairs), candidate: count(pairs) },
        }
    }

    /// Cliff's delta for groups; for pairs the share of greater less that of smaller ones.
    pub(super) fn cliffs_delta(&self) -> f64 {
        match &self.data {
            Data::Groups { baseline, candidate } => {
                crate::statistics::effect::cliffs_delta(baseline, candidate).unwrap_or(0.0)
            }
            Data::Pairs(pairs) => {
                let signs: f64 = pairs
                    .iter()
                    .map(|difference| {
                        f64::from(i8::from(*difference > 0.0) - i8::from(*difference < 0.0))
                    })
                    .sum();
                signs / pairs.len() as f64
            }
        }
    }
}

/// The rank test of these cells together against a hypothesis at their margins: `greater` speaks
/// for worse than that, `less` for better. `None` without cells.
pub(super) fn test(cells: &[CellEffect], against: Against) -> Option<RankTest> {
    let mut pairs = Vec::new();
    let mut groups: Vec<(&[f64], Vec<f64>)> = Vec::new();
    for cell in cells {
        let at = against.at(cell.margin);
        match &cell.data {
            Data::Groups { baseline, candidate } => {
                groups.push((baseline, candidate.iter().map(|value| value - at).collect()));
            }
            Data::Pairs(differences) => pairs.extend(differences.iter().map(|d| d - at)),
        }
    }
    if pairs.is_empty() {
        let strata: Vec<Stratum<'_>> =
            groups.iter().map(|(baseline, candidate)| Stratum { baseline, candidate }).collect();
        rank_sum::stratified(&strata)
    } else {
        signed_rank::test(&pairs)
    }
}

/// The shift over these cells, for the worse, on the scale of the judgement.
pub(super) fn shift_of(cells: &[CellEffect], confidence: f64) -> Option<Shift> {
    let mut pairs = Vec::new();
    let mut strata = Vec::new();
    for cell in cells {
        match &cell.data {
            Data::Groups { baseline, candidate } => strata.push(Stratum { baseline, candidate }),
            Data::Pairs(differences) => pairs.extend_from_slice(differences),
        }
    }
    if pairs.is_empty() {
        shift::stratified(&strata, confidence)
    } else {
        shift::paired(&pairs, confidence)
    }
}

impl Effect {
    /// Of no cell yet.
    pub(super) const fn new(rule: Rule) -> Self {
        let (in_baseline, in_candidate) = (false, false);
        Self { rule, unit: String::new(), cells: Vec::new(), in_baseline, in_candidate }
    }

    /// Whether trials are compared with one of their own block each.
    pub(super) fn is_paired(&self) -> bool {
        self.cells.iter().any(|cell| matches!(cell.data, Data::Pairs(_)))
    }

    /// Values on both sides, over all cells.
    pub(super) fn n(&self) -> Sides<u32> {
        let mut n = Sides::default();
        for cell in &self.cells {
            n.baseline += cell.n().baseline;
            n.candidate += cell.n().candidate;
        }
        n
    }

    /// The mean margin of the cells, on the scale of the judgement.
    pub(super) fn mean_margin(&self) -> f64 {
        self.cells.iter().map(CellEffect::margin).sum::<f64>() / self.cells.len() as f64
    }
}
