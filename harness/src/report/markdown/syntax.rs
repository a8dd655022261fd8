//! Markdown's own characters.

use std::fmt::Write;

/// The text so that Markdown shows it as it is, in a table too.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let inside_word = before.is_alphanumeric()
            && characters.peek().is_some_and(|next| next.is_alphanumeric());
        match c {
            '\\' | '`' | '*' | '[' | ']' | '|' | '~' => out.extend(['\\', c]),
            '_' if !inside_word => out.push_str("\\_"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\n' | '\r' => out.push(' '),
            _ => out.push(c),
        }
        before = c;
    }
    out
}

/// A table: `right` says which columns hold numbers. Cells are Markdown already.
pub(crate) fn markdown_table(heads: &[String], right: &[bool], rows: &[Vec<String>]) -> String {
    let mut out = format!("| {} |\n|", heads.join(" | "));
    for &right in right {
        out.push_str(if right { " ---: |" } else { " --- |" });
    }
    out.push('\n');
    for row in rows {
        let _ = writeln!(out, "| {} |", row.join(" | "));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shown_as_it_is() {
        assert_eq!(escape("a|b\nc"), "a\\|b c");
        assert_eq!(escape("touch_rate _x_ *y* <z>"), "touch_rate \\_x\\_ \\*y\\* &lt;z&gt;");
    }
}
