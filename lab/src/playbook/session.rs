//! One step on one node: its scripts, its files, its time.

use super::{
    failure::{Failure, Part, What},
    log::{FAILED, Log},
    secrets::Secrets,
    shell::Shell,
    types::{File, Step},
};
use crate::{node::Exit, process::quote};
use anyhow::anyhow;
use camino::Utf8Path;
use sha2::{Digest, Sha256};
use std::fmt::{self, Write as _};
use tokio::time::{Instant, timeout_at};

/// What every script can rely on, in its own first line so that line numbers stay true. The trap
/// says which command ended a script, as it is written: not what its variables hold.
const PREAMBLE: &str = "exec 2>&1; umask 022; export LC_ALL=C DEBIAN_FRONTEND=noninteractive \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; ";

/// Says what stands in the place of each file; then the modes of those that are files, then their
/// hashes. Few programs are started: an emulated processor is slow at that.
const LOOK: &str = r#"for f do
    if [ -h "$f" ]; then echo link
    elif [ -f "$f" ]; then echo file
    elif [ -e "$f" ]; then echo other
    else echo absent
    fi
done
all=$#
for f do if [ -f "$f" ] && [ ! -h "$f" ]; then set -- "$@" "$f"; fi; done
shift $all
if [ $# -gt 0 ]; then stat -c %a -- "$@"; sha256sum -- "$@"; fi"#;

/// Writes one file (path, mode, length) all at once, also when it is cut off anywhere: what it
/// leaves then is hidden, and is written over the next time.
const WRITE: &str = r#"exec 2>&1
umask 077
folder=${1%/*}
hidden=$folder/.${1##*/}.precopy-lab
(umask 022; mkdir -p -- "$folder/")
rm -f -- "$hidden"
cat >"$hidden"
[ "$(wc -c <"$hidden")" -eq "$3" ]
chmod -- "$2" "$hidden"
sync -- "$hidden"
mv -fT -- "$hidden" "$1""#;

/// How a file on a node differs from the step's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is not there.
    Absent,
    /// A link, a folder or the like stands in its place.
    NoFile,
    /// It holds something else.
    Content,
    /// Only its permissions differ: what they are now, in octal digits.
    Mode(String),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("is not there"),
            Self::NoFile => f.write_str("is no plain file"),
            Self::Content => f.write_str("holds something else"),
            Self::Mode(mode) => write!(f, "has the permissions {mode}"),
        }
    }
}

/// What a step's check and files look like on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// Files that differ, by their place in the step.
    pub files: Vec<(usize, Change)>,
    /// What the check missed: its command that failed, or how it ended.
    pub missed: Option<String>,
}

impl Look {
    pub(super) fn is_done(&self) -> bool {
        self.files.is_empty() && self.missed.is_none()
    }

    /// Why it is not done, in words.
    pub(super) fn reasons(&self, step: &Step) -> Vec<String> {
        let check = self.missed.iter().map(|missed| format!("its check fails at {missed}"));
        let file = |(place, change): &(usize, Change)| {
            step.files.get(*place).map(|file| format!("{} {change}", file.path))
        };
        check.chain(self.files.iter().filter_map(file)).collect()
    }

    /// The same as one text.
    pub(super) fn words(&self, step: &Step) -> String {
        self.reasons(step).join("; ")
    }
}

/// One step on one node, while it lasts.
pub(super) struct Session<'a, S> {
    pub shell: &'a mut S,
    pub step: &'a Step,
    /// From 1, and how many there are.
    pub number: (usize, usize),
    pub secrets: &'a Secrets,
    pub log: Log,
    pub until: Instant,
}

impl<S: Shell> Session<'_, S> {
    /// Begins to keep what is said, and sees to it that the step has its secrets.
    pub(super) fn open_log(&mut self, folder: &Utf8Path) -> Result<(), Box<Failure>> {
        let log =
            Log::open(folder, self.number.0, &self.step.name, self.shell.name(), self.secrets);
        self.log = log.map_err(|error| self.failure(Part::Check, What::Error(error)))?;
        self.missing_secret().map_or(Ok(()), Err)
    }

    /// Looks whether the step is done. `thorough` also asks the check when files differ.
    pub(super) async fn look(&mut self, thorough: bool) -> Result<Look, Box<Failure>> {
        let files = self.look_at_files().await?;
        let mut look = Look { files, missed: None };
        let step = self.step;
        if let Some(check) = step.check.as_ref().filter(|_| thorough || look.files.is_empty()) {
            let exit = self.script(Part::Check, check).await?;
            if exit == Exit::LabLost {
                return Err(self.failure(Part::Check, What::Exit(exit)));
            }
            if exit != Exit::Code(0) {
                let command = self.log.failed_command().map(|command| format!("line {command}"));
                look.missed = Some(command.unwrap_or_else(|| format!("its end: it {exit}")));
            }
        }
        Ok(look)
    }

    async fn look_at_files(&mut self) -> Result<Vec<(usize, Change)>, Box<Failure>> {
        if self.step.files.is_empty() {
            return Ok(Vec::new());
        }
        let mut argv = ["sh", "-eu", "-c", LOOK, "sh"].map(str::to_owned).to_vec();
        argv.extend(self.step.files.iter().map(|file| file.path.to_string()));
        let mut answer = Vec::new();
        let mut said = |_: &mut Log, bytes: &[u8]| answer.extend_from_slice(bytes);
        let exit = self.call(Part::Files, argv, Vec::new(), &mut said).await?;
        let answer = String::from_utf8_lossy(&answer);
        match changes(&self.step.files, &answer) {
            Some(changes) if exit == Exit::Code(0) => Ok(changes),
            _ => Err(self.failure(Part::Files, What::Exit(exit))),
        }
    }

    /// Writes the files at these places of the step.
    pub(super) async fn write(&mut self, files: &[(usize, Change)]) -> Result<(), Box<Failure>> {
        let step = self.step;
        for (place, change) in files {
            let Some(file) = step.files.get(*place) else { continue };
            self.log.begin(&format!("{} {change}: write it", file.path));
            let started = Instant::now();
            let mut argv = ["sh", "-eu", "-c", WRITE, "sh"].map(str::to_owned).to_vec();
            let length = file.content.len().to_string();
            argv.extend([file.path.to_string(), file.mode.to_string(), length]);
            let input = file.content.clone().into_bytes();
            let exit = self.call(Part::Files, argv, input, &mut |log, bytes| log.said(bytes)).await;
            self.log.end(exit.as_ref().ok().copied(), started.elapsed());
            match exit? {
                Exit::Code(0) => {}
                exit => {
                    return Err(self
                        .failure(Part::Files, What::Exit(exit))
                        .of_command(format!("write {}", file.path)));
                }
            }
        }
        Ok(())
    }

    /// Runs one of the step's scripts.
    pub(super) async fn script(&mut self, part: Part, script: &str) -> Result<Exit, Box<Failure>> {
        let (preamble, input) = self.preamble();
        let argv = ["bash", "-Eeu", "-c"].map(str::to_owned).into_iter();
        let argv = argv.chain([format!("{preamble}{script}")]).collect();
        self.log.begin(&part.to_string());
        let started = Instant::now();
        let exit = self.call(part, argv, input, &mut |log, bytes| log.said(bytes)).await;
        self.log.end(exit.as_ref().ok().copied(), started.elapsed());
        exit
    }

    /// As [`Self::script`], for one that must end well.
    pub(super) async fn must(&mut self, part: Part, script: &str) -> Result<(), Box<Failure>> {
        match self.script(part, script).await? {
            Exit::Code(0) => Ok(()),
            exit => Err(self.failure(part, What::Exit(exit))),
        }
    }

    /// What goes before a script, and what it reads: secrets are in no argument, which everybody
    /// on the node could see.
    fn preamble(&self) -> (String, Vec<u8>) {
        let trap = format!(
            "trap 'printf \"%s%s: %s\\n\" \"{FAILED}\" \"$LINENO\" \"$BASH_COMMAND\" >&2' ERR; "
        );
        if self.step.secrets.is_empty() {
            return (format!("{PREAMBLE}{trap}"), Vec::new());
        }
        let mut input = String::new();
        for name in &self.step.secrets {
            let value = quote(self.secrets.get(name).unwrap_or_default());
            let _infallible = writeln!(input, "export {name}={value}");
        }
        let read = "eval \"$(cat)\"; exec </dev/null; ";
        (format!("{PREAMBLE}{read}{trap}"), input.into_bytes())
    }

    pub(super) async fn call(
        &mut self,
        part: Part,
        argv: Vec<String>,
        input: Vec<u8>,
        said: &mut (dyn FnMut(&mut Log, &[u8]) + Send),
    ) -> Result<Exit, Box<Failure>> {
        let log = &mut self.log;
        let mut said = |bytes: &[u8]| said(log, bytes);
        match timeout_at(self.until, self.shell.call(argv, input, &mut said)).await {
            Ok(Ok(exit)) => Ok(exit),
            Ok(Err(error)) => Err(self.failure(part, What::Error(error))),
            Err(_) => Err(self.failure(part, What::Deadline(self.step.deadline.duration()))),
        }
    }

    /// That this part failed.
    pub(super) fn failure(&self, part: Part, what: What) -> Box<Failure> {
        Box::new(Failure {
            node: self.shell.name().to_owned(),
            step: self.step.name.clone(),
            number: self.number,
            part,
            what,
            command: self.log.failed_command().map(|command| format!("line {command}")),
            last_lines: self.log.last_lines(),
            log: self.log.path().map(ToOwned::to_owned),
        })
    }

    /// That the step has no such secret.
    pub(super) fn missing_secret(&self) -> Option<Box<Failure>> {
        let missing = self.step.secrets.iter().find(|name| self.secrets.get(name).is_none())?;
        let error = anyhow!("it needs the secret `{missing}`, which was not given");
        Some(self.failure(Part::Check, What::Error(error)))
    }
}

/// How the files differ, by what [`LOOK`] has said of them; `None` when it has not said it all.
fn changes(files: &[File], answer: &str) -> Option<Vec<(usize, Change)>> {
    let mut lines = answer.lines();
    let kinds: Vec<&str> = lines.by_ref().take(files.len()).collect();
    let count = kinds.iter().filter(|kind| **kind == "file").count();
    let mut modes = lines.by_ref().take(count).collect::<Vec<_>>().into_iter();
    let mut changes = Vec::new();
    for (place, file) in files.iter().enumerate() {
        let change = match *kinds.get(place)? {
            "absent" => Some(Change::Absent),
            "file" => {
                let mode = modes.next()?;
                // A name with odd characters is escaped, which a backslash in front tells.
                let hash = lines.next()?.trim_start_matches('\\').split(' ').next()?;
                difference(file, mode, hash)
            }
            _ => Some(Change::NoFile),
        };
        changes.extend(change.map(|change| (place, change)));
    }
    Some(changes)
}

fn difference(file: &File, mode: &str, hash: &str) -> Option<Change> {
    let expected: String =
        Sha256::digest(file.content.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    if hash != expected {
        Some(Change::Content)
    } else if u16::from_str_radix(mode, 8) != Ok(file.mode.0) {
        Some(Change::Mode(format!("{mode:0>4}")))
    } else {
        None
    }
}
