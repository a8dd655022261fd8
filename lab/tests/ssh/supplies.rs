//! Packages through this machine, with true SSH servers on its loopback for nodes.

use crate::{
    sshd::Servers,
    support::{LONG, PAUSE, observer, said, strings, until_gone},
};
use camino::Utf8Path;
use lab::{
    node::{Exit, Node},
    packages::{Fetch, FetchError, PackageCache},
    playbook::Shell,
    process::Command,
    provider::machines::{self, Links},
    set_up::{Supplied, Supplies},
    spec::LabSpec,
    ssh::{Connection, SshTarget},
};
use std::{
    collections::BTreeSet,
    fs,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
};

const ARCHIVE: &str = "http://archive.example/debian";
const DEB: &str = "http://archive.example/pool/x_1_amd64.deb";

/// Gives each address as its own content, and counts.
#[derive(Clone, Default)]
struct Archive(Arc<AtomicUsize>);

impl Fetch for Archive {
    async fn fetch(&self, url: &str, to: &Utf8Path) -> Result<(), FetchError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        fs::write(to, url.repeat(10_000)).map_err(|error| FetchError::Failed(error.to_string()))
    }
}

pub async fn node(target: SshTarget, name: &str) -> (Node, Connection) {
    let spec =
        LabSpec::parse("l.yaml", "name: l\nprovider: vagrant\nhypervisor: qemu\n").expect("a lab");
    let connection = Connection::open(target, observer(), LONG).await.expect("connected");
    let (address, device) = (Ipv4Addr::LOCALHOST, "lo".to_owned());
    let links = Links {
        guest_address: address,
        guest_device: device.clone(),
        migration_address: address,
        migration_device: device,
        storage: None,
    };
    (machines::node(&spec, name, connection.clone(), links), connection)
}

fn supplies(folder: &Utf8Path) -> (Archive, PackageCache<Archive>, Supplies<Archive>) {
    let archive = Archive::default();
    let cache =
        PackageCache::new(folder, "test", archive.clone(), BTreeSet::new()).expect("a cache");
    (archive, cache.clone(), Supplies::new(cache, &[ARCHIVE]))
}

pub async fn run(node: &Supplied<impl Fetch>, script: &str) -> String {
    let mut text = Vec::new();
    let argv = strings(&["bash", "-euc", script]);
    let exit = node.call(argv, Vec::new(), &mut |bytes| text.extend_from_slice(bytes)).await;
    assert_eq!(exit.expect("it was started"), Exit::Code(0));
    String::from_utf8(text).expect("text")
}

/// As apt asks a proxy.
fn get(url: &str) -> String {
    format!(
        "exec 3<>/dev/tcp/127.0.0.1/${{http_proxy##*:}}
         printf 'GET {url} HTTP/1.1\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3"
    )
}

#[tokio::test]
async fn what_three_nodes_ask_for_is_fetched_once() {
    let Some(servers) = Servers::start().await else { return };
    let (archive, cache, supplies) = supplies(&servers.path("packages"));
    let nodes = ["a", "b", "c"].map(|name| {
        let (target, supplies) = (servers.target(&[]), supplies.clone());
        tokio::spawn(async move { supplies.to(&node(target, name).await.0) })
    });
    let mut asking = Vec::new();
    for node in nodes {
        let node = node.await.unwrap();
        asking.push(tokio::spawn(async move { run(&node, &get(DEB)).await }));
    }
    for answer in asking {
        let answer = answer.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer:.200}");
        assert_eq!(answer.split_once("\r\n\r\n").unwrap().1, DEB.repeat(10_000));
    }
    assert_eq!(archive.0.load(Ordering::SeqCst), 1);
    let statistics = cache.statistics();
    assert_eq!((statistics.fetched, statistics.from_cache), (1, 2));
    assert_eq!(statistics.served_bytes, 3 * statistics.fetched_bytes);
}

#[tokio::test]
async fn only_archives_are_reached_and_only_by_programs_of_ours() {
    let Some(servers) = Servers::start().await else { return };
    let (archive, _, supplies) = supplies(&servers.path("packages"));
    let (node, connection) = node(servers.target(&[]), "a").await;
    let supplied = supplies.to(&node);
    for (url, code) in [
        ("http://127.0.0.1:22/x", "403"),
        ("http://elsewhere.example/x", "403"),
        ("http://archive.example/a/../b", "400"),
        ("file:///etc/passwd", "400"),
    ] {
        let answer = run(&supplied, &get(url)).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{url}: {answer}");
    }
    assert_eq!(archive.0.load(Ordering::SeqCst), 0);
    assert_eq!(run(&supplied, "echo $no_proxy").await, "localhost,127.0.0.1,::1\n");
    // A proxy that the machine has is kept.
    let kept = "http_proxy=http://proxy.example:3128 exec env";
    assert!(run(&supplied, kept).await.contains("http_proxy=http://proxy.example:3128\n"));
    // Nothing else on the node knows of it.
    let script = "echo ${http_proxy-none}";
    assert_eq!(said(&connection.agent(), &["sh", "-c", script]).await, "none\n");
    // And it is on the loopback alone.
    let script = "p=$(printf %04X ${http_proxy##*:}); \
                  awk -v p=\":$p\" '$4 == \"0A\" && index($2, p) { print $2 }' /proc/net/tcp /proc/net/tcp6";
    let listening = run(&supplied, script).await;
    assert!(listening.starts_with("0100007F:") && listening.lines().count() == 1, "{listening}");
    // By itself it gets packages as ever.
    assert_eq!(run(&Supplied::<Archive>::none(&node), "echo ${http_proxy-none}").await, "none\n");
}

#[tokio::test]
async fn the_way_is_there_again_after_a_lost_connection() {
    let Some(servers) = Servers::start().await else { return };
    let (_, _, supplies) = supplies(&servers.path("packages"));
    let (node, connection) = node(servers.target(&[]), "a").await;
    let supplied = supplies.to(&node);
    let before = run(&supplied, "echo $http_proxy").await;
    assert_eq!(run(&supplied, "echo $http_proxy").await, before, "it is made once");
    // The server's process for this connection is the parent of the agent.
    let server = said(&connection.agent(), &["sh", "-c", "ps -o ppid= -p $PPID"]).await;
    Command::new("kill").args(["-9", server.trim()]).run().unwrap();
    connection.wait_until_back("another boot", LONG).await.unwrap();
    assert!(run(&supplied, &get(DEB)).await.starts_with("HTTP/1.1 200 OK\r\n"));

    let port = run(&supplied, "echo ${http_proxy##*:}").await.trim().parse().unwrap();
    drop(supplied);
    until_refused(port).await;
    assert_eq!(said(&connection.agent(), &["echo", "well"]).await, "well\n");
}

/// Waits until nobody listens at a port of this machine's loopback.
async fn until_refused(port: u16) {
    let refused = lab::wait::until(PAUSE, LONG, async || {
        let connected = TcpStream::connect(("127.0.0.1", port)).await;
        anyhow::ensure!(connected.is_err(), "somebody listens still");
        Ok(())
    });
    refused.await.expect("nobody listens");
}

/// Not a test of its own: the process that the next one kills.
#[tokio::test]
#[ignore = "started by another test"]
async fn holds_a_way() {
    let Ok(config) = std::env::var("HOLDS_A_WAY") else { return };
    let folder = tempfile::tempdir().unwrap();
    let target = SshTarget { config: Some(config.into()), host: "first".to_owned(), sudo: true };
    let supplied = supplies(Utf8Path::from_path(folder.path()).unwrap()).2;
    let supplied = supplied.to(&node(target, "a").await.0);
    println!("\nport {}", run(&supplied, "echo ${http_proxy##*:} $PPID").await);
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn nothing_listens_when_its_owner_is_killed() {
    let Some(servers) = Servers::start().await else { return };
    let config = servers.target(&[]).config.unwrap();
    let command = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "supplies::holds_a_way", "--ignored", "--nocapture"])
        .env("HOLDS_A_WAY", config.as_str());
    let harness = command.converse().unwrap();
    let mut lines = BufReader::new(harness.stdout).lines();
    let (port, agent) = loop {
        let line = lines.next_line().await.unwrap().expect("it says the port");
        if let Some((port, agent)) = line.strip_prefix("port ").and_then(|it| it.split_once(' ')) {
            break (port.parse().unwrap(), agent.parse().unwrap());
        }
    };
    drop(TcpStream::connect(("127.0.0.1", port)).await.expect("it listens"));
    // As `kill -9` does.
    drop(harness.ending);
    until_gone(agent).await;
    until_refused(port).await;
}
