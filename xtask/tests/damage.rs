//! Broken run folders as a user meets them: what the program says, on which stream, and the code
//! it ends with. The snapshots are read with a newcomer's eyes: file, line, cause, what to do.

use camino::{Utf8Path, Utf8PathBuf};
use lab::process::{Command, Error};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// The committed run: 320 real records.
fn docs() -> Utf8PathBuf {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/precopy-2026-11-22")
}

/// A run folder to break, with six real records.
struct Broken {
    _directory: tempfile::TempDir,
    folder: Utf8PathBuf,
}

impl Broken {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a folder");
        let folder = Utf8Path::from_path(directory.path()).expect("UTF-8").join("RUN");
        fs::create_dir(&folder).expect("made");
        fs::copy(docs().join("manifest.json"), folder.join("manifest.json")).expect("copied");
        let broken = Self { _directory: directory, folder };
        broken.records(&real(6).concat());
        broken
    }

    fn records(&self, text: &str) {
        fs::write(self.folder.join("records.jsonl"), text).expect("written");
    }

    fn manifest(&self, change: impl Fn(&str) -> String) {
        let path = self.folder.join("manifest.json");
        let text = fs::read_to_string(&path).expect("read");
        fs::write(path, change(&text)).expect("written");
    }

    /// What `xtask` says of it, with the folder as RUN and long middles left out.
    fn said(&self, arguments: &[&str]) -> String {
        let program = env!("CARGO_BIN_EXE_xtask");
        let script = r#"cd "$1" || exit; shift; "$@" 2> ../stderr > ../stdout; echo $?"#;
        // Root may read what nobody may, so it does without that here.
        let bounds = if rustix::process::geteuid().is_root() {
            "exec setpriv --bounding-set=-dac_override,-dac_read_search"
        } else {
            "exec env"
        };
        let command = Command::new("sh").args(["-c", &format!("{bounds} \"$@\""), "sh"]);
        let command = command.args(["sh", "-c", script, "sh", self.folder.as_str(), program]);
        let code = command.args(arguments.iter().copied()).run().map_err(told).expect("it runs");
        let read = |name| fs::read_to_string(self.folder.with_file_name(name)).expect("read");
        let above = self.folder.parent().expect("a folder above").as_str();
        let text = format!(
            "--- stdout\n{}--- stderr\n{}--- exit code {}",
            shortened(&read("stdout")),
            read("stderr"),
            code.text()
        );
        text.replace(&format!("{above}/"), "")
    }

    fn report(&self) -> String {
        self.said(&["report", self.folder.as_str()])
    }
}

fn told(error: Error) -> String {
    error.to_string()
}

/// The first lines of the committed run, with their newlines.
fn real(n: usize) -> Vec<String> {
    let records = harness::run_folder::RunFolder::open(docs()).expect("a run").records();
    let records = records.expect("records").records;
    let line = |record| serde_json::to_string(record).expect("JSON") + "\n";
    records.iter().take(n).map(line).collect()
}

/// A table without its rows, which are shown elsewhere.
fn shortened(stdout: &str) -> String {
    let Some((head, rest)) = stdout.split_once("\n\n") else { return stdout.to_owned() };
    match rest.split_once("\n\nFigures are") {
        Some((_, notes)) => format!("{head}\n\n(the table)\n\nFigures are{notes}"),
        None => stdout.to_owned(),
    }
}

#[test]
fn broken_lines() {
    let broken = Broken::new();
    let lines = real(6);
    let text = [
        &lines[0],
        "{\"schema\":1,\"run\":7}\n",
        &lines[1],
        &lines[2][..2000],
        "\n",
        &lines[1],
        &lines[3].replace("T142130Z", "T999999Z"),
        "\u{0}\u{0}\u{0}\n",
        &lines[4].replace("\"schema\":1", "\"schema\":9"),
        "hello\n",
        "hello again\n",
        &lines[5][..3000],
    ];
    broken.records(&text.concat());
    insta::assert_snapshot!("broken_lines", broken.report());
    let report = fs::read_to_string(broken.folder.join("report.md")).expect("read");
    let results = report.split("integrity |").nth(1).expect("results").split("## Cells").next();
    insta::assert_snapshot!("broken_lines_in_markdown", results.expect("results"));
    let json = broken.said(&["report", broken.folder.as_str(), "--json"]);
    let json = json.strip_prefix("--- stdout\n").expect("stdout");
    let mut read = serde_json::Deserializer::from_str(json).into_iter::<serde_json::Value>();
    let report = read.next().expect("an object").expect("JSON");
    let told = serde_json::json!({
        "damaged": report["damaged"], "faults": report["faults"],
        "fault_counts": report["fault_counts"], "trials": report["summary"]["trials"],
    });
    insta::assert_json_snapshot!("broken_lines_in_json", told);
}

#[test]
fn a_torn_last_line_is_no_damage() {
    let broken = Broken::new();
    let lines = real(6);
    broken.records(&(lines[..3].concat() + &lines[3][..1000]));
    insta::assert_snapshot!("torn", broken.report());
}

#[test]
fn what_other_programs_do_to_a_text_is_no_damage() {
    let broken = Broken::new();
    let whole = broken.report();
    assert!(whole.contains("exit code 0"), "{whole}");
    let text = real(6).concat();
    broken.records(&text.replace('\n', "\r\n"));
    assert_eq!(broken.report(), whole, "CRLF");
    broken.records(&format!("\u{feff}{text}\n\n"));
    broken.manifest(|text| format!("\u{feff}{}", text.replace('\n', "\r\n")));
    assert_eq!(broken.report(), whole, "a byte order mark, blank lines");
}

#[test]
fn a_packed_run_is_read_as_the_plain_one_is() {
    let broken = Broken::new();
    broken.records(&real(320).concat());
    let plain = broken.report();
    fs::remove_file(broken.folder.join("records.jsonl")).expect("removed");
    let packed = broken.folder.join("records.jsonl.gz");
    fs::copy(docs().join("records.jsonl.gz"), &packed).expect("copied");
    assert_eq!(broken.report(), plain);
    insta::assert_snapshot!("packed_resume", {
        broken.said(&["experiment", "--plan", "--resume", broken.folder.as_str()])
    });

    let bytes = fs::read(&packed).expect("read");
    fs::write(&packed, &bytes[..20_000]).expect("written");
    insta::assert_snapshot!("packed_torn", broken.report());
    fs::write(&packed, "not packed at all\n").expect("written");
    insta::assert_snapshot!("packed_not", broken.report());
}

#[test]
fn manifests() {
    let broken = Broken::new();
    let shown = |name: &str, change: &dyn Fn(&str) -> String| {
        let broken = Broken::new();
        broken.manifest(change);
        insta::assert_snapshot!(format!("manifest_{name}"), broken.report());
        let resumed = broken.said(&["experiment", "--resume", broken.folder.as_str()]);
        insta::assert_snapshot!(format!("manifest_{name}_resumed"), resumed);
    };
    shown("cut_off", &|text| text[..700].to_owned());
    shown("foreign", &|_| "{\"name\": \"left-pad\", \"version\": \"1.0.0\"}\n".to_owned());
    shown("newer", &|text| text.replacen("\"schema\": 1", "\"schema\": 2", 1));
    shown("unknown_field", &|text| text.replace("\"planned_trials\"", "\"panned_trials\""));
    shown("odd_experiment", &|text| text.replacen("\"seed\"", "\"sead\"", 1));
    shown("empty", &|_| String::new());
    shown("of_another_run", &|text| text.replace("T142130Z", "T142131Z"));
    fs::remove_file(broken.folder.join("manifest.json")).expect("removed");
    insta::assert_snapshot!("manifest_missing", broken.report());
    let resumed = broken.said(&["experiment", "--resume", broken.folder.as_str()]);
    insta::assert_snapshot!("manifest_missing_resumed", resumed);
}

#[test]
fn records_that_are_not_there_or_not_ours() {
    let broken = Broken::new();
    broken.records("\u{1}\u{2}garbage \u{fffd}\n".repeat(20).as_str());
    insta::assert_snapshot!("garbage", broken.report());
    broken.records(&("x".repeat(3_000_000) + "\n" + &real(2).concat()));
    insta::assert_snapshot!("long_line", broken.report());
    fs::remove_file(broken.folder.join("records.jsonl")).expect("removed");
    insta::assert_snapshot!("no_records", broken.report());
    fs::create_dir(broken.folder.join("records.jsonl")).expect("made");
    insta::assert_snapshot!("records_are_a_folder", broken.report());
    fs::remove_dir(broken.folder.join("records.jsonl")).expect("removed");
    fs::remove_file(broken.folder.join("manifest.json")).expect("removed");
    broken.records("{\"level\":\"info\",\"message\":\"started\"}\n".repeat(9).as_str());
    insta::assert_snapshot!("foreign_lines", broken.report());
}

#[test]
fn what_may_not_be_read_or_written() {
    let mode = |path: &Utf8Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("changed");
    };
    let broken = Broken::new();
    mode(&broken.folder.join("records.jsonl"), 0);
    insta::assert_snapshot!("forbidden_records", broken.report());
    mode(&broken.folder.join("records.jsonl"), 0o600);
    mode(&broken.folder.join("manifest.json"), 0);
    insta::assert_snapshot!("forbidden_manifest", broken.report());
    mode(&broken.folder.join("manifest.json"), 0o600);
    mode(&broken.folder, 0o500);
    insta::assert_snapshot!("forbidden_to_write", broken.report());
    let folder = broken.folder.clone();
    fs::create_dir(folder.with_file_name("here")).expect("made");
    mode(&folder, 0);
    let elsewhere = Broken { folder: folder.with_file_name("here"), ..broken };
    insta::assert_snapshot!("forbidden_folder", elsewhere.said(&["report", folder.as_str()]));
    mode(&folder, 0o700);
}

#[test]
fn no_run_at_all() {
    let broken = Broken::new();
    let above = broken.folder.parent().expect("above").to_owned();
    let report = |path: &Utf8Path| broken.said(&["report", path.as_str()]);
    insta::assert_snapshot!("a_file_of_a_run", report(&broken.folder.join("records.jsonl")));
    let made = |name: &str| {
        let path = above.join(name);
        fs::create_dir_all(&path).expect("made");
        path
    };
    insta::assert_snapshot!("empty_folder", report(&made("empty")));
    fs::write(made("notes").join("shopping.txt"), "milk").expect("written");
    insta::assert_snapshot!("other_folder", report(&above.join("notes")));
    insta::assert_snapshot!("other_file", report(&above.join("notes/shopping.txt")));
    insta::assert_snapshot!("nothing", report(&above.join("RUNN")));
    let run = made("runs/20261122T142130Z-precopy");
    fs::write(run.join("records.jsonl"), "").expect("written");
    insta::assert_snapshot!("unbegun", report(&run));
    fs::copy(docs().join("manifest.json"), run.join("manifest.json")).expect("copied");
    insta::assert_snapshot!("folder_of_runs", report(&above.join("runs")));
}
