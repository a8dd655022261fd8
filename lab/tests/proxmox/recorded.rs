//! Answers that were recorded, as one file has them.

use crate::pve::Reply;
use std::collections::BTreeMap;

/// An answer with its call.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub name: String,
    pub method: String,
    /// Behind `/api2/json`, with its parameters where those are in the URL.
    pub url: String,
    pub reply: Reply,
}

/// All of them, by file and name.
pub fn all() -> Vec<Recorded> {
    let files = [
        include_str!("../recordings/pve-9.1.answers"),
        include_str!("../recordings/pve-9.1-lab.answers"),
    ];
    files.iter().flat_map(|text| text.split("=== ").skip(1).map(one)).collect()
}

pub fn named(name: &str) -> Recorded {
    all().into_iter().find(|recorded| recorded.name == name).expect("it was recorded")
}

fn one(text: &str) -> Recorded {
    let (head, body) = text.split_once("\n\n").expect("a head and a body");
    let mut lines = head.lines();
    let name = lines.next().expect("a name").to_owned();
    let asked = lines.next().and_then(|line| line.strip_prefix("# ")).expect("a call");
    let mut words = asked.split_whitespace();
    let method = words.next().expect("a method").to_owned();
    let url = words.next().and_then(|url| url.strip_prefix("/api2/json")).expect("a path");
    let url = if url == "/" { "" } else { url }.to_owned();
    let rest: BTreeMap<bool, Vec<&str>> =
        lines.filter(|line| !line.starts_with('#')).fold(BTreeMap::new(), |mut by_kind, line| {
            by_kind.entry(line.starts_with("HTTP/1.1 ")).or_insert_with(Vec::new).push(line);
            by_kind
        });
    let status = rest[&true][0].strip_prefix("HTTP/1.1 ").expect("a status line");
    let (status, reason) = status.split_once(' ').expect("a status and a reason");
    let header = rest.get(&false).and_then(|headers| headers.first());
    let reply = Reply {
        status: status.parse().expect("a status"),
        reason: reason.to_owned(),
        content_type: header.and_then(|h| h.split_once(": ")).map_or("", |(_, v)| v).to_owned(),
        body: body.trim_end_matches('\n').to_owned(),
    };
    Recorded { name, method, url, reply }
}
