//! Text in aligned columns.

/// Which side of its column a text keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Lines of `rows`, each text as wide as the widest of its column, two blanks between columns and
/// none at the end.
pub fn aligned<const N: usize>(align: [Align; N], rows: &[[String; N]]) -> Vec<String> {
    aligned_columns(&align, rows)
}

/// The same for a number of columns that is known only when the program runs.
pub fn aligned_columns(align: &[Align], rows: &[impl AsRef<[String]>]) -> Vec<String> {
    let length = |row: &[String], column: usize| row.get(column).map(|text| text.chars().count());
    let width = |column: usize| {
        rows.iter().filter_map(|row| length(row.as_ref(), column)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..align.len()).map(width).collect();
    let line = |row: &[String]| {
        let padded =
            row.iter().zip(align).zip(&widths).map(|((text, align), &width)| match align {
                Align::Left => format!("{text:<width$}"),
                Align::Right => format!("{text:>width$}"),
            });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(|row| line(row.as_ref())).collect()
}

/// `text` in lines of at most `width` columns, further lines behind `rest`.
pub fn filled(text: &str, rest: &str, width: usize) -> String {
    let (mut out, mut line, mut words) = (String::new(), String::new(), 0);
    for word in text.split_whitespace() {
        let blank = usize::from(words > 0);
        if words > 0 && line.chars().count() + blank + word.chars().count() > width {
            out.push_str(&line);
            out.push('\n');
            rest.clone_into(&mut line);
            words = 0;
        }
        if words > 0 {
            line.push(' ');
        }
        line.push_str(word);
        words += 1;
    }
    out.push_str(&line);
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_text() {
        let rows = [["ä", "1", "x"], ["bcd", "234", ""]].map(|row| row.map(str::to_owned));
        let lines = aligned([Align::Left, Align::Right, Align::Left], &rows);
        assert_eq!(lines, ["ä      1  x", "bcd  234"]);
    }
}
