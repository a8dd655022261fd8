use super::*;
use crate::fixture;
use proptest::prelude::*;
use std::io::Write;

fn base() -> (tempfile::TempDir, Utf8PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(directory.path().join("runs")).unwrap();
    (directory, path)
}

fn now() -> jiff::Timestamp {
    "2026-11-22T12:46:37Z".parse().unwrap()
}

fn new_run(base: &Utf8Path) -> RunWriter {
    let run = RunFolder::create(base, "quick", now()).unwrap();
    run.write_manifest(&fixture::manifest()).unwrap();
    run
}

#[test]
fn names_hold_time_and_experiment_and_a_number_when_taken() {
    let (_directory, base) = base();
    let mut names = Vec::new();
    for _ in 0..11 {
        names.push(new_run(&base).folder().name().to_owned());
    }
    assert_eq!(names[0], "20261122T124637Z-quick");
    assert_eq!(names[1], "20261122T124637Z-quick-2");
    let listed: Vec<String> =
        RunFolder::list(&base).unwrap().iter().map(|run| run.name().to_owned()).collect();
    assert_eq!(listed, names);
    assert_eq!(RunFolder::latest(&base).unwrap().name(), "20261122T124637Z-quick-11");
    let odd = RunFolder::create(&base, "my/ex périment", now()).unwrap();
    assert_eq!(odd.folder().name(), "20261122T124637Z-my-ex-p-riment");
}

#[test]
fn what_is_not_a_run_is_not_listed() {
    let (_directory, base) = base();
    assert_eq!(RunFolder::list(&base).unwrap(), []);
    assert!(matches!(RunFolder::latest(&base), Err(Error::NoRuns { .. })));
    let unfinished = RunFolder::create(&base, "quick", now()).unwrap();
    fs::create_dir(base.join("notes")).unwrap();
    assert_eq!(RunFolder::list(&base).unwrap(), [], "a run without a manifest cannot be repeated");
    let error = RunFolder::open(unfinished.folder().path()).expect_err("no manifest");
    assert!(error.to_string().contains("it has no `manifest.json`"), "{error}");
}

#[test]
fn manifest_records_and_series_come_back() {
    let (_directory, base) = base();
    let mut run = new_run(&base);
    let records = fixture::records();
    let series = fixture::series();
    for record in &records {
        run.write_series(record.trial, &series).unwrap();
        run.append(record).unwrap();
    }
    let folder = RunFolder::open(run.folder().path()).unwrap();
    assert_eq!(folder.manifest().unwrap(), fixture::manifest());
    assert_eq!(folder.records().unwrap(), Records { records: records.clone(), warnings: vec![] });
    assert_eq!(folder.series(3).unwrap(), series);
    assert_eq!(&folder.finished().unwrap(), run.finished());
    assert_eq!(run.finished().len(), records.len());
    let hidden = fs::read_dir(folder.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().as_encoded_bytes().starts_with(b"."))
        .count();
    assert_eq!(hidden, 0, "temporary files are left behind");
}

#[test]
fn a_second_writer_is_refused_and_a_reader_is_not() {
    let (_directory, base) = base();
    let mut run = new_run(&base);
    run.append(&fixture::completed(0, 5000)).unwrap();
    let folder = run.folder().clone();
    let error = folder.clone().writer().expect_err("locked");
    assert!(error.to_string().starts_with("another harness is writing to "), "{error}");
    assert_eq!(folder.records().unwrap().records.len(), 1);
    drop(run);
    folder.writer().expect("the lock goes with its holder");
}

#[test]
fn a_trial_is_recorded_once() {
    let (_directory, base) = base();
    let mut run = new_run(&base);
    run.append(&fixture::completed(4, 5000)).unwrap();
    let error = run.append(&fixture::completed(4, 5000)).expect_err("twice");
    assert_eq!(error.to_string(), "trial 4 of this run is already recorded");
    assert_eq!(run.folder().records().unwrap().records.len(), 1);
}

#[test]
fn a_damaged_line_in_the_middle_is_told_and_the_others_are_read() {
    let (_directory, base) = base();
    let mut run = new_run(&base);
    run.append(&fixture::completed(0, 5000)).unwrap();
    append_raw(run.folder(), b"{\"schema\":1,\"run\":7}\n");
    let folder = run.folder().clone();
    drop(run);
    let mut run = folder.clone().writer().unwrap();
    run.append(&fixture::completed(1, 5000)).unwrap();
    let read = folder.records().unwrap();
    assert_eq!(read.records.len(), 2);
    assert_eq!(read.warnings.len(), 1);
    assert!(read.warnings[0].starts_with("line 2 of records.jsonl is not a record"), "{read:?}");
}

#[test]
fn another_schema_is_refused_by_name() {
    let (_directory, base) = base();
    let run = new_run(&base);
    append_raw(run.folder(), b"{\"schema\":2,\"all\":\"different\"}\n");
    let error = run.folder().records().expect_err("schema 2");
    assert!(
        error.to_string().ends_with("records.jsonl has schema 2, this program reads schema 1"),
        "{error}"
    );
}

#[test]
fn a_record_that_lost_only_its_newline_counts() {
    let (_directory, base) = base();
    let mut run = new_run(&base);
    run.append(&fixture::completed(0, 5000)).unwrap();
    let folder = run.folder().clone();
    drop(run);
    let path = folder.records_path();
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let mut run = folder.clone().writer().unwrap();
    assert_eq!(run.warnings(), [] as [&str; 0]);
    run.append(&fixture::completed(1, 5000)).unwrap();
    let read = folder.records().unwrap();
    assert_eq!((read.records.len(), read.warnings.len()), (2, 0));
}

fn append_raw(folder: &RunFolder, bytes: &[u8]) {
    fs::OpenOptions::new()
        .append(true)
        .open(folder.records_path())
        .unwrap()
        .write_all(bytes)
        .unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// A crash at any byte of the last line: the records before it are read, it is told, and the
    /// next append is whole.
    #[test]
    fn a_torn_last_line_costs_only_its_own_trial(part in 0.0f64..1.0, zeros in 0usize..3) {
        let (_directory, base) = base();
        let mut run = new_run(&base);
        run.append(&fixture::completed(0, 5000)).unwrap();
        let folder = run.folder().clone();
        let whole = fs::read(folder.records_path()).unwrap().len();
        run.append(&fixture::not_converged(1, 20_000)).unwrap();
        drop(run);
        let bytes = fs::read(folder.records_path()).unwrap();
        let line = bytes.len() - whole;
        // At least its closing brace and its newline are lost.
        let torn = whole + 1 + ((line - 3) as f64 * part) as usize;
        let mut left = bytes[..torn].to_vec();
        left.extend(std::iter::repeat_n(0, zeros));
        fs::write(folder.records_path(), &left).unwrap();

        let read = folder.records().unwrap();
        prop_assert_eq!(read.records.len(), 1);
        prop_assert_eq!(read.warnings.len(), 1);
        prop_assert!(read.warnings[0].contains("is incomplete"));
        let mut run = folder.clone().writer().unwrap();
        prop_assert!(run.warnings()[0].starts_with("removed an incomplete last line"));
        prop_assert!(!run.finished().contains(&1));
        run.append(&fixture::not_converged(1, 20_000)).unwrap();
        let read = folder.records().unwrap();
        prop_assert_eq!(read.records.len(), 2);
        prop_assert_eq!(read.warnings, Vec::<String>::new());
    }
}
