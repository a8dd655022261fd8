//! The machine type of a guest, pinned to a version that several QEMUs know.
//!
//! A guest moves only between machines of one type and version. `pc` is another version in every
//! QEMU, so where several take part the newest that all of them list is named instead.

use crate::process::Command;
use anyhow::{Context, Result, bail};
use std::{collections::BTreeSet, path::Path, time::Duration};

/// The machine type whose newest version each QEMU takes by itself.
pub const UNPINNED: &str = "pc";

/// What the versions of [`UNPINNED`] begin with.
const VERSIONED: &str = "pc-i440fx-";

/// How long `-machine help` may take; a healthy QEMU takes some 50 ms.
const PATIENCE: Duration = Duration::from_secs(10);

/// Versions of the machine type that a QEMU lists, as major and minor.
pub type Versions = BTreeSet<(u32, u32)>;

/// Asks a QEMU for the versions of the machine type that it knows.
///
/// # Errors
/// When it does not answer, or lists none.
pub fn versions(qemu: &Path) -> Result<Versions> {
    let command = Command::new(qemu).args(["-machine", "help"]).timeout(PATIENCE);
    versions_said(&command.run()?.text())
}

/// The versions in a QEMU's answer to `-machine help`.
///
/// # Errors
/// When there are none.
pub fn versions_said(answer: &str) -> Result<Versions> {
    let versions = listed(answer);
    if versions.is_empty() {
        bail!("it lists no machine type `{VERSIONED}…`");
    }
    Ok(versions)
}

/// The newest machine type that all know, each with its name for people.
///
/// # Errors
/// When there is none; says who knows what.
pub fn newest_common(all: &[(&str, Versions)]) -> Result<String> {
    let (_, first) = all.first().context("no QEMU takes part")?;
    let common = first.iter().rev().find(|version| all.iter().all(|(_, of)| of.contains(version)));
    let Some((major, minor)) = common else {
        let known: Vec<String> = all.iter().filter_map(|(name, of)| known(name, of)).collect();
        bail!(
            "no version of the machine type `{UNPINNED}` is known to all QEMUs: {}",
            known.join(", ")
        );
    };
    Ok(format!("{VERSIONED}{major}.{minor}"))
}

fn known(name: &str, versions: &Versions) -> Option<String> {
    let (oldest, newest) = (versions.first()?, versions.last()?);
    Some(format!("`{name}` knows {}.{} to {}.{}", oldest.0, oldest.1, newest.0, newest.1))
}

/// The versions in what `-machine help` says. Those of a distribution, such as
/// `pc-i440fx-noble`, mean nothing to others.
fn listed(text: &str) -> Versions {
    let names = text.lines().filter_map(|line| line.split_whitespace().next());
    let versions = names.filter_map(|name| name.strip_prefix(VERSIONED));
    versions
        .filter_map(|version| {
            let (major, minor) = version.split_once('.')?;
            Some((major.parse().ok()?, minor.parse().ok()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: &str = "\
Supported machines are:
microvm              microvm (i386)
pc-i440fx-9.2        Standard PC (i440FX + PIIX, 1996)
pc-i440fx-8.2        Standard PC (i440FX + PIIX, 1996)
pc-i440fx-7.2        Standard PC (i440FX + PIIX, 1996) (deprecated)
pc-i440fx-noble      Ubuntu 24.04 PC (i440FX + PIIX, 1996)
pc-i440fx-2.12       Standard PC (i440FX + PIIX, 1996) (deprecated)
pc                   Standard PC (i440FX + PIIX, 1996) (alias of pc-i440fx-10.0)
pc-i440fx-10.0       Standard PC (i440FX + PIIX, 1996) (default)
pc-q35-10.0          Standard PC (Q35 + ICH9, 2009)
";

    fn of(versions: &[(u32, u32)]) -> Versions {
        versions.iter().copied().collect()
    }

    #[test]
    fn versions_are_numbers_and_no_others_count() {
        assert_eq!(listed(TEN), of(&[(2, 12), (7, 2), (8, 2), (9, 2), (10, 0)]));
    }

    #[test]
    fn the_newest_that_all_know_is_taken() {
        let (ten, nine) = (listed(TEN), of(&[(8, 2), (9, 0), (9, 2)]));
        let seven = of(&[(2, 12), (7, 1), (7, 2)]);
        let pin = |all: &[(&str, Versions)]| newest_common(all).expect("there is one");
        assert_eq!(pin(&[("new", ten.clone())]), "pc-i440fx-10.0");
        assert_eq!(pin(&[("new", ten.clone()), ("old", nine)]), "pc-i440fx-9.2");
        assert_eq!(pin(&[("old", seven.clone()), ("new", ten)]), "pc-i440fx-7.2");
        let error = newest_common(&[("a", of(&[(11, 0)])), ("b", seven)]).expect_err("none");
        assert_eq!(
            error.to_string(),
            "no version of the machine type `pc` is known to all QEMUs: `a` knows 11.0 to 11.0, \
             `b` knows 2.12 to 7.2"
        );
    }

    #[test]
    fn who_lists_none_is_no_such_qemu() {
        let error = versions(Path::new("/bin/echo")).expect_err("it lists nothing");
        assert_eq!(error.to_string(), "it lists no machine type `pc-i440fx-…`");
    }
}
