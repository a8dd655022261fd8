//! The functions against scipy's and statsmodels' values. How those were made is in
//! `testdata/scipy.py`.

use super::super::equivalence::{self, Margin};
use super::super::proportion::{self, Count};
use super::super::rank_sum::{self, Stratum};
use super::super::signed_rank;
use super::super::{Interval, RankTest, adjust, effect, kendall, median, normal, shift};
use serde::Deserialize;
use std::collections::BTreeMap;

type Strata = Vec<(Vec<f64>, Vec<f64>)>;

/// One case; each kind has its own fields.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Case(BTreeMap<String, serde_json::Value>);

impl Case {
    fn get<T: serde::de::DeserializeOwned>(&self, name: &str) -> T {
        serde_json::from_value(self.0[name].clone()).unwrap()
    }

    fn values(&self, name: &str) -> Vec<f64> {
        self.get(name)
    }

    /// Both are the same but for rounding, small p relative to their size.
    fn is(&self, name: &str, found: f64) {
        let expected: f64 = self.get(name);
        let near = (found - expected).abs() <= 1e-15 + 1e-9 * expected.abs();
        assert!(near, "{name}: {found:e}, scipy says {expected:e}, of {self:?}");
    }

    fn is_test(&self, found: RankTest) {
        assert_eq!(found.exact, self.get::<bool>("exact"), "{self:?}");
        self.is("statistic", found.statistic);
        self.is("less", found.less);
        self.is("greater", found.greater);
        self.is("two_sided", found.two_sided);
    }

    fn is_interval(&self, found: Interval) {
        self.is("low", found.low);
        self.is("high", found.high);
        if self.0.contains_key("confidence") {
            self.is("confidence", found.confidence);
        }
    }

    fn is_shift(&self, found: shift::Shift) {
        self.is("estimate", found.estimate);
        self.is_interval(found.interval);
    }

    fn is_equivalence(&self, found: equivalence::Equivalence) {
        self.is("above_low", found.above_low);
        self.is("below_high", found.below_high);
    }

    fn margin(&self) -> Margin {
        Margin { low: self.get("low"), high: self.get("high") }
    }
}

fn data() -> BTreeMap<String, serde_json::Value> {
    serde_json::from_str(include_str!("../testdata/scipy.json")).unwrap()
}

fn each(kind: &str, least: usize, check: impl Fn(&Case)) {
    let cases: Vec<Case> = serde_json::from_value(data()[kind].clone()).unwrap();
    assert!(cases.len() >= least, "only {} of {kind}", cases.len());
    cases.iter().for_each(check);
}

fn strata(owned: &Strata) -> Vec<Stratum<'_>> {
    owned.iter().map(|(baseline, candidate)| Stratum { baseline, candidate }).collect()
}

#[test]
fn the_normal_distribution() {
    let case: Case = serde_json::from_value(data()["normal"].clone()).unwrap();
    let near = |found: f64, expected: f64| {
        assert!((found / expected - 1.0).abs() < 2e-12, "{found:e} {expected:e}");
    };
    for (x, expected) in case.values("x").into_iter().zip(case.values("cdf")) {
        near(normal::cdf(x), expected);
    }
    for (p, expected) in case.values("p").into_iter().zip(case.values("quantile")) {
        assert!((normal::quantile(p) - expected).abs() < 1e-12 * (1.0 + expected.abs()));
    }
}

#[test]
fn medians() {
    each("median", 5, |case| {
        let values = case.values("values");
        case.is("median", median::median(&values).unwrap());
        case.is_interval(median::interval(&values, case.get("asked")).unwrap());
    });
}

#[test]
fn rank_sums() {
    each("rank_sum", 8, |case| {
        let (baseline, candidate) = (case.values("baseline"), case.values("candidate"));
        case.is_test(rank_sum::test(&baseline, &candidate).unwrap());
    });
    each("stratified", 3, |case| {
        case.is_test(rank_sum::stratified(&strata(&case.get("strata"))).unwrap());
    });
    // The example that statrs 0.19 gets wrong.
    let (a, b) = ([1.0, 2.0, 3.0, 5.0, 6.0], [4.0, 7.0, 8.0, 9.0, 10.0]);
    let found = rank_sum::test(&b, &a).unwrap();
    assert!(found.statistic == 2.0 && (found.two_sided - 8.0 / 252.0).abs() < 1e-15);
}

#[test]
fn signed_ranks() {
    each("signed_rank", 8, |case| {
        case.is_test(signed_rank::test(&case.values("differences")).unwrap());
    });
}

#[test]
fn shifts() {
    each("unpaired_shift", 3, |case| {
        let (baseline, candidate) = (case.values("baseline"), case.values("candidate"));
        case.is_shift(shift::unpaired(&baseline, &candidate, case.get("asked")).unwrap());
    });
    each("stratified_shift", 2, |case| {
        let owned = case.get("strata");
        case.is_shift(shift::stratified(&strata(&owned), case.get("asked")).unwrap());
    });
    each("paired_shift", 2, |case| {
        case.is_shift(shift::paired(&case.values("differences"), case.get("asked")).unwrap());
    });
}

#[test]
fn effects() {
    each("cliffs_delta", 2, |case| {
        let (baseline, candidate) = (case.values("baseline"), case.values("candidate"));
        case.is("delta", effect::cliffs_delta(&baseline, &candidate).unwrap());
    });
    each("kendall", 6, |case| {
        let found = kendall::tau(&case.values("x"), &case.values("y"), 0.95).unwrap();
        case.is("tau", found.tau);
        case.is_test(found.test);
    });
}

#[test]
fn equivalences() {
    each("equivalence", 2, |case| {
        let (baseline, candidate) = (case.values("baseline"), case.values("candidate"));
        case.is_equivalence(equivalence::unpaired(&baseline, &candidate, case.margin()).unwrap());
    });
    each("paired_equivalence", 2, |case| {
        let differences = case.values("differences");
        case.is_equivalence(equivalence::paired(&differences, case.margin()).unwrap());
    });
}

#[test]
fn proportions() {
    each("wilson", 5, |case| {
        let (successes, trials) = (case.get("successes"), case.get("trials"));
        case.is_interval(proportion::wilson(successes, trials, case.get("asked")).unwrap());
    });
    each("fisher", 6, |case| {
        let (baseline, candidate) = (case.get::<Count>("baseline"), case.get("candidate"));
        let found = proportion::fisher(baseline, candidate).unwrap();
        case.is("less", found.less);
        case.is("greater", found.greater);
        case.is("two_sided", found.two_sided);
    });
}

#[test]
fn adjusted_p() {
    each("adjust", 4, |case| {
        let p = case.values("p");
        let near = |found: Vec<f64>, name: &str| {
            let pairs = found.into_iter().zip(case.values(name));
            assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-14), "{name} of {case:?}");
        };
        near(adjust::holm(&p), "holm");
        near(adjust::benjamini_hochberg(&p), "benjamini_hochberg");
    });
}
