//! Agents by SSH, with true servers on this machine's loopback.

#[path = "ssh/apt.rs"]
mod apt;
#[path = "support/sshd.rs"]
mod sshd;
#[path = "ssh/supplies.rs"]
mod supplies;
mod support;

use lab::{
    node::Exit,
    process::Command,
    ssh::{Connection, SshTarget},
};
use sshd::Servers;
use std::{fs, io::Write, os::unix::fs::MetadataExt, time::Duration};
use support::{LONG, observer, output, piped, said, silent, until_gone};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

async fn failure(target: &SshTarget) -> String {
    format!("{:#}", target.connect(observer(), LONG).await.expect_err("refused"))
}

#[tokio::test]
async fn commands_run_and_the_program_is_sent_once() {
    let Some(servers) = Servers::start().await else { return };
    let target = servers.target(&[]);
    let agent = target.connect(observer(), LONG).await.unwrap();
    assert_eq!(said(&agent, &["echo", "it's", "$HOME"]).await, "it's $HOME\n");
    let folder = servers.path("files");
    assert_eq!(agent.about().folder, folder.as_str());

    let sent: Vec<_> = fs::read_dir(folder.join("files")).unwrap().collect();
    let file = sent.first().unwrap().as_ref().unwrap().path().join("observer");
    let inode = fs::metadata(&file).unwrap().ino();
    drop(target.connect(observer(), LONG).await.unwrap());
    assert_eq!(fs::metadata(&file).unwrap().ino(), inode, "not sent again");
    // What is not what it should be is sent anew; the running one has its own still.
    fs::remove_file(&file).unwrap();
    fs::write(&file, "damaged").unwrap();
    let other = target.connect(observer(), LONG).await.unwrap();
    assert_eq!(said(&other, &["echo", "well"]).await, "well\n");
    assert_eq!(fs::read(&file).unwrap(), fs::read(observer()).unwrap());
}

#[tokio::test]
async fn files_are_put_once_and_kept() {
    let Some(servers) = Servers::start().await else { return };
    let local = servers.path("it's a tool");
    fs::write(&local, "#!/bin/sh\necho I am here\n").unwrap();
    Command::new("chmod").args(["+x", local.as_str()]).run().unwrap();
    let agent = servers.target(&[]).connect(observer(), LONG).await.unwrap();
    let path = agent.put(&local).await.unwrap();
    assert_eq!(said(&agent, &[path.as_str()]).await, "I am here\n");
    let inode = fs::metadata(&path).unwrap().ino();
    let again = servers.target(&[]).connect(observer(), LONG).await.unwrap();
    assert_eq!(again.put(&local).await.unwrap(), path);
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode);

    fs::File::options().append(true).open(&local).unwrap().write_all(b"echo twice\n").unwrap();
    let other = agent.put(&local).await.unwrap();
    assert_ne!(other, path);
    assert_eq!(said(&agent, &[other.as_str()]).await, "I am here\ntwice\n");
    let missing = format!("{:#}", agent.put(&servers.path("missing")).await.unwrap_err());
    assert!(missing.starts_with("failed to read"), "{missing}");
}

#[tokio::test]
async fn only_known_host_keys_are_believed() {
    let Some(servers) = Servers::start().await else { return };
    let changed = failure(&servers.knowing("other_host", "host1")).await;
    assert!(changed.contains("not the one that is known for it"), "{changed}");
    assert!(changed.contains("hint: another machine may be answering"), "{changed}");
    fs::write(servers.path("other_known"), "").unwrap();
    let lines = [format!("UserKnownHostsFile {}", servers.path("other_known"))];
    let unknown = failure(&servers.target(&lines)).await;
    assert!(unknown.contains("host key is not known here"), "{unknown}");
    assert!(unknown.contains("hint: connect once by hand with `ssh first`"), "{unknown}");
    assert_eq!(fs::read_to_string(servers.path("other_known")).unwrap(), "", "nothing recorded");

    // A configuration cannot switch that off, but it can let a machine's first key be recorded.
    let careless = [&lines[..], &["StrictHostKeyChecking no".to_owned()]].concat();
    assert!(failure(&servers.target(&careless)).await.contains("not known here"));
    let first_use = ["StrictHostKeyChecking accept-new".to_owned(), lines[0].clone()];
    let target = servers.target(&first_use);
    target.connect(observer(), LONG).await.unwrap();
    assert!(fs::read_to_string(servers.path("other_known")).unwrap().contains("ssh-ed25519"));
}

#[tokio::test]
async fn who_is_not_let_in_is_told_what_was_offered() {
    let Some(servers) = Servers::start().await else { return };
    let denied = failure(&servers.stranger()).await;
    assert!(denied.contains("with none of our keys (offered were "), "{denied}");
    assert!(denied.contains("/other_user ED25519"), "{denied}");
    let closed = SshTarget { host: "closed".to_owned(), ..servers.target(&[]) };
    let closed = failure(&closed).await;
    assert!(closed.contains("no SSH server answers at 127.0.0.1 port 1:"), "{closed}");
    let odd = SshTarget { host: "-oProxyCommand=x".to_owned(), ..servers.target(&[]) };
    assert!(failure(&odd).await.contains("is no name of a host"));
}

#[tokio::test]
async fn a_jump_host_leads_on() {
    let Some(servers) = Servers::start().await else { return };
    let jumped = SshTarget { host: "jumped".to_owned(), ..servers.target(&[]) };
    let agent = jumped.connect(observer(), LONG).await.unwrap();
    let variables = said(&agent, &["sh", "-c", "echo $SSH_CONNECTION"]).await;
    let port = variables.trim().rsplit(' ').next().unwrap().to_owned();
    let direct = SshTarget { host: "second".to_owned(), ..servers.target(&[]) };
    let direct = direct.connect(observer(), LONG).await.unwrap();
    assert!(said(&direct, &["sh", "-c", "echo $SSH_CONNECTION"]).await.trim().ends_with(&port));
    let SshTarget { config, .. } = servers.knowing("other_host", "host1");
    let refused = failure(&SshTarget { config, ..jumped }).await;
    assert!(refused.contains("not the one that is known"), "{refused}");
}

#[tokio::test]
async fn many_processes_run_at_once() {
    let Some(servers) = Servers::start().await else { return };
    let agent = servers.target(&[]).connect(observer(), LONG).await.unwrap();
    // Four times as many as an SSH server allows sessions of a connection.
    let mut cats = Vec::new();
    for _ in 0..40 {
        cats.push(agent.spawn(piped(&["cat"])).await.unwrap());
    }
    for (number, cat) in cats.iter_mut().enumerate() {
        let mut stdin = cat.stdin.take().unwrap();
        stdin.write_all(number.to_string().as_bytes()).await.unwrap();
    }
    for (number, cat) in cats.iter_mut().enumerate() {
        assert_eq!(output(cat).await, number.to_string());
        assert_eq!(cat.wait().await, Exit::Code(0));
    }
}

#[tokio::test]
async fn much_output_leaves_room_for_others() {
    let Some(servers) = Servers::start().await else { return };
    let agent = servers.target(&[]).connect(observer(), LONG).await.unwrap();
    let much = 100 << 20;
    let argv = ["head", "-c", &much.to_string(), "/dev/zero"];
    let mut flood = agent.spawn(piped(&argv)).await.unwrap();
    let mut stdout = flood.stdout.take().unwrap();
    let reading = tokio::spawn(async move {
        let (mut total, mut chunk) = (0, vec![0; 1 << 16]);
        while let Ok(read @ 1..) = stdout.read(&mut chunk).await {
            total += read;
        }
        total
    });
    let mut cat = agent.spawn(piped(&["cat"])).await.unwrap();
    let mut stdin = cat.stdin.take().unwrap();
    let mut lines = BufReader::new(cat.stdout.take().unwrap()).lines();
    let mut answered = 0;
    while !reading.is_finished() {
        stdin.write_all(b"there?\n").await.unwrap();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "there?");
        answered += 1;
    }
    assert_eq!(reading.await.unwrap(), much);
    // Were it only served after the flood, it would have been once.
    assert!(answered > 20, "{answered} answers during the flood");
    assert_eq!(flood.wait().await, Exit::Code(0));
}

#[tokio::test]
async fn a_lost_connection_is_told_and_made_again() {
    let Some(servers) = Servers::start().await else { return };
    let connection = Connection::open(servers.target(&[]), observer(), LONG).await.unwrap();
    let agent = connection.agent();
    let mut process = agent.spawn(silent(&["sleep", "1000"])).await.unwrap();
    // The server's process for this connection is the parent of the agent.
    let script = "ps -o ppid= -p $PPID";
    let server = said(&agent, &["sh", "-c", script]).await;
    Command::new("kill").args(["-9", server.trim()]).run().unwrap();
    assert_eq!(process.wait().await, Exit::NodeLost);
    until_gone(process.pid).await;
    let lost = agent.lost().unwrap();
    assert!(lost.starts_with("the connection to the node's agent is lost"), "{lost}");
    connection.reconnect(LONG).await.unwrap();
    assert_eq!(said(&connection.agent(), &["echo", "back"]).await, "back\n");

    let boot = connection.agent().about().boot_id.clone();
    let back = connection.wait_until_back(&boot, Duration::from_millis(1500)).await;
    let error = format!("{:#}", back.unwrap_err());
    assert!(error.contains("did not come back: not within 1 s"), "{error}");
    connection.wait_until_back("another boot", LONG).await.unwrap();
}

/// Not a test of its own: the process that the next one kills.
#[tokio::test]
#[ignore = "started by another test"]
async fn holds_a_process() {
    let Ok(config) = std::env::var("HOLDS_A_PROCESS") else { return };
    let target = SshTarget { config: Some(config.into()), host: "first".to_owned(), sudo: true };
    let agent = target.connect(observer(), LONG).await.unwrap();
    let process = agent.spawn(silent(&["sleep", "1000"])).await.unwrap();
    println!("\npid {}", process.pid);
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn nothing_outlives_a_killed_harness() {
    let Some(servers) = Servers::start().await else { return };
    let config = servers.target(&[]).config.unwrap();
    let this = std::env::current_exe().unwrap();
    let command = Command::new(this)
        .args(["--exact", "holds_a_process", "--ignored", "--nocapture"])
        .env("HOLDS_A_PROCESS", config.as_str());
    let harness = command.converse().unwrap();
    let mut lines = BufReader::new(harness.stdout).lines();
    let remote = loop {
        let line = lines.next_line().await.unwrap().expect("it says the number");
        if let Some(pid) = line.strip_prefix("pid ") {
            break pid.parse().unwrap();
        }
    };
    assert!(support::lives(remote));
    // As `kill -9` does.
    drop(harness.ending);
    until_gone(remote).await;
}
