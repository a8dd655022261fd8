//! From a machine that is reached by SSH to an agent on it, in one connection: a script looks
//! whether the observer is there, takes it in otherwise, and becomes the agent.

use super::{SshTarget, failure, settings::Settings};
use crate::{
    agent::{Agent, Parcel, RECEIVE},
    process::{Command, Conversation, Ending, quote_all},
};
use anyhow::{Result, anyhow};
use camino::Utf8Path;
use std::time::Duration;
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader,
};

/// How long `ssh` may take to end once the connection has.
const ENDING: Duration = Duration::from_secs(5);

/// Asking again which keys are offered.
const OFFER_DEADLINE: Duration = Duration::from_secs(20);

/// Run by `sh` on the other side. Everybody's tools speak English there, since their words are
/// looked at.
const START: &str = r#"
export LC_ALL=C
if [ "$(id -u)" = 0 ]; then folder=/var/lib/precopy-lab become=
else folder="$HOME/.cache/precopy-lab" become=$3; fi
folder=${PRECOPY_LAB_FOLDER:-$folder}
receive "$folder/files/$1" observer "$1" 0755 "$2"
if [ "$become" = sudo ]; then exec sudo -n "$file" agent; fi
exec "$file" agent
"#;

/// Connects and starts the agent.
pub(super) async fn connect(target: &SshTarget, observer: &Utf8Path) -> Result<Agent> {
    let settings = Settings::of(target).await?;
    let local = observer.to_owned();
    let parcel = tokio::task::spawn_blocking(move || Parcel::of(&local)).await??;
    let script = format!("{RECEIVE}{START}");
    let bytes = parcel.bytes.to_string();
    let become_root = if target.sudo { "sudo" } else { "" };
    let remote = ["exec", "sh", "-c", &script, "precopy-lab", &parcel.sha256, &bytes, become_root];
    let Conversation { mut stdin, stdout, ending } =
        ssh(target, &settings).arg(quote_all(remote)).converse()?;
    let mut stdout = BufReader::new(stdout);
    match deliver(&mut stdin, &mut stdout, observer).await {
        Ok(true) => {}
        Ok(false) | Err(_) => return Err(refused(target, &settings, ending).await),
    }
    let (target, settings) = (target.clone(), settings);
    let last_words = async move { why(&target, &settings, ending).await };
    Agent::over(stdout, stdin, last_words).await
}

/// What [`ask`]'s script ends with.
const DONE: &str = "\nprecopy-lab done\n";

/// Has `sh` on the other side run a script, and gives what it prints; nothing is put there.
pub(super) async fn ask(target: &SshTarget, script: &str) -> Result<String> {
    let settings = Settings::of(target).await?;
    let script = format!("{script}\nprintf '\\nprecopy-lab done\\n'");
    let remote = ["exec", "sh", "-c", &script, "precopy-lab"];
    let Conversation { stdin, mut stdout, ending } =
        ssh(target, &settings).arg(quote_all(remote)).converse()?;
    drop(stdin);
    let mut said = Vec::new();
    let read = stdout.read_to_end(&mut said).await;
    let said = String::from_utf8_lossy(&said);
    match (read, said.strip_suffix(DONE)) {
        (Ok(_), Some(said)) => Ok(said.to_owned()),
        _ => Err(refused(target, &settings, ending).await),
    }
}

/// Sends the observer where it is wanted; whether it is there then.
async fn deliver(
    stdin: &mut (impl AsyncWrite + Unpin),
    stdout: &mut (impl AsyncBufRead + Unpin),
    observer: &Utf8Path,
) -> Result<bool> {
    let mut line = Vec::new();
    while stdout.read_until(b'\n', &mut line).await? > 0 {
        // What a login script may print before is passed over.
        let text = String::from_utf8_lossy(&line);
        if text.starts_with("precopy-lab has ") {
            return Ok(true);
        }
        if text.starts_with("precopy-lab wants ") {
            let mut file = tokio::fs::File::open(observer).await?;
            tokio::io::copy(&mut file, stdin).await?;
            stdin.flush().await?;
        }
        line.clear();
    }
    Ok(false)
}

fn ssh(target: &SshTarget, settings: &Settings) -> Command {
    Command::new("ssh")
        .args(target.config_arguments())
        .args(settings.arguments())
        // Never a window that asks for a password.
        .env("SSH_ASKPASS_REQUIRE", "never")
        .arg("--")
        .arg(&target.host)
}

async fn refused(target: &SshTarget, settings: &Settings, ending: Ending) -> anyhow::Error {
    anyhow!("{}", why(target, settings, ending).await)
}

async fn why(target: &SshTarget, settings: &Settings, ending: Ending) -> String {
    let words = ending.last_words(ENDING).await;
    let denied = words.contains("Permission denied (");
    let offered = if denied { offered(target, settings).await } else { Vec::new() };
    failure::explain(&target.host, settings, &words, &offered)
}

/// Which keys `ssh` offers: it only says so when asked to talk much, so it is asked once more.
async fn offered(target: &SshTarget, settings: &Settings) -> Vec<String> {
    let command = Command::new("ssh")
        .args(target.config_arguments())
        .args(["-o", "LogLevel=DEBUG1"])
        .args(settings.arguments())
        .env("SSH_ASKPASS_REQUIRE", "never")
        .arg("--")
        .arg(&target.host)
        .arg("true");
    let Ok(Conversation { stdin, stdout, ending }) = command.converse() else { return Vec::new() };
    drop((stdin, stdout));
    failure::offered(&ending.last_words(OFFER_DEADLINE).await)
}
