//! The QEMUs that an experiment brings along: found, asked for their versions, hashed.

use crate::exit::{Exit, Failure, Result};
use anyhow::{Context, anyhow};
use camino::Utf8PathBuf;
use harness::{
    experiment::{Experiment, Qemus},
    settings::{QemuName, level::LevelError},
};
use lab::hypervisor::qemu::find::{self, Qemu};
use std::{collections::BTreeMap, fs::File, io::Read, str::FromStr};

/// A program of the command line: `NAME=PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    name: QemuName,
    path: Utf8PathBuf,
}

impl FromStr for Given {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let expected = || "expected a name and a path, such as `new=/usr/bin/qemu-system-x86_64`";
        let (name, path) = text.split_once('=').ok_or_else(expected)?;
        let said = |error: LevelError| lab::yaml::with_hint(&error, error.hint());
        let name = QemuName::program(name).map_err(said)?;
        if path.is_empty() {
            return Err(expected().to_owned());
        }
        Ok(Self { name, path: path.into() })
    }
}

/// The programs of the command line, by name; of two with one name the last counts.
#[must_use]
pub fn by_name(given: &[Given]) -> Qemus {
    given.iter().map(|given| (given.name.to_string(), given.path.clone())).collect()
}

/// Makes the paths of an experiment's programs independent of the working directory: a run may be
/// resumed from another one.
///
/// # Errors
/// When there is no working directory.
pub fn absolute(experiment: &mut Experiment) -> anyhow::Result<()> {
    for path in experiment.qemus.values_mut() {
        let full = std::path::absolute(path.as_std_path())
            .with_context(|| format!("failed to find the folder of `{path}`"))?;
        *path = Utf8PathBuf::try_from(full)?;
    }
    Ok(())
}

/// The programs that take part besides the lab's own, or with it.
#[derive(Debug, Default)]
pub struct Named {
    /// By name, without the lab's own.
    pub programs: BTreeMap<QemuName, Qemu>,
    /// Whether the lab's own takes part, too.
    pub with_lab: bool,
    /// What a user must know.
    pub warnings: Vec<String>,
}

/// Finds the programs that the experiment's cells run, and asks each for its version.
///
/// # Errors
/// As an invalid input, when one is missing or is no QEMU.
pub fn find(experiment: &Experiment) -> Result<Named> {
    let mut named = Named::default();
    for name in experiment.qemus_that_run() {
        if name.is_lab() {
            named.with_lab = true;
            continue;
        }
        let path = experiment
            .qemus
            .get(name.as_str())
            .with_context(|| format!("no program is named `{name}`"))?;
        let choice = find::named(name.as_str(), path.as_std_path()).map_err(|reason| {
            let text = format!(
                "the QEMU `{name}` cannot be used: `{path}`: {reason}\n\n\
                 hint: `--qemu {name}=PATH` names another program"
            );
            Failure::new(Exit::InvalidInput, anyhow!(text))
        })?;
        named.warnings.extend(choice.warnings);
        if is_script(path) {
            named.warnings.push(format!(
                "the QEMU `{name}` is a script: the hash that is recorded is the script's, and \
                 says nothing of the program that it starts"
            ));
        }
        named.programs.insert(name, choice.qemu);
    }
    Ok(named)
}

/// Whether the file begins as one for another program to interpret.
fn is_script(path: &Utf8PathBuf) -> bool {
    let mut first = [0; 2];
    File::open(path).and_then(|mut file| file.read_exact(&mut first)).is_ok() && first == *b"#!"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_the_command_line_has_a_name_and_a_path() {
        let given: Given = "v9.2=/opt/a=b/qemu".parse().expect("good");
        assert_eq!((given.name.as_str(), given.path.as_str()), ("v9.2", "/opt/a=b/qemu"));
        for (text, words) in [
            ("new", "expected a name and a path"),
            ("new=", "expected a name and a path"),
            ("lab=/usr/bin/qemu", "it is the lab's own"),
            ("/usr/bin/qemu=new", "it is a path"),
        ] {
            let error = text.parse::<Given>().expect_err(text);
            assert!(error.contains(words), "{error}");
        }
        let twice = ["a=/1", "b=/2", "a=/3"].map(|text| text.parse().expect("good"));
        let expected = [("a", "/3"), ("b", "/2")];
        assert_eq!(by_name(&twice), expected.map(|(n, p)| (n.to_owned(), p.into())).into());
    }

    fn experiment(qemus: &str, levels: &str) -> Experiment {
        let text = format!(
            "name: x\nreplicates: 1\nqemus: {{ {qemus} }}\nfactors: {{ qemu: [{levels}] }}\n"
        );
        Experiment::parse("x.yaml", &text).expect("good")
    }

    #[test]
    fn only_those_that_run_are_looked_for() {
        let named = find(&experiment("gone: /no/such", "lab")).expect("it runs nowhere");
        assert!(named.programs.is_empty() && named.with_lab && named.warnings.is_empty());
        let failure = find(&experiment("gone: /no/such", "lab, lab to gone")).expect_err("it runs");
        assert_eq!(failure.exit, Exit::InvalidInput);
        let words = failure.error.expect("words").to_string();
        assert!(
            words.starts_with("the QEMU `gone` cannot be used: `/no/such`: there is no"),
            "{words}"
        );
        assert!(words.ends_with("hint: `--qemu gone=PATH` names another program"), "{words}");
    }

    #[test]
    fn paths_hold_from_everywhere() {
        let mut experiment = experiment("a: b/../qemu, c: /d", "lab");
        absolute(&mut experiment).expect("there is a folder");
        assert!(experiment.qemus["a"].is_absolute() && experiment.qemus["a"].ends_with("qemu"));
        assert_eq!(experiment.qemus["c"], "/d");
    }
}
