//! Files on the double's storages: uploads, as Proxmox's own parser reads them, and their list.

use super::{
    request::{Reply, Request},
    world::World,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// An upload that is not allowed is read to its end if it is small; else its connection is dropped.
/// Where Proxmox draws the line is not known.
const SMALL_BYTES: usize = 128 << 10;

/// A part of an upload: its headers, and what it holds.
struct Part<'a> {
    headers: Vec<String>,
    content: &'a [u8],
}

impl Part<'_> {
    /// A value of the disposition, which must be the first header.
    fn disposition(&self, key: &str) -> Option<&str> {
        let words = self.headers.first()?.strip_prefix("Content-Disposition: form-data; ")?;
        let value = words.split("; ").find_map(|word| word.strip_prefix(&format!("{key}=\"")))?;
        value.strip_suffix('"')
    }
}

impl World {
    /// Whether Proxmox drops the connection in the middle of this upload.
    pub(super) fn drops_upload(&self, request: &Request) -> bool {
        let parts = request.parts();
        let [_, _, what, storage, upload] = &parts[..] else { return false };
        if (request.method.as_str(), &**what, &**upload) != ("POST", "storage", "upload") {
            return false;
        }
        let Ok(who) = self.who(request) else { return false };
        let denied = self.may_upload(&who, storage).is_err();
        let named = |part: &Part<'_>| part.disposition("name").is_some_and(|name| name != "file");
        !parts_of(request).iter().all(named) || denied && request.body.len() > SMALL_BYTES
    }

    fn may_upload(&self, who: &str, storage: &str) -> Result<(), Reply> {
        self.may(who, &format!("/storage/{storage}"), "Datastore.AllocateTemplate")
    }

    /// In order: what comes behind the file is not seen.
    pub(super) fn upload(&mut self, storage: &str, request: &Request, who: &str) -> Reply {
        let all = self.facts.storages.as_array().expect("a list").clone();
        let Some(defined) = all.iter().find(|defined| defined["storage"] == storage) else {
            return Reply::error(500, &format!("storage '{storage}' does not exist"));
        };
        if let Err(reply) = self.may_upload(who, storage) {
            return reply;
        }
        let parts = parts_of(request);
        let file = parts.iter().position(|part| part.disposition("name") == Some("filename"));
        let file = file.expect("a file");
        let field = |name: &str| {
            let part = parts[..file].iter().find(|part| part.disposition("name") == Some(name))?;
            std::str::from_utf8(part.content).ok()
        };
        let Some(content) = field("content") else {
            return Reply::parameters(&[("content", "property is missing and it is not optional")]);
        };
        let holds = defined["content"].as_str().expect("words").split(',').any(|it| it == content);
        if !holds {
            let why = format!("storage '{storage}' does not support '{content}' content");
            return Reply::error(500, &why);
        }
        let name = parts[file].disposition("filename").expect("a name");
        if content == "iso" && !(name.ends_with(".iso") || name.ends_with(".img")) {
            return Reply::parameters(&[("filename", "wrong file extension")]);
        }
        let bytes = parts[file].content.to_vec();
        assert_eq!(field("checksum-algorithm"), Some("sha256"));
        let hash: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        let (log, exit) = if field("checksum") == Some(&hash) {
            if let Some(real) = &self.real {
                std::fs::write(real.volume(name), &bytes).expect("written");
            }
            self.volumes.insert(format!("{storage}:{content}/{name}"), bytes);
            ("TASK OK".to_owned(), "OK".to_owned())
        } else {
            let why = "checksum mismatch".to_owned();
            (format!("TASK ERROR: {why}"), why)
        };
        // Put there by the node that answers, whichever was named.
        let answering = self.nodes.keys().next().expect("a node").clone();
        Reply::data(&json!(self.start_task(&answering, "imgcopy", "", who, (vec![log], exit))))
    }

    pub(super) fn content(&self, storage: &str, request: &Request) -> Reply {
        let kind = request.parameter("content").unwrap_or_default();
        let of_it = format!("{storage}:{kind}");
        let all = self.volumes.iter().filter(|(volid, _)| volid.starts_with(&of_it));
        let all = all.map(|(volid, bytes)| {
            let content = volid[storage.len() + 1..].split('/').next();
            json!({"volid": volid, "content": content, "format": content, "size": bytes.len(),
                "ctime": 1_795_342_007})
        });
        Reply::data(&Value::Array(all.collect()))
    }
}

fn parts_of(request: &Request) -> Vec<Part<'_>> {
    let kind = request.header("content-type").unwrap_or_default();
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").expect("multipart");
    let (begin, end) = (format!("--{boundary}\r\n"), format!("\r\n--{boundary}"));
    let mut parts = Vec::new();
    let mut rest = &request.body[..];
    while let Some(part) = rest.strip_prefix(begin.as_bytes()) {
        let at = find(part, end.as_bytes()).expect("an end");
        let (part, behind) = part.split_at(at);
        rest = &behind[2..];
        let at = find(part, b"\r\n\r\n").expect("headers");
        let headers = std::str::from_utf8(&part[..at]).expect("text");
        let headers = headers.split("\r\n").map(str::to_owned).collect();
        parts.push(Part { headers, content: &part[at + 4..] });
    }
    assert_eq!(rest, format!("--{boundary}--\r\n").as_bytes(), "the last boundary");
    parts
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
