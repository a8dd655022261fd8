//! Where everything lies in a YAML text, and what no type would notice.

use super::problem::{Place, Problem};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span};
use std::collections::BTreeMap;

/// Deeper nesting than this is refused.
const MAX_DEPTH: usize = 32;

/// The place of every path of a document.
#[derive(Debug, Default)]
pub(super) struct Outline {
    nodes: BTreeMap<Vec<String>, Node>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    /// Where its key lies, if it has one.
    key: Option<Place>,
    /// Where its value lies; that of a mapping or list only where it fits one line.
    value: Option<Place>,
}

/// A mapping or list that is not at its end yet.
enum Open {
    Mapping { keys: BTreeMap<String, Place>, key: Option<(String, Place)>, start: Place },
    List { next: usize, start: Place },
}

impl Outline {
    /// Reads the outline.
    ///
    /// # Errors
    /// What is wrong whatever the type: bad syntax, an empty file, several documents, keys
    /// that stand twice, that are no text, or that have no value.
    pub(super) fn of(text: &str) -> Result<Self, Vec<Problem>> {
        let mut scan =
            Scan { text, outline: Self::default(), open: vec![], path: vec![], problems: vec![] };
        let mut documents = 0;
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| vec![bad_syntax(text, &error)])?;
            if matches!(event, Event::DocumentStart(_)) {
                documents += 1;
                if documents > 1 {
                    let problem = Problem::new(
                        mark(text, span.start),
                        "a second document begins here",
                    )
                    .expected("one document a file")
                    .hint("remove the line `---`, or move what follows into a file of its own");
                    return Err(vec![problem]);
                }
            }
            scan.event(event, span)?;
        }
        let empty = match scan.outline.nodes.get(&[] as &[String]) {
            None => true,
            Some(root) => {
                root.value.is_some_and(|place| place.length == 0) && scan.outline.nodes.len() == 1
            }
        };
        if empty {
            let problem = Problem::new(Place::default(), "the file is empty")
                .expected("keys with values")
                .hint("begin with a key and a value, such as `name: local`");
            return Err(vec![problem]);
        }
        if scan.problems.is_empty() { Ok(scan.outline) } else { Err(scan.problems) }
    }

    pub(super) fn has(&self, path: &[&str]) -> bool {
        self.nodes.contains_key(&owned(path))
    }

    /// Where the value lies, or its nearest ancestor that the text spells out.
    pub(super) fn place(&self, path: &[&str]) -> Place {
        self.nearest(path, |node| node.value.or(node.key))
    }

    /// Where the key lies.
    pub(super) fn key_place(&self, path: &[&str]) -> Place {
        self.nearest(path, |node| node.key.or(node.value))
    }

    fn nearest(&self, path: &[&str], place: impl Fn(&Node) -> Option<Place>) -> Place {
        let path = owned(path);
        (0..=path.len())
            .rev()
            .find_map(|length| self.nodes.get(&path[..length]).and_then(&place))
            .unwrap_or_default()
    }

    /// All paths, for finding the one that an error's text begins with.
    pub(super) fn paths(&self) -> impl Iterator<Item = &[String]> {
        self.nodes.keys().map(Vec::as_slice)
    }

    /// The keys of the mapping at `path`.
    pub(super) fn keys(&self, path: &[String]) -> impl Iterator<Item = &str> {
        self.nodes
            .iter()
            .filter(move |(at, node)| {
                at.len() == path.len() + 1 && at.starts_with(path) && node.key.is_some()
            })
            .filter_map(|(at, _)| at.last().map(String::as_str))
    }
}

fn owned(path: &[&str]) -> Vec<String> {
    path.iter().map(ToString::to_string).collect()
}

struct Scan<'t> {
    text: &'t str,
    outline: Outline,
    open: Vec<Open>,
    path: Vec<String>,
    problems: Vec<Problem>,
}

impl Scan<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Vec<Problem>> {
        let place = between(self.text, span);
        if let Event::Scalar(_, _, _, Some(tag))
        | Event::MappingStart(_, Some(tag))
        | Event::SequenceStart(_, Some(tag)) = &event
            && !tag.is_yaml_core_schema()
        {
            self.problems.push(
                Problem::new(place, format!("the tag `{tag}` means nothing here"))
                    .hint("remove it; quote a text that begins with `!`"),
            );
        }
        match event {
            Event::Scalar(value, style, _, _) => {
                if self.wants_key() {
                    self.key(&value, place);
                } else {
                    let empty = style == ScalarStyle::Plain
                        && matches!(&*value, "" | "~" | "null" | "Null" | "NULL");
                    self.value(Some(place), empty);
                }
            }
            Event::Alias(_) if self.wants_key() => self.odd_key(place),
            Event::Alias(_) => self.value(Some(place), false),
            Event::MappingStart(..) | Event::SequenceStart(..) if self.wants_key() => {
                self.odd_key(place);
                return Err(std::mem::take(&mut self.problems));
            }
            Event::MappingStart(..) | Event::SequenceStart(..) if self.open.len() == MAX_DEPTH => {
                let problem = Problem::new(place, format!("nested deeper than {MAX_DEPTH} levels"));
                return Err(vec![problem]);
            }
            Event::MappingStart(..) => {
                self.enter();
                self.open.push(Open::Mapping { keys: BTreeMap::new(), key: None, start: place });
            }
            Event::SequenceStart(..) => {
                self.enter();
                self.open.push(Open::List { next: 0, start: place });
            }
            Event::MappingEnd | Event::SequenceEnd => self.leave(place),
            _ => {}
        }
        Ok(())
    }

    fn wants_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Mapping { key: None, .. }))
    }

    fn key(&mut self, name: &str, place: Place) {
        let Some(Open::Mapping { keys, key, .. }) = self.open.last_mut() else { return };
        *key = Some((name.to_owned(), place));
        if let Some(first) = keys.get(name) {
            self.problems.push(
                Problem::new(place, format!("key `{name}` stands here a second time"))
                    .hint("keep one of the two")
                    .also(*first, "the first"),
            );
        } else {
            keys.insert(name.to_owned(), place);
        }
    }

    fn odd_key(&mut self, place: Place) {
        self.problems.push(Problem::new(place, "a key must be a text").expected("`key: value`"));
        if let Some(Open::Mapping { key, .. }) = self.open.last_mut() {
            *key = Some((String::new(), place));
        }
    }

    /// Takes up the path of the value that begins now.
    fn enter(&mut self) -> Option<Place> {
        match self.open.last_mut() {
            None => None,
            Some(Open::List { next, .. }) => {
                self.path.push(next.to_string());
                *next += 1;
                None
            }
            Some(Open::Mapping { key, .. }) => {
                let (name, place) = key.clone().unwrap_or_default();
                self.path.push(name);
                Some(place)
            }
        }
    }

    /// A value that is no mapping or list.
    fn value(&mut self, place: Option<Place>, empty: bool) {
        let key = self.enter();
        if empty && !self.path.is_empty() {
            let name = self.path.last().map_or("", String::as_str);
            self.problems.push(match key {
                Some(key) => Problem::new(key, format!("key `{name}` has no value"))
                    .hint("write a value, or leave the key out for its default"),
                None => Problem::new(place.unwrap_or_default(), "this entry of the list is empty")
                    .hint("write a value, or remove the entry"),
            });
        }
        self.done(key, place);
    }

    /// The end of a mapping or list.
    fn leave(&mut self, end: Place) {
        let Some(open) = self.open.pop() else { return };
        let (start, first_key) = match open {
            Open::Mapping { keys, start, .. } => (start, keys.into_values().min()),
            Open::List { start, .. } => (start, None),
        };
        let key = match self.open.last() {
            Some(Open::Mapping { key: Some((_, place)), .. }) => Some(*place),
            _ => None,
        };
        // Flow style on one line is shown whole; block style is best shown by its key, and
        // what has no key (an entry of a list) by its own first one.
        let in_flow = self.text[start.offset..].starts_with(['{', '[']);
        let value = if in_flow && start.line == end.line {
            Some(Place { length: (end.offset + end.length).saturating_sub(start.offset), ..start })
        } else if key.is_some() {
            None
        } else {
            first_key.or(Some(start))
        };
        self.done(key, value);
    }

    /// Notes the node at the current path and takes the path back.
    fn done(&mut self, key: Option<Place>, value: Option<Place>) {
        self.outline.nodes.insert(self.path.clone(), Node { key, value });
        self.path.pop();
        if let Some(Open::Mapping { key, .. }) = self.open.last_mut() {
            *key = None;
        }
    }
}

fn bad_syntax(text: &str, error: &ScanError) -> Problem {
    let mut place = mark(text, *error.marker());
    let written = text.trim_end();
    let at_end = place.offset >= written.len();
    if at_end {
        // Behind the end there is nothing to point at: the last character will do.
        place = last_place(written);
    }
    let problem = Problem::new(place, error.info().to_owned());
    let line = text.lines().nth(place.line - 1).unwrap_or("");
    let indent = &line[..line.len() - line.trim_start().len()];
    if indent.contains('\t') {
        problem.hint("YAML is indented with spaces, never with tabs")
    } else if error.info().contains("mapping values are not allowed") {
        problem.hint("look for a wrong indent here or above, or quote a text that has `: ` in it")
    } else if error.info().contains("anchor") {
        problem.hint(
            "`*name` repeats what `&name` marked before it; quote a text that begins with `*`",
        )
    } else if error.info().contains("quoted scalar") {
        problem.hint("look for the end of the quote that begins here")
    } else if at_end {
        problem.hint("something above is not closed: look for a missing `]`, `}` or quote")
    } else {
        problem
    }
}

/// The place of the last character.
fn last_place(text: &str) -> Place {
    let (offset, length) =
        text.char_indices().next_back().map_or((0, 0), |(at, last)| (at, last.len_utf8()));
    let line_start = text.rfind('\n').map_or(0, |at| at + 1);
    Place {
        offset,
        length,
        line: text.matches('\n').count() + 1,
        column: text[line_start.min(offset)..offset].chars().count() + 1,
    }
}

fn mark(text: &str, marker: Marker) -> Place {
    place_of(text, marker.line(), marker.col() + 1)
}

/// The place from one marker to another; only what is on the first's line.
fn between(text: &str, span: Span) -> Place {
    let start = mark(text, span.start);
    let end = mark(text, span.end);
    let line_end =
        text[start.offset..].find(['\n', '\r']).map_or(text.len(), |at| start.offset + at);
    let end = if end.line == start.line { end.offset.max(start.offset) } else { line_end };
    let length = text[start.offset..end].trim_end().len();
    Place { length, ..start }
}

/// The place of a line and column, both from 1, with the length 0. What lies behind the end
/// is the end.
pub(super) fn place_of(text: &str, line: usize, column: usize) -> Place {
    let line = line.max(1);
    let start = text.split_inclusive('\n').take(line - 1).map(str::len).sum::<usize>();
    let rest = &text[start..];
    let rest = &rest[..rest.find('\n').unwrap_or(rest.len())];
    let offset = rest.char_indices().nth(column.max(1) - 1).map_or(rest.len(), |(at, _)| at);
    Place { offset: start + offset, length: 0, line, column: column.max(1) }
}
