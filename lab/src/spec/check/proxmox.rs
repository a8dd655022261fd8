//! What a lab file may not say of Proxmox VE.

use super::{NAME_HINT, api, bad_name, existing};
use crate::{
    spec::{HypervisorKind, LabSpec, Provider, ProxmoxSpec},
    yaml::{Parsed, Problem},
};

/// Longest name of a cluster that corosync takes.
const CLUSTER_CHARS: usize = 15;
/// Hexadecimal digits of a SHA-256.
const SHA256_DIGITS: usize = 64;

/// Everything that is wrong.
pub(super) fn problems(parsed: &Parsed<LabSpec>, problems: &mut Vec<Problem>) {
    let spec = &parsed.value;
    let of_other = [
        ("proxmox", spec.proxmox.is_some(), HypervisorKind::Proxmox),
        ("qemu", spec.qemu.is_some(), HypervisorKind::Qemu),
    ];
    for (key, given, hypervisor) in of_other {
        if given && spec.hypervisor != hypervisor {
            let what = format!("`{key}` says nothing to the hypervisor `{}`", spec.hypervisor);
            problems.push(
                parsed
                    .problem(&[key], what)
                    .hint(format!("leave it out, or take `hypervisor: {hypervisor}`")),
            );
        }
    }
    if spec.hypervisor == HypervisorKind::Proxmox && spec.provider == Provider::Netns {
        let what = "Proxmox VE needs machines, and namespaces are none";
        problems.push(
            parsed
                .problem(&["provider"], what)
                .hint("take `provider: vagrant`, or `hosts` for machines that you have"),
        );
    }
    if let Some(proxmox) = &spec.proxmox {
        names(parsed, proxmox, problems);
        repository(parsed, proxmox, problems);
        api::problems(parsed, proxmox, problems);
        existing::problems(parsed, proxmox, problems);
    }
}

fn names(parsed: &Parsed<LabSpec>, proxmox: &ProxmoxSpec, problems: &mut Vec<Problem>) {
    if let Some(why) = bad_name(&proxmox.cluster, CLUSTER_CHARS) {
        let what = format!("`{}` cannot name a cluster: {why}", proxmox.cluster);
        problems.push(parsed.problem(&["proxmox", "cluster"], what).hint(NAME_HINT));
    }
    let label = |label: &str| {
        let ends = |c: char| c.is_ascii_alphanumeric();
        label.starts_with(ends) && label.ends_with(ends) && label.chars().all(is_name_char)
    };
    if !proxmox.domain.split('.').all(label) {
        let what = format!("`{}` is no domain", proxmox.domain);
        problems.push(parsed.problem(&["proxmox", "domain"], what).hint("such as `lab.internal`"));
    }
    if !is_id(&proxmox.storage.replace(['_', '.'], "-")) {
        let what = format!("`{}` cannot name a storage", proxmox.storage);
        problems.push(parsed.problem(&["proxmox", "storage"], what).hint(STORAGE_HINT));
    }
    if !is_id(&proxmox.token) {
        let what = format!("`{}` cannot name a token", proxmox.token);
        problems.push(parsed.problem(&["proxmox", "token"], what).hint(ID_HINT));
    }
    match proxmox.user.split_once('@') {
        Some((name, "pve")) if is_id(name) => {}
        _ => {
            let what = format!("`{}` cannot be this program's user", proxmox.user);
            problems.push(
                parsed
                    .problem(&["proxmox", "user"], what)
                    .hint("a user of Proxmox's own realm, such as `precopy-lab@pve`"),
            );
        }
    }
    if proxmox.ready_deadline.0 == 0 {
        let what = "no service is ready in no time";
        problems.push(parsed.problem(&["proxmox", "ready_deadline"], what).hint("such as `5 min`"));
    }
}

const STORAGE_HINT: &str =
    "two letters, digits, dashes, dots or underlines and more, beginning with a letter";
const ID_HINT: &str = "two letters, digits or dashes and more, beginning with a letter";

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

/// What Proxmox takes as the id of a storage, a user or a token, and a little less.
fn is_id(id: &str) -> bool {
    id.len() >= 2
        && id.starts_with(|c: char| c.is_ascii_alphabetic())
        && id.ends_with(|c: char| c.is_ascii_alphanumeric())
        && id.chars().all(is_name_char)
}

fn repository(parsed: &Parsed<LabSpec>, proxmox: &ProxmoxSpec, problems: &mut Vec<Problem>) {
    // They become lines of apt's configuration.
    let word = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic()) && !text.starts_with('-')
    };
    let url = &proxmox.repository;
    let known = ["http://", "https://", "file:/"].iter().any(|scheme| url.starts_with(scheme));
    if !known || !word(url) {
        let what = format!("`{}` is no place of packages", url.escape_debug());
        problems.push(
            parsed
                .problem(&["proxmox", "repository"], what)
                .hint("`http://…`, `https://…`, or `file:/…` for a folder that every node has"),
        );
    }
    for (key, text) in [("suite", &proxmox.suite), ("component", &proxmox.component)] {
        if !word(text) {
            let what = format!("`{}` cannot be a {key}", text.escape_debug());
            problems.push(parsed.problem(&["proxmox", key], what).hint("one word"));
        }
    }
    if proxmox.key.is_empty() || proxmox.key.chars().any(char::is_control) {
        let what = format!("`{}` is no place of a key", proxmox.key.escape_debug());
        problems.push(
            parsed
                .problem(&["proxmox", "key"], what)
                .hint("`https://…`, or the path of a keyring on this machine"),
        );
    }
    match &proxmox.key_sha256 {
        Some(hash) => {
            let digits = hash.chars().all(|c| c.is_ascii_hexdigit());
            if !(digits && hash.len() == SHA256_DIGITS) {
                let what = format!("`{}` is no SHA-256", hash.escape_debug());
                problems.push(
                    parsed
                        .problem(&["proxmox", "key_sha256"], what)
                        .hint("64 hexadecimal digits; `sha256sum` prints them"),
                );
            }
        }
        None if proxmox.key_is_remote() && proxmox.key_hash().is_none() => {
            let what = "a key that is fetched needs `key_sha256`";
            problems.push(
                parsed
                    .problem(&["proxmox", "key"], what)
                    .hint("else whoever answers there decides what nodes install"),
            );
        }
        None => {}
    }
}
