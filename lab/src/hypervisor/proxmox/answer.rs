//! What an answer means.

use super::{error::Fault, transport::Answer};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;

/// The good part of an answer.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) value: Value,
    /// How many there are, where Proxmox counts them.
    pub(super) total: Option<u64>,
}

/// A type out of an answer's data.
pub(super) fn typed<T: DeserializeOwned>(value: Value) -> Result<T, Fault> {
    serde_json::from_value(value).map_err(|e| Fault::Unexpected { why: e.to_string() })
}

/// Proxmox's own words: the message where there is one (since Proxmox VE 8.4), else the reason
/// phrase, which has the first line only.
pub(super) fn said(answer: &Answer) -> String {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let message = body.as_ref().and_then(|body| body["message"].as_str()).map(str::trim);
    message.filter(|text| !text.is_empty()).unwrap_or(&answer.reason).to_owned()
}

/// The data of an answer to `path`, asked by `who`.
///
/// # Errors
/// Whatever Proxmox refuses, and what is no answer of Proxmox.
pub(super) fn read(answer: &Answer, path: &str, who: &str) -> Result<Data, Fault> {
    let good = (200..300).contains(&answer.status);
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    // Proxmox leaves the body empty where it has nothing but the reason phrase.
    if body.as_ref().is_none_or(|b| !b.is_object()) && (good || !answer.body.is_empty()) {
        return Err(not_the_api(answer));
    }
    if !good {
        return Err(refusal(answer, body.as_ref(), path, who));
    }
    let Some(Value::Object(mut body)) = body else { return Err(not_the_api(answer)) };
    let Some(value) = body.remove("data") else { return Err(not_the_api(answer)) };
    let total = body.get("total").and_then(|total| {
        total.as_u64().or_else(|| total.as_str().and_then(|text| text.parse().ok()))
    });
    Ok(Data { value, total })
}

fn not_the_api(answer: &Answer) -> Fault {
    let text = String::from_utf8_lossy(&answer.body);
    let words: Vec<&str> = text.split_whitespace().collect();
    let begins: String = words.join(" ").chars().take(80).collect();
    let start = begins.to_ascii_lowercase();
    let html = answer.content_type.starts_with("text/html")
        || start.starts_with("<!doctype html")
        || start.starts_with("<html");
    let json = serde_json::from_slice::<Value>(&answer.body).is_ok();
    let kind = match (begins.is_empty(), html, json) {
        (true, ..) => "an empty one",
        (_, true, _) => "a web page",
        (_, _, true) => "other JSON",
        _ if start.starts_with('{') => "JSON that is cut off",
        _ => "something else",
    };
    Fault::NotTheApi { status: answer.status, kind: kind.to_owned(), begins }
}

fn refusal(answer: &Answer, body: Option<&Value>, path: &str, who: &str) -> Fault {
    let (status, said) = (answer.status, said(answer));
    match status {
        403 => forbidden(said, who),
        595 | 596 | 599 => {
            let node = part_after(path, "nodes").unwrap_or("the cluster").to_owned();
            Fault::NodeDown { node, said, status }
        }
        501 => Fault::NotImplemented { said },
        _ => {
            let errors = errors(body);
            if errors.is_empty() { by_words(said, status, path) } else { parameters(errors, path) }
        }
    }
}

fn errors(body: Option<&Value>) -> BTreeMap<String, String> {
    let errors = body.and_then(|body| body["errors"].as_object());
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let all = errors.into_iter().flatten();
    let line = |why: &Value| text(why).split_whitespace().collect::<Vec<_>>().join(" ");
    all.map(|(name, why)| (name.clone(), line(why))).collect()
}

fn parameters(errors: BTreeMap<String, String>, path: &str) -> Fault {
    if errors.values().any(|why| why.starts_with("Only root may use this option")) {
        let names: Vec<&str> = errors.keys().map(String::as_str).collect();
        return Fault::RootOnly { said: names.join(", ") };
    }
    if errors.get("upid").is_some_and(|why| why == "no such task") {
        let upid = part_after(path, "tasks").unwrap_or_default().to_owned();
        return Fault::NoTask { upid };
    }
    Fault::Parameters { errors }
}

/// `Permission check failed (/vms/101, VM.Migrate)`.
fn forbidden(said: String, who: &str) -> Fault {
    let who = who.to_owned();
    let inside = said.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
    let parts = inside.and_then(|(inside, _)| inside.split_once(','));
    match parts {
        Some((path, privileges)) => {
            let privileges = privileges.split(['|', ',']).map(|p| p.trim().to_owned()).collect();
            Fault::Privilege { who, path: path.trim().to_owned(), privileges }
        }
        None => Fault::Forbidden { who, said },
    }
}

/// Proxmox tells most of its errors by words alone, with status 500, also those that HTTP has a
/// status for.
pub(super) fn by_words(said: String, status: u16, path: &str) -> Fault {
    let own = str::to_owned;
    if said.contains("no quorum") {
        return Fault::NoQuorum { said };
    }
    if let Some(lock) = between(&said, " is locked (", ")") {
        return Fault::Locked { lock: own(lock) };
    }
    if said.starts_with("can't lock file") && said.contains("got timeout") {
        return Fault::Busy { said };
    }
    if let Some(storage) = between(&said, "storage '", "'").filter(|_| says_missing(&said)) {
        return Fault::NoStorage { storage: own(storage), said };
    }
    if let Some(file) = between(&said, "Configuration file 'nodes/", "' does not exist")
        && let Some((node, vmid)) = file.split_once("/qemu-server/")
    {
        return Fault::NoVm { vmid: own(vmid.trim_end_matches(".conf")), node: own(node) };
    }
    for words in ["no such cluster node '", "hostname lookup '"] {
        if let Some(node) = between(&said, words, "'") {
            return Fault::NoNode { node: own(node), said };
        }
    }
    if said.starts_with("only root can set") {
        return Fault::RootOnly { said };
    }
    if let Some((before, _)) = said.split_once(" already exists")
        && let Some((_, vmid)) = before.rsplit_once("VM ")
    {
        return Fault::VmExists { vmid: own(vmid), said };
    }
    // Which call it was is said elsewhere; without words the path is all there is.
    let said = if said.is_empty() { format!("no reason given for {path}") } else { said };
    Fault::Refused { status, said }
}

fn says_missing(said: &str) -> bool {
    ["does not exist", "is not available on node", "is disabled", "is not online"]
        .iter()
        .any(|words| said.contains(words))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after)?.0)
}

/// The part of a path that follows this one.
fn part_after<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    let mut parts = path.split('/');
    parts.find(|part| *part == name)?;
    parts.next().filter(|part| !part.is_empty())
}
