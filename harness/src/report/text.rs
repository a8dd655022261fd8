//! Laying out prose.

use super::Style;

/// Folds a paragraph to `width`; lines after the first begin with `indent` spaces. A number stays
/// with its unit. A word longer than a line keeps a line of its own.
pub(crate) fn wrap(paragraph: &str, width: usize, indent: usize) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in paragraph.split_whitespace() {
        match words.last_mut() {
            Some(number) if is_number(number) && is_unit(word) => {
                number.push(' ');
                number.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(&word);
            }
            None => lines.push(word),
            Some(_) => lines.push(format!("{:indent$}{word}", "")),
        }
    }
    lines.join("\n")
}

fn is_number(word: &str) -> bool {
    word.parse::<f64>().is_ok()
}

fn is_unit(word: &str) -> bool {
    let units = [
        "B", "KiB", "MiB", "GiB", "KiB/s", "MiB/s", "GiB/s", "kbit/s", "Mbit/s", "Gbit/s",
        "pages/s", "ms", "s", "min", "h", "%",
    ];
    units.contains(&word.trim_end_matches([',', ';', '.', ':', ')']))
}

/// The text in the characters that the style allows: what ASCII lacks is spelt out.
pub(crate) fn spell(text: &str, style: Style) -> String {
    if style.unicode {
        return text.to_owned();
    }
    text.replace('≥', ">=")
        .replace(['–', '—'], "-")
        .replace('…', "...")
        .replace('×', "x")
        .replace('−', "-")
        .replace('≤', "<=")
        .replace('→', "->")
        .replace('τ', "tau")
        .replace('δ', "delta")
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list(items: &[&str]) -> String {
    match items {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_folded() {
        assert_eq!(wrap("one two three four", 9, 2), "one two\n  three\n  four");
        assert_eq!(wrap("sent 31.0 MiB, more", 11, 2), "sent\n  31.0 MiB,\n  more");
        assert_eq!(wrap("incomprehensibilities x", 9, 0), "incomprehensibilities\nx");
        assert_eq!(wrap("", 9, 0), "");
    }

    #[test]
    fn lists_read_like_prose() {
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
    }
}
