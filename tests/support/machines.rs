//! Machines that one already has, without any: network namespaces at a switch that is another one,
//! each with a true SSH server, which `ssh` talks to over a pipe (`ProxyCommand`): nothing of it is
//! on any network of this machine. Each has an `/etc` of its own, a copy.

use super::{DEADLINE, Sandbox, processes};
use camino::Utf8PathBuf;
use lab::process::{self, Command, Conversation};
use std::fs;
use tokio::io::{AsyncBufReadExt, BufReader};

/// The nodes.
pub const NODES: [&str; 3] = ["node1", "node2", "node3"];

/// A namespace that lives until its stdin ends.
struct Namespace {
    pid: String,
    _alive: Conversation,
}

impl Namespace {
    async fn new(script: &str) -> Self {
        let script = format!("ip link set lo up\n{script}\necho $$; exec cat");
        let options = ["--net", "--mount", "--propagation", "private", "sh", "-euc", &script];
        let mut alive = Command::new("unshare").args(options).converse().expect("unshare");
        let mut line = String::new();
        let read = BufReader::new(&mut alive.stdout).read_line(&mut line).await;
        read.expect("read");
        assert!(!line.is_empty(), "{}", alive.ending.last_words(DEADLINE).await);
        Self { pid: line.trim().to_owned(), _alive: alive }
    }

    /// Runs a script there; gives what it prints.
    fn run(&self, script: &str) -> String {
        let pid = &self.pid;
        let (net, mount) =
            (format!("--net=/proc/{pid}/ns/net"), format!("--mount=/proc/{pid}/ns/mnt"));
        let command = Command::new("nsenter").args([&net, &mount]);
        command.args(["sh", "-euc", script]).run().expect(script).text()
    }
}

/// Three of them, and their switch.
pub struct Machines<'a> {
    sandbox: &'a Sandbox,
    sshd: String,
    script: fn(usize) -> String,
    switch: Namespace,
    machines: Vec<Option<Namespace>>,
    /// Where our program puts its files on each of them; one of the sandbox's where none is given.
    folder: Option<&'static str>,
    /// The configuration of `ssh`.
    pub config: Utf8PathBuf,
}

impl<'a> Machines<'a> {
    /// Brings them up; `script` is run on each, by its number from 1, with the cards `lan0` and
    /// `mig0`. `None`, with a word, where that cannot be done.
    pub async fn up(sandbox: &'a Sandbox, script: fn(usize) -> String) -> Option<Self> {
        Self::up_with(sandbox, script, None).await
    }

    /// Likewise, with our program's files in this folder of each.
    pub async fn up_with(
        sandbox: &'a Sandbox,
        script: fn(usize) -> String,
        folder: Option<&'static str>,
    ) -> Option<Self> {
        let Some(sshd) = process::find("sshd") else {
            eprintln!("left out: there is no `sshd` (Debian: apt-get install openssh-server)");
            return None;
        };
        if !rustix::process::geteuid().is_root() {
            eprintln!("left out: only root can enter the machines' namespaces");
            return None;
        }
        let switch = Namespace::new(
            "for bridge in guest migration; do ip link add $bridge type bridge; ip link set $bridge up; done",
        );
        let path = |name: &str| sandbox.path().join(name);
        for key in ["user", "host"] {
            let file = path(key);
            let options = ["-q", "-t", "ed25519", "-N", "", "-f", file.as_str()];
            Command::new("ssh-keygen").args(options).run().expect("a key");
        }
        // Where root starts it, it confines itself to this folder.
        let _exists = fs::create_dir("/run/sshd");
        let mut machines = Self {
            sandbox,
            sshd: sshd.to_str().expect("UTF-8").to_owned(),
            script,
            switch: switch.await,
            machines: Vec::new(),
            folder,
            config: path("ssh_config"),
        };
        for index in 0..NODES.len() {
            machines.machines.push(None);
            machines.start(index).await;
        }
        Some(machines)
    }

    /// Starts a machine that is not there, and tells `ssh` where it is.
    pub async fn start(&mut self, index: usize) {
        let etc = self.sandbox.path().join(format!("{}.etc", NODES[index]));
        let own = (self.script)(index + 1);
        let switch = &self.switch.pid;
        let script = format!(
            "[ -d {etc} ] || cp -a /etc {etc}
             mount --bind {etc} /etc
             ip link add lan0 type veth peer name g{index} netns {switch}
             ip link add mig0 type veth peer name m{index} netns {switch}
             ip link set lan0 up; ip link set mig0 up
             {own}"
        );
        self.machines[index] = Some(Namespace::new(&script).await);
        self.switch.run(&format!(
            "ip link set g{index} master guest up; ip link set m{index} master migration up"
        ));
        self.write_config();
    }

    /// Ends a machine as a power cut does.
    pub fn stop(&mut self, index: usize) {
        self.machines[index] = None;
    }

    /// Ends all that runs on a machine and lets nobody in, or lets everybody in again.
    pub fn power(&self, index: usize, on: bool) {
        let down = self.sandbox.path().join(format!("{}.down", NODES[index]));
        if on {
            return fs::remove_file(down).expect("it was down");
        }
        fs::write(down, "").expect("written");
        let pid = &self.machines[index].as_ref().expect("it is up").pid;
        let space = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        let own = space(pid);
        for found in processes::all() {
            let number = found.pid.to_string();
            if number != *pid && own.is_some() && space(&number) == own {
                found.kill();
            }
        }
    }

    /// Runs a script on a machine; gives what it prints.
    pub fn on(&self, index: usize, script: &str) -> String {
        self.machines[index].as_ref().expect("it is up").run(script)
    }

    /// A command that goes before another one and has it run on a machine.
    pub fn enter(&self, index: usize) -> Vec<String> {
        let pid = &self.machines[index].as_ref().expect("it is up").pid;
        let spaces = [format!("--net=/proc/{pid}/ns/net"), format!("--mount=/proc/{pid}/ns/mnt")];
        std::iter::once("nsenter".to_owned()).chain(spaces).collect()
    }

    /// The same on the switch.
    pub fn on_switch(&self, script: &str) -> String {
        self.switch.run(script)
    }

    fn write_config(&self) {
        let path = |name: &str| self.sandbox.path().join(name);
        let (key, known) = (path("user"), path("known_hosts"));
        let public = fs::read_to_string(path("host.pub")).expect("a key");
        let (mut client, mut keys) = (String::new(), String::new());
        for (node, machine) in NODES.iter().zip(&self.machines) {
            let Some(Namespace { pid, .. }) = machine else { continue };
            keys += &format!("{node} {public}");
            let server = format!(
                "HostKey {}\nAuthorizedKeysFile {key}.pub\nUsePAM no\nStrictModes no\n\
                 SetEnv PRECOPY_LAB_FOLDER={}\n",
                path("host"),
                self.folder.map_or_else(|| path(&format!("{node}.files")), Utf8PathBuf::from)
            );
            let server = self.sandbox.file(&format!("{node}.sshd"), &server);
            // A machine that is down lets nobody in.
            let proxy = format!(
                "#!/bin/sh\n[ ! -e {} ] || exit 1\nexec nsenter --net=/proc/{pid}/ns/net \
                 --mount=/proc/{pid}/ns/mnt {} -i -f {server}\n",
                path(&format!("{node}.down")),
                self.sshd
            );
            let proxy = self.sandbox.script(&format!("{node}.proxy"), &proxy);
            client += &format!("Host {node}\n  HostKeyAlias {node}\n  ProxyCommand {proxy}\n");
        }
        fs::write(&known, keys).expect("written");
        client += &format!(
            "Host *\n  User root\n  IdentitiesOnly yes\n  IdentityFile {key}\n  \
             UserKnownHostsFile {known}\n  GlobalKnownHostsFile none\n"
        );
        fs::write(&self.config, client).expect("written");
    }

    /// A lab file of them, with `rest` behind it; `devices` is put into each machine's entry.
    pub fn lab(&self, name: &str, devices: &str, rest: &str) -> Utf8PathBuf {
        self.lab_of("qemu", name, devices, rest)
    }

    /// Likewise, of another hypervisor.
    pub fn lab_of(&self, hypervisor: &str, name: &str, devices: &str, rest: &str) -> Utf8PathBuf {
        let config = &self.config;
        let hosts = NODES
            .map(|node| format!("  {node}: {{ ssh: {node}, ssh_config: {config}{devices} }}\n"));
        let hosts = hosts.concat();
        let text = format!(
            "name: {name}\nprovider: hosts\nhypervisor: {hypervisor}\nhosts:\n{hosts}{rest}"
        );
        self.sandbox.file(&format!("{name}.yaml"), &text)
    }

    /// Asserts that our program is on none of them any more.
    pub fn assert_no_files(&self) {
        for node in NODES {
            let files = self.sandbox.path().join(format!("{node}.files")).join("files");
            assert!(!files.exists(), "{files} is left");
        }
        let left = self.sandbox.data().join("hosts").read_dir_utf8().expect("listed");
        let left: Vec<_> = left.map(|it| it.expect("entry").file_name().to_owned()).collect();
        assert_eq!(left, ["labs.lock"]);
    }
}
