//! SSH servers of this machine's loopback, with keys of their own.

use crate::support::{LONG, PAUSE, strings};
use camino::{Utf8Path, Utf8PathBuf};
use lab::{
    process::{self, Command, Conversation},
    ssh::SshTarget,
};
use std::{fs, net::TcpListener};

/// Two SSH servers, the second of which is reached by way of the first too.
pub struct Servers {
    folder: tempfile::TempDir,
    _running: Vec<Conversation>,
    ports: [u16; 2],
}

/// Where there is no SSH server, these tests are left out, and say so.
pub fn program() -> Option<String> {
    let found = process::find("sshd");
    if found.is_none() {
        eprintln!("left out: there is no `sshd` (Debian: apt-get install openssh-server)");
    }
    // It insists on being called by an absolute path.
    found.map(|path| path.to_str().expect("UTF-8").to_owned())
}

fn run(argv: &[&str]) {
    Command::new(argv[0]).args(&argv[1..]).run().expect(argv[0]);
}

impl Servers {
    /// Starts them; `None` where there is no SSH server.
    pub async fn start() -> Option<Self> {
        let sshd = program()?;
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| file(&folder, name);
        for key in ["host0", "host1", "other_host", "user", "other_user"] {
            run(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path(key).as_str()]);
        }
        fs::copy(path("user.pub"), path("authorized")).expect("copied");
        // Where root starts it, it confines itself to this folder.
        let _exists_or_no_root = fs::create_dir("/run/sshd");
        let ports = [free_port(), free_port()];
        let mut running = Vec::new();
        for (index, port) in ports.iter().enumerate() {
            let config = format!(
                "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\n\
                 PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\n\
                 KbdInteractiveAuthentication no\nSetEnv PRECOPY_LAB_FOLDER={}\n",
                path(&format!("host{index}")),
                path("authorized"),
                path("files"),
            );
            let file = path(&format!("sshd{index}"));
            fs::write(&file, config).expect("written");
            let command = Command::new(&sshd).args(["-D", "-e", "-f", file.as_str()]);
            running.push(command.converse().expect("sshd"));
            let listening = lab::wait::until(PAUSE, LONG, async || {
                Ok(tokio::net::TcpStream::connect(("127.0.0.1", *port)).await?)
            });
            drop(listening.await.expect("sshd listens"));
        }
        let servers = Self { folder, _running: running, ports };
        servers.write("known", &servers.known("host0", "host1"));
        Some(servers)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    /// A file of this test.
    pub fn path(&self, name: &str) -> Utf8PathBuf {
        file(&self.folder, name)
    }

    /// Known hosts, with these keys as theirs.
    fn known(&self, first: &str, second: &str) -> String {
        let line = |port: u16, key: &str| {
            let key = fs::read_to_string(self.path(&format!("{key}.pub"))).expect("a key");
            let words: Vec<&str> = key.split(' ').take(2).collect();
            format!("[127.0.0.1]:{port} {}\n", words.join(" "))
        };
        line(self.ports[0], first) + &line(self.ports[1], second)
    }

    /// The first server, as these lines of configuration have it.
    pub fn target(&self, more: &[String]) -> SshTarget {
        let user = process::Command::new("id").arg("-un").run().expect("a user").text();
        let mut config = more.join("\n");
        let [first, second] = self.ports;
        config.push_str(&format!(
            "\nHost first\n  Port {first}\nHost second\n  Port {second}\nHost jumped\n  \
             Port {second}\n  ProxyJump first\nHost closed\n  Port 1\nHost *\n  \
             HostName 127.0.0.1\n  User {}\n  IdentitiesOnly yes\n  IdentityFile {}\n  \
             UserKnownHostsFile {}\n  GlobalKnownHostsFile none\n",
            user.trim(),
            self.path("user"),
            self.path("known"),
        ));
        let name = format!("config{}", more.len());
        self.write(&name, &config);
        SshTarget { config: Some(self.path(&name)), host: "first".to_owned(), sudo: true }
    }

    /// A target that knows these keys as the servers'.
    pub fn knowing(&self, first: &str, second: &str) -> SshTarget {
        self.write("other_known", &self.known(first, second));
        let path = self.path("other_known");
        self.target(&[format!("UserKnownHostsFile {path}")])
    }

    /// A target that offers a key which the servers do not know.
    pub fn stranger(&self) -> SshTarget {
        let key = self.path("other_user");
        let lines = strings(&["IdentitiesOnly yes", &format!("IdentityFile {key}")]);
        let target = self.target(&lines);
        // The first key given is not the only one: take the other away.
        let text = fs::read_to_string(target.config.as_ref().expect("given")).expect("read");
        let text = text.replace(&format!("IdentityFile {}\n", self.path("user")), "");
        fs::write(target.config.as_ref().expect("given"), text).expect("written");
        target
    }
}

fn file(folder: &tempfile::TempDir, name: &str) -> Utf8PathBuf {
    Utf8Path::from_path(folder.path()).expect("UTF-8").join(name)
}

/// One that nobody listens at now.
fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}
