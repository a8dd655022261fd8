//! serde's refusals in this project's words.

use super::{
    nearest::did_you_mean,
    outline::Outline,
    problem::{HINT, Place, Problem},
};
use std::fmt::Write as _;

/// Turns the text of one error of the YAML crate into problems: usually one, or one for each
/// unknown key of a mapping.
pub(super) fn reword(text: &str, place: Option<Place>, outline: &Outline) -> Vec<Problem> {
    let text = without_location(text, place);
    let (path, message) = split_path(text, outline);
    let steps: Vec<&str> = path.iter().map(String::as_str).collect();
    let here = if path.is_empty() && !outline.has(&[]) {
        place.unwrap_or_default()
    } else {
        outline.place(&steps)
    };
    if let Some((key, known)) = unknown(message, "unknown field `") {
        return unknown_keys(&path, key, &known, outline);
    }
    if let Some((word, known)) = unknown(message, "unknown variant `") {
        let problem = Problem::new(here, format!("expected {}, got `{word}`", one_of(&known)))
            .expected(one_of(&known));
        return vec![match did_you_mean(word, known.iter().copied()) {
            Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
            None => problem,
        }];
    }
    if let Some(key) =
        message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'))
    {
        let (place, of) = match steps.last() {
            Some(owner) => (outline.key_place(&steps), format!(" in `{owner}`")),
            None => (outline.place(&[]), String::new()),
        };
        return vec![
            Problem::new(place, format!("key `{key}` is missing{of}"))
                .expected(format!("`{key}: …`")),
        ];
    }
    for kind in ["invalid type: ", "invalid value: ", "invalid length "] {
        if let Some((got, expected)) =
            message.strip_prefix(kind).and_then(|rest| rest.split_once(", expected "))
        {
            let expected = plain_expected(expected, got);
            let number = |text: &str| text.parse::<f64>().is_ok();
            if expected.contains("number") && got.split('"').nth(1).is_some_and(number) {
                let message = format!("expected {expected}, got a text in quotes");
                return vec![
                    Problem::new(here, message).expected(expected).hint("remove the quotes"),
                ];
            }
            let message = format!("expected {expected}, got {}", plain_got(got));
            return vec![Problem::new(here, message).expected(expected)];
        }
    }
    let (message, hint) = message.split_once(HINT).map_or((message, None), |(m, h)| (m, Some(h)));
    let mut problem = Problem::new(here, message);
    if let Some((expected, _)) =
        message.strip_prefix("expected ").and_then(|rest| rest.rsplit_once(", got "))
    {
        problem = problem.expected(expected);
    }
    vec![match hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    }]
}

/// The crate ends its texts with the place, which we have by itself.
fn without_location(text: &str, place: Option<Place>) -> &str {
    let Some(place) = place else { return text };
    text.strip_suffix(&format!(" at line {} column {}", place.line, place.column)).unwrap_or(text)
}

/// The crate begins its texts with the path, `factors.memory[1]: `. Which path that is, the
/// outline knows; taking it apart would be guessing.
fn split_path<'t>(text: &'t str, outline: &Outline) -> (Vec<String>, &'t str) {
    let mut best: (Vec<String>, &str) = (vec![], text);
    for path in outline.paths().filter(|path| !path.is_empty()) {
        for spelled in spellings(path) {
            if let Some(message) = text.strip_prefix(&format!("{spelled}: "))
                && message.len() < best.1.len()
            {
                best = (path.to_vec(), message);
            }
        }
    }
    best
}

/// How the crate may spell a path: a digit is an index in a list and a key in a mapping.
fn spellings(path: &[String]) -> [String; 2] {
    let mut with_indexes = String::new();
    for step in path {
        if !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit()) {
            let _ = write!(with_indexes, "[{step}]");
        } else {
            if !with_indexes.is_empty() {
                with_indexes.push('.');
            }
            with_indexes.push_str(step);
        }
    }
    [with_indexes, path.join(".")]
}

/// The word refused and the words known, of ``unknown field `a`, expected one of `b`, `c` ``.
fn unknown<'t>(message: &'t str, prefix: &str) -> Option<(&'t str, Vec<&'t str>)> {
    let rest = message.strip_prefix(prefix)?;
    let (word, known) =
        rest.rsplit_once("`, expected ").or_else(|| rest.split_once("`, there are no"))?;
    Some((word, known.split('`').skip(1).step_by(2).collect()))
}

fn unknown_keys(path: &[String], first: &str, known: &[&str], outline: &Outline) -> Vec<Problem> {
    let mut keys: Vec<&str> = outline.keys(path).filter(|key| !known.contains(key)).collect();
    if keys.is_empty() {
        keys.push(first);
    }
    let place_of = |key| {
        let steps: Vec<&str> = path.iter().map(String::as_str).chain([key]).collect();
        outline.key_place(&steps)
    };
    keys.into_iter()
        .map(|key| {
            let free =
                known.iter().copied().filter(|word| !outline.keys(path).any(|used| used == *word));
            let meant = if key == "<<" {
                "merge keys are not supported: write the keys out; ".to_owned()
            } else {
                did_you_mean(key, free)
                    .map_or_else(String::new, |meant| format!("did you mean `{meant}`? "))
            };
            Problem::new(place_of(key), format!("unknown key `{key}`"))
                .expected(one_of(known))
                .hint(format!("{meant}known here: {}", listed(known)))
        })
        .collect()
}

/// `` `a`, `b` or `c` ``.
#[must_use]
pub fn one_of(words: &[&str]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [only] => format!("`{only}`"),
        [first @ .., last] => format!("{} or `{last}`", listed(first)),
    }
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn plain_expected(expected: &str, got: &str) -> String {
    let negative = got.starts_with("integer `-");
    let most = match expected {
        "u8" => u64::from(u8::MAX),
        "u16" => u64::from(u16::MAX),
        "u32" => u64::from(u32::MAX),
        _ => u64::MAX,
    };
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" if negative => {
            "a whole number, not negative".to_owned()
        }
        "u8" | "u16" | "u32" | "u64" | "usize" if got.starts_with("integer") => {
            format!("a whole number up to {most}")
        }
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a string" | "string" => "a text".to_owned(),
        "a sequence" => "a list, `[a, b]`".to_owned(),
        "a map" => "a mapping, `key: value`".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        other => other.to_owned(),
    }
}

fn plain_got(got: &str) -> String {
    if let Some(text) = got.strip_prefix("string \"").and_then(|rest| rest.strip_suffix('"')) {
        return format!("`{text}`");
    }
    if let Some((_, value)) = got.split_once(" `") {
        return format!("`{value}");
    }
    match got {
        "sequence" => "a list".to_owned(),
        "map" => "a mapping".to_owned(),
        "unit value" => "nothing".to_owned(),
        other => other.to_owned(),
    }
}
