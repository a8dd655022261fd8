//! Finding a QEMU on a node that is not this machine. The node is asked what lies in the usual
//! places; which of them is taken is decided here, by the same rule as for this machine.

use super::{
    find::{self, Candidate, Choice, NAME, Origin, Qemu, Version},
    machine,
};
use crate::node::Node;
use anyhow::{Context, Result};
use camino::Utf8Path;
use std::{path::PathBuf, time::Duration};

/// A QEMU on a node under TCG takes some seconds to say its version.
const DEADLINE: Duration = Duration::from_secs(60);

/// Says of each place that is given, or of the usual ones, `program PATH` and then what it answers
/// or what is wrong with it. Two names of one file are told of once.
const SCRIPT: &str = r#"
name=$1; shift
if [ $# = 0 ]; then
  set -- "/usr/bin/$name" "$(command -v "$name")" "/usr/local/bin/$name" /opt/*/bin/"$name" \
    /usr/libexec/qemu-kvm
  for place do shift; [ ! -e "$place" ] || set -- "$@" "$place"; done
fi
seen=:
for place do
  file=$(readlink -f "$place")
  case $seen in *":$file:"*) continue ;; esac
  seen="$seen$file:"
  echo "program $place"
  if [ ! -e "$place" ]; then echo "wrong there is no such file"
  elif [ ! -x "$place" ]; then echo "wrong it is not a program that this user may run"
  else "$place" --version 2>&1 | sed 's/^/said /'
  fi
done
"#;

/// The QEMU to use on a node. `explicit` is what the lab file or the experiment names, a path on
/// the node.
///
/// # Errors
/// When the one that was named cannot be used, there is none at all, or the node does not answer.
pub async fn choose(node: &Node, explicit: Option<&Utf8Path>) -> Result<Choice> {
    let origin = if explicit.is_some() { Origin::Explicit } else { Origin::Search };
    let mut argv = ["sh", "-c", SCRIPT, "sh", NAME].map(str::to_owned).to_vec();
    argv.extend(explicit.map(ToString::to_string));
    let answer = node.run(&argv, DEADLINE).await?;
    find::choose_from(candidates(&answer, origin)).with_context(|| format!("on {}", node.name))
}

fn candidates(answer: &str, origin: Origin) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for told in format!("\n{answer}").split("\nprogram ").skip(1) {
        let (path, rest) = told.split_once('\n').unwrap_or((told, ""));
        let path = PathBuf::from(path);
        let lines = |kind: &str| {
            let lines = rest.lines().filter_map(|line| line.strip_prefix(kind));
            lines.collect::<Vec<_>>().join("\n")
        };
        let found = match lines("wrong ") {
            wrong if !wrong.is_empty() => Err(wrong),
            _ => Version::said(&lines("said "))
                .map(|(version, full_version)| Qemu { path: path.clone(), version, full_version })
                .ok_or_else(|| "it does not say `QEMU emulator version …`".to_owned()),
        };
        candidates.push(Candidate { path, origin, found });
    }
    candidates
}

/// The SHA-256 of a file of a node, in lower-case hex.
///
/// # Errors
/// When it cannot be read there.
pub async fn sha256(node: &Node, file: &Utf8Path) -> Result<String> {
    let answer = node.run(&["sha256sum", "--", file.as_str()].map(str::to_owned), DEADLINE).await?;
    let hash = answer.split_whitespace().next().map(str::to_owned);
    hash.with_context(|| format!("{} tells no hash of `{file}`", node.name))
}

/// As [`machine::versions`], of a QEMU on a node.
///
/// # Errors
/// As there.
pub async fn machine_versions(node: &Node, qemu: &Utf8Path) -> Result<machine::Versions> {
    let argv = [qemu.as_str(), "-machine", "help"].map(str::to_owned);
    machine::versions_said(&node.run(&argv, DEADLINE).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Command;

    fn asked(places: &[&str]) -> Vec<Candidate> {
        let command = Command::new("sh").args(["-c", SCRIPT, "sh", NAME]).args(places);
        candidates(&command.run().expect("run").text(), Origin::Explicit)
    }

    #[test]
    fn a_node_tells_what_lies_in_its_places() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
        let (new, old, odd) = (file("new qemu"), file("old"), file("odd"));
        for (path, says) in [(&new, "10.0.2 (Debian)"), (&old, "7.2.22"), (&odd, "x")] {
            let script = format!("#!/bin/sh\necho QEMU emulator version '{says}'\necho more\n");
            std::fs::write(path, script).expect("written");
            Command::new("chmod").args(["+x", path]).run().expect("changed");
        }
        let link = file("link");
        std::os::unix::fs::symlink(&old, &link).expect("linked");
        let locked = file("locked");
        std::fs::write(&locked, "").expect("written");
        let found = asked(&[&old, &link, &odd, &locked, "/no/such/qemu", &new]);
        let paths: Vec<_> = found.iter().map(|it| it.path.to_str().expect("UTF-8")).collect();
        let expected = [&old, &odd, &locked, "/no/such/qemu", &new];
        assert_eq!(paths, expected, "the link is the old one again");
        let of = |index: usize| found[index].found.as_ref();
        assert_eq!(of(0).expect("good").version.major, 7);
        assert!(of(1).expect_err("no version").starts_with("it does not say"));
        assert!(of(2).expect_err("no program").starts_with("it is not a program"));
        assert_eq!(of(3).expect_err("missing"), "there is no such file");
        assert_eq!(of(4).expect("good").full_version, "10.0.2 (Debian)");
    }

    #[test]
    fn the_usual_places_are_searched() {
        let usual = asked(&[]);
        assert!(usual.iter().all(|it| it.path.is_absolute()), "{usual:?}");
    }
}
