//! The machine's own apt sources, in both formats, and a backports source made from them.
//!
//! The formats are those of sources.list(5): stanzas of fields (`*.sources`), and one line a
//! source (`*.list`).

use std::{fs, io, path::Path};

/// One source: a stanza or a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    enabled: bool,
    types: Vec<String>,
    uris: Vec<String>,
    suites: Vec<String>,
    components: Vec<String>,
    /// Name as in stanzas, value with its continuation lines: those of [`KEPT`].
    options: Vec<(&'static str, String)>,
}

/// The options that a source made from another keeps: without them apt would refuse it where it
/// accepts the other. First the name in a stanza, then in a line.
const KEPT: [(&str, &str); 5] = [
    ("Signed-By", "signed-by"),
    ("Trusted", "trusted"),
    ("Architectures", "arch"),
    ("Check-Valid-Until", "check-valid-until"),
    ("Check-Date", "check-date"),
];

/// Every source under `etc` (`/etc/apt`).
///
/// # Errors
/// When a file or folder that exists cannot be read.
pub fn read(etc: &Path) -> io::Result<Vec<Source>> {
    let mut files = vec![etc.join("sources.list")];
    let parts = etc.join("sources.list.d");
    if parts.is_dir() {
        for entry in fs::read_dir(parts)? {
            files.push(entry?.path());
        }
    }
    files.sort();
    let mut sources = Vec::new();
    for file in files.iter().filter(|file| file.is_file()) {
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("sources") => sources.extend(parse_stanzas(&fs::read_to_string(file)?)),
            Some("list") => sources.extend(parse_lines(&fs::read_to_string(file)?)),
            // apt ignores other files, too.
            _ => {}
        }
    }
    Ok(sources)
}

/// The sources of a `*.sources` file.
pub fn parse_stanzas(text: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut fields: Vec<(String, String)> = Vec::new();
    // A comment does not end a stanza, not even inside a field.
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    for line in lines.chain([""]) {
        if line.trim().is_empty() {
            sources.extend(stanza(&fields));
            fields.clear();
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push('\n');
                value.push_str(line);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            fields.push((name.to_owned(), value.trim().to_owned()));
        }
    }
    sources
}

fn stanza(fields: &[(String, String)]) -> Option<Source> {
    let field = |name: &str| {
        let found = fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    };
    let words = |name: &str| {
        field(name).unwrap_or_default().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let no = ["no", "false", "without", "off", "disable", "0"];
    let source = Source {
        enabled: field("Enabled").is_none_or(|value| !no.contains(&value)),
        types: words("Types"),
        uris: words("URIs"),
        suites: words("Suites"),
        components: words("Components"),
        options: KEPT
            .iter()
            .filter_map(|(name, _)| Some((*name, field(name)?.to_owned())))
            .collect(),
    };
    (!source.uris.is_empty()).then_some(source)
}

/// The sources of a `*.list` file.
pub fn parse_lines(text: &str) -> Vec<Source> {
    text.lines().filter_map(parse_line).collect()
}

/// `deb [option=value …] uri suite component…`
fn parse_line(line: &str) -> Option<Source> {
    let line = line.split('#').next()?.trim();
    let (kind, rest) = line.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(inside) => inside.split_once(']')?,
        None => ("", rest),
    };
    let option = |name: &str| {
        let mut options = options.split_whitespace().filter_map(|word| word.split_once('='));
        // Several values are joined by commas here, by spaces in a stanza.
        options.find(|(known, _)| *known == name).map(|(_, value)| value.replace(',', " "))
    };
    let mut words = rest.split_whitespace().map(str::to_owned);
    Some(Source {
        enabled: true,
        types: vec![kind.to_owned()],
        uris: vec![words.next()?],
        suites: vec![words.next()?],
        components: words.collect(),
        options: KEPT.iter().filter_map(|(name, short)| Some((*name, option(short)?))).collect(),
    })
}

impl Source {
    fn offers(&self, suite: &str) -> bool {
        self.enabled
            && self.types.iter().any(|kind| kind == "deb")
            && self.suites.iter().any(|known| known.trim_end_matches('/') == suite)
            && self.components.iter().any(|component| component == "main")
    }
}

/// Whether a source that is switched on offers the packages of `suite`.
pub fn offer(sources: &[Source], suite: &str) -> bool {
    sources.iter().any(|source| source.offers(suite))
}

/// A `*.sources` file for `codename`'s backports, on the mirror of the machine's main archive: the
/// first source that offers the suite `codename` itself (security and updates are other suites).
/// `None` where there is no such source.
pub fn backports(sources: &[Source], codename: &str) -> Option<String> {
    let network = |source: &&Source| !source.uris.iter().any(|uri| uri.starts_with("cdrom:"));
    let archive = sources.iter().filter(network).find(|source| source.offers(codename))?;
    let mut text = String::from(
        "# Written by `cargo xtask setup --install` of precopy-lab, for a QEMU that is new enough.\n\
         # Mirror, components and options are those of this machine's main archive.\n",
    );
    let mut field = |name: &str, value: &str| {
        // A key inside the field begins on a line of its own.
        let space = if value.is_empty() || value.starts_with('\n') { "" } else { " " };
        text += &format!("{name}:{space}{value}\n");
    };
    field("Types", "deb");
    field("URIs", &archive.uris.join(" "));
    field("Suites", &format!("{codename}-backports"));
    field("Components", &archive.components.join(" "));
    for (name, value) in &archive.options {
        field(name, value);
    }
    Some(text)
}

#[cfg(test)]
#[path = "sources_tests.rs"]
mod tests;
