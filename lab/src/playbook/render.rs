//! From a template to a playbook.

use super::{Playbook, check, quoting, script};
use crate::{
    process::quote,
    yaml::{self, Parsed, Place, Problem, Report},
};
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value,
    syntax::SyntaxConfig,
    value::{Serde, ValueKind},
};
use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};

/// The name that minijinja knows the one template by.
const TEMPLATE: &str = "playbook";

/// Renders a playbook's template for one node and reads it.
///
/// `file` is the template's name for the report, `node` that of the node; `context` is what the
/// template sees. A name that the context does not have is a mistake, never an empty text.
///
/// A value in a script is put in as one word, quoted, whatever it holds, so the template writes
/// `mount {{ storage.server }}:{{ storage.export }} /mnt` and no quotes around values; inside of
/// quotes, comments and here-documents a value that would need quoting is refused. In files a
/// value is put in as it is.
///
/// # Errors
/// What is wrong with the template, with its line; or with what it says once it is rendered.
pub fn render(
    file: &str,
    text: &str,
    node: &str,
    context: &impl Serialize,
) -> Result<Playbook, Report> {
    if let Some(at) = text.find([quoting::OPEN, quoting::CLOSE]) {
        let place = yaml::place_in(text, at..at + quoting::OPEN.len_utf8());
        let problem = Problem::new(place, "this character is not allowed in a playbook")
            .hint("it stands for values while a playbook is rendered");
        return Err(yaml::report(file, text, vec![problem]));
    }
    let (rendered, values) = fill_in(text, context)
        .map_err(|error| yaml::report(file, text, vec![problem_of(text, &error, context)]))?;
    let shown = format!("{file} (as rendered for {node})");
    let inline = |value: &str| quoting::is_plain(value).then(|| value.to_owned());
    let readable = quoting::fill(&rendered, &values, inline);
    let mut parsed = yaml::parse::<Playbook>(&shown, &readable)?;
    let mut problems = put_in(&mut parsed, &values);
    if problems.is_empty() {
        problems = check::problems(&parsed);
    }
    parsed.checked(problems)
}

/// The rendered text with a token for each value, and the values.
fn fill_in(text: &str, context: &impl Serialize) -> Result<(String, Vec<String>), Error> {
    let values = Arc::new(Mutex::new(Vec::new()));
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // What it adds to errors are the values of variables.
    environment.set_debug(false);
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    environment.set_syntax(syntax.build()?);
    // Marks texts that blocks captured, see `formatted`.
    environment.set_auto_escape_callback(|_| AutoEscape::Custom("playbook".into()));
    environment.add_filter("prefix", prefix);
    environment.add_filter("join", minijinja::filters::join);
    environment.add_filter("length", minijinja::filters::length);
    environment.add_test("defined", minijinja::tests::is_defined);
    let kept = Arc::clone(&values);
    environment.set_formatter(move |out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value| {
        let value = formatted(value)?;
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_str(&quoting::token(kept.len()))?;
        kept.push(value);
        Ok(())
    });
    environment.add_template(TEMPLATE, text)?;
    let rendered = environment.get_template(TEMPLATE)?.render(Value::from(Serde(context)))?;
    drop(environment);
    let values = std::mem::take(&mut *values.lock().unwrap_or_else(PoisonError::into_inner));
    Ok((rendered, values))
}

/// A value as text; only what is one text.
fn formatted(value: &Value) -> Result<String, Error> {
    let refuse = |what: &str| Err(Error::new(ErrorKind::InvalidOperation, what.to_owned()));
    match value.kind() {
        ValueKind::String if value.is_safe() => {
            refuse("a text that a block has captured cannot be put in: it is no value")
        }
        ValueKind::String | ValueKind::Number | ValueKind::Bool => Ok(value.to_string()),
        ValueKind::Seq | ValueKind::Iterable => refuse("this is a list: go through it with `for`"),
        ValueKind::Map => refuse("this has parts of its own: name the one that is meant"),
        _ => refuse("there is no value here"),
    }
}

/// `{{ "10.77.0.0/24" | prefix }}` is `24`.
fn prefix(cidr: &str) -> Result<u8, Error> {
    let cidr: Result<crate::spec::Ipv4Cidr, _> = cidr.parse();
    cidr.map(|cidr| cidr.prefix())
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))
}

/// Replaces the tokens by their values, in scripts quoted.
fn put_in(parsed: &mut Parsed<Playbook>, values: &[String]) -> Vec<Problem> {
    let raw = |text: &str| quoting::fill(text, values, |value| Some(value.to_owned()));
    let mut playbook = parsed.value.clone();
    playbook.name = raw(&playbook.name);
    let mut problems = Vec::new();
    for (index, step) in playbook.steps.iter_mut().enumerate() {
        let number = index.to_string();
        step.name = raw(&step.name);
        for file in &mut step.files {
            file.path = raw(file.path.as_str()).into();
            file.content = raw(&file.content);
        }
        for collect in &mut step.collect {
            for path in [Some(&mut collect.path), collect.share.as_mut()].into_iter().flatten() {
                *path = raw(path.as_str()).into();
            }
        }
        for secret in &mut step.secrets {
            *secret = raw(secret);
        }
        let scripts = [
            ("check", &mut step.check),
            ("action", &mut step.action),
            ("verify", &mut step.verify),
        ];
        for (key, script) in scripts {
            let Some(script) = script else { continue };
            if let Some(place) = script::misplaced(script) {
                let message =
                    format!("a value that must be quoted stands inside of {place} in `{key}`");
                problems.push(
                    parsed
                        .problem(&["steps", &number, key], message)
                        .hint("end the quotes before it: values are quoted when they are put in"),
                );
            }
            *script = quoting::fill(script, values, |value| Some(quote(value)));
        }
    }
    parsed.value = playbook;
    problems
}

/// A template's mistake, where it lies. Never says what a variable holds.
fn problem_of(text: &str, error: &Error, context: &impl Serialize) -> Problem {
    let range = error.range().filter(|range| text.is_char_boundary(range.start)).map(|range| {
        // The whole path: for `a.b.c` the range begins behind `a`.
        let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        text[..range.start].trim_end_matches(part).len()..range.end
    });
    let place = match (range.clone(), error.line()) {
        (Some(range), _) => yaml::place_in(text, range),
        (None, Some(line)) => {
            let start = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
            yaml::place_in(text, start..start)
        }
        (None, None) => yaml::place_in(text, 0..0),
    };
    if error.kind() == ErrorKind::UndefinedError {
        let expression = range.and_then(|range| text.get(range)).unwrap_or_default();
        return undefined(text, place, expression, context);
    }
    Problem::new(place, error.detail().map_or_else(|| error.kind().to_string(), str::to_owned))
}

/// A name that is not there, with the names that are.
fn undefined(text: &str, place: Place, expression: &str, context: &impl Serialize) -> Problem {
    let other = Problem::new(place, "this is not there");
    let is_name = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let parts: Vec<&str> = expression.split('.').collect();
    let local = |name: &str| {
        text.contains(&format!("for {name} in ")) || text.contains(&format!("set {name} "))
    };
    if !parts.iter().copied().all(is_name) || local(parts[0]) {
        return other;
    }
    let mut owner = Value::from(Serde(context));
    for (index, part) in parts.iter().enumerate() {
        let names: Vec<String> =
            owner.try_iter().into_iter().flatten().map(|name| name.to_string()).collect();
        match owner.get_attr(part) {
            Ok(inner) if !inner.is_undefined() => owner = inner,
            _ => {
                let path = parts[..=index].join(".");
                let known: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                let there = match known.as_slice() {
                    [] => "it has no parts".to_owned(),
                    known => format!("there are {}", known.join(", ")),
                };
                let hint = match yaml::did_you_mean(part, names.iter().map(String::as_str)) {
                    Some(meant) => format!("did you mean `{meant}`? {there}"),
                    None => there,
                };
                return Problem::new(place, format!("there is no `{path}`")).hint(hint);
            }
        }
    }
    other
}

#[cfg(test)]
mod tests;
