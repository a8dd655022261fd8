use super::*;
use crate::fixture;
use crate::report::Style;

fn claim(x: &str, y: &str, direction: Direction, held: &[&str]) -> Claim {
    let held = held.iter().map(|&name| name.to_owned()).collect();
    Claim { claim: format!("{y} follows {x}"), x: x.to_owned(), y: y.to_owned(), direction, held }
}

/// Trials whose touch rates are 1000, 2000, …, and whose times are these.
fn records(times: &[f64]) -> Vec<Record> {
    let one = |(number, &time): (usize, &f64)| {
        let number = u32::try_from(number).expect("few");
        let mut record = fixture::completed(number, 1000 * (number + 1));
        if let Some(Metric::Measured(measured)) = record.metrics.get_mut(metric::TOTAL_TIME) {
            measured.value = time;
        }
        record
    };
    times.iter().enumerate().map(one).collect()
}

const RISING: [f64; 8] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];

#[test]
fn a_claim_is_supported_contradicted_or_not_shown() {
    let found = |times: &[f64], direction| {
        let claims = [claim("touch_rate", "total_time", direction, &[])];
        Tests::of(&claims, &records(times))[0].found
    };
    assert_eq!(found(&RISING, Direction::Grows), Found::Supported);
    assert_eq!(found(&RISING, Direction::Falls), Found::Contradicted);
    let mixed = [1.0, 8.0, 2.0, 7.0, 3.0, 6.0, 4.0, 5.0];
    assert_eq!(found(&mixed, Direction::Grows), Found::NotShown);
    assert_eq!(found(&mixed, Direction::Falls), Found::NotShown);
    assert_eq!(found(&[1.0], Direction::Grows), Found::Untested);
}

#[test]
fn trials_are_compared_within_what_is_held_only() {
    // Within a memory size the time falls with the touch rate; the larger guests take longer.
    let mut trials = records(&[4.0, 3.0, 2.0, 1.0, 14.0, 13.0, 12.0, 11.0]);
    for record in &mut trials[4..] {
        record.settings.memory = lab::units::Bytes(record.settings.memory.0 * 2);
    }
    let test = |held: &[&str]| {
        let claims = [claim("touch_rate", "total_time", Direction::Grows, held)];
        Tests::of(&claims, &trials).remove(0)
    };
    let (free, held) = (test(&[]), test(&["memory"]));
    assert!(free.kendall.expect("pairs").tau > 0.0);
    assert_eq!(held.kendall.expect("pairs").tau, -1.0);
    assert_eq!((free.groups, held.groups, held.n), (1, 2, 8));
}

#[test]
fn what_did_not_complete_has_no_time() {
    let mut trials = records(&RISING);
    trials.push(fixture::not_converged(9, 9000));
    let claims = [claim("touch_rate", "total_time", Direction::Grows, &[])];
    assert_eq!(Tests::of(&claims, &trials)[0].n, 8);
}

#[test]
fn as_people_read_it() {
    let claims = [
        claim("touch_rate", "total_time", Direction::Grows, &["memory", "link_rate"]),
        claim("link_rate", "total_time", Direction::Falls, &[]),
    ];
    let tested = Tests::of(&claims, &records(&RISING));
    let style = Style { unicode: true, ..Style::PLAIN };
    insta::assert_snapshot!("text", text(&tested, style));
    insta::assert_snapshot!("markdown", markdown(&tested));
    assert_eq!(text(&[], style), "");
}

#[test]
fn claims_that_say_nothing_are_refused_where_they_stand() {
    let file = "\
name: claims
replicates: 2
claims:
  - { claim: a, x: stream_byte, y: totaltime, direction: grows, held: [linkrate, memory] }
  - { claim: b, x: pattern, y: rounds, direction: falls }
  - { claim: c, x: rounds, y: rounds, direction: grows }
  - { claim: d, x: memory, y: rounds, direction: grows, held: [memory] }
  - { claim: e, x: memory, y: rounds, direction: up }
";
    let report = |text: &str| {
        let report = crate::experiment::Experiment::parse("claims.yaml", text).expect_err("wrong");
        report.render(false, 100)
    };
    let known = file.lines().filter(|line| !line.contains("direction: up"));
    insta::assert_snapshot!("refused", report(&known.collect::<Vec<_>>().join("\n")));
    insta::assert_snapshot!("direction", report(file));
}
