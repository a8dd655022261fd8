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
    let mut ended = Vec::new();
    let mut left_out = Vec::new();
    let nested = nested(args.without_nested);
    let (started, before) = (Instant::now(), ticks());
    for Check { name, work } in checks(root, nested, |program| process::find(program).is_some()) {
        // The checks before it have shown what this machine is given.
        let too_much = taken(before, ticks()).filter(|it| name == NESTED && *it > MOST_TAKEN);
        match (work, too_much) {
            (Ok(_), Some(taken)) => {
                let taken = taken * 100.0;
                left_out.push(format!(
                    "{name} ({taken:.0} % of the processors' time so far went to others on this \
                     machine's host: three emulated machines would not come up in time)"
                ));
            }
            (Ok(command), None) => {
                let begun = ticks();
                ended.push(run(name, &command, &mut out, paint)?);
                let failed = ended.last().is_some_and(|check| check.failure.is_some());
                let disturbed = taken(begun, ticks()).filter(|taken| *taken > DISTURBED);
                if let (true, TESTS, Some(taken)) = (failed, name, disturbed)
                    && started.elapsed() < PATIENCE
                {
                    let taken = taken * 100.0;
                    let why = format!(
                        "{taken:.0} % of the processors' time went to others on this machine's host"
                    );
                    writeln!(out, "{}", paint.warning(&format!("once more: {why}")))?;
                    // What it said the first time stays above, and is told at the end.
                    ended.pop();
                    left_out.push(format!("a first run of the tests, which failed ({why})"));
                    ended.push(run(name, &command, &mut out, paint)?);
                }
            }
            (Err(reason), _) => left_out.push(format!("{name} ({reason})")),
        }
    }
    out.write_all(summary(&ended, &left_out, paint).as_bytes())?;
    if ended.iter().all(|check| check.failure.is_none()) {
        Ok(())
    } else {
        Err(Failure::shown(Exit::Failure))
    }
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

/// The share of the processors' time between two moments that others were given.
fn taken(before: Option<Ticks>, after: Option<Ticks>) -> Option<f64> {
    before?.stolen_until(after?)
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
