//! What helps after a migration that failed, by Proxmox's words.

use super::MigrationLog;
use crate::hypervisor::proxmox::answer;

/// Words, and what helps. The first that are found count, so what says most comes first.
const REMEDIES: [(&str, &str); 14] = [
    (
        "Can't connect to destination address using public key",
        "the target is down, or the source's root may not log in there by SSH: `pvecm updatecerts` \
         on both, then `ssh -o BatchMode=yes -o HostKeyAlias=NODE root@ADDRESS true`",
    ),
    (
        "no IP address configured on local node for network",
        "each node needs exactly one address in the migration network; `ip -br address` shows them",
    ),
    (
        "could not get migration ip",
        "each node needs exactly one address in the migration network; `ip -br address` shows them",
    ),
    (
        "unable to detect remote migration address",
        "each node needs exactly one address in the migration network; `ip -br address` shows them",
    ),
    (
        "could not open kernel file",
        "the file in the VM's `args` must be there, and the same, on every node",
    ),
    (
        "can't live migrate attached local disks",
        "put its disks and CDs on a storage that all nodes share, or eject them",
    ),
    (
        "can't migrate VM which uses local devices",
        "take devices of the node, such as passed-through ones, off the VM",
    ),
    (
        "already running",
        "a QEMU of an earlier migration was left on the target; this attempt has removed it, so \
         try again",
    ),
    (
        "KVM virtualisation configured, but not available",
        "a node has no KVM: set `kvm: 0` for the VM",
    ),
    (
        "can't migrate running VM without --online",
        "the VM runs: it must be asked for with `online=1`",
    ),
    (
        "too many query migrate failures",
        "the source's QEMU did not answer Proxmox: is something else attached to its monitor?",
    ),
    ("interrupted by signal", "somebody ended the task"),
    ("status error: cancelled", "somebody cancelled the migration in QEMU"),
    ("can't open tunnel", "the target's `qm mtunnel` did not start: see its system log"),
];

impl MigrationLog {
    /// What helps, where the words are known. `None` of a migration that completed.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        let why = self.why()?;
        // Some also stand for themselves in answers of the API: a lock, a quorum, a storage.
        Self::remedy_of(&why).or_else(|| answer::by_words(why, 500, "").hint())
    }

    /// What helps after words of any task that deals with a VM, where they are known.
    #[must_use]
    pub fn remedy_of(words: &str) -> Option<String> {
        let found = REMEDIES.iter().find(|(part, _)| words.contains(part));
        found.map(|(_, remedy)| (*remedy).to_owned())
    }
}
