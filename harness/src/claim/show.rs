//! Claims as people read them.

use super::{Claim, Direction, Tested};
use crate::report::{Style, escape, markdown_table, spell, wrap};

/// A line or two a claim, ending in a newline; empty without claims.
#[must_use]
pub fn text(tested: &[Tested], style: Style) -> String {
    if tested.is_empty() {
        return String::new();
    }
    let mut lines = vec![format!("Claims, {}:", how())];
    for tested in tested {
        let Claim { claim, .. } = &tested.claim;
        lines.push(format!(
            "- {}: {claim}: {}: {}",
            tested.found.words(),
            relation(&tested.claim),
            figure(tested)
        ));
    }
    let wrapped = lines.iter().map(|line| wrap(&spell(line, style), style.width, 2));
    wrapped.map(|text| format!("{}\n", text.trim_end())).collect()
}

/// A table, ending in a newline; empty without claims.
#[must_use]
pub fn markdown(tested: &[Tested]) -> String {
    if tested.is_empty() {
        return String::new();
    }
    let heads = ["claim", "tested as", "found", "τ with its interval"].map(str::to_owned);
    let rows: Vec<Vec<String>> = tested
        .iter()
        .map(|tested| {
            vec![
                escape(&tested.claim.claim),
                escape(&relation(&tested.claim)),
                tested.found.words().to_owned(),
                escape(&figure(tested)),
            ]
        })
        .collect();
    format!("Tested by {}.\n\n{}", how(), markdown_table(&heads, &[false; 4], &rows))
}

fn how() -> String {
    "Kendall's τ over the trials that completed, with its 95 % interval".to_owned()
}

fn relation(claim: &Claim) -> String {
    let way = match claim.direction {
        Direction::Grows => "grows",
        Direction::Falls => "falls",
    };
    let held = match claim.held.as_slice() {
        [] => String::new(),
        held => format!(" at equal {}", held.join(" and ")),
    };
    format!("{} {way} with {}{held}", claim.y, claim.x)
}

fn figure(tested: &Tested) -> String {
    tested.kendall.map_or_else(
        || format!("no two trials differ in both (n={})", tested.n),
        |kendall| {
            let interval = kendall.interval;
            format!(
                "τ {:+.2} [{:+.2}, {:+.2}], n={}",
                kendall.tau, interval.low, interval.high, tested.n
            )
        },
    )
}
