//! The standard normal distribution.

use std::f64::consts::PI;

/// Beyond this distance from the middle the continued fraction converges faster than the series
/// and keeps its relative precision.
const FAR: f64 = 2.5;

/// Density at `x`.
fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * PI).sqrt()
}

/// Probability of a value of at most `x`, with a relative error of about 1e-13 in both tails.
/// `NaN` of `NaN`.
///
/// Near the middle by the series of Abramowitz and Stegun 26.2.11, else by the continued fraction
/// 26.2.14.
#[must_use]
pub fn cdf(x: f64) -> f64 {
    if x.is_nan() {
        f64::NAN
    } else if x < -FAR {
        beyond(-x)
    } else if x > FAR {
        1.0 - beyond(x)
    } else {
        let (mut term, mut sum, mut odd) = (x, x, 1.0);
        while term.abs() > 1e-18 * sum.abs() {
            odd += 2.0;
            term *= x * x / odd;
            sum += term;
        }
        0.5 + sum * density(x)
    }
}

/// Probability of a value above `x`, for an `x` well above 0.
fn beyond(x: f64) -> f64 {
    // 1 / (x + 1 / (x + 2 / (x + 3 / ...))), from the inside out.
    let fraction = (1..=120).rev().fold(x, |inner, k| x + f64::from(k) / inner);
    density(x) / fraction
}

/// The value below which a normal variable lies with probability `p`; infinite at 0 and 1, and
/// `NaN` outside of them.
///
/// A first guess by Abramowitz and Stegun 26.2.23, then Halley's rule on [`cdf`].
#[must_use]
pub fn quantile(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p > 0.5 {
        return -quantile(1.0 - p);
    }
    if p == 0.0 {
        return f64::NEG_INFINITY;
    }
    let t = (-2.0 * p.ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let mut x = above / below - t;
    for _ in 0..4 {
        let step = (cdf(x) - p) / density(x);
        if !step.is_finite() {
            break;
        }
        x -= step / (1.0 + 0.5 * x * step);
    }
    x
}

/// How many standard deviations to either side hold this much; `NaN` outside of 0..1.
#[must_use]
pub fn half_width(confidence: f64) -> f64 {
    quantile(f64::midpoint(1.0, confidence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ends_and_nonsense() {
        assert_eq!((cdf(f64::NEG_INFINITY), cdf(f64::INFINITY)), (0.0, 1.0));
        assert!(cdf(0.0) == 0.5 && quantile(0.5).abs() < 1e-17);
        assert_eq!((quantile(0.0), quantile(1.0)), (f64::NEG_INFINITY, f64::INFINITY));
        assert!(cdf(f64::NAN).is_nan() && quantile(-0.1).is_nan() && quantile(f64::NAN).is_nan());
        // The only place where the two ways to compute it meet.
        assert!((cdf(FAR.next_up()) - cdf(FAR)).abs() < 1e-15);
        assert!((cdf(-FAR) / cdf((-FAR).next_down()) - 1.0).abs() < 1e-13);
        assert!((half_width(0.95) - 1.959_963_984_540_054).abs() < 1e-14);
    }

    /// Simpson's rule over the density.
    fn by_quadrature(x: f64) -> f64 {
        let pieces = 20_000;
        let step = x / f64::from(pieces);
        let weight = |k: i32| if k == 0 || k == pieces { 1.0 } else { f64::from(2 + 2 * (k % 2)) };
        let sum: f64 = (0..=pieces).map(|k| weight(k) * density(f64::from(k) * step)).sum();
        0.5 + sum * step / 3.0
    }

    proptest! {
        #[test]
        fn is_the_integral_of_the_density(x in -6.0f64..6.0) {
            prop_assert!((cdf(x) - by_quadrature(x)).abs() < 1e-13);
        }

        #[test]
        fn the_quantile_is_the_inverse(logarithm in -300.0f64..-0.31) {
            let p = 10f64.powf(logarithm);
            prop_assert!((cdf(quantile(p)) / p - 1.0).abs() < 1e-11);
        }

        #[test]
        fn grows(x in -8.0f64..8.0, more in 1e-9f64..1.0) {
            prop_assert!(cdf(x) <= cdf(x + more));
        }
    }
}
