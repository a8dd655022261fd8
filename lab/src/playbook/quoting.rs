//! How a template's values get into scripts and files.
//!
//! A value is not written into the rendered text: a token stands there for it. YAML is read with
//! the tokens in it, so no value can change what the YAML says; and only when a script is known
//! to be one, its values are put in, each as one word by [`quote`], so no value can change what
//! the script does. That holds where the script has no quotes of its own around the value, which
//! [`super::script::misplaced`] sees to.

use crate::process::quote;

/// What a token begins with.
pub(super) const OPEN: char = '⟪';
/// What a token ends with.
pub(super) const CLOSE: char = '⟫';

/// The token of the value with this number.
pub(super) fn token(number: usize) -> String {
    format!("{OPEN}{number}{CLOSE}")
}

/// Whether a text has a token, or something that looks like a part of one.
pub(super) fn has_token(text: &str) -> bool {
    text.contains([OPEN, CLOSE])
}

/// The text with every token replaced by what `how` makes of its value; `None` leaves the token.
/// What is put in is not looked through for tokens.
pub(super) fn fill(text: &str, values: &[String], how: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        out.push_str(before);
        let filled = after.split_once(CLOSE).and_then(|(number, behind)| {
            let value = values.get(number.parse::<usize>().ok()?)?;
            Some((how(value)?, behind))
        });
        rest = match filled {
            Some((filled, behind)) => {
                out.push_str(&filled);
                behind
            }
            None => {
                out.push(OPEN);
                after
            }
        };
    }
    out.push_str(rest);
    out
}

/// Whether a value is the same word to YAML and to a shell with nothing around it.
pub(super) fn is_plain(value: &str) -> bool {
    quote(value) == value
}
