//! One step of an installation: shown first, then done.

use crate::color::Paint;
use lab::process::{self, Command};
use std::{io::Write, path::Path};

/// How this user becomes root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// It is root.
    Root,
    /// `sudo` lets it, without asking for a password.
    Sudo,
    /// Not by us: steps can only be shown, as a person would run them.
    None,
}

impl Rights {
    /// This user's.
    pub fn here() -> Self {
        match Self::shown() {
            Self::None if Command::new("sudo").args(["-n", "true"]).run().is_ok() => Self::Sudo,
            rights => rights,
        }
    }

    /// This user's, for showing only: `sudo` is not asked.
    pub fn shown() -> Self {
        if rustix::process::geteuid().is_root() { Self::Root } else { Self::None }
    }

    /// A command that runs `program` as root.
    pub fn command(self, program: &str) -> Command {
        self.command_with(program, &[])
    }

    /// The same, with environment variables.
    pub fn command_with(self, program: &str, env: &[(&str, &str)]) -> Command {
        let sudo = match self {
            Self::Root => {
                let command = Command::new(program);
                return env.iter().fold(command, |command, (name, value)| command.env(name, value));
            }
            Self::Sudo => Command::new("sudo").arg("-n"),
            Self::None => Command::new("sudo"),
        };
        if env.is_empty() {
            return sudo.arg(program);
        }
        // sudo passes no environment on, and may refuse to be told one.
        let variables = env.iter().map(|(name, value)| format!("{name}={value}"));
        sudo.arg("env").args(variables).arg(program)
    }
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    action: Action,
    may_fail: bool,
}

#[derive(Clone, Debug)]
enum Action {
    /// Write `text` to `file`, through `command`'s stdin.
    Write {
        text: String,
        command: Command,
        undo: Command,
    },
    Run(Command),
}

impl Step {
    /// Writes a file that only root may write.
    pub fn write(file: &Path, text: String, rights: Rights) -> Self {
        let command = rights.command("tee").arg(file).stdin(text.as_str());
        let undo = rights.command("rm").arg("-f").arg(file);
        Self { action: Action::Write { text, command, undo }, may_fail: false }
    }

    /// Runs a command.
    pub fn run(command: Command) -> Self {
        Self { action: Action::Run(command), may_fail: false }
    }

    /// The same, but the steps after it are tried even if it fails.
    #[must_use]
    pub fn may_fail(self) -> Self {
        Self { may_fail: true, ..self }
    }

    /// The step as lines that a shell would do alike.
    pub fn display(&self) -> String {
        match &self.action {
            Action::Run(command) => command.display(),
            Action::Write { text, command, .. } => {
                format!("{} >/dev/null <<'END'\n{}\nEND", command.display(), text.trim_end())
            }
        }
    }

    fn act(&self) -> Result<(), process::Error> {
        match &self.action {
            Action::Run(command) => command.clone().stdout_to_stderr().run_streaming(),
            Action::Write { command, .. } => command.run().map(drop),
        }
    }
}

/// Does every step in turn, showing each on `out` first. After a failure, files that were written
/// are removed again: a source that cannot be reached would break every later `apt-get update`.
///
/// # Errors
/// The first step that failed and must not, or `out` is gone: nothing is done unseen.
pub fn run_all(steps: &[Step], out: &mut dyn Write, paint: Paint) -> anyhow::Result<()> {
    let plus = paint.strong("+");
    for (at, step) in steps.iter().enumerate() {
        writeln!(out, "{plus} {}", step.display())?;
        match step.act() {
            Ok(()) => {}
            Err(error) if step.may_fail => {
                let warning = paint.warning("warning:");
                writeln!(out, "{warning} {error}; going on with what there is")?;
            }
            Err(error) => {
                for step in &steps[..at] {
                    if let Action::Write { undo, .. } = &step.action {
                        writeln!(out, "{plus} {}", undo.display())?;
                        undo.run()?;
                    }
                }
                return Err(error.into());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::color::ColorChoice;

    fn paint() -> Paint {
        Paint::stderr(ColorChoice::Never)
    }

    #[test]
    fn rights_go_in_front() {
        let shown =
            |rights: Rights| rights.command_with("apt-get", &[("A", "b")]).arg("x").display();
        assert_eq!(shown(Rights::Root), "A=b apt-get x");
        assert_eq!(shown(Rights::Sudo), "sudo -n env 'A=b' apt-get x");
        assert_eq!(shown(Rights::None), "sudo env 'A=b' apt-get x");
        assert_eq!(Rights::Sudo.command("rm").display(), "sudo -n rm");
    }

    #[test]
    fn what_is_shown_does_what_is_done() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = "# it's $HOME\nTypes: deb\n";
        let done = folder.path().join("done");
        let steps = [Step::write(&done, text.to_owned(), Rights::Root)];
        run_all(&steps, &mut Vec::new(), paint()).expect("it can be written");
        let shown = folder.path().join("shown");
        let step = Step::write(&shown, text.to_owned(), Rights::Root);
        Command::new("sh").arg("-c").arg(step.display()).run().expect("a shell can do it");
        let read = |file| std::fs::read_to_string(file).expect("written");
        assert_eq!(read(done), text);
        assert_eq!(read(shown), text);
    }

    #[test]
    fn a_failure_takes_back_what_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, later) = (folder.path().join("written"), folder.path().join("later"));
        let write = || Step::write(&file, "x".to_owned(), Rights::Root);
        let fails = || Step::run(Command::new("false"));
        let touch = Step::run(Command::new("touch").arg(&later));
        let mut shown = Vec::new();
        let result = run_all(&[write(), fails(), touch.clone()], &mut shown, paint());
        assert!(result.is_err() && !file.exists() && !later.exists());
        let shown = String::from_utf8_lossy(&shown).replace(&file.display().to_string(), "FILE");
        assert_eq!(shown, "+ tee FILE >/dev/null <<'END'\nx\nEND\n+ false\n+ rm -f FILE\n");
        let mut shown = Vec::new();
        let result = run_all(&[write(), fails().may_fail(), touch], &mut shown, paint());
        assert!(result.is_ok() && file.exists() && later.exists());
        assert!(String::from_utf8_lossy(&shown).contains("warning: `false` ended with"));
    }
}
