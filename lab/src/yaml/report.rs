//! Everything that is wrong in one file, for people and for programs.

use super::problem::Problem;
use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode,
    ThemeCharacters, ThemeStyles,
};
use serde::Serialize;
use std::{fmt, sync::Arc};

/// What miette writes before a hint; before a message it is less.
const HELP: &str = "  help: ";

/// Narrower than this, a report is not readable anyway.
const MIN_WIDTH: usize = 40;

/// Breaks a text at blanks into lines of at most `width` characters, where its words allow.
fn wrapped(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            out.push('\n');
            used = 0;
        } else if used > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += length;
    }
    out
}

/// Everything that is wrong in one file. Serialised, it is `file` and `problems` with their
/// line, column, message, what was expected, and hint.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The file, as the caller named it.
    pub file: String,
    /// What is wrong, in the order of the file; never empty.
    pub problems: Vec<Problem>,
    #[serde(skip)]
    text: Arc<str>,
}

impl Report {
    pub(super) fn new(file: &str, text: Arc<str>, mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|a, b| a.place.cmp(&b.place).then_with(|| a.message.cmp(&b.message)));
        problems.dedup();
        Self { file: file.to_owned(), problems, text }
    }

    /// For a terminal: each problem with the line it is in and a caret, lines at most `width`
    /// characters long, with box-drawing characters.
    #[must_use]
    pub fn render(&self, colour: bool, width: usize) -> String {
        self.render_with(ThemeCharacters::unicode(), colour, width)
    }

    /// As [`Self::render`], in nothing but ASCII where the file is.
    #[must_use]
    pub fn render_ascii(&self, colour: bool, width: usize) -> String {
        self.render_with(ThemeCharacters::ascii(), colour, width)
    }

    fn render_with(&self, characters: ThemeCharacters, colour: bool, width: usize) -> String {
        let styles = if colour { ThemeStyles::ansi() } else { ThemeStyles::none() };
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme { characters, styles })
            .with_wrap_lines(false)
            .with_links(false)
            .with_context_lines(1)
            .tab_width(4);
        // miette's own wrapping breaks after slashes: `Mbit/` and `s`.
        let room = width.max(MIN_WIDTH) - HELP.len();
        let mut out = String::new();
        for problem in &self.problems {
            let shown = Shown {
                problem,
                message: wrapped(&problem.message, room),
                help: problem.hint.as_ref().map(|hint| wrapped(hint, room)),
                source: NamedSource::new(&self.file, Arc::clone(&self.text)),
            };
            if !out.is_empty() {
                out.push('\n');
            }
            if handler.render_report(&mut out, &shown).is_err() {
                // Only a span outside the text could do this; the words matter more.
                out.push_str(&self.line_of(problem));
            }
        }
        if self.problems.len() > 1 {
            out.push_str(&format!("\n{} problems in {}\n", self.problems.len(), self.file));
        }
        out
    }

    fn line_of(&self, problem: &Problem) -> String {
        let hint =
            problem.hint.as_ref().map_or_else(String::new, |hint| format!(" (hint: {hint})"));
        format!("{}:{}:{}: {}{hint}", self.file, problem.line, problem.column, problem.message)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> =
            self.problems.iter().map(|problem| self.line_of(problem)).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Report {}

/// One problem as miette wants it.
#[derive(Debug)]
struct Shown<'a> {
    problem: &'a Problem,
    message: String,
    help: Option<String>,
    source: NamedSource<Arc<str>>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|hint| Box::new(hint) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.problem.place;
        // What the message says already is not said again at the caret.
        let label = self
            .problem
            .expected
            .as_ref()
            .filter(|expected| {
                self.problem.hint.is_none() && !self.problem.message.contains(*expected)
            })
            .map_or_else(|| "here".to_owned(), |expected| format!("expected {expected}"));
        let first =
            LabeledSpan::new_primary_with_span(Some(label), (place.offset, place.length.max(1)));
        let second = self.problem.also.iter().map(|(place, label)| {
            LabeledSpan::new_with_span(Some(label.clone()), (place.offset, place.length))
        });
        Some(Box::new(std::iter::once(first).chain(second)))
    }
}
