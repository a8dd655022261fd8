//! Machines that one already has, without any: the nodes of a lab of namespaces, each reached by
//! a true SSH server inside it. Its connections come through `lab-exec`, so nothing listens.

use super::{
    Sandbox, processes,
    program::{ends_within, program},
};
use camino::Utf8PathBuf;
use lab::process::{self, Command, quote};
use std::fs;

use super::DEADLINE;

/// The nodes.
pub const NODES: [&str; 3] = ["node1", "node2", "node3"];

const LAB: &str = "\
name: behind-ssh
provider: netns
hypervisor: qemu
networks:
  guest: {cidr: 10.87.0.0/24}
  migration: {cidr: 10.88.0.0/24, link_rate: 1 Gbit/s}
";

/// Such machines, up.
pub struct SshNodes<'a> {
    sandbox: &'a Sandbox,
    /// The lab whose nodes they are.
    pub lab: Utf8PathBuf,
    /// The lab file whose nodes are reached by SSH.
    pub hosts: Utf8PathBuf,
}

impl<'a> SshNodes<'a> {
    /// Brings them up. `None`, with a word, where there is no SSH server.
    pub fn up(sandbox: &'a Sandbox) -> Option<Self> {
        let Some(sshd) = process::find("sshd") else {
            eprintln!("left out: there is no `sshd` (Debian: apt-get install openssh-server)");
            return None;
        };
        let lab = sandbox.file("behind-ssh.yaml", LAB);
        sandbox.start(&["lab-up", "--lab", lab.as_str()]).succeed();
        // Where root starts it, it confines itself to this folder.
        let _exists_or_no_root = fs::create_dir("/run/sshd");
        let path = |name: &str| sandbox.path().join(name);
        for key in ["host", "user"] {
            let file = path(key);
            let options = ["-q", "-t", "ed25519", "-N", "", "-f", file.as_str()];
            Command::new("ssh-keygen").args(options).run().expect("a key");
        }
        let host_key = fs::read_to_string(path("host.pub")).expect("a key");
        fs::copy(path("user.pub"), path("authorized")).expect("copied");
        let (mut config, mut known) = (String::new(), String::new());
        let user = Command::new("id").arg("-un").run().expect("a user").text();
        for node in NODES {
            let server = format!(
                "HostKey {}\nAuthorizedKeysFile {}\nUsePAM no\nStrictModes no\n\
                 PasswordAuthentication no\nKbdInteractiveAuthentication no\n\
                 SetEnv PRECOPY_LAB_FOLDER={}\n",
                path("host"),
                path("authorized"),
                path(&format!("{node}.files")),
            );
            let server = sandbox.file(&format!("{node}.sshd"), &server);
            // A node that is down lets nobody in.
            let proxy = format!(
                "#!/bin/sh\n[ ! -e {} ] || exit 1\nexec {} lab-exec --lab {} {node} -- {} -i -e -f {}\n",
                quote(path(&format!("{node}.down")).as_str()),
                quote(program().as_str()),
                quote(lab.as_str()),
                quote(sshd.to_str().expect("UTF-8")),
                quote(server.as_str()),
            );
            let proxy = sandbox.script(&format!("{node}.proxy"), &proxy);
            config += &format!("Host {node}\n  ProxyCommand {proxy}\n");
            known += &format!("{node} {host_key}");
        }
        let known = sandbox.file("known", &known);
        config += &format!(
            "Host *\n  User {}\n  IdentitiesOnly yes\n  IdentityFile {}\n  \
             UserKnownHostsFile {known}\n  GlobalKnownHostsFile none\n",
            user.trim(),
            path("user"),
        );
        let config = sandbox.file("ssh_config", &config);
        let mut text = LAB.replace("behind-ssh", "by-ssh").replace("netns", "hosts") + "hosts:\n";
        for node in NODES {
            text += &format!("  {node}: {{ssh: {node}, ssh_config: {config}}}\n");
        }
        let hosts = sandbox.file("by-ssh.yaml", &text);
        Some(Self { sandbox, lab, hosts })
    }

    /// Takes them down.
    pub fn down(self) {
        self.sandbox.start(&["lab-down", "--lab", self.hosts.as_str()]).succeed();
        self.sandbox.start(&["lab-down", "--lab", self.lab.as_str()]).succeed();
    }

    /// Whether the node lets anybody in, from now on.
    pub fn let_in(&self, node: &str, lets: bool) {
        let file = self.sandbox.path().join(format!("{node}.down"));
        if lets {
            fs::remove_file(file).expect("it was down");
        } else {
            fs::write(file, "").expect("written");
        }
    }

    /// What a power cut does, but for what the network says: ends the node's agent with the SSH
    /// server that it came by, and all that it has started.
    pub fn cut(&self, node: &str) {
        let all = processes::all();
        let files = format!("{}/{node}.files/", self.sandbox.path());
        let is_agent = |found: &&processes::Found| {
            found.argv.first().is_some_and(|program| program.starts_with(&files))
                && found.argv.get(1).is_some_and(|role| role == "agent")
        };
        let agent = all.iter().find(is_agent).unwrap_or_else(|| panic!("{node} has no agent"));
        let mut doomed = vec![agent.pid];
        let mut above = agent.parent;
        while let Some(server) = all.iter().find(|found| found.pid == above)
            && server.argv.first().is_some_and(|title| title.starts_with("sshd"))
        {
            doomed.push(server.pid);
            above = server.parent;
        }
        assert!(doomed.len() > 1, "{node} has no SSH server");
        let mut known = 0;
        while known < doomed.len() {
            known = doomed.len();
            let children = all.iter().filter(|found| doomed.contains(&found.parent));
            let new: Vec<i32> =
                children.map(|found| found.pid).filter(|pid| !doomed.contains(pid)).collect();
            doomed.extend(new);
        }
        let dead: Vec<_> = all.iter().filter(|found| doomed.contains(&found.pid)).collect();
        for found in &dead {
            found.kill();
        }
        assert!(dead.iter().all(|found| ends_within(&found.handle, DEADLINE)), "they live");
    }

    /// The node whose QEMU sends a guest away at this moment, and the one that receives it.
    pub fn migrating(&self) -> Option<(String, String)> {
        let all = processes::all();
        let qemu = |incoming: bool| {
            all.iter().find(|found| {
                found.mentions(self.sandbox.path())
                    && found.argv.iter().any(|argument| argument == "-kernel")
                    && found.argv.iter().any(|argument| argument == "-incoming") == incoming
            })
        };
        let (source, target) = (qemu(false)?, qemu(true)?);
        if !processes::sends_a_guest(source.pid) {
            return None;
        }
        let node = |found: &processes::Found| {
            let environment = format!("{:?}", found.argv);
            NODES.into_iter().find(|node| environment.contains(&format!("{node}.files")))
        };
        Some((node(source)?.to_owned(), node(target)?.to_owned()))
    }
}
