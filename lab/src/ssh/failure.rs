//! Why a machine could not be reached, in words that say what to do.

use super::settings::Settings;

/// What is wrong and what helps, from what `ssh`, or a program on the other side, said last.
/// `offered`: the keys that `ssh` offered.
pub(super) fn explain(host: &str, settings: &Settings, words: &str, offered: &[String]) -> String {
    let Settings { user, host_name, port, jump, .. } = settings;
    let has = |any: &[&str]| any.iter().any(|text| words.contains(text));
    let via = jump.as_ref().map(|jump| format!(" (by way of {jump})")).unwrap_or_default();
    let (what, hint) = if has(&["HOST IDENTIFICATION HAS CHANGED"]) {
        (
            "its host key is not the one that is known for it".to_owned(),
            format!(
                "another machine may be answering; only if you know that it was installed anew, \
                 forget the old key with `ssh-keygen -R {}`",
                known_name(host_name, port)
            ),
        )
    } else if has(&["Host key verification failed", "host key is known for"]) {
        let jump_too = if jump.is_some() { " (and that of its jump host)" } else { "" };
        (
            "its host key is not known here".to_owned(),
            format!(
                "connect once by hand with `ssh {host}`, compare the fingerprint it shows{jump_too} \
                 with the machine's own, and accept it"
            ),
        )
    } else if has(&["Permission denied ("]) {
        let offered = match offered {
            [] => "no key was offered".to_owned(),
            keys => format!("offered were {}", keys.join(", ")),
        };
        (
            format!("it lets {user} in with none of our keys ({offered})"),
            format!(
                "put the right key into `~/.ssh/config` or the SSH agent, or let the machine know \
                 ours with `ssh-copy-id {host}`"
            ),
        )
    } else if has(&["sudo: "]) {
        (
            format!("{user} may not become root there without a password: {}", last_line(words)),
            format!(
                "log in as root, or give {user} the line `{user} ALL=(ALL) NOPASSWD: ALL` in \
                 /etc/sudoers.d"
            ),
        )
    } else if has(&["Could not resolve hostname"]) {
        (
            format!("its name is not known: {}", last_line(words)),
            "check the name in the lab file and in `~/.ssh/config`".to_owned(),
        )
    } else if has(&[
        "Connection refused",
        "timed out",
        "No route to host",
        "Network is unreachable",
        "Connection closed by",
        "banner exchange",
        "kex_exchange_identification",
    ]) {
        (
            format!("no SSH server answers at {host_name} port {port}{via}: {}", last_line(words)),
            "is the machine up, its SSH server running, and no firewall between?".to_owned(),
        )
    } else if has(&["Exec format error"]) {
        (
            format!("it cannot run our program: {}", last_line(words)),
            "nodes must be x86-64 Linux machines".to_owned(),
        )
    } else if words.is_empty() {
        return "it ended the connection without a word".to_owned();
    } else {
        return last_line(words).to_owned();
    };
    format!("{what}\n\nhint: {hint}")
}

fn last_line(words: &str) -> &str {
    words.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}

/// As `known_hosts` names it.
fn known_name(host_name: &str, port: &str) -> String {
    if port == "22" { host_name.to_owned() } else { format!("'[{host_name}]:{port}'") }
}

/// The keys that `ssh -v` says it offered.
pub(super) fn offered(debug: &str) -> Vec<String> {
    let lines = debug.lines().filter_map(|line| line.split_once("Offering public key: "));
    let mut keys: Vec<String> =
        lines.map(|(_, key)| key.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    keys.dedup();
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            user: "ann".to_owned(),
            host_name: "10.0.0.7".to_owned(),
            port: "22".to_owned(),
            ..Settings::default()
        }
    }

    #[test]
    fn each_failure_has_its_remedy() {
        let cases = [
            (
                "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
                "ssh-keygen -R 10.0.0.7",
            ),
            (
                "No ED25519 host key is known for 10.0.0.7 and you have requested strict checking.",
                "connect once by hand with `ssh pve1`",
            ),
            ("ann@10.0.0.7: Permission denied (publickey).", "no key was offered"),
            ("sudo: a password is required", "ann ALL=(ALL) NOPASSWD: ALL"),
            ("ssh: Could not resolve hostname pve1: Name or service not known", "check the name"),
            ("ssh: connect to host 10.0.0.7 port 22: Connection refused", "is the machine up"),
            ("sh: 1: exec: /x/observer: Exec format error", "x86-64"),
            ("\n", "without a word"),
            ("head: write error: No space left on device", "No space left on device"),
        ];
        for (words, remedy) in cases {
            let said = explain("pve1", &settings(), words.trim(), &[]);
            assert!(said.contains(remedy), "{words}: {said}");
        }
    }

    #[test]
    fn offered_keys_are_named() {
        let debug = "debug1: Offering public key: /k/id_ed25519 ED25519 SHA256:x explicit\n\
                     debug1: Offering public key: ann@desk RSA SHA256:y agent\n";
        let keys = offered(debug);
        assert_eq!(keys, ["/k/id_ed25519 ED25519", "ann@desk RSA"]);
        let words = "ann@10.0.0.7: Permission denied (publickey).";
        let said = explain("pve1", &settings(), words, &keys);
        assert!(said.contains("offered were /k/id_ed25519 ED25519, ann@desk RSA"), "{said}");
    }

    #[test]
    fn other_ports_are_named_as_known_hosts_does() {
        let settings = Settings { port: "2222".to_owned(), ..settings() };
        let said = explain("pve1", &settings, "HOST IDENTIFICATION HAS CHANGED", &[]);
        assert!(said.contains("ssh-keygen -R '[10.0.0.7]:2222'"), "{said}");
    }
}
