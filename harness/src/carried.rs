//! Measures what ways between nodes carry, as they are and through SSH: about two seconds each.

use crate::{advice::Way, lab_check::rate};
use anyhow::{Context, Result, bail};
use camino::Utf8Path;
use lab::{RunningLab, node::Node};
use std::time::Duration;
use tokio::time::timeout;

/// The tunnel takes a second, and a login.
const TUNNEL_DEADLINE: Duration = Duration::from_secs(30);

/// Zeros through `ssh` for a second, as the tunnel of Proxmox goes from this node to `$0` at `$1`:
/// root's own key, the host key by the node's name, where Proxmox keeps that. The other side
/// counts what comes.
const TUNNEL: &str = r#"known="/etc/pve/nodes/$0/ssh_known_hosts"
pinned=""
if [ -f "$known" ]; then
  pinned="-o UserKnownHostsFile=$known -o GlobalKnownHostsFile=none"
fi
# Two options where there are any: not quoted.
cat /dev/zero | ssh -e none -o BatchMode=yes -o ConnectTimeout=10 -o HostKeyAlias="$0" $pinned \
  "root@$1" 'LC_ALL=C timeout -s INT 1 dd of=/dev/null bs=65536 2>&1; true'"#;

/// Measures the ways of the ring of nodes over the migration network, one after the other, both
/// directions: with three nodes these are all ways there are. What cannot be measured says why.
pub async fn ways(lab: &RunningLab, observer: &Utf8Path) -> Vec<Way> {
    let mut ways = Vec::new();
    let pairs =
        if lab.nodes.len() > 2 { lab.nodes.len() } else { lab.nodes.len().saturating_sub(1) };
    let next = lab.nodes.iter().cycle().skip(1);
    for (a, b) in lab.nodes.iter().zip(next).take(pairs) {
        for (from, to) in [(a, b), (b, a)] {
            ways.push(Way {
                from: from.name.clone(),
                to: to.name.clone(),
                plain: plain(from, to, observer).await.into(),
                tunnel: tunnel(from, to).await.into(),
            });
        }
    }
    ways
}

/// What one TCP stream carries, bytes of payload a second.
async fn plain(from: &Node, to: &Node, observer: &Utf8Path) -> Result<f64> {
    let (there, here) = (to.deliver(observer).await?, from.deliver(observer).await?);
    let end = |node, observer| rate::End { node, observer };
    let address = to.migration_address.to_string();
    let bits = rate::carried(end(from, &here), end(to, &there), &address, None).await?;
    Ok(bits / 8.0)
}

async fn tunnel(from: &Node, to: &Node) -> Result<f64> {
    let address = to.migration_address.to_string();
    let argv = ["sh", "-c", TUNNEL, &to.name, &address].map(str::to_owned);
    let output = timeout(TUNNEL_DEADLINE, from.output(&argv))
        .await
        .with_context(|| format!("not within {} s", TUNNEL_DEADLINE.as_secs()))??;
    match counted(&output.stdout) {
        Some(rate) => Ok(rate),
        None => {
            let last = |text: &str| text.trim().lines().last().unwrap_or_default().to_owned();
            let words = [last(&output.stderr), last(&output.stdout)];
            let words = words.into_iter().find(|words| !words.is_empty()).unwrap_or_default();
            bail!("ssh to root@{address}: {words}");
        }
    }
}

/// What `dd` counted, bytes a second.
fn counted(said: &str) -> Option<f64> {
    let line = said.lines().rfind(|line| line.contains(" copied, "))?;
    let bytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    let seconds: f64 = line.split(" copied, ").nth(1)?.split_whitespace().next()?.parse().ok()?;
    (bytes > 0.0 && seconds > 0.0).then(|| bytes / seconds)
}

/// What helps against a tunnel that could not be measured, by its words.
#[must_use]
pub fn remedy(words: &str) -> &'static str {
    if words.contains("Host key verification failed") || words.contains("host key is known") {
        "Proxmox's own migrations fail so too: `pvecm updatecerts` on both nodes renews the host \
         keys that they know of each other"
    } else if words.contains("Permission denied") {
        "root of each node must be let in to the others by its own key, as Proxmox sets it up: \
         `pvecm updatecerts` on both nodes renews that; the lab file's `ssh` must lead to root"
    } else if words.contains("not found") {
        "the nodes need `ssh`, `timeout` and `dd`"
    } else {
        "on the first node, as root: `ssh -o BatchMode=yes root@ADDRESS true`, with the other's \
         address in the migration network, must work"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab::process::Command;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_dd_counts_is_understood() {
        let said = "1000+5 records in\n1000+5 records out\n\
                    65700000 bytes (66 MB, 63 MiB) copied, 1.5 s, 44 MB/s\n";
        assert_eq!(counted(said), Some(43_800_000.0));
        assert_eq!(counted("0 bytes copied, 1.0 s, 0.0 kB/s\n"), None);
        assert_eq!(counted("root@192.0.2.1: Permission denied (publickey).\n"), None);
    }

    /// The script as it is, with an `ssh` that shows what it was asked and does it here.
    #[test]
    fn the_script_sends_zeros_for_a_second_and_counts_them() {
        let folder = tempfile::tempdir().unwrap();
        let ssh = folder.path().join("ssh");
        let text = "#!/bin/sh\necho \"$*\" >&2\nfor last; do :; done\nexec sh -c \"$last\"\n";
        std::fs::write(&ssh, text).unwrap();
        std::fs::set_permissions(&ssh, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
        let output = Command::new("sh")
            .args(["-c", TUNNEL, "pve2", "192.0.2.12"])
            .env("PATH", path)
            .run()
            .unwrap();
        let rate = counted(&output.text()).unwrap();
        assert!(rate > 1e6, "{rate}");
        let asked = String::from_utf8_lossy(&output.stderr);
        let options = "-e none -o BatchMode=yes -o ConnectTimeout=10 -o HostKeyAlias=pve2 \
                       root@192.0.2.12 ";
        assert!(asked.contains(options), "{asked}");
    }
}
