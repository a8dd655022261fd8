use super::*;

fn qemu(path: &str, version: (u32, u32, u32)) -> Qemu {
    let (major, minor, micro) = version;
    let version = Version { major, minor, micro };
    Qemu { path: path.into(), version, full_version: version.to_string() }
}

fn good(path: &str, origin: Origin, version: (u32, u32, u32)) -> Candidate {
    Candidate { path: path.into(), origin, found: Ok(qemu(path, version)) }
}

fn bad(path: &str, origin: Origin) -> Candidate {
    Candidate { path: path.into(), origin, found: Err("it crashed".to_owned()) }
}

fn chosen(candidates: Vec<Candidate>) -> (String, usize) {
    let choice = choose_from(candidates).expect("one is usable");
    (choice.qemu.path.display().to_string(), choice.warnings.len())
}

use Origin::{Environment, Explicit, Search};

#[test]
fn the_first_good_one_is_taken() {
    let first = good("/a", Search, (10, 0, 2));
    let newer = good("/b", Search, (11, 0, 0));
    assert_eq!(chosen(vec![first.clone(), newer]), ("/a".to_owned(), 0));
    let old = good("/old", Search, (7, 2, 22));
    assert_eq!(chosen(vec![old, bad("/x", Search), first]), ("/a".to_owned(), 0));
}

#[test]
fn of_old_ones_the_newest_is_taken_with_a_warning() {
    let (a, b) = (good("/a", Search, (7, 2, 22)), good("/b", Search, (9, 2, 0)));
    assert_eq!(chosen(vec![a.clone(), b.clone()]), ("/b".to_owned(), 1));
    assert_eq!(chosen(vec![b, a]), ("/b".to_owned(), 1));
}

#[test]
fn a_named_one_is_final() {
    let better = good("/usr/bin/q", Search, (10, 0, 2));
    let named = good("/mine", Explicit, (7, 2, 22));
    let env = good("/env", Environment, (10, 0, 0));
    assert_eq!(chosen(vec![named, env, better.clone()]), ("/mine".to_owned(), 1));
    assert_eq!(
        chosen(vec![good("/env", Environment, (8, 0, 0)), better.clone()]),
        ("/env".to_owned(), 1)
    );
    let error = choose_from(vec![bad("/env", Environment), better]).expect_err("named, broken");
    assert_eq!(
        error.to_string(),
        "the QEMU named by PRECOPY_QEMU cannot be used: `/env`: it crashed"
    );
}

#[test]
fn without_one_the_broken_are_listed() {
    let error = choose_from(vec![bad("/a", Search)]).expect_err("none").to_string();
    assert!(error.contains("`/a`: it crashed") && error.contains("hint: "), "{error}");
    let error = choose_from(Vec::new()).expect_err("none").to_string();
    assert!(error.starts_with("no usable `qemu-system-x86_64` was found\n\nhint"), "{error}");
}

#[test]
fn places_come_in_order_and_once() {
    let places = places(
        Some(Path::new("/lab/qemu")),
        Some("/env/qemu".into()),
        "/home/me/bin:/usr/bin:relative:/usr/local/bin".as_ref(),
        &["/opt/qemu/bin".into()],
    );
    let shown: Vec<String> =
        places.iter().map(|(path, origin)| format!("{origin:?} {}", path.display())).collect();
    assert_eq!(
        shown,
        [
            "Explicit /lab/qemu",
            "Environment /env/qemu",
            "Search /usr/bin/qemu-system-x86_64",
            "Search /home/me/bin/qemu-system-x86_64",
            "Search /usr/local/bin/qemu-system-x86_64",
            "Search /opt/qemu/bin/qemu-system-x86_64",
            "Search /usr/libexec/qemu-kvm",
        ]
    );
}

/// A script that stands for a QEMU. Another process writes it: a file that this one had open for
/// writing cannot be executed while a test beside this one forks ("text file busy").
fn script(folder: &Path, name: &str, text: &str, mode: &str) -> PathBuf {
    let path = folder.join(name);
    let write = Command::new("sh").args(["-c", "cat > \"$0\" && chmod \"$1\" \"$0\""]);
    write.arg(&path).arg(mode).stdin(text).run().expect("written");
    path
}

#[test]
fn each_is_asked_and_the_reason_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let ask = |name: &str, text: &str, mode| ask(&script(folder.path(), name, text, mode));
    let fine = ask("fine", "#!/bin/sh\necho QEMU emulator version 10.0.2 '(mine)'\n", "755");
    let fine = fine.expect("it answers");
    assert_eq!((fine.version.major, fine.full_version.as_str()), (10, "10.0.2 (mine)"));
    let crashed = ask("crashed", "#!/bin/sh\necho no libfoo.so >&2; exit 127\n", "755");
    let reason = crashed.expect_err("it crashes");
    assert!(reason.ends_with("ended with exit status: 127: no libfoo.so"), "{reason}");
    let other = ask("other", "#!/bin/sh\necho hello\n", "755");
    assert_eq!(other, Err("it does not say `QEMU emulator version …`".to_owned()));
    let text = ask("text", "hello", "644");
    assert_eq!(text, Err("it is not a program that this user may run".to_owned()));
    assert_eq!(super::ask(Path::new("/no/such")), Err("there is no such file".to_owned()));
}

#[test]
fn one_that_an_experiment_names_is_warned_of_by_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let old = script(folder.path(), "q", "#!/bin/sh\necho QEMU emulator version 7.2.22\n", "755");
    let choice = named("old", &old).expect("it answers");
    let [warning] = &choice.warnings[..] else { panic!("{choice:?}") };
    assert!(warning.starts_with("QEMU 7.2.22 (`old`) is older than 10: "), "{warning}");
    assert!(!warning.contains(folder.path().to_str().expect("text")), "{warning}");
    let new = script(folder.path(), "r", "#!/bin/sh\necho QEMU emulator version 10.0.2\n", "755");
    assert_eq!(named("new", &new).expect("it answers").warnings, Vec::<String>::new());
    assert_eq!(named("x", Path::new("/no/such")), Err("there is no such file".to_owned()));
}
