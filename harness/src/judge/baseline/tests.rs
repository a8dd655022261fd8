use super::*;
use crate::judge::{Context, Rules, Subject};
use crate::{fixture, metric};
use proptest::prelude::*;

/// A sample with every outcome.
fn of_fixture() -> Sample {
    Sample::of(&fixture::manifest(), &Rules::default(), &fixture::records())
}

/// What the text keeps of a sample.
fn kept(mut sample: Sample) -> Sample {
    for cell in sample.cells.values_mut() {
        cell.lost.clear();
    }
    sample
}

#[test]
fn what_is_written_reads_back() {
    let sample = of_fixture();
    let text = render(&sample);
    insta::assert_snapshot!(text);
    assert_eq!(parse("b.snap", &text).map_err(|report| report.to_string()), Ok(kept(sample)));
}

#[test]
fn a_snapshots_header_is_skipped_and_counted() {
    let text = format!("---\nsource: x.rs\nexpression: text\n---\n{}", render(&of_fixture()));
    assert_eq!(parse("b.snap", &text).map_err(|r| r.to_string()), Ok(kept(of_fixture())));
    let report = parse("b.snap", &text.replace("cpu_count: 2", "cpu_count: two"));
    let report = report.expect_err("two is no number");
    assert_eq!(report.problems[0].line, 12, "{report}");
}

#[test]
fn mistakes_are_told_with_their_place() {
    let good = render(&of_fixture());
    let mut shown = String::new();
    for (from, to) in [
        ("schema: 1", "schema: 9"),
        ("experiment: \"quick\"\n", ""),
        ("total_time:", "total_tiem:"),
        ("total_time: { unit: \"ms\"", "total_time: { unit: \"s\""),
        ("completed: 5", "completed: 1"),
        ("resolution: 1, values: [6", "resolution: -1, values: [9999, 6"),
        ("outcomes: {", "outcome: {"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from} is not in the text:\n{good}");
        let report = parse("baselines/b.snap", &bad).expect_err(from);
        let _ =
            std::fmt::Write::write_fmt(&mut shown, format_args!("{}\n", report.render(false, 100)));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn the_files_name_says_experiment_and_context() {
    let mut sample = of_fixture();
    let name = file_name(&sample);
    sample.subject.kernel = "other".to_owned();
    assert_eq!(file_name(&sample), name, "what may differ does not make another baseline");
    sample.context.cpu_count += 1;
    assert_ne!(file_name(&sample), name);
    sample.experiment = "../a b".to_owned();
    assert!(file_name(&sample).starts_with("..-a-b--"), "{}", file_name(&sample));
}

fn word() -> impl Strategy<Value = String> {
    "[ -~äß→\"\\\\]{0,12}"
}

prop_compose! {
    fn any_values(name: &'static str)(
        resolution in prop::sample::select(vec![0.0, 0.001, 0.013, 0.5, 1.0, 37.0, 61_162.8]),
        values in prop::collection::vec(-1e9f64..1e9, 1..8)
    ) -> (u32, CellSample) {
        let mut cell = CellSample::default();
        for value in &values {
            cell.add(name, *value, resolution, "");
        }
        cell.settle();
        (u32::try_from(values.len()).unwrap(), cell)
    }
}

prop_compose! {
    fn any_sample()(
        texts in prop::collection::vec(word(), 10),
        links in prop::collection::btree_map(word(), word(), 0..3),
        settings in prop::collection::btree_map(word(), word(), 0..3),
        cells in prop::collection::btree_map(
            word(),
            prop::sample::select(metric::JUDGED.to_vec())
                .prop_flat_map(|judged| any_values(judged.name)),
            0..4,
        ),
        cpu_count: u32,
    ) -> Sample {
        let text = |at: usize| texts[at].clone();
        Sample {
            experiment: text(0),
            context: Context {
                lab: text(1), accelerator: text(2), cpu_model: text(3), cpu_count, links,
                guest: text(4), guest_sha256: text(5), metrics: cpu_count / 2,
            },
            subject: Subject {
                programs: [(text(6), text(7))].into(), kernel: text(8), policy: text(9),
                settings, harness: text(0),
            },
            cells: cells.into_iter().map(|(id, (n, mut cell))| {
                cell.outcomes.insert(Outcome::Completed, n);
                (id, cell)
            }).collect(),
        }
    }
}

proptest! {
    #[test]
    fn any_sample_reads_back(sample in any_sample()) {
        let text = render(&sample);
        let again = parse("b.snap", &text).map_err(|report| format!("{report}\n{text}"));
        prop_assert_eq!(again, Ok(sample));
    }

    #[test]
    fn no_text_makes_it_panic(text in "(schema: 1\n|experiment: a\n|cells:|context: |---\n| \"a\":|\n  |[ -~]){0,20}") {
        if let Err(report) = parse("b.snap", &text) {
            prop_assert!(!report.render(false, 80).is_empty());
        }
    }
}
