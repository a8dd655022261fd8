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
    assert!(error.to_string().contains("ended before it began"), "{error}");
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
    let whole = Records { records: records.clone(), faults: Faults::default() };
    assert_eq!(folder.records().unwrap(), whole);
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
    let lines = read.faults.lines(None);
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with("records.jsonl:2:19: not a record"), "{read:?}");
}

#[test]
fn another_schema_is_told_and_never_measured_again() {
    let (_directory, base) = base();
    let mut run = new_run(&base);
    run.append(&fixture::completed(0, 5000)).unwrap();
    append_raw(run.folder(), b"{\"schema\":2,\"all\":\"different\"}\n");
    let folder = run.folder().clone();
    drop(run);
    let read = folder.records().unwrap();
    assert_eq!(read.records.len(), 1);
    assert_eq!(
        read.faults.lines(None),
        ["records.jsonl:2: a record with schema 2, and not counted: this program reads schema 1"]
    );
    let before = fs::read(folder.records_path()).unwrap();
    let error = folder.clone().writer().expect_err("its trials would run again");
    assert!(error.to_string().contains("records.jsonl:2: a record with schema 2"), "{error}");
    assert_eq!(fs::read(folder.records_path()).unwrap(), before);
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
    assert_eq!((read.records.len(), read.faults.is_empty()), (2, true));
}

/// Whatever stands at the end without a newline, it must not swallow the next record.
#[test]
fn a_record_never_joins_a_line_without_end() {
    for rest in [300, 300_000, 3_000_000] {
        let (_directory, base) = base();
        let mut run = new_run(&base);
        run.append(&fixture::completed(0, 5000)).unwrap();
        append_raw(run.folder(), "x".repeat(rest).as_bytes());
        let folder = run.folder().clone();
        drop(run);
        let mut run = folder.clone().writer().unwrap();
        run.append(&fixture::completed(1, 5000)).unwrap();
        let read = folder.records().unwrap();
        assert_eq!((read.records.len(), read.faults.is_empty()), (2, true), "{rest}");
    }
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
        prop_assert!(!read.faults.is_damage());
        let told = read.faults.lines(None);
        prop_assert!(told.len() == 1 && told[0].contains("is incomplete"), "{told:?}");
        let mut run = folder.clone().writer().unwrap();
        prop_assert!(run.warnings()[0].starts_with("removed an incomplete last line"));
        prop_assert!(!run.finished().contains(&1));
        run.append(&fixture::not_converged(1, 20_000)).unwrap();
        let read = folder.records().unwrap();
        prop_assert_eq!(read.records.len(), 2);
        prop_assert!(read.faults.is_empty());
    }
}

#[test]
fn what_is_wrong_with_a_series_is_said() {
    let (_directory, base) = base();
    let run = new_run(&base);
    for trial in 0..4 {
        run.write_series(trial, &fixture::series()).unwrap();
    }
    let folder = run.folder();
    let whole = fs::read(folder.series_path(0)).unwrap();
    fs::write(folder.series_path(0), &whole[..whole.len() / 2]).unwrap();
    fs::write(folder.series_path(1), "nothing packed").unwrap();
    let packed = |text: &str| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(text.as_bytes()).unwrap();
        packer.finish().unwrap()
    };
    fs::write(folder.series_path(2), packed("{\"schema\":7}")).unwrap();
    fs::write(folder.series_path(3), packed("{\"schema\":1,\"samples\":3}")).unwrap();
    let told: Vec<String> =
        (0..5).map(|trial| folder.series(trial).expect_err("broken").to_string()).collect();
    let told = told.join("\n\n").replace(base.as_str(), "runs");
    insta::assert_snapshot!("series", told);
}

/// The lines of the committed run, with their newlines.
fn real_lines() -> Vec<Vec<u8>> {
    let packed =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/precopy-2026-11-22/records.jsonl.gz");
    let mut text = Vec::new();
    let packed = File::open(packed).unwrap();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut text).unwrap();
    text.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// What must be read of a text: every line that is a record, the first of each trial, of the
/// first one's run.
fn readable(text: &[u8]) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    for line in text.split(|&byte| byte == b'\n') {
        let Ok(record) = serde_json::from_slice::<Record>(line) else { continue };
        let same_run = records.first().is_none_or(|first| first.run == record.run);
        let known = records.iter().any(|other| other.trial == record.trial);
        if record.schema == crate::record::SCHEMA && same_run && !known {
            records.push(record);
        }
    }
    records
}

fn folder_of(base: &Utf8Path, records: &[u8]) -> RunFolder {
    fs::create_dir_all(base).unwrap();
    let folder = RunFolder { path: base.to_owned() };
    fs::write(folder.records_path(), records).unwrap();
    folder
}

#[test]
fn real_records_come_back_as_the_plain_parser_reads_them() {
    let (_directory, base) = base();
    let text = real_lines().concat();
    // Enough for several pieces on several threads.
    let again = String::from_utf8(text.clone()).unwrap().replace("\"trial\":", "\"trial\":1000");
    let text = [text, again.into_bytes()].concat();
    let read = folder_of(&base, &text).records().unwrap();
    assert!(read.faults.is_empty(), "{:?}", read.faults);
    let wanted = readable(&text);
    assert_eq!(wanted.len(), 640);
    assert!(read.records == wanted);
}

#[test]
fn faults_of_the_lab_come_back_with_the_records_that_have_them() {
    let (_directory, base) = base();
    let faults = [Some(["a", "b\"→c"].as_slice()), None, Some(["a"].as_slice()), Some(&["a"])];
    let mut text = String::new();
    for (trial, faults) in (0..).zip(faults) {
        let mut record = fixture::completed(trial, 5000);
        record.lab_faults = faults.unwrap_or_default().iter().map(|it| (*it).to_owned()).collect();
        let line = serde_json::to_string(&record).unwrap();
        assert_eq!(line.contains("lab_faults"), faults.is_some(), "{line}");
        text += &(line + "\n");
    }
    let read = folder_of(&base, text.as_bytes()).records().unwrap();
    assert!(read.faults.is_empty(), "{:?}", read.faults);
    assert!(read.records == readable(text.as_bytes()) && read.records.len() == 4);
    let summary = crate::summary::Summary::of(&read.records);
    assert_eq!(
        summary.lab_faults.into_iter().collect::<Vec<_>>(),
        [("a".to_owned(), 3), ("b\"→c".to_owned(), 1)]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Bytes of a real run are changed, taken out, or put in, and its end is cut off: nothing
    /// panics, and every line that is still a record is read, as the plain parser reads it.
    #[test]
    fn whatever_happens_to_a_run_its_whole_lines_are_read(
        from in 0usize..300,
        count in 1usize..12,
        changes in prop::collection::vec((0.0f64..1.0, any::<u8>(), 0u8..3), 0..6),
        kept in prop_oneof![Just(1.0), 0.0f64..1.0],
    ) {
        let lines = real_lines();
        let mut text = lines[from..from + count].concat();
        for (part, byte, how) in changes {
            let at = (part * text.len() as f64) as usize;
            match how {
                0 => text[at] ^= byte.max(1),
                1 => drop(text.remove(at)),
                _ => text.insert(at, byte),
            }
        }
        text.truncate((kept * text.len() as f64).ceil() as usize);
        let (_directory, base) = base();
        let read = folder_of(&base, &text).records().unwrap();
        prop_assert!(read.records == readable(&text));
        let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        let faulty: u64 = read.faults.counts().values().sum();
        prop_assert_eq!(read.records.len() as u64 + faulty, lines.count() as u64);
    }
}
