//! Whether to colour, and the few styles that there are.

use std::io::IsTerminal;

/// The user's wish. `Auto` colours where a terminal shows it and the environment does not object.
// The variants carry no doc comments: clap would print them over six lines of every help text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    #[default]
    Auto,
    Always,
    Never,
}

/// Paints words, or leaves them as they are.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// For what goes to stdout.
    pub fn stdout(choice: ColorChoice) -> Self {
        Self::new(choice, std::io::stdout().is_terminal())
    }

    /// For what goes to stderr.
    pub fn stderr(choice: ColorChoice) -> Self {
        Self::new(choice, std::io::stderr().is_terminal())
    }

    fn new(choice: ColorChoice, terminal: bool) -> Self {
        Self { on: wanted(choice, terminal, |name| std::env::var(name).ok()) }
    }

    /// Whether anything is coloured.
    pub const fn is_on(self) -> bool {
        self.on
    }

    fn style(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// What is as it should be: green.
    pub fn good(self, text: &str) -> String {
        self.style("32", text)
    }

    /// What deserves a look: yellow.
    pub fn warning(self, text: &str) -> String {
        self.style("33", text)
    }

    /// What is wrong: red.
    pub fn error(self, text: &str) -> String {
        self.style("1;31", text)
    }

    /// A heading.
    pub fn strong(self, text: &str) -> String {
        self.style("1", text)
    }
}

/// <https://no-color.org> and <https://bixense.com/clicolors>: an explicit wish wins, then
/// NO_COLOR, then CLICOLOR_FORCE, then CLICOLOR=0, then whether a terminal shows it.
fn wanted(choice: ColorChoice, terminal: bool, env: impl Fn(&str) -> Option<String>) -> bool {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if set("NO_COLOR").is_some() => false,
        ColorChoice::Auto if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        ColorChoice::Auto if set("CLICOLOR").is_some_and(|value| value == "0") => false,
        ColorChoice::Auto => terminal && set("TERM").is_none_or(|value| value != "dumb"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(choice: ColorChoice, terminal: bool, vars: &[(&str, &str)]) -> bool {
        wanted(choice, terminal, |name| {
            vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn colour_is_for_terminals_that_want_it() {
        use ColorChoice::{Always, Auto, Never};
        assert!(with(Auto, true, &[]));
        assert!(!with(Auto, false, &[]));
        assert!(!with(Auto, true, &[("NO_COLOR", "1")]));
        assert!(with(Auto, true, &[("NO_COLOR", "")]), "an empty NO_COLOR is none");
        assert!(!with(Auto, true, &[("CLICOLOR", "0")]));
        assert!(!with(Auto, true, &[("TERM", "dumb")]));
        assert!(with(Auto, false, &[("CLICOLOR_FORCE", "1")]));
        assert!(!with(Auto, false, &[("CLICOLOR_FORCE", "0")]));
        assert!(!with(Auto, false, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
        assert!(with(Always, false, &[("NO_COLOR", "1")]));
        assert!(!with(Never, true, &[("CLICOLOR_FORCE", "1")]));
    }
}
