//! A lab of machines that are reached by SSH, as a user works with it. The machines are network
//! namespaces, each with a true SSH server, which `ssh` talks to over a pipe (`ProxyCommand`):
//! nothing of it is on any network.

use crate::support::{DEADLINE, Sandbox, build};
use camino::Utf8PathBuf;
use lab::process::{self, Command, Conversation};
use std::fs;
use tokio::io::{AsyncBufReadExt, BufReader};

const NODES: [&str; 3] = ["node1", "node2", "node3"];

/// A network namespace with a node's addresses, which lives until its stdin ends.
struct Machine {
    namespace: String,
    _alive: Conversation,
}

impl Machine {
    async fn new(index: usize) -> Self {
        let script = format!(
            "ip link set lo up
             ip link add lan0 type bridge; ip addr add 10.77.0.{0}/24 dev lan0
             ip link add mig0 type bridge; ip addr add 10.78.0.{0}/24 dev mig0
             echo $$; exec cat",
            index + 1
        );
        let unshare = Command::new("unshare").args(["--net", "sh", "-euc", &script]);
        let mut alive = unshare.converse().expect("unshare");
        let mut line = String::new();
        let read = BufReader::new(&mut alive.stdout).read_line(&mut line).await;
        read.expect("read");
        assert!(!line.is_empty(), "{}", alive.ending.last_words(DEADLINE).await);
        Self { namespace: format!("/proc/{}/ns/net", line.trim()), _alive: alive }
    }
}

fn run(argv: &[&str]) {
    Command::new(argv[0]).args(&argv[1..]).run().expect(argv[0]);
}

/// Keys and configurations of servers and client; gives the client's.
fn ssh_config(sandbox: &Sandbox, sshd: &str, machines: &[Machine]) -> Utf8PathBuf {
    let path = |name: &str| sandbox.path().join(name);
    let (key, known) = (path("user"), path("known_hosts"));
    run(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key.as_str()]);
    // Where root starts it, it confines itself to this folder.
    let _exists = fs::create_dir("/run/sshd");
    let (mut client, mut keys) = (String::new(), String::new());
    for (node, machine) in NODES.iter().zip(machines) {
        let host_key = path(&format!("{node}.key"));
        run(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host_key.as_str()]);
        let public = fs::read_to_string(format!("{host_key}.pub")).expect("a key");
        keys += &format!("{node} {public}");
        let server = sandbox.file(
            &format!("{node}.sshd"),
            &format!(
                "HostKey {host_key}\nAuthorizedKeysFile {key}.pub\nUsePAM no\nStrictModes no\n\
                 SetEnv PRECOPY_LAB_FOLDER={}\n",
                path(&format!("{node}.files"))
            ),
        );
        client += &format!(
            "Host {node}\n  HostKeyAlias {node}\n  \
             ProxyCommand nsenter --net={} {sshd} -i -f {server}\n",
            machine.namespace
        );
    }
    fs::write(&known, keys).expect("written");
    client += &format!(
        "Host *\n  User root\n  IdentitiesOnly yes\n  IdentityFile {key}\n  \
         UserKnownHostsFile {known}\n  GlobalKnownHostsFile none\n"
    );
    sandbox.file("ssh_config", &client)
}

#[tokio::test]
async fn machines_that_are_reached_by_ssh_make_a_lab() {
    let Some(sshd) = process::find("sshd") else {
        eprintln!("left out: there is no `sshd` (Debian: apt-get install openssh-server)");
        return;
    };
    if !rustix::process::geteuid().is_root() {
        eprintln!("left out: only root can enter the machines' namespaces");
        return;
    }
    // It may take longer than a command of this test may.
    build::build().expect("built");
    let sandbox = Sandbox::new();
    let mut machines = Vec::new();
    for index in 0..NODES.len() {
        machines.push(Machine::new(index).await);
    }
    let config = ssh_config(&sandbox, sshd.to_str().expect("UTF-8"), &machines);
    let hosts = NODES.map(|node| format!("  {node}: {{ ssh: {node}, ssh_config: {config} }}\n"));
    let spec =
        format!("name: owned\nprovider: hosts\nhypervisor: qemu\nhosts:\n{}", hosts.concat());
    let lab = sandbox.file("owned.yaml", &spec);
    let on_lab = |args: &[&str]| {
        let (command, rest) = args.split_first().expect("a command");
        sandbox.start(&[&[*command, "--lab", lab.as_str()], rest].concat()).end()
    };

    let elsewhere = format!("{spec}networks: {{ migration: {{ cidr: 10.99.0.0/24 }} }}\n");
    let elsewhere = sandbox.file("elsewhere.yaml", &elsewhere);
    let refused = sandbox.start(&["lab-up", "--lab", elsewhere.as_str()]).end();
    assert_eq!(refused.code, Some(4), "{refused:?}");
    let words = "node2: it has no address in the migration network 10.99.0.0/24";
    assert!(refused.stderr.contains(words), "{refused:?}");
    assert!(refused.stderr.contains("10.78.0.2 (mig0)"), "{refused:?}");

    let up = on_lab(&["lab-up"]);
    assert_eq!(up.code, Some(0), "{up:?}");
    assert!(up.stdout.contains("the lab `owned` is up: node1, node2, node3"), "{up:?}");
    let again = on_lab(&["lab-up"]);
    assert!(again.stdout.contains("is up already"), "{again:?}");

    let addresses = on_lab(&["lab-exec", "node3", "--", "ip", "-br", "address"]);
    assert_eq!(addresses.code, Some(0), "{addresses:?}");
    assert!(addresses.stdout.contains("10.77.0.3/24"), "{addresses:?}");
    let ended = on_lab(&["lab-exec", "node1", "--", "sh", "-c", "echo no >&2; exit 7"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(7), "no\n"), "{ended:?}");
    let missing = on_lab(&["lab-exec", "node1", "--", "no-such-program"]);
    assert_eq!(missing.code, Some(127), "{missing:?}");

    // A machine that cannot be reached is told, and nothing is half taken down.
    let alive = machines.pop();
    drop(alive);
    let lost = on_lab(&["lab-down"]);
    assert_eq!(lost.code, Some(4), "{lost:?}");
    assert!(lost.stderr.contains("node3"), "{lost:?}");
    let revived = Machine::new(2).await;
    let text = fs::read_to_string(&config).expect("read");
    let gone = text.split("--net=").nth(3).and_then(|rest| rest.split(' ').next()).expect("named");
    fs::write(&config, text.replace(gone, &revived.namespace)).expect("written");
    machines.push(revived);

    let down = on_lab(&["lab-down"]);
    assert_eq!(down.code, Some(0), "{down:?}");
    assert!(down.stdout.contains("the lab `owned` is down"), "{down:?}");
    let again = on_lab(&["lab-down"]);
    assert!(again.stdout.contains("was not up"), "{again:?}");
    for node in NODES {
        let files = sandbox.path().join(format!("{node}.files")).join("files");
        assert!(!files.exists(), "{files} is left");
    }
    let left = sandbox.data().join("hosts").read_dir_utf8().expect("listed");
    let left: Vec<_> = left.map(|it| it.expect("entry").file_name().to_owned()).collect();
    assert_eq!(left, ["labs.lock"]);
    drop(machines);
    sandbox.assert_nothing_left();
}
