//! What a machine is, asked by one SSH command that leaves nothing behind: for labs that are not up.

use super::{Links, devices, links};
use crate::{spec::LabSpec, ssh::SshTarget};
use anyhow::{Context, Result};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(60);

/// Who is not root has no `sbin` in his path.
const SCRIPT: &str = "PATH=$PATH:/usr/sbin:/sbin
echo
echo precopy-lab glance
uname -r
qemu-system-x86_64 --version 2>/dev/null | sed -n '1s/^QEMU emulator version //p'
echo ---
ip -json -details address show
";

/// What a machine is.
#[derive(Debug)]
pub struct Glance {
    /// Release of its kernel.
    pub kernel: String,
    /// The version of its distribution's QEMU, where it has that.
    pub qemu: Option<String>,
    /// Its links to the lab's networks.
    pub links: Result<Links>,
}

/// Asks a machine.
///
/// # Errors
/// When it cannot be reached.
pub async fn glance(spec: &LabSpec, name: &str, target: &SshTarget) -> Result<Glance> {
    let said = target.ask(SCRIPT, DEADLINE).await?;
    parse(spec, name, &said).with_context(|| format!("it answers in an unknown form: {said}"))
}

fn parse(spec: &LabSpec, name: &str, said: &str) -> Option<Glance> {
    // What a login script may print comes before.
    let (_, said) = said.split_once("\nprecopy-lab glance\n")?;
    let (facts, devices) = said.split_once("---\n")?;
    let mut facts = facts.lines();
    Some(Glance {
        kernel: facts.next()?.to_owned(),
        qemu: facts.next().map(str::to_owned),
        links: devices::parse(devices.trim()).and_then(|devices| links(spec, name, &devices)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_machine_says_is_understood() {
        let spec =
            LabSpec::parse("a", "name: a\nprovider: netns\nhypervisor: qemu\n").expect("good");
        let devices = include_str!("testdata/bridge.json");
        let said =
            format!("Welcome!\n\nprecopy-lab glance\n6.12.0\n10.0.2 (Debian)\n---\n{devices}\n");
        let glance = parse(&spec, "node1", &said).expect("understood");
        assert_eq!(
            (glance.kernel.as_str(), glance.qemu.as_deref()),
            ("6.12.0", Some("10.0.2 (Debian)"))
        );
        assert_eq!(glance.links.expect("found").guest_device, "eth1");
        let bare =
            parse(&spec, "node1", "\nprecopy-lab glance\n6.12.0\n---\n").expect("understood");
        assert!(bare.qemu.is_none() && bare.links.is_err());
        assert!(parse(&spec, "node1", "").is_none());
    }
}
