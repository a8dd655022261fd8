//! The agent over two pipes: processes on it are as processes here.

mod support;

use lab::{
    agent::Agent,
    node::{ClockOffset, Exit, Spawn, Stream, Streams},
    process::{Command, Conversation},
};
use std::{
    io::{Read, Seek, Write},
    time::Duration,
};
use support::{LONG, lives, observer, output, piped, said, silent, strings, until_gone};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
};

/// An agent at the other end of two pipes.
async fn agent() -> Agent {
    let command = Command::new(observer().as_str()).arg("agent");
    let Conversation { stdin, stdout, ending } = command.converse().expect("started");
    let last_words = ending.last_words(Duration::from_secs(5));
    Agent::over(stdout, stdin, last_words).await.expect("an agent")
}

#[tokio::test]
async fn a_process_has_its_three_streams_and_its_end() {
    let agent = agent().await;
    let script = "cat; echo complaint >&2; exit 3";
    let mut process = agent.spawn(piped(&["sh", "-c", script])).await.unwrap();
    let mut stdin = process.stdin.take().unwrap();
    stdin.write_all(b"to be repeated").await.unwrap();
    drop(stdin);
    assert_eq!(output(&mut process).await, "to be repeated");
    let mut complaint = String::new();
    process.stderr.take().unwrap().read_to_string(&mut complaint).await.unwrap();
    assert_eq!(complaint, "complaint\n");
    assert_eq!(process.wait().await, Exit::Code(3));
    assert!(process.pid > 1);
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let agent = agent().await;
    let refusal = async |spawn: Spawn| format!("{:#}", agent.spawn(spawn).await.unwrap_err());
    assert_eq!(refusal(piped(&["no-such-program"])).await, "`no-such-program` was not found");
    let folder = Spawn { cwd: Some("/no/such".to_owned()), ..piped(&["true"]) };
    assert_eq!(refusal(folder).await, "there is no folder `/no/such`");
    assert_eq!(refusal(piped(&[])).await, "an empty command");
    let long = "x".repeat(2 << 20);
    assert!(refusal(piped(&["echo", &long])).await.contains("at most 10485"));
    assert!(refusal(piped(&["/etc/passwd"])).await.contains("Permission denied"));
    let here = Spawn { cwd: Some("/usr".to_owned()), ..piped(&["pwd"]) };
    assert_eq!(output(&mut agent.spawn(here).await.unwrap()).await, "/usr\n");
}

#[tokio::test]
async fn administrators_programs_are_found_and_signals_are_as_usual() {
    let agent = agent().await;
    let script = "command -v tc >/dev/null && grep -E 'Sig(Blk|Ign)' /proc/self/status";
    let state = said(&agent, &["sh", "-c", script]).await;
    let mask = |name: &str| {
        let line = state.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        u64::from_str_radix(line.trim(), 16).expect("hexadecimal")
    };
    assert_eq!(mask("SigBlk:"), 0);
    let broken_pipe = 1 << (13 - 1);
    assert_eq!(mask("SigIgn:") & broken_pipe, 0);
}

#[tokio::test]
async fn kill_ends_the_whole_group() {
    let agent = agent().await;
    let mut process =
        agent.spawn(piped(&["sh", "-c", "sleep 1000 & echo $!; wait"])).await.unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let child: u32 = lines.next_line().await.unwrap().unwrap().parse().unwrap();
    process.kill();
    assert_eq!(process.wait().await, Exit::Signal(9));
    until_gone(child).await;
    assert_eq!(lines.next_line().await.unwrap(), None);

    let process = agent.spawn(silent(&["sleep", "1000"])).await.unwrap();
    let (pid, mut exit) = (process.pid, process.exit());
    drop(process);
    assert_eq!(*exit.wait_for(Option::is_some).await.unwrap(), Some(Exit::Signal(9)));
    until_gone(pid).await;
}

#[tokio::test]
async fn with_the_last_handle_everything_ends() {
    let agent = agent().await;
    // One that leaves its group, its session and its parent.
    let escape = "setsid -f sh -c 'echo $$; exec sleep 1000'";
    let escaped: u32 = {
        let mut process = agent.spawn(piped(&["sh", "-c", escape])).await.unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        stdout.read_line(&mut line).await.unwrap();
        assert_eq!(process.wait().await, Exit::Code(0));
        line.trim().parse().unwrap()
    };
    assert!(lives(escaped));
    drop(agent);
    until_gone(escaped).await;
}

#[tokio::test]
async fn an_agent_that_is_told_to_end_takes_everything_along() {
    for signal in ["TERM", "KILL"] {
        let agent = agent().await;
        let mut process = agent.spawn(silent(&["sleep", "1000"])).await.unwrap();
        let parent = said(&agent, &["sh", "-c", "echo $PPID"]).await;
        let kill = Command::new("kill").args(["-s", signal, parent.trim()]);
        kill.run().unwrap();
        assert_eq!(process.wait().await, Exit::NodeLost, "{signal}");
        until_gone(process.pid).await;
        assert!(!agent.is_alive().await);
        let error = format!("{:#}", agent.spawn(silent(&["true"])).await.unwrap_err());
        assert!(error.starts_with("the connection to the node's agent is lost"), "{error}");
        assert!(agent.clock_offset().await.is_err());
    }
}

#[tokio::test]
async fn a_slow_reader_holds_up_nobody_else() {
    let agent = agent().await;
    // Nobody reads this one, and nobody makes the other read.
    let full = agent.spawn(piped(&["cat", "/dev/zero"])).await.unwrap();
    let mut stuck = agent.spawn(piped(&["sleep", "1000"])).await.unwrap();
    let mut stdin = stuck.stdin.take().unwrap();
    let chunk = vec![0; 1 << 20];
    let unread = tokio::time::timeout(Duration::from_millis(200), stdin.write_all(&chunk)).await;
    assert!(unread.is_err(), "what nobody reads is not taken for ever");
    for _ in 0..20 {
        assert_eq!(said(&agent, &["echo", "there"]).await, "there\n");
    }
    full.kill();
    let mut full = full;
    assert_eq!(tokio::time::timeout(LONG, full.wait()).await.unwrap(), Exit::Signal(9));
}

#[tokio::test]
async fn much_passes_unchanged_both_ways() {
    let agent = agent().await;
    let mut process = agent.spawn(piped(&["cat"])).await.unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let mut stdout = process.stdout.take().unwrap();
    let bytes: Vec<u8> = (0..5_000_000_u32)
        .flat_map(|n| (n.wrapping_mul(2_654_435_761) >> 24).to_le_bytes())
        .collect();
    let sent = bytes.clone();
    let writing = tokio::spawn(async move { stdin.write_all(&sent).await.unwrap() });
    let mut back = Vec::new();
    stdout.read_to_end(&mut back).await.unwrap();
    writing.await.unwrap();
    assert!(back == bytes);
    assert_eq!(process.wait().await, Exit::Code(0));
}

#[tokio::test]
async fn the_reader_of_an_output_that_goes_away_is_missed() {
    let agent = agent().await;
    let mut process = agent.spawn(piped(&["yes"])).await.unwrap();
    drop(process.stdout.take());
    assert_eq!(process.wait().await, Exit::Signal(13));
    let mut process = agent.spawn(piped(&["true"])).await.unwrap();
    assert_eq!(process.wait().await, Exit::Code(0));
    let mut stdin = process.stdin.take().unwrap();
    let writing = async { while stdin.write_all(&[0; 4096]).await.is_ok() {} };
    tokio::time::timeout(LONG, writing).await.expect("nobody reads it any more");
}

#[tokio::test]
async fn open_files_of_ours_serve_as_streams() {
    let agent = agent().await;
    let mut input = tempfile::tempfile().unwrap();
    input.write_all(b"1\n2\n3\n").unwrap();
    input.rewind().unwrap();
    let out = tempfile::tempfile().unwrap();
    let mut both = out.try_clone().unwrap();
    let streams = Streams {
        stdin: Stream::Of(input.into()),
        stdout: Stream::Of(out.try_clone().unwrap().into()),
        stderr: Stream::Of(out.into()),
    };
    let argv = strings(&["sh", "-c", "tac; head -c 300000 /dev/zero; echo end >&2"]);
    let mut process = agent.spawn(Spawn { argv, cwd: None, streams }).await.unwrap();
    assert_eq!(process.wait().await, Exit::Code(0));
    // Everything is there as soon as the end is told.
    let mut text = Vec::new();
    both.rewind().unwrap();
    both.read_to_end(&mut text).unwrap();
    assert_eq!(text.len(), 6 + 300_000 + 4);
    assert_eq!(&text[..6], b"3\n2\n1\n");
}

#[tokio::test]
async fn the_end_is_told_when_everything_is_written() {
    let agent = agent().await;
    let (mut reader, writer) = std::io::pipe().unwrap();
    let streams =
        Streams { stdin: Stream::Null, stdout: Stream::Of(writer.into()), stderr: Stream::Null };
    // More than a pipe holds, less than may be under way.
    let argv = strings(&["head", "-c", "200000", "/dev/zero"]);
    let mut process = agent.spawn(Spawn { argv, cwd: None, streams }).await.unwrap();
    until_gone(process.pid).await;
    // What the agent said of its end came before this.
    assert_eq!(said(&agent, &["echo", "there"]).await, "there\n");
    assert_eq!(*process.exit().borrow(), None);
    let reading = std::thread::spawn(move || reader.read_to_end(&mut Vec::new()).unwrap());
    assert_eq!(process.wait().await, Exit::Code(0));
    assert_eq!(reading.join().unwrap(), 200_000);
}

#[tokio::test]
async fn what_a_command_does_not_read_stays_for_the_next() {
    let agent = agent().await;
    let (mut kept, mut writer) = std::io::pipe().unwrap();
    let streams = Streams {
        stdin: Stream::Of(kept.try_clone().unwrap().into()),
        stdout: Stream::Null,
        stderr: Stream::Null,
    };
    let argv = strings(&["true"]);
    let mut process = agent.spawn(Spawn { argv, cwd: None, streams }).await.unwrap();
    assert_eq!(process.wait().await, Exit::Code(0));
    // The agent has answered this after the end, so its own end is known here.
    writer.write_all(b"for the next").unwrap();
    drop(writer);
    let mut rest = String::new();
    kept.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "for the next");
}

/// Reads a question to its end and answers it in capitals.
async fn answer(mut connection: impl AsyncRead + AsyncWrite + Unpin) {
    let mut asked = String::new();
    connection.read_to_string(&mut asked).await.expect("read");
    connection.write_all(asked.to_uppercase().as_bytes()).await.expect("written");
}

/// Asks, and gives the answer.
async fn ask(mut socket: UnixStream) -> String {
    socket.write_all(b"a question").await.expect("written");
    socket.shutdown().await.expect("ended");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("read");
    answer
}

#[tokio::test]
async fn a_socket_of_the_node_is_a_socket_here() {
    let agent = agent().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let path = path.to_str().unwrap();
    assert!(format!("{:#}", agent.connect(path).await.unwrap_err()).contains("No such file"));
    let listener = UnixListener::bind(path).unwrap();
    let serving = tokio::spawn(async move {
        answer(listener.accept().await.unwrap().0).await;
    });
    assert_eq!(ask(agent.connect(path).await.unwrap()).await, "A QUESTION");
    serving.await.unwrap();
}

#[tokio::test]
async fn a_port_of_the_node_is_reached() {
    let agent = agent().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        answer(listener.accept().await.unwrap().0).await;
    });
    assert_eq!(ask(agent.connect_port(port).await.unwrap()).await, "A QUESTION");
    serving.await.unwrap();
    let refused = format!("{:#}", agent.connect_port(port).await.unwrap_err());
    assert!(refused.contains("Connection refused"), "{refused}");
    assert!(agent.connect(":http").await.is_err(), "a port is a number");
}

#[tokio::test]
async fn a_clock_of_this_machine_is_not_off() {
    let agent = agent().await;
    let ClockOffset { offset_ns, error_ns } = agent.clock_offset().await.unwrap();
    assert!(offset_ns.unsigned_abs() <= u128::from(error_ns), "{offset_ns} ± {error_ns}");
    assert!(error_ns > 0);
    assert_eq!(agent.about().boot_id.len(), 36);
}

#[tokio::test]
async fn an_agent_that_hears_nothing_ends() {
    let command = Command::new(observer().as_str()).args(["agent", "1"]);
    let parts = command.converse().unwrap();
    // Its input stays open.
    let words = parts.ending.last_words(LONG).await;
    assert_eq!(words, "observer: nothing was heard for 1 s");
    drop(parts.stdin);
}

#[tokio::test]
async fn what_is_no_agent_is_refused() {
    let over = async |script: &str| {
        let command = Command::new("sh").args(["-c", script]);
        let parts = command.converse().unwrap();
        let last_words = parts.ending.last_words(LONG);
        let agent = Agent::over(parts.stdout, parts.stdin, last_words).await;
        format!("{:#}", agent.unwrap_err())
    };
    assert!(over("echo Welcome to this machine").await.contains("no agent"));
    let silent = over("echo gone wrong >&2").await;
    assert_eq!(silent, "the agent ended before it had begun: gone wrong");
    assert!(observer().exists());
}

#[tokio::test]
async fn what_connects_to_a_port_of_the_node_comes_here() {
    let agent = agent().await;
    let mut listener = agent.listen().await.unwrap();
    let address = ("127.0.0.1", listener.port());
    // Nobody who gives up waiting loses a connection.
    let early = tokio::time::timeout(Duration::from_millis(1), listener.accept()).await;
    assert!(early.is_err(), "nobody has connected");
    let much: Vec<u8> = (0..1_000_000_u32).map(|n| n as u8).collect();
    for round in 0..3 {
        let mut theirs = TcpStream::connect(address).await.unwrap();
        let mut ours = listener.accept().await.unwrap();
        theirs.write_all(b"question").await.unwrap();
        let mut question = [0; 8];
        ours.read_exact(&mut question).await.unwrap();
        assert_eq!(&question, b"question", "{round}");
        let answer = much.clone();
        let answering = tokio::spawn(async move { ours.write_all(&answer).await });
        let mut read = Vec::new();
        theirs.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, much);
        answering.await.unwrap().unwrap();
    }
    // Two at a time are two connections.
    let mut theirs =
        [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
    let mut ours = [listener.accept().await.unwrap(), listener.accept().await.unwrap()];
    for (number, stream) in theirs.iter_mut().enumerate() {
        stream.write_all(&[number as u8]).await.unwrap();
    }
    let mut told = [ours[0].read_u8().await.unwrap(), ours[1].read_u8().await.unwrap()];
    told.sort_unstable();
    assert_eq!(told, [0, 1]);
    // Connections outlive the listener, and the agent does not mind its end.
    drop(listener);
    let refused =
        lab::wait::until(support::PAUSE, LONG, async || match TcpStream::connect(address).await {
            Ok(_) => anyhow::bail!("somebody listens still"),
            Err(error) => Ok(error.kind()),
        });
    assert_eq!(refused.await.unwrap(), std::io::ErrorKind::ConnectionRefused);
    ours[0].write_all(b"late").await.unwrap();
    ours[1].write_all(b"late").await.unwrap();
    let mut late = [0; 4];
    theirs[0].read_exact(&mut late).await.unwrap();
    assert_eq!(&late, b"late");
    assert_eq!(said(&agent, &["echo", "well"]).await, "well\n");
}
