//! apt itself on nodes that have no way out, with a repository that only this machine sees.

use crate::{
    sshd::{self, Servers},
    supplies::{node, run},
    support::LONG,
};
use camino::{Utf8Path, Utf8PathBuf};
use lab::{
    packages::{Fetcher, PackageCache},
    process::{self, Command, Conversation},
    set_up::Supplies,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

const PACKAGE: &str = "proxmox-default-kernel";

/// How often each file was asked for.
type Asked = Arc<Mutex<BTreeMap<String, u32>>>;

/// Gives the files of a folder; gives its port.
async fn archive(folder: Utf8PathBuf, asked: Asked) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("its address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, folder.clone(), Arc::clone(&asked)));
        }
    });
    port
}

async fn answer(stream: TcpStream, folder: Utf8PathBuf, asked: Asked) {
    let mut stream = BufReader::new(stream);
    let (mut request, mut line) = (String::new(), String::new());
    while stream.read_line(&mut line).await.is_ok_and(|count| count > 2) {
        request.push_str(&std::mem::take(&mut line));
    }
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let file = fs::read(folder.join(path.trim_start_matches('/')));
    *asked.lock().expect("no panic").entry(path).or_default() += 1;
    let (code, body) = file.map_or((404, Vec::new()), |body| (200, body));
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {code} -\r\nContent-Length: {length}\r\n\
         Last-Modified: Sat, 01 Jan 2000 00:00:00 GMT\r\nConnection: close\r\n\r\n"
    );
    let _gone = stream.write_all(&[head.as_bytes(), &body].concat()).await;
    let _gone = stream.shutdown().await;
}

/// A network namespace with a loopback and nothing else; it lives as long as this.
async fn namespace() -> (String, Conversation) {
    let script = "ip link set lo up; echo $$; exec cat";
    let mut alive =
        Command::new("unshare").args(["--net", "sh", "-euc", script]).converse().expect("unshare");
    let mut line = String::new();
    BufReader::new(&mut alive.stdout).read_line(&mut line).await.expect("read");
    (format!("/proc/{}/ns/net", line.trim()), alive)
}

fn can_run() -> bool {
    let root = Command::new("id").arg("-u").run().is_ok_and(|id| id.text().trim() == "0");
    let missing: Vec<&str> = ["apt-get", "dpkg-deb", "gpg", "xz", "unshare", "nsenter"]
        .into_iter()
        .filter(|name| process::find(name).is_none())
        .collect();
    if !root || !missing.is_empty() {
        eprintln!("left out: needs root ({root}) and {missing:?}");
    }
    root && missing.is_empty()
}

#[tokio::test]
async fn what_three_nodes_apts_want_is_fetched_once() {
    let (true, Some(servers), Some(sshd)) = (can_run(), Servers::start().await, sshd::program())
    else {
        return;
    };
    let repository = servers.path("repository");
    let script =
        Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/support/stand_in_repository");
    Command::new(script.as_str()).arg(repository.as_str()).timeout(LONG).run().expect("made");
    let asked = Asked::default();
    let port = archive(repository.clone(), Arc::clone(&asked)).await;
    let url = format!("http://127.0.0.1:{port}/debian");
    let cache = PackageCache::new(
        &servers.path("packages"),
        "test",
        Fetcher::of_this_machine(),
        BTreeSet::new(),
    );
    let cache = cache.expect("a cache");
    let supplies = Supplies::new(cache.clone(), &[&url]);

    let mut working = Vec::new();
    for number in 1..=3 {
        let (namespace, alive) = namespace().await;
        let config = servers.path("sshd0");
        // Each node's file of configuration is named by how many lines it begins with.
        let mut lines = vec!["#".to_owned(); number];
        lines[0] = format!("ProxyCommand nsenter --net={namespace} {sshd} -i -f {config}");
        let target = servers.target(&lines);
        let (supplies, folder) = (supplies.clone(), servers.path(&format!("node{number}")));
        let (url, key) = (url.clone(), repository.join("keyring.gpg"));
        working.push(tokio::spawn(async move {
            let supplied = supplies.to(&node(target, &format!("node{number}")).await.0);
            let alone = format!("! (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>&1; echo alone");
            assert!(run(&supplied, &alone).await.ends_with("alone\n"));
            // Nothing of this machine's own apt: neither what it has nor how it is set.
            let script = format!(
                "mkdir -p {folder}/state/lists/partial {folder}/cache/archives/partial; cd {folder}
                 echo 'deb [signed-by={key} arch=amd64] {url} trixie pve-no-subscription' >sources
                 : >status
                 apt() {{ APT_CONFIG=/dev/null apt-get -q -o Dir::Etc::Parts=/dev/null \\
                     -o Dir::Etc::main=/dev/null -o Dir::Etc::SourceList={folder}/sources \\
                     -o Dir::Etc::SourceParts=/dev/null -o Dir::State={folder}/state \\
                     -o Dir::State::status={folder}/status -o Dir::Cache={folder}/cache \\
                     -o APT::Sandbox::User=root -o APT::Update::Error-Mode=any \"$@\" 2>&1; }}
                 apt update; apt download {PACKAGE}; sha256sum *.deb"
            );
            let said = run(&supplied, &script).await;
            drop(alive);
            said
        }));
    }
    let deb =
        format!("debian/dists/trixie/pve-no-subscription/binary-amd64/{PACKAGE}_2.0.0_amd64.deb");
    let there =
        Command::new("sha256sum").arg(repository.join(&deb).as_str()).run().expect("a hash");
    let hash = there.text()[..64].to_owned();
    for node in working {
        let said = node.await.expect("it went well");
        assert!(said.contains(&hash), "{said}");
    }
    let asked = asked.lock().expect("no panic").clone();
    assert_eq!(asked.get(&format!("/{deb}")), Some(&1), "{asked:?}");
    assert!(asked.values().all(|count| *count == 1), "{asked:?}");
    assert!(cache.statistics().from_cache >= 6, "{:?}", cache.statistics());
}
