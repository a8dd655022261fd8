//! What scripts need and nobody may read: given as environment variables, struck out of all that
//! is kept.

use anyhow::{Result, bail};
use std::{collections::BTreeMap, fmt};

/// What stands where a secret stood.
const STRUCK: &[u8] = b"***";

/// A line may be this long before a part of it is kept.
const LINE_BYTES: usize = 64 << 10;

/// Secrets by their names. Shows none of them.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// Adds a secret.
    ///
    /// # Errors
    /// When it is empty or has a control character: it is one line of text, or it could not be
    /// struck out of what is kept line by line.
    pub fn insert(&mut self, name: &str, value: String) -> Result<()> {
        if value.is_empty() {
            bail!("the secret `{name}` is empty");
        }
        if value.contains(char::is_control) {
            bail!("the secret `{name}` has a control character: it must be one line of text");
        }
        self.0.insert(name.to_owned(), value);
        Ok(())
    }

    /// A secret, where there is one of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// What strikes all of them out of one stream.
    pub(super) fn redactor(&self) -> Redactor {
        let mut secrets: Vec<Vec<u8>> = self.0.values().map(|s| s.clone().into_bytes()).collect();
        // One that holds another goes first.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Redactor { secrets, pending: Vec::new() }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Strikes secrets out of a stream, whatever the pieces it comes in.
pub(super) struct Redactor {
    secrets: Vec<Vec<u8>>,
    pending: Vec<u8>,
}

impl Redactor {
    /// Takes what came and gives what can be kept: whole lines, or of a very long one all but
    /// its end.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.pending.extend_from_slice(bytes);
        let whole = self.pending.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let rest = self.pending.split_off(whole);
        let lines = std::mem::replace(&mut self.pending, rest);
        let mut kept = self.strike(lines);
        if self.pending.len() > LINE_BYTES {
            let line = std::mem::take(&mut self.pending);
            let mut line = self.strike(line);
            let longest = self.secrets.first().map_or(0, Vec::len);
            self.pending = line.split_off(line.len().saturating_sub(longest));
            kept.extend(line);
        }
        kept
    }

    /// The end of the stream: what is left.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        let pending = std::mem::take(&mut self.pending);
        self.strike(pending)
    }

    fn strike(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        for secret in &self.secrets {
            let mut out = Vec::with_capacity(bytes.len());
            let mut rest = bytes.as_slice();
            while let Some(at) = rest.windows(secret.len()).position(|part| part == secret) {
                out.extend_from_slice(&rest[..at]);
                out.extend_from_slice(STRUCK);
                rest = &rest[at + secret.len()..];
            }
            out.extend_from_slice(rest);
            bytes = out;
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_shows_a_secret() {
        let mut secrets = Secrets::default();
        secrets.insert("ROOT_PASSWORD", "hunter2".to_owned()).expect("a good one");
        assert_eq!(format!("{secrets:?}"), r#"{"ROOT_PASSWORD"}"#);
        assert!(secrets.insert("A", String::new()).is_err());
        let error = secrets.insert("A", "two\nlines".to_owned()).expect_err("two lines");
        assert!(!format!("{error:?}").contains("two\n"), "{error:?}");
    }

    proptest! {
        #[test]
        fn secrets_are_struck_out_however_a_stream_is_cut(
            parts in prop::collection::vec(
                prop::sample::select(vec!["hunter2", "hunter22", "hunt", "er2", "\n", "a", "2"]),
                0..30,
            ),
            cuts in prop::collection::vec(1_usize..9, 1..9),
            long in any::<bool>(),
        ) {
            let mut secrets = Secrets::default();
            for (name, secret) in [("A", "hunter2"), ("B", "hunter22")] {
                secrets.insert(name, secret.to_owned()).expect("a good one");
            }
            let mut text = parts.concat();
            if long {
                text.insert_str(0, &"x".repeat(LINE_BYTES));
            }
            let mut redactor = secrets.redactor();
            let (mut rest, mut kept) = (text.as_bytes(), Vec::new());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let cut = if long { cut * 4000 } else { *cut }.min(rest.len());
                kept.extend(redactor.push(&rest[..cut]));
                rest = &rest[cut..];
            }
            kept.extend(redactor.finish());
            let kept = String::from_utf8_lossy(&kept).into_owned();
            prop_assert!(!kept.contains("hunter2"), "{kept}");
            if !long {
                let expected = text.replace("hunter22", "***").replace("hunter2", "***");
                prop_assert_eq!(kept, expected);
            }
        }
    }
}
