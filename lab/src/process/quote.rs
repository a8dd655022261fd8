//! Quoting for a POSIX shell: the one function that everything shown or sent to a shell uses.

/// Words that mean something to a shell where it expects a command.
const RESERVED: [&str; 17] = [
    "if", "then", "else", "elif", "fi", "do", "done", "case", "esac", "while", "until", "for",
    "in", "time", "function", "select", "coproc",
];

/// `word` so that a POSIX shell reads back exactly it as one word, in any position of a command.
///
/// A word with nothing special in it stays as it is. No shell can hold a NUL; a word with one is
/// refused by the system when the command is run.
#[must_use]
pub fn quote(word: &str) -> String {
    if is_plain(word) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// Every word [quoted](quote), in one line.
pub fn quote_all<W: AsRef<str>>(words: impl IntoIterator<Item = W>) -> String {
    words.into_iter().map(|word| quote(word.as_ref())).collect::<Vec<_>>().join(" ")
}

fn is_plain(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@+:,./-=".contains(c);
    // `name=value` in front of a command would be an assignment, `a,b=c` is not.
    let assigns = word.split_once('=').is_some_and(|(name, _)| {
        name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '+')
    });
    !word.is_empty() && word.chars().all(plain) && !assigns && !RESERVED.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Command;
    use proptest::prelude::*;

    #[test]
    fn plain_words_stay_readable() {
        for word in ["ip", "/usr/bin/qemu", "-netdev", "tap,id=n0", "--color=never", "10.1.0.1/24"]
        {
            assert_eq!(quote(word), word);
        }
    }

    #[test]
    fn special_words_are_quoted() {
        assert_eq!(quote(""), "''");
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote("$(id)"), "'$(id)'");
        assert_eq!(quote("PATH=/tmp"), "'PATH=/tmp'");
        assert_eq!(quote("if"), "'if'");
        assert_eq!(quote_all(["echo", "~", "a"]), "echo '~' a");
    }

    fn shell(script: String) -> Vec<u8> {
        Command::new("sh").args(["-c", script.as_str()]).run().expect("sh runs").stdout
    }

    /// Anything but NUL, with what a shell cares for made likely.
    fn word() -> impl Strategy<Value = String> {
        prop_oneof![
            "[^\0]{0,12}",
            "[~*?$!#&|;<>=%-]{1,2}",
            "[ '\"$`\\\\!*?~#&|;<>(){}=\\[\\]\n\t\r%^-]{0,8}",
            "[a-zA-Z_0-9]{0,3}=[a-z$' ]{0,4}",
            proptest::sample::select(RESERVED.to_vec()).prop_map(str::to_owned),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn a_real_shell_reads_every_word_back(words in prop::collection::vec(word(), 1..8)) {
            let got = shell(format!("printf '%s\\0' {}", quote_all(&words)));
            let expected: Vec<u8> = words.iter().flat_map(|w| [w.as_bytes(), b"\0"].concat()).collect();
            prop_assert_eq!(got, expected);
        }

        /// A word in front is always a command, never an assignment or a keyword: the shell looks
        /// for it and, PATH being empty, finds none (127) or finds no such file (126 for a folder).
        #[test]
        fn the_first_word_is_always_a_command(word in "[a-z=+/]{1,6}|if|for|case|time|do") {
            let script = format!("PATH=/nowhere; {} >/dev/null 2>&1; printf %s $?", quote(&word));
            let status = String::from_utf8_lossy(&shell(script)).into_owned();
            let builtin = is_builtin(&word);
            prop_assert!(builtin || status == "127" || status == "126", "{word}: {status}");
        }
    }

    fn is_builtin(word: &str) -> bool {
        let script = format!("PATH=/nowhere; type {} >/dev/null 2>&1 && printf y", quote(word));
        let known = Command::new("sh").args(["-c", script.as_str()]).run().is_ok();
        known && !RESERVED.contains(&word)
    }
}
