//! As much of a shell's grammar as it takes to see whether a value stands inside of quotes.

use super::quoting::{OPEN, has_token};

/// What a shell is inside of.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Inside {
    /// `( )` and `$( )`.
    Command,
    /// `" "`.
    Double,
    /// `${ }`.
    Parameter,
    /// `$(( ))`, once for each parenthesis.
    Arithmetic,
}

/// Where a script has a value that cannot be put in there as a quoted word, in words. What this
/// does not understand it refuses.
pub(super) fn misplaced(script: &str) -> Option<&'static str> {
    Scan { script, at: 0, inside: Vec::new(), documents: Vec::new() }.run()
}

struct Scan<'a> {
    script: &'a str,
    /// The next byte.
    at: usize,
    inside: Vec<Inside>,
    /// Delimiters of here-documents that begin with the next line.
    documents: Vec<String>,
}

impl<'a> Scan<'a> {
    fn run(mut self) -> Option<&'static str> {
        while let Some(c) = self.rest().chars().next() {
            let word_begins = self.begins_word();
            let top = self.inside.last().copied();
            let commands = matches!(top, None | Some(Inside::Command));
            self.at += c.len_utf8();
            match c {
                OPEN if self.in_double() => return Some("double quotes"),
                OPEN if top == Some(Inside::Arithmetic) => return Some("arithmetic"),
                '\\' => self.at += self.rest().chars().next().map_or(0, char::len_utf8),
                '"' if top == Some(Inside::Double) => self.leave(),
                '"' => self.inside.push(Inside::Double),
                '\'' if !self.in_double() && has_token(self.take_to("'")) => {
                    return Some("single quotes");
                }
                '`' if has_token(self.take_to("`")) => return Some("backticks"),
                '$' if self.rest().starts_with("((") => {
                    self.at += 2;
                    self.inside.extend([Inside::Arithmetic; 2]);
                }
                '$' if self.rest().starts_with('(') => {
                    self.at += 1;
                    self.inside.push(Inside::Command);
                }
                '$' if self.rest().starts_with('{') => {
                    self.at += 1;
                    self.inside.push(Inside::Parameter);
                }
                '(' if commands => self.inside.push(Inside::Command),
                '(' if top == Some(Inside::Arithmetic) => self.inside.push(Inside::Arithmetic),
                ')' if matches!(top, Some(Inside::Command | Inside::Arithmetic)) => self.leave(),
                '}' if top == Some(Inside::Parameter) => self.leave(),
                '#' if commands && word_begins && has_token(self.take_line()) => {
                    return Some("a comment");
                }
                // `<<<` has its text behind it, on the same line.
                '<' if commands && self.rest().starts_with("<<") => self.at += 2,
                '<' if commands && self.rest().starts_with('<') => self.here_document(),
                '\n' if commands && self.skips_a_token_in_documents() => {
                    return Some("a here-document");
                }
                // Its patterns end with parentheses that nothing opened.
                'c' if top == Some(Inside::Command)
                    && word_begins
                    && self.rest().starts_with("ase")
                    && has_token(self.rest()) =>
                {
                    return Some("what follows a `case` in parentheses");
                }
                _ => {}
            }
        }
        None
    }

    fn leave(&mut self) {
        self.inside.pop();
    }

    fn rest(&self) -> &'a str {
        &self.script[self.at..]
    }

    fn begins_word(&self) -> bool {
        let before = self.script[..self.at].chars().next_back();
        before.is_none_or(|c| c.is_whitespace() || ";&|()".contains(c))
    }

    /// Whether double quotes are open that no command substitution within them has interrupted.
    fn in_double(&self) -> bool {
        let open = self.inside.iter().rev().take_while(|inside| **inside != Inside::Command);
        open.into_iter().any(|inside| *inside == Inside::Double)
    }

    /// What is up to `end`, and goes behind it.
    fn take_to(&mut self, end: &str) -> &'a str {
        let rest = self.rest();
        let length = rest.find(end).unwrap_or(rest.len());
        self.at += (length + end.len()).min(rest.len());
        &rest[..length]
    }

    /// The rest of the line, without its end.
    fn take_line(&mut self) -> &'a str {
        let rest = self.rest();
        let length = rest.find('\n').unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// Behind the first `<` of `<<`: notes the delimiter.
    fn here_document(&mut self) {
        self.at += 1;
        let rest = self.rest().trim_start_matches('-').trim_start_matches([' ', '\t']);
        let end = rest.find(|c: char| c.is_whitespace() || ";&|<>()".contains(c));
        let delimiter = &rest[..end.unwrap_or(rest.len())];
        self.documents.push(delimiter.replace(['\'', '"', '\\'], ""));
    }

    /// At the begin of a line: goes behind the here-documents that begin there.
    fn skips_a_token_in_documents(&mut self) -> bool {
        let mut token = false;
        for delimiter in std::mem::take(&mut self.documents) {
            while !self.rest().is_empty() {
                let line = self.take_to("\n");
                if line.trim_start_matches('\t') == delimiter {
                    break;
                }
                token |= has_token(line);
            }
        }
        token
    }
}
