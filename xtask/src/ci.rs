//! `ci`: every check there is, each with its time, and what failed at the end.

use crate::{
    cli::CiArgs,
    color::{ColorChoice, Paint},
    exit::{self, Exit, Failure},
    setup::{self, Job},
};
use harness::ticks::Ticks;
use lab::process::{self, Command};
use std::{
    io::{self, Write},
    path::Path,
    time::{Duration, Instant},
};

/// The guest's workspace, apart because it is bare metal.
const GUEST: &str = "guest";

/// The check that brings up a lab of three virtual machines.
const NESTED: &str = "nested lab";
/// With more of the processors' time taken by others on the machine's host, that one is left out: it
/// takes a quarter of an hour of a quiet machine.
const MOST_TAKEN: f64 = 0.3;

/// The check that runs the tests.
const TESTS: &str = "tests";
/// With more of the processors' time taken while they ran, tests that failed are run once more: what
/// waits for true machines and measures them cannot tell such a moment from a fault.
const DISTURBED: f64 = 0.1;
/// Nothing is run once more when the checks have taken so long.
const PATIENCE: Duration = Duration::from_secs(45 * 60);

/// One check.
struct Check {
    name: &'static str,
    /// What to run, or why it is left out.
    work: Result<Command, &'static str>,
}

/// How a check ended.
struct Ended {
    name: &'static str,
    failure: Option<String>,
    took: Duration,
}

/// Runs every check, whatever those before it said.
///
/// # Errors
/// When a check failed, or something that the checks need is missing.
pub fn command(args: &CiArgs, colors: ColorChoice) -> exit::Result {
    setup::ensure(Job::Ci, args.install, colors)?;
    if args.install && !args.without_nested {
        // Where it is not to be had, that check is left out, and the summary says so.
        if let Err(failure) = setup::ensure(Job::Vagrant, true, colors) {
            failure.print(colors);
        }
    }
    // Paths of the checks are those of the repository, wherever this was called.
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = xtask.parent().unwrap_or(xtask);
    let (mut out, paint) = (io::stdout(), Paint::stdout(colors));
    let nested = nested(args.without_nested);
    let checks = checks(root, nested, |program| process::find(program).is_some());
    let (ended, left_out) = run_all(checks, ticks, &mut out, paint)?;
    out.write_all(summary(&ended, &left_out, paint).as_bytes())?;
    if ended.iter().all(|check| check.failure.is_none()) {
        Ok(())
    } else {
        Err(Failure::shown(Exit::Failure))
    }
}

/// Runs checks in their order; gives how each ended, and what was left out and why. `ticks` tells how
/// the processors have spent their time.
fn run_all(
    checks: Vec<Check>,
    ticks: impl Fn() -> Option<Ticks>,
    out: &mut dyn Write,
    paint: Paint,
) -> io::Result<(Vec<Ended>, Vec<String>)> {
    let (mut ended, mut left_out) = (Vec::new(), Vec::new());
    let (started, before) = (Instant::now(), ticks());
    for Check { name, work } in checks {
        let command = match work {
            Ok(command) => command,
            Err(reason) => {
                left_out.push(format!("{name} ({reason})"));
                continue;
            }
        };
        // The checks before it have shown what this machine is given.
        if let (NESTED, Some(why)) = (name, disturbed(before, ticks(), MOST_TAKEN)) {
            left_out.push(format!("{name} ({why}: three machines would not come up in time)"));
            continue;
        }
        let begun = ticks();
        let mut end = run(name, &command, out, paint)?;
        if let (TESTS, true, Some(why)) =
            (name, end.failure.is_some(), disturbed(begun, ticks(), DISTURBED))
            && started.elapsed() < PATIENCE
        {
            writeln!(out, "{}", paint.warning(&format!("once more: {why}")))?;
            // What it said stays above.
            left_out.push(format!("a first run of the {name}, which failed ({why})"));
            end = run(name, &command, out, paint)?;
        }
        ended.push(end);
    }
    Ok((ended, left_out))
}

/// Whether the lab of three virtual machines can be had, and is wanted.
fn nested(unwanted: bool) -> Result<(), &'static str> {
    let there = setup::check(Job::Vagrant).iter().all(|need| !need.prevents());
    match (unwanted, there, rustix::process::geteuid().is_root()) {
        (true, _, _) => Err("--without-nested"),
        (_, false, _) => Err("Vagrant is not installed: `cargo xtask setup --install --vagrant`"),
        (_, _, false) => Err("only root can run a libvirt of the lab's own"),
        (false, true, true) => Ok(()),
    }
}

/// Every check in order. `has` tells whether a program is there, `nested` whether the lab of
/// virtual machines is brought up.
fn checks(root: &Path, nested: Result<(), &'static str>, has: impl Fn(&str) -> bool) -> Vec<Check> {
    let cargo_in =
        |folder: &Path, line: &str| Command::new("cargo").args(line.split_whitespace()).cwd(folder);
    let cargo = |line: &str| cargo_in(root, line);
    // In its folder: that is where cargo looks for the guest's own settings.
    let guest = |line: &str| {
        let folder = root.join(GUEST);
        let there = folder.join("Cargo.toml").is_file();
        there.then(|| cargo_in(&folder, line)).ok_or("there is no guest")
    };
    let tool = |program: &str, command: Command, reason| {
        if has(program) { Ok(command) } else { Err(reason) }
    };
    let deny = |line| tool("cargo-deny", cargo(line), "cargo-deny is not installed");
    let check = |name, work| Check { name, work };
    vec![
        check("format", Ok(cargo("fmt --all --check"))),
        check("format of the guest", guest("fmt --check")),
        check("clippy", Ok(cargo("clippy --locked --workspace --all-targets -- -D warnings"))),
        check("clippy of the guest", guest("clippy --locked -- -D warnings")),
        check(
            TESTS,
            // Snapshots are compared, never rewritten.
            Ok(cargo("test --locked --workspace --no-fail-fast")
                .env("CI", "true")
                .env("INSTA_UPDATE", "no")),
        ),
        // One test that the others leave out, and what it measures on the way.
        check(
            NESTED,
            nested.map(|()| {
                // Of the workspace, as the tests before: else all is built once more, with the
                // features that this package alone wants.
                let test = "test --locked --workspace --test end-to-end -- --ignored --nocapture";
                cargo(&format!("{test} nested")).env("CI", "true")
            }),
        ),
        check(
            "documentation",
            Ok(cargo("doc --locked --workspace --no-deps --document-private-items")
                .env("RUSTDOCFLAGS", "-D warnings")),
        ),
        check("licences, bans and sources", deny("deny check licenses bans sources")),
        check(
            "the same of the guest",
            guest("deny --config ../deny.toml check licenses bans sources")
                .and_then(|command| tool("cargo-deny", command, "cargo-deny is not installed")),
        ),
        // Apart, because it fetches the database of advisories.
        check("advisories", deny("deny check advisories")),
        check(
            "shell scripts",
            tool(
                "shellcheck",
                Command::new("shellcheck").arg(".ci/run").cwd(root),
                "shellcheck is not installed",
            ),
        ),
    ]
}

/// How this machine's processors have spent their time.
fn ticks() -> Option<Ticks> {
    Ticks::parse(std::fs::read_to_string("/proc/stat").ok()?.lines().next()?)
}

/// That others were given more than this share of the processors' time between two moments, in words.
fn disturbed(before: Option<Ticks>, after: Option<Ticks>, most: f64) -> Option<String> {
    let taken = before?.stolen_until(after?).filter(|taken| *taken > most)? * 100.0;
    Some(format!("{taken:.0} % of the processors' time went to others on this machine's host"))
}

fn run(
    name: &'static str,
    command: &Command,
    out: &mut dyn Write,
    paint: Paint,
) -> io::Result<Ended> {
    writeln!(out, "{}", paint.strong(&format!("── {name}: {}", command.display())))?;
    // What is started next writes to the same place.
    out.flush()?;
    let started = Instant::now();
    let failure = command.run_streaming().err().map(|error| match error {
        // What it had to say, it has said above.
        process::Error::Failed { status, .. } => status.to_string(),
        other => other.to_string(),
    });
    let ended = Ended { name, failure, took: started.elapsed() };
    writeln!(out, "{}", line(&ended, paint))?;
    Ok(ended)
}

fn line(Ended { name, failure, took }: &Ended, paint: Paint) -> String {
    let took = format!("{:.1} s", took.as_secs_f64());
    match failure {
        None => format!("{} {name} ({took})", paint.good("ok    ")),
        Some(reason) => format!("{} {name} ({took}): {reason}", paint.error("FAILED")),
    }
}

fn summary(ended: &[Ended], left_out: &[String], paint: Paint) -> String {
    let failed = ended.iter().filter(|check| check.failure.is_some()).count();
    let took: Duration = ended.iter().map(|check| check.took).sum();
    let mut text = format!("\n{}\n", paint.strong("── summary"));
    for check in ended {
        text += &format!("{}\n", line(check, paint));
    }
    for check in left_out {
        text += &format!("{} {check}\n", paint.warning("left out"));
    }
    let total = ended.len();
    text += &match failed {
        0 => format!("all {total} checks passed in {:.1} s\n", took.as_secs_f64()),
        _ => format!("{failed} of {total} checks failed, in {:.1} s\n", took.as_secs_f64()),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_left_out_with_the_reason() {
        let folder = tempfile::tempdir().expect("a folder");
        let left_out = |checks: Vec<Check>| -> Vec<&str> {
            checks.into_iter().filter(|check| check.work.is_err()).map(|c| c.name).collect()
        };
        let optional = ["format of the guest", "clippy of the guest", "the same of the guest"];
        assert_eq!(left_out(checks(folder.path(), Ok(()), |_| true)), optional);
        std::fs::create_dir(folder.path().join(GUEST)).expect("made");
        std::fs::write(folder.path().join(GUEST).join("Cargo.toml"), "").expect("written");
        assert_eq!(
            left_out(checks(folder.path(), Err("--without-nested"), |_| false)),
            [
                "nested lab",
                "licences, bans and sources",
                "the same of the guest",
                "advisories",
                "shell scripts"
            ]
        );
    }

    #[test]
    fn on_a_disturbed_machine_failed_tests_have_a_second_run_and_the_nested_lab_none() {
        let all = |stolen_per_look: u64| {
            let looks = std::cell::Cell::new(0);
            let ticks = || {
                looks.set(looks.get() + 1);
                let stolen = looks.get() * stolen_per_look;
                Ticks::parse(&format!("cpu {} 0 0 0 0 0 0 {stolen}", looks.get() * 100))
            };
            let check = |name, program: &str| Check { name, work: Ok(Command::new(program)) };
            let checks =
                vec![check("format", "false"), check(TESTS, "false"), check(NESTED, "true")];
            let mut out = Vec::new();
            let (ended, left_out) =
                run_all(checks, ticks, &mut out, Paint::stdout(ColorChoice::Never)).expect("run");
            let names: Vec<_> = ended.iter().map(|it| (it.name, it.failure.is_some())).collect();
            let runs = String::from_utf8(out).expect("text").matches("FAILED").count();
            (names, left_out, runs)
        };
        let (quiet, left_out, runs) = all(1);
        assert_eq!(quiet, [("format", true), (TESTS, true), (NESTED, false)]);
        assert_eq!((left_out, runs), (Vec::new(), 2));
        let (names, left_out, runs) = all(100);
        assert_eq!(names, [("format", true), (TESTS, true)]);
        assert_eq!(runs, 3, "the tests twice");
        insta::assert_snapshot!(left_out.join("\n"), @r"
        a first run of the tests, which failed (50 % of the processors' time went to others on this machine's host)
        nested lab (50 % of the processors' time went to others on this machine's host: three machines would not come up in time)
        ");
    }

    #[test]
    fn a_failure_is_told_and_counted() {
        let paint = Paint::stdout(ColorChoice::Never);
        let ended = |name, failure: Option<&str>| Ended {
            name,
            failure: failure.map(str::to_owned),
            took: Duration::from_millis(1500),
        };
        let checks = [ended("format", None), ended("tests", Some("exit status: 101"))];
        insta::assert_snapshot!(summary(&checks, &["shell scripts (none)".to_owned()], paint));
        assert!(summary(&checks[..1], &[], paint).ends_with("all 1 checks passed in 1.5 s\n"));
    }

    #[test]
    fn a_check_that_fails_does_not_end_the_others() {
        let paint = Paint::stdout(ColorChoice::Never);
        let run = |command| run("x", &Command::new(command), &mut Vec::new(), paint);
        let ended = run("false").expect("written");
        assert_eq!(ended.failure.as_deref(), Some("exit status: 1"));
        let ended = run("no-such-program").expect("written");
        assert!(ended.failure.is_some_and(|reason| reason.contains("was not found")));
    }
}
