//! What a lab file may not say of a cluster that one already has.

use crate::{
    hypervisor::proxmox::{Credentials, Endpoint, Error, Fault, Fingerprint, Secret, Trust},
    spec::{ApiSpec, LabSpec, Provider, ProxmoxSpec, VmIds},
    yaml::{Parsed, Problem},
};

/// Fewest ids: each trial's guest has one, and what an interrupted run left has some.
const FEWEST_IDS: u32 = 3;
/// Longest name of a network interface.
const INTERFACE_CHARS: usize = 15;

/// Everything that is wrong with it, and with what guests of our own get there.
pub(super) fn problems(
    parsed: &Parsed<LabSpec>,
    proxmox: &ProxmoxSpec,
    problems: &mut Vec<Problem>,
) {
    ids(parsed, proxmox.vmids, problems);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let bridge = &proxmox.bridge;
    if bridge.is_empty() || bridge.len() > INTERFACE_CHARS || !bridge.chars().all(plain) {
        let what = format!("`{}` cannot name a bridge", bridge.escape_debug());
        problems.push(parsed.problem(&["proxmox", "bridge"], what).hint("such as `vmbr0`"));
    }
    let Some(api) = &proxmox.api else { return };
    if parsed.value.provider != Provider::Hosts {
        let what = "only a cluster that exists has an API before the lab is up";
        problems.push(
            parsed
                .problem(&["proxmox", "api"], what)
                .hint("leave it out, or take `provider: hosts`"),
        );
    }
    user(parsed, api, problems);
    secret(parsed, api, problems);
    nodes(parsed, api, problems);
}

fn ids(parsed: &Parsed<LabSpec>, ids: VmIds, problems: &mut Vec<Problem>) {
    let VmIds { first, last } = ids;
    let at = ["proxmox", "vmids"];
    let possible = VmIds::POSSIBLE;
    if !possible.contains(first) || !possible.contains(last) {
        let what = format!("`{ids}` has ids that Proxmox does not take");
        problems.push(parsed.problem(&at, what).hint(format!("its ids are {possible}")));
    } else if last.saturating_sub(first) < FEWEST_IDS - 1 || last < first {
        let what = format!("`{ids}` has too few ids");
        let hint = format!("{FEWEST_IDS} or more, the least first, such as `{}`", VmIds::default());
        problems.push(parsed.problem(&at, what).hint(hint));
    }
}

/// What the client itself says against a setting.
fn why(error: &Error) -> String {
    match error.fault() {
        Fault::Settings { why } => why.clone(),
        fault => fault.to_string(),
    }
}

fn user(parsed: &Parsed<LabSpec>, api: &ApiSpec, problems: &mut Vec<Problem>) {
    let at = ["proxmox", "api", "user"];
    if api.user.contains('=') {
        let what = "a token's secret does not belong in a lab file";
        problems.push(parsed.problem(&at, what).hint(format!(
            "only `user@realm!name` here; put the secret into the variable {}",
            api.variable()
        )));
        return;
    }
    let none = Secret::new("");
    let read = match api.is_token() {
        true => Credentials::token(&api.user, none),
        false => Credentials::password(&api.user, none),
    };
    if let Err(error) = read {
        problems.push(
            parsed
                .problem(&at, why(&error))
                .hint("`root@pam`, or an API token such as `precopy-lab@pve!lab`"),
        );
    }
}

fn secret(parsed: &Parsed<LabSpec>, api: &ApiSpec, problems: &mut Vec<Problem>) {
    if api.secret_variable.is_some() && api.secret_file.is_some() {
        let what = "the secret comes from a variable or from a file, not from both";
        problems.push(
            parsed.problem(&["proxmox", "api", "secret_file"], what).hint("leave one of them out"),
        );
    }
    let variable = api.variable();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !variable.chars().all(plain) || !variable.starts_with(|c: char| !c.is_ascii_digit()) {
        // It may be the secret itself: it is not repeated.
        let what = "this is no name of an environment variable";
        problems.push(parsed.problem(&["proxmox", "api", "secret_variable"], what).hint(format!(
            "the variable's name, such as `{variable}`; the secret itself does not belong here",
            variable = ApiSpec { secret_variable: None, ..api.clone() }.variable()
        )));
    }
    if api.secret_file.as_ref().is_some_and(|path| path.as_str().is_empty()) {
        let what = "a file needs a path";
        problems.push(
            parsed.problem(&["proxmox", "api", "secret_file"], what).hint("such as `pve-token`"),
        );
    }
}

fn nodes(parsed: &Parsed<LabSpec>, api: &ApiSpec, problems: &mut Vec<Problem>) {
    let addresses = parsed.value.api_nodes();
    for (index, address) in api.nodes.iter().enumerate() {
        let at = ["proxmox", "api", "nodes", &index.to_string()];
        if let Err(error) = Endpoint::parse(address, Trust::Authority(Vec::new())) {
            problems.push(parsed.problem(&at, why(&error)).hint("such as `pve1.example`"));
        }
    }
    for (address, fingerprint) in &api.fingerprints {
        let at = ["proxmox", "api", "fingerprints", address.as_str()];
        if !addresses.contains(address) {
            let what = format!("`{address}` is not asked, so its certificate is never seen");
            let asked = addresses.join(", ");
            problems.push(parsed.problem(&at, what).hint(format!("asked are {asked}")));
        }
        if fingerprint.parse::<Fingerprint>().is_err() {
            let what = "this is no SHA-256 fingerprint";
            problems.push(parsed.problem(&at, what).hint(
                "`AA:BB:…`, 32 bytes; `openssl x509 -noout -fingerprint -sha256 -in \
                 /etc/pve/local/pve-ssl.pem` prints it on the node (pveproxy-ssl.pem, where there \
                 is one)",
            ));
        }
    }
    let unknown: Vec<&str> = addresses
        .iter()
        .filter(|address| !api.fingerprints.contains_key(*address))
        .map(String::as_str)
        .collect();
    if api.ca.is_none() && !unknown.is_empty() {
        let what = format!("nothing says how to know {} by its certificate", unknown.join(", "));
        problems.push(parsed.problem(&["proxmox", "api"], what).hint(
            "`ca: FILE`, a copy of /etc/pve/pve-root-ca.pem, or `fingerprints: { NODE: AA:BB:… }`",
        ));
    }
}
