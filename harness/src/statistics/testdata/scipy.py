"""Makes scipy.json: samples, and what scipy and statsmodels say of them.

    python3 -m venv venv
    venv/bin/pip install scipy==1.17.1 numpy==2.4.6 statsmodels==0.15.0
    venv/bin/python scipy.py > scipy.json          # in this folder, about a minute

Made with Python 3.11.7 and these versions; the same command gives the same file.

Where there is no ready function:
- Exact p with ties: `permutation_test` over all permutations, and for signed ranks `wilcoxon` with a
  `PermutationMethod` over all signs.
- Several strata: the strata's null distributions by `permutation_test`, summed pair by pair.
- Intervals of shifts: the shifts that `mannwhitneyu` and `wilcoxon` (exact) do not reject, found by
  testing between every two neighbouring differences or averages.
- Equivalence: the one-sided tests on shifted samples.
"""

# The folder of this script holds a file called scipy.py, which must not be taken for the library.
import sys

sys.path.pop(0)

import json

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

RANDOM = np.random.default_rng(20261122)
SIDES = ("less", "greater", "two-sided")


def numbers(values):
    return [float(value) for value in values]


def scattered(n, shift=0.0):
    return numbers(np.round(RANDOM.normal(20 + shift, 3, n), 9))


def whole(n, spread=2.0, shift=0.0):
    return numbers(np.round(RANDOM.normal(shift, spread, n)))


def p_of(test):
    less, greater, two_sided = (float(test(side).pvalue) for side in SIDES)
    return {"less": less, "greater": greater, "two_sided": two_sided}


def u(baseline, candidate):
    return float(stats.mannwhitneyu(candidate, baseline).statistic)


def mann_whitney(baseline, candidate, method):
    # Scipy's exact distribution is wrong with ties.
    assert method != "exact" or len(set(baseline + candidate)) == len(baseline + candidate)

    def test(side):
        return stats.mannwhitneyu(candidate, baseline, alternative=side, method=method)

    case = {"baseline": baseline, "candidate": candidate, "statistic": u(baseline, candidate)}
    return case | p_of(test) | {"exact": method == "exact"}


def all_deals(baseline, candidate):
    def statistic(candidate, baseline, axis):
        above = candidate[..., :, None] > baseline[..., None, :]
        same = candidate[..., :, None] == baseline[..., None, :]
        return (above + same / 2).sum((-1, -2))

    return stats.permutation_test(
        (np.array(candidate), np.array(baseline)),
        statistic,
        vectorized=True,
        n_resamples=np.inf,
        batch=10_000,
    ).null_distribution


def shares(null, observed):
    less, greater = np.mean(null <= observed + 1e-9), np.mean(null >= observed - 1e-9)
    two_sided = min(1.0, 2 * min(less, greater))
    return {"less": float(less), "greater": float(greater), "two_sided": float(two_sided)}


def with_ties(baseline, candidate):
    observed = u(baseline, candidate)
    case = {"baseline": baseline, "candidate": candidate, "statistic": observed, "exact": True}
    return case | shares(all_deals(baseline, candidate), observed)


def stratified(strata):
    null, observed = np.zeros(1), 0.0
    for baseline, candidate in strata:
        null = np.add.outer(null, all_deals(baseline, candidate)).ravel()
        observed += u(baseline, candidate)
    return {"strata": strata, "statistic": observed, "exact": True} | shares(null, observed)


def stratified_shift(strata, confidence):
    """The exact null of each stratum, as if without ties, from its ranks alone."""
    null = np.zeros(1)
    for baseline, candidate in strata:
        n, m = len(baseline), len(candidate)
        null = np.add.outer(null, all_deals(list(range(n)), list(range(n, n + m)))).ravel()
    pairs = [np.subtract.outer(candidate, baseline).ravel() for baseline, candidate in strata]
    pairs = np.sort(np.concatenate(pairs))

    def p(below):
        # The statistic at a shift with so many differences below it.
        return shares(null, len(pairs) - below)["two_sided"]

    return {"strata": strata, "asked": confidence} | accepted(pairs, p, confidence)


def accepted(sorted_pairs, p, confidence):
    """The shifts with p above 1 - confidence; p by how many of the pairs lie below the shift."""
    kept = [below for below in range(len(sorted_pairs) + 1) if p(below) > 1 - confidence + 1e-12]
    low, high = sorted_pairs[kept[0] - 1], sorted_pairs[kept[-1]]
    attained = 1 - p(kept[0] - 1)
    estimate = np.median(sorted_pairs)
    return {
        "estimate": float(estimate),
        "low": float(low),
        "high": float(high),
        "confidence": float(attained),
    }


def between(sorted_pairs, below):
    padded = np.concatenate([[sorted_pairs[0] - 1], sorted_pairs, [sorted_pairs[-1] + 1]])
    return (padded[below] + padded[below + 1]) / 2


def unpaired_shift(baseline, candidate, confidence):
    pairs = np.sort(np.subtract.outer(candidate, baseline).ravel())

    def p(below):
        moved = np.array(candidate) - between(pairs, below)
        return float(stats.mannwhitneyu(moved, baseline, method="exact").pvalue)

    case = {"baseline": baseline, "candidate": candidate, "asked": confidence}
    return case | accepted(pairs, p, confidence)


def paired_shift(differences, confidence):
    values = np.array(differences)
    at = np.triu_indices(len(values))
    pairs = np.sort((values[at[0]] + values[at[1]]) / 2)

    def p(below):
        return float(stats.wilcoxon(values - between(pairs, below), method="exact").pvalue)

    return {"differences": differences, "asked": confidence} | accepted(pairs, p, confidence)


def signed_rank(differences, method):
    exact = method != "asymptotic"

    def test(side):
        return stats.wilcoxon(
            differences,
            zero_method="pratt",
            correction=not exact,
            alternative=side,
            method=method,
        )

    statistic = float(test("greater").statistic)
    return {"differences": differences, "statistic": statistic, "exact": exact} | p_of(test)


def kendall(x, y, method):
    tau = float(stats.kendalltau(x, y).statistic)
    score = sum(np.sign(x[i] - x[j]) * np.sign(y[i] - y[j]) for i in range(len(x)) for j in range(i))
    case = {"x": x, "y": y, "tau": tau, "statistic": float(score), "exact": method != "asymptotic"}
    if method != "permutations":
        return case | p_of(lambda side: stats.kendalltau(x, y, method=method, alternative=side))
    xs = np.sign(np.subtract.outer(x, x))

    def statistic(y, axis):
        return (xs * np.sign(y[..., :, None] - y[..., None, :])).sum((-1, -2)) / 2

    null = stats.permutation_test(
        (np.array(y),),
        statistic,
        permutation_type="pairings",
        vectorized=True,
        n_resamples=np.inf,
        batch=10_000,
    ).null_distribution
    return case | shares(null, score)


def equivalence(baseline, candidate, low, high):
    def p(shift, side):
        moved = np.array(candidate) - shift
        return float(stats.mannwhitneyu(moved, baseline, alternative=side, method="exact").pvalue)

    case = {"baseline": baseline, "candidate": candidate, "low": low, "high": high}
    return case | {"above_low": p(low, "greater"), "below_high": p(high, "less")}


def paired_equivalence(differences, low, high):
    def p(shift, side):
        moved = np.array(differences) - shift
        return float(stats.wilcoxon(moved, alternative=side, method="exact").pvalue)

    case = {"differences": differences, "low": low, "high": high}
    return case | {"above_low": p(low, "greater"), "below_high": p(high, "less")}


def median(values, confidence):
    result = stats.quantile_test(values, q=np.median(values), p=0.5)
    interval = result.confidence_interval(confidence_level=confidence)
    index = sorted(values).index(interval.low) + 1
    coins = stats.binom(len(values), 0.5)
    return {
        "values": values,
        "asked": confidence,
        "median": float(np.median(values)),
        "low": float(interval.low),
        "high": float(interval.high),
        "confidence": float(1 - 2 * coins.cdf(index - 1)),
    }


def wilson(successes, trials, confidence):
    ends = stats.binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    again = proportion_confint(successes, trials, 1 - confidence, method="wilson")
    assert np.allclose(ends, again, rtol=1e-12), "scipy and statsmodels differ"
    case = {"successes": successes, "trials": trials, "asked": confidence}
    return case | {"low": float(ends.low), "high": float(ends.high)}


def fisher(a, n, b, m):
    table = [[b, m - b], [a, n - a]]
    case = {"baseline": {"successes": a, "trials": n}, "candidate": {"successes": b, "trials": m}}
    return case | p_of(lambda side: stats.fisher_exact(table, alternative=side))


def adjusted(p):
    holm = multipletests(p, method="holm")[1]
    rate = stats.false_discovery_control(p, method="bh")
    assert np.allclose(rate, multipletests(p, method="fdr_bh")[1]), "scipy and statsmodels differ"
    return {"p": p, "holm": numbers(holm), "benjamini_hochberg": numbers(rate)}


def main():
    every_sign = stats.PermutationMethod(n_resamples=np.inf)
    levels = numbers(np.repeat([256, 512, 1024], 3))
    x = numbers([-37.5, -12, -8.3, -5, -3, -2.5, -1, -0.1, 0, 1e-9, 0.3, 1, 2.4, 2.6, 3, 7, 8.2])
    p = numbers([1e-300, 1e-100, 1e-30, 1e-9, 0.001, 0.02425, 0.025, 0.3, 0.5, 0.8, 0.975, 0.999999])
    data = {
        "normal": {
            "x": x,
            "cdf": numbers(stats.norm.cdf(x)),
            "p": p,
            "quantile": numbers(stats.norm.ppf(p)),
        },
        "median": [
            median(scattered(n), confidence)
            for n, confidence in [(6, 0.95), (9, 0.9), (10, 0.95), (25, 0.99), (60, 0.95), (501, 0.9)]
        ],
        "rank_sum": [
            # The example that statrs 0.19 gets wrong: U = 2 of samples of 5.
            mann_whitney([1.0, 2.0, 3.0, 5.0, 6.0], [4.0, 7.0, 8.0, 9.0, 10.0], "exact"),
            mann_whitney(scattered(3), scattered(4), "exact"),
            mann_whitney(scattered(12), scattered(9, 2), "exact"),
            mann_whitney(scattered(30), scattered(25, -1), "exact"),
            mann_whitney(scattered(60), scattered(70, 1), "exact"),
            with_ties(whole(5), whole(6)),
            with_ties(whole(8), whole(8, shift=2)),
            with_ties(whole(9, 0.5), whole(7, 0.5)),
            mann_whitney(whole(300, 40), whole(250, 40, 4), "asymptotic"),
            mann_whitney(whole(400, 0.6), whole(200, 0.6), "asymptotic"),
            mann_whitney(scattered(290), scattered(310, 0.5), "asymptotic"),
        ],
        "stratified": [
            stratified([[whole(4), whole(4)], [scattered(3), scattered(5, 1)]]),
            stratified([[whole(4), whole(4, shift=1)], [whole(3), whole(4)], [whole(3), whole(3)]]),
            stratified([[scattered(4), scattered(4)], [scattered(5), scattered(4, 3)]]),
        ],
        "unpaired_shift": [
            unpaired_shift(scattered(5), scattered(6, 2), 0.9),
            unpaired_shift(scattered(10), scattered(10, 4), 0.95),
            unpaired_shift(scattered(14), scattered(9), 0.99),
        ],
        "stratified_shift": [
            stratified_shift([[scattered(4), scattered(4, 2)], [scattered(5), scattered(4, 2)]], 0.9),
            stratified_shift([[whole(5), whole(5, 2)], [whole(4), whole(4, 2)]], 0.95),
        ],
        "paired_shift": [
            paired_shift(scattered(7), 0.9),
            paired_shift(scattered(12, -19), 0.95),
        ],
        "signed_rank": [
            signed_rank(scattered(6, -20), "exact"),
            signed_rank(scattered(25, -19), "exact"),
            signed_rank(scattered(49, -19), "exact"),
            signed_rank(whole(9), every_sign),
            signed_rank(whole(12, 1.5, 1), every_sign),
            signed_rank(whole(11, 1), every_sign),
            signed_rank(whole(400, 3, 0.2), "asymptotic"),
            signed_rank(scattered(500, -19.9), "asymptotic"),
        ],
        "kendall": [
            kendall(scattered(4), scattered(4), "exact"),
            kendall(scattered(9), scattered(9), "exact"),
            kendall(numbers(range(30)), numbers(np.arange(30) + RANDOM.normal(0, 9, 30)), "exact"),
            kendall(levels, numbers(np.sqrt(levels) + RANDOM.normal(0, 6, 9)), "permutations"),
            kendall(whole(12), whole(12), "asymptotic"),
            kendall(whole(80, 1), whole(80, 6), "asymptotic"),
            kendall(scattered(400), scattered(400), "asymptotic"),
        ],
        "cliffs_delta": [
            {
                "baseline": baseline,
                "candidate": candidate,
                # Somers' D of the values given the side is Cliff's delta.
                "delta": float(
                    stats.somersd(
                        [0] * len(baseline) + [1] * len(candidate), baseline + candidate
                    ).statistic
                ),
            }
            for baseline, candidate in [(whole(6), whole(7, shift=1)), (scattered(9), scattered(5))]
        ],
        "equivalence": [
            equivalence(scattered(10), scattered(10), -4.0, 4.0),
            equivalence(scattered(8), scattered(12, 1), -1.0, 2.5),
        ],
        "paired_equivalence": [
            paired_equivalence(scattered(9, -20), -3.0, 2.0),
            paired_equivalence(scattered(15, -19), -1.0, 2.0),
        ],
        "wilson": [
            wilson(successes, trials, confidence)
            for successes, trials, confidence in [
                (0, 10, 0.95),
                (10, 10, 0.95),
                (3, 5, 0.9),
                (37, 200, 0.99),
                (1, 100_000, 0.95),
            ]
        ],
        "fisher": [
            fisher(0, 10, 3, 10),
            fisher(3, 10, 9, 10),
            fisher(5, 40, 4, 17),
            fisher(500, 2000, 560, 1900),
            fisher(0, 5, 0, 7),
            fisher(10, 10, 0, 10),
        ],
        "adjust": [
            adjusted([0.01, 0.04, 0.03, 0.005]),
            adjusted([0.5, 0.5, 0.9, 0.02, 0.02]),
            adjusted(numbers(RANDOM.uniform(0, 0.2, 20))),
            adjusted([0.7]),
        ],
    }
    json.dump(data, sys.stdout, separators=(",", ":"))
    print()


main()
