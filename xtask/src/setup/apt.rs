//! What apt must do to get packages: steps that are shown before they are run.

mod sources;

use super::{
    distribution::{Distribution, Family, Package},
    step::{Rights, Step},
};
use lab::process::Command;
use std::{
    io,
    path::{Path, PathBuf},
};

/// apt's configuration.
pub const ETC: &str = "/etc/apt";
/// The file that is written where no source offers the backports.
const BACKPORTS_FILE: &str = "sources.list.d/precopy-lab-backports.sources";

/// Why it is not known what apt should do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The machine's own sources cannot be read.
    #[error("failed to read the apt sources in `{}`: {source}", folder.display())]
    Unreadable {
        /// Where they are.
        folder: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// There is no main archive to take the mirror from.
    #[error(
        "no apt source in `{}` offers `{codename} main` itself, so the mirror for `{suite}` is not \
         known\n\nhint: add a source for `{suite}`, then run this again", folder.display()
    )]
    NoArchive {
        /// Where the sources are.
        folder: PathBuf,
        /// The release.
        codename: String,
        /// What was to be added.
        suite: String,
    },
}

/// The steps that install `packages`. `etc` is apt's configuration folder ([`ETC`]).
///
/// QEMU comes from another suite where the distribution's own is too old; a source for it is
/// added only where none offers it. No step ever removes a package: what would, fails.
///
/// # Errors
/// When the machine's sources cannot be read, or do not tell the mirror.
pub fn plan(
    distribution: &Distribution,
    packages: &[Package],
    etc: &Path,
    rights: Rights,
) -> Result<Vec<Step>, Error> {
    let suite = distribution.qemu_suite().filter(|_| packages.contains(&Package::Qemu));
    let mut steps = Vec::new();
    if let Some(suite) = &suite {
        let sources = sources::read(etc)
            .map_err(|source| Error::Unreadable { folder: etc.to_owned(), source })?;
        if !sources::offer(&sources, suite) {
            let text = sources::backports(&sources, &distribution.codename);
            let text = text.ok_or_else(|| Error::NoArchive {
                folder: etc.to_owned(),
                codename: distribution.codename.clone(),
                suite: suite.clone(),
            })?;
            steps.push(Step::write(&etc.join(BACKPORTS_FILE), text, rights));
        }
    }
    // Lists may be as old as the machine, or of another mirror; a source that is none of our
    // business may fail.
    steps.push(Step::run(apt_get(rights).arg("update")).may_fail());
    let usual: Vec<Package> = packages
        .iter()
        .copied()
        .filter(|package| match package {
            Package::Qemu => suite.is_none(),
            Package::Iproute | Package::Compiler | Package::SshServer => true,
            Package::Vagrant | Package::BoxBuilder => true,
            Package::Shellcheck => false,
        })
        .collect();
    steps.extend(install(&usual, None, rights));
    if let Some(suite) = &suite {
        steps.extend(install(&[Package::Qemu], Some(suite), rights));
    }
    if packages.contains(&Package::Shellcheck) {
        // Nothing depends on it, and not every archive that is switched on has it.
        steps.extend(install(&[Package::Shellcheck], None, rights).map(Step::may_fail));
    }
    Ok(steps)
}

fn install(packages: &[Package], suite: Option<&str>, rights: Rights) -> Option<Step> {
    let names: Vec<&str> =
        packages.iter().flat_map(|package| Family::Apt.packages(*package)).copied().collect();
    if names.is_empty() {
        return None;
    }
    let command = apt_get(rights).args(["install", "-y", "--no-install-recommends", "--no-remove"]);
    let command = suite.iter().fold(command, |command, suite| command.args(["-t", *suite]));
    Some(Step::run(command.args(names)))
}

/// apt-get that asks nothing, draws nothing, and waits for another one to end rather than to fail
/// beside it.
fn apt_get(rights: Rights) -> Command {
    rights.command_with("apt-get", &[("DEBIAN_FRONTEND", "noninteractive")]).args([
        "-o",
        "DPkg::Lock::Timeout=120",
        "-o",
        "Dpkg::Use-Pty=0",
    ])
}

/// The major version that apt would install of `package`, where it knows one.
pub fn candidate_major(package: &str) -> Option<u32> {
    let text = Command::new("apt-cache").args(["policy", package]).run().ok()?.text();
    parse_candidate(&text)
}

fn parse_candidate(policy: &str) -> Option<u32> {
    let version = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate:"))?.trim();
    // An epoch, as in `1:8.2.2+ds-0ubuntu1`, is not part of the version.
    let version = version.split_once(':').map_or(version, |(_, version)| version);
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn shown(
        id: &str,
        codename: &str,
        sources: &str,
        packages: &[Package],
        rights: Rights,
    ) -> String {
        let etc = tempfile::tempdir().expect("a folder");
        fs::write(etc.path().join("sources.list"), sources).expect("written");
        let release = format!("ID={id}\nVERSION_CODENAME={codename}\n");
        let distribution = Distribution::parse(&release);
        let text = match plan(&distribution, packages, etc.path(), rights) {
            Ok(steps) => steps.iter().map(|step| step.display() + "\n").collect(),
            Err(error) => error.to_string(),
        };
        text.replace(&etc.path().display().to_string(), ETC)
    }

    const BOOKWORM: &str = "deb http://mirror.example/debian bookworm main\n\
                            deb http://mirror.example/debian bookworm-updates main\n";
    const ALL: [Package; 5] = [
        Package::Qemu,
        Package::Iproute,
        Package::Compiler,
        Package::SshServer,
        Package::Shellcheck,
    ];

    #[test]
    fn debian_12_gets_qemu_from_backports() {
        insta::assert_snapshot!(shown("debian", "bookworm", BOOKWORM, &ALL, Rights::Root));
    }

    #[test]
    fn an_offered_suite_is_not_added_again() {
        let sources = format!("{BOOKWORM}deb http://b.example/debian bookworm-backports main\n");
        let qemu = [Package::Qemu];
        insta::assert_snapshot!(shown("debian", "bookworm", &sources, &qemu, Rights::Sudo));
    }

    #[test]
    fn other_releases_get_all_from_their_archive() {
        insta::assert_snapshot!(shown("debian", "trixie", "", &ALL, Rights::None));
    }

    #[test]
    fn backports_are_not_touched_for_other_packages() {
        let shown = shown("debian", "bookworm", "", &[Package::Iproute], Rights::Root);
        assert!(!shown.contains("backports"), "{shown}");
    }

    #[test]
    fn without_an_archive_the_mirror_is_not_guessed() {
        let shown = shown("debian", "bookworm", "", &[Package::Qemu], Rights::Root);
        assert!(shown.starts_with("no apt source in `/etc/apt` offers `bookworm main` itself"));
    }

    #[test]
    fn the_candidate_is_read_from_apts_answer() {
        let policy = "qemu-system-x86:\n  Installed: (none)\n  Candidate: 1:8.2.2+ds-0ubuntu1.7\n";
        assert_eq!(parse_candidate(policy), Some(8));
        assert_eq!(parse_candidate("x:\n  Candidate: 10.1.0-1\n"), Some(10));
        assert_eq!(parse_candidate("x:\n  Candidate: (none)\n"), None);
        assert_eq!(parse_candidate(""), None);
    }
}
