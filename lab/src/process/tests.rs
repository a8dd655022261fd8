use super::*;
use std::time::Instant;

fn sh(script: &str) -> Command {
    Command::new("sh").args(["-c", script])
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

/// Both ways of running must agree.
fn both(command: &Command) -> [Result<Output, Error>; 2] {
    [command.run(), block_on(command.output())]
}

#[test]
fn output_is_captured_and_stdin_is_given() {
    // More than a pipe holds, in both directions at once.
    let input = "0123456789abcdef".repeat(20_000);
    for output in both(&sh("cat; echo warned >&2").stdin(input.clone())) {
        let output = output.expect("cat ends well");
        assert_eq!(output.text(), input);
        assert_eq!(output.stderr, b"warned\n");
    }
}

#[test]
fn a_program_that_ignores_its_input_is_not_at_fault() {
    for output in both(&Command::new("true").stdin(vec![0; 1 << 20])) {
        assert_eq!(output.expect("true ends well").text(), "");
    }
}

#[test]
fn without_input_stdin_is_empty() {
    for output in both(&sh("cat; echo end")) {
        assert_eq!(output.expect("cat ends").text(), "end\n");
    }
}

#[test]
fn a_failure_names_the_command_the_status_and_the_last_words() {
    for error in both(&sh("echo no such device >&2; exit 3")) {
        let error = error.expect_err("status 3").to_string();
        assert_eq!(
            error,
            "`sh -c 'echo no such device >&2; exit 3'` ended with exit status: 3: no such device"
        );
    }
}

#[test]
fn only_the_last_lines_are_kept() {
    let error = sh("seq 100 >&2; false").run().expect_err("false fails");
    let Error::Failed { last_words, .. } = error else { panic!("{error}") };
    assert_eq!(last_words.lines(), ["93", "94", "95", "96", "97", "98", "99", "100"]);
}

#[test]
fn a_signal_is_told() {
    let error = sh("kill -9 $$").run().expect_err("killed").to_string();
    assert!(error.contains("signal: 9"), "{error}");
}

#[test]
fn a_missing_program_comes_with_a_hint() {
    for program in ["no-such-program", "/no/such/program"] {
        let error = Command::new(program).run().expect_err("missing").to_string();
        assert!(error.starts_with(&format!("`{program}` was not found\n\nhint: ")), "{error}");
    }
}

#[test]
fn a_missing_folder_is_told_from_a_missing_program() {
    let error = Command::new("true").cwd("/no/such/folder").run().expect_err("no folder");
    assert!(error.to_string().contains("there is no folder `/no/such/folder`"), "{error}");
}

#[test]
fn what_takes_too_long_is_killed_and_its_words_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let fifo = folder.path().join("fifo");
    Command::new("mkfifo").arg(&fifo).run().expect("a fifo");
    // The grandchild keeps the pipes open after its parent is killed.
    let script = format!("echo waiting >&2; timeout 40 cat {} & wait", fifo.display());
    let started = Instant::now();
    for error in both(&sh(&script).timeout(Duration::from_millis(300))) {
        let error = error.expect_err("killed").to_string();
        assert!(error.contains("was killed: it took longer than 300ms: waiting"), "{error}");
    }
    assert!(started.elapsed() < Duration::from_secs(35), "it waited for the grandchild");
    // With a writer come and gone, both grandchildren end.
    std::fs::OpenOptions::new().read(true).write(true).open(&fifo).expect("they read it");
}

#[test]
fn secrets_are_shown_nowhere() {
    let command = sh("echo password is $TOKEN >&2; exit 1").secret_env("TOKEN", "hunter2");
    assert!(command.display().starts_with("TOKEN='***' sh "), "{}", command.display());
    let mut shown = format!("{command:?}");
    for error in both(&command) {
        let error = error.expect_err("status 1");
        shown += &format!("{error} {error:?}");
    }
    assert!(shown.contains("password is ***"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_command_is_displayed_as_a_shell_would_run_it() {
    let command = Command::new("printenv")
        .args(["A", "it's"])
        .env("A", "1 2")
        .env_remove("HOME")
        .cwd("/tmp/a b");
    assert_eq!(command.display(), r"cd '/tmp/a b' && env -u HOME A='1 2' printenv A 'it'\''s'");
}

#[test]
fn the_environment_and_the_folder_are_set() {
    let command = sh("pwd; echo $A; echo ${B-unset}").cwd("/").env("A", "1").env_remove("B");
    for output in both(&command) {
        assert_eq!(output.expect("sh ends well").text(), "/\n1\nunset\n");
    }
}

#[test]
fn programs_are_found_by_name() {
    assert!(find("sh").is_some_and(|sh| sh.is_absolute()));
    assert_eq!(find("no-such-program"), None);
}

#[test]
fn what_a_tied_program_started_hears_of_its_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let fifo = file("fifo");
    Command::new("mkfifo").arg(&fifo).run().expect("a fifo");
    // What it starts holds the FIFO open for writing until stdin has ended.
    let script = "exec 3<&0; { echo $$ $(ps -o pgid= -p $$); cat <&3; } >\"$1\" & exec sleep 1000";
    let log = std::fs::File::create(file("log")).expect("a file");
    let command = Command::new("sh").args(["-c", script, "sh", &fifo]).tied();
    let (said, ended) = block_on(async {
        let running = tokio::spawn(async move { command.output_to(log.into()).await });
        let reading = tokio::task::spawn_blocking(move || {
            let mut fifo = io::BufReader::new(std::fs::File::open(fifo)?);
            let mut line = String::new();
            io::BufRead::read_line(&mut fifo, &mut line)?;
            Ok::<_, io::Error>((line, fifo))
        });
        let (line, mut fifo) = reading.await.expect("no panic").expect("read");
        running.abort();
        assert!(running.await.is_err_and(|error| error.is_cancelled()));
        let mut rest = String::new();
        (line, io::Read::read_to_string(&mut fifo, &mut rest))
    });
    let numbers: Vec<&str> = said.split_whitespace().collect();
    assert_eq!(numbers[0], numbers[1], "it leads its group");
    assert_eq!(ended.expect("it ended"), 0);
}
