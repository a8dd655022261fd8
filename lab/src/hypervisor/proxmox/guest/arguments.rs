//! A VM's `args`: words for QEMU in one text, which Proxmox splits again.
//!
//! It splits as Perl's `Text::ParseWords::shellwords` does: at white space, except in quotes or
//! behind a backslash; within double quotes a backslash takes away the meaning of what follows.

use camino::Utf8Path;

/// The id of our monitor's character device.
const MONITOR: &str = "labqmp";

/// A word that cannot stand in a VM's `args`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot stand in a VM's `args`: only printable ASCII can, and nothing empty")]
pub struct NotAnArgument(pub String);

/// Words as one text, of which Proxmox makes the same words again.
///
/// # Errors
/// A word with what a VM's configuration, a file of lines, does not keep as it is.
pub fn join<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<String, NotAnArgument> {
    let quoted: Result<Vec<String>, _> = words.into_iter().map(quoted).collect();
    Ok(quoted?.join(" "))
}

fn quoted(word: &str) -> Result<String, NotAnArgument> {
    if word.is_empty() || !word.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(NotAnArgument(word.to_owned()));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./,=:+@%".contains(&byte);
    if word.bytes().all(plain) {
        return Ok(word.to_owned());
    }
    Ok(format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// QEMU's arguments for a second monitor, a unix socket of our own: Proxmox's own serves one
/// client at a time, and that is Proxmox.
#[must_use]
pub fn monitor(socket: &Utf8Path) -> [String; 4] {
    // A comma ends a value, two are one.
    let path = socket.as_str().replace(',', ",,");
    [
        "-chardev".to_owned(),
        format!("socket,id={MONITOR},path={path},server=on,wait=off"),
        "-mon".to_owned(),
        format!("chardev={MONITOR},mode=control"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As Perl's `shellwords` does it, written from its description.
    fn split(text: &str) -> Vec<String> {
        let mut words = Vec::new();
        let mut word: Option<String> = None;
        let mut quote = None;
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match (quote, c) {
                (None, c) if c.is_whitespace() => words.extend(word.take()),
                (None, '"' | '\'') => {
                    quote = Some(c);
                    word.get_or_insert_default();
                }
                (Some(q), c) if c == q => quote = None,
                (None | Some('"'), '\\') => {
                    word.get_or_insert_default().push(chars.next().expect("something"));
                }
                (_, c) => word.get_or_insert_default().push(c),
            }
        }
        assert_eq!(quote, None, "an open quote makes Perl give no word at all");
        words.extend(word);
        words
    }

    proptest! {
        #[test]
        fn words_come_back(words in proptest::collection::vec("[ -~]{1,12}", 0..5)) {
            let text = join(words.iter().map(String::as_str)).unwrap();
            prop_assert!(text.bytes().all(|b| (b' '..=b'~').contains(&b)));
            prop_assert_eq!(split(&text), words);
        }
    }

    #[test]
    fn it_reads_as_what_was_recorded() {
        let [chardev, socket, mon, control] = monitor("/run/qemu-server/201.lab".into());
        let words = [
            &chardev,
            &socket,
            &mon,
            &control,
            "-kernel",
            "/mnt/shared/boot/vmlinuz",
            "-append",
            "console=ttyS0 quiet dmb=48",
        ];
        assert_eq!(
            join(words).unwrap(),
            "-chardev socket,id=labqmp,path=/run/qemu-server/201.lab,server=on,wait=off -mon \
             chardev=labqmp,mode=control -kernel /mnt/shared/boot/vmlinuz -append \
             \"console=ttyS0 quiet dmb=48\""
        );
        assert!(monitor("/a,b".into())[1].contains("path=/a,,b,server=on"));
    }

    #[test]
    fn what_a_configuration_would_not_keep_is_refused() {
        for wrong in ["", "a\nlock: backup", "caf\u{e9}", "a\tb", "\u{7f}"] {
            assert_eq!(join([wrong]), Err(NotAnArgument(wrong.to_owned())));
        }
    }
}
