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
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let line = |row: &[String; N]| {
        let padded = row.iter().zip(align).zip(widths).map(|((text, align), width)| match align {
            Align::Left => format!("{text:<width$}"),
            Align::Right => format!("{text:>width$}"),
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
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
