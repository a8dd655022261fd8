//! p-values of several tests, adjusted for their number.
//!
//! Both take p-values in any order and answer in the same order. A `NaN` is a test that was not
//! made: it stays `NaN` and does not count.

/// Holm's: with these at most α, the chance of any false rejection is at most α, whatever the tests
/// have to do with each other (Holm 1979).
#[must_use]
pub fn holm(p: &[f64]) -> Vec<f64> {
    adjusted(p, |ascending| {
        let m = ascending.len();
        let mut least = 0.0f64;
        for (at, p) in ascending.iter_mut().enumerate() {
            least = least.max(*p * (m - at) as f64);
            *p = least.min(1.0);
        }
    })
}

/// Benjamini and Hochberg's: with these at most α, the expected share of false ones among the
/// rejections is at most α, for independent or positively related tests (1995).
#[must_use]
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    adjusted(p, |ascending| {
        let m = ascending.len();
        let mut most = 1.0f64;
        for (at, p) in ascending.iter_mut().enumerate().rev() {
            most = most.min(*p * m as f64 / (at + 1) as f64);
            *p = most;
        }
    })
}

/// Gives the numbers in ascending order to `adjust` and puts what it made of them back.
fn adjusted(p: &[f64], adjust: impl Fn(&mut [f64])) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).filter(|&at| !p[at].is_nan()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut ascending: Vec<f64> = order.iter().map(|&at| p[at]).collect();
    adjust(&mut ascending);
    let mut adjusted = vec![f64::NAN; p.len()];
    for (at, value) in order.into_iter().zip(ascending) {
        adjusted[at] = value;
    }
    adjusted
}
