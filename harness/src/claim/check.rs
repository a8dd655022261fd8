//! Claims that say nothing.

use super::{Claim, quantities};
use crate::{experiment::NAMES, metric};
use lab::yaml::{Parsed, Problem, did_you_mean, one_of};

/// What is wrong with the claims that lie at `key` of a file.
pub fn problems<T>(parsed: &Parsed<T>, key: &str, claims: &[Claim]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let metrics = || metric::every().map(|definition| definition.name);
    for (index, claim) in claims.iter().enumerate() {
        let index = index.to_string();
        let at = |field: &'static str| [key, index.as_str(), field];
        if metric::definition(&claim.y).is_none() {
            let problem = parsed.problem(&at("y"), format!("there is no metric `{}`", claim.y));
            problems.push(problem.hint(guess(&claim.y, metrics(), "a claim is about a metric")));
        }
        if metric::definition(&claim.x).is_none() && !quantities().contains(claim.x.as_str()) {
            let problem = if NAMES.contains(&claim.x.as_str()) {
                parsed
                    .problem(
                        &at("x"),
                        format!("levels of `{}` are words, and cannot grow", claim.x),
                    )
                    .hint("name a metric, or a factor whose levels are quantities")
            } else {
                let known = metrics().chain(quantities());
                parsed
                    .problem(&at("x"), format!("there is no metric or factor `{}`", claim.x))
                    .hint(guess(&claim.x, known, "name a metric, or a factor with quantities"))
            };
            problems.push(problem);
        }
        if claim.x == claim.y {
            problems.push(parsed.problem(&at("x"), "everything grows with itself"));
        }
        for (number, held) in claim.held.iter().enumerate() {
            let number = number.to_string();
            let at = [key, index.as_str(), "held", number.as_str()];
            if !NAMES.contains(&held.as_str()) {
                let problem = parsed.problem(&at, format!("there is no factor `{held}`"));
                problems.push(problem.hint(guess(held, NAMES.iter().copied(), &one_of(NAMES))));
            } else if *held == claim.x {
                problems.push(
                    parsed
                        .problem(&at, format!("`{held}` is held, so nothing can grow with it"))
                        .hint("hold the other factors"),
                );
            }
        }
    }
    problems
}

fn guess(name: &str, known: impl Iterator<Item = &'static str>, otherwise: &str) -> String {
    did_you_mean(name, known)
        .map_or_else(|| otherwise.to_owned(), |meant| format!("did you mean `{meant}`?"))
}
