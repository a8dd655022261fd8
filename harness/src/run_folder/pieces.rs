//! A file in pieces of whole lines, so that a file of any length is read within bounded memory.

use super::line::MAX_LINE_BYTES;
use std::io::{self, Read};

/// How much is read at once, bytes.
const BLOCK: usize = 1 << 18;
/// The longest line that is looked at, bytes: far beyond [`MAX_LINE_BYTES`], so that whatever is
/// longer is no record.
pub(super) const MAX_LOOKED_AT: usize = 32 * MAX_LINE_BYTES;

/// Some lines, in the order of the file.
pub(super) enum Piece {
    /// Whole lines with their newlines. Only the last line of a file may lack it.
    Lines(Vec<u8>),
    /// One line, left out.
    TooLong {
        /// How long it is.
        bytes: u64,
        /// Whether it has a newline.
        ended: bool,
    },
}

/// The pieces of what is read, until its end or an error.
pub(super) struct Pieces<R> {
    from: R,
    /// The beginning of a line whose end is not read yet.
    begun: Vec<u8>,
    ended: bool,
    error: Option<io::Error>,
}

impl<R: Read> Pieces<R> {
    pub fn new(from: R) -> Self {
        Self { from, begun: Vec::new(), ended: false, error: None }
    }

    /// Whether everything has been read, so that the pieces to come are in memory.
    pub const fn all_is_read(&self) -> bool {
        self.ended
    }

    /// Why reading ended before the end.
    pub fn error(self) -> Option<io::Error> {
        self.error
    }

    /// Adds a block to `text`; whether there was one.
    fn read(&mut self, text: &mut Vec<u8>) -> bool {
        let before = text.len();
        text.reserve_exact(BLOCK);
        if let Err(error) = self.from.by_ref().take(BLOCK as u64).read_to_end(text) {
            self.error = Some(error);
        }
        let got = text.len() - before;
        // A short block is the end, or an error; what came before it counts.
        self.ended = got < BLOCK;
        got > 0
    }

    /// The rest of a line that is too long, which has been read up to here.
    fn skip(&mut self, mut bytes: u64) -> Piece {
        let mut text = Vec::new();
        let mut ended = false;
        while !self.ended && !ended {
            text.clear();
            self.read(&mut text);
            if let Some(at) = text.iter().position(|&byte| byte == b'\n') {
                self.begun = text.split_off(at + 1);
                ended = true;
            }
            bytes += text.len() as u64;
        }
        Piece::TooLong { bytes, ended }
    }
}

impl<R: Read> Iterator for Pieces<R> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let mut text = std::mem::take(&mut self.begun);
        loop {
            if self.ended {
                // After an error the beginning of a line is not a line.
                if self.error.is_some() {
                    text.truncate(end_of_lines(&text));
                }
                return (!text.is_empty()).then_some(Piece::Lines(text));
            }
            self.read(&mut text);
            if self.ended {
                continue;
            }
            match end_of_lines(&text) {
                0 if text.len() > MAX_LOOKED_AT => return Some(self.skip(text.len() as u64)),
                0 => {}
                end => {
                    self.begun = text.split_off(end);
                    return Some(Piece::Lines(text));
                }
            }
        }
    }
}

/// Where the last newline ends; 0 when there is none.
fn end_of_lines(text: &[u8]) -> usize {
    text.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives what it has in small bits, then an error.
    struct Slow<'a>(&'a [u8], usize, bool);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() && self.2 {
                return Err(io::Error::other("torn"));
            }
            let n = self.1.min(self.0.len()).min(into.len());
            into[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        /// The pieces together are the text, cut at ends of lines, whatever the lengths of lines.
        #[test]
        fn nothing_is_lost_between_pieces(
            lengths in prop::collection::vec(prop_oneof![0usize..300, 100_000usize..225_000], 0..9),
            newline: bool,
        ) {
            let mut text = Vec::new();
            for length in lengths {
                text.extend(std::iter::repeat_n(b'x', length));
                text.push(b'\n');
            }
            if !newline {
                text.pop();
            }
            let mut pieces = Pieces::new(Slow(&text, 70_001, false));
            let mut read = Vec::new();
            for piece in pieces.by_ref() {
                let Piece::Lines(lines) = piece else { panic!("no line is too long") };
                prop_assert!(read.is_empty() || read.ends_with(b"\n"));
                read.extend(lines);
            }
            prop_assert!(pieces.error().is_none());
            prop_assert!(read == text);
        }
    }

    #[test]
    fn a_line_without_end_is_left_out_and_not_kept() {
        let mut text = b"a\n".to_vec();
        text.extend(std::iter::repeat_n(b'x', 5 * BLOCK));
        text.extend(b"\nb\n");
        text.extend(std::iter::repeat_n(b'y', 3 * BLOCK));
        let mut told = Vec::new();
        for piece in Pieces::new(&text[..]) {
            told.push(match piece {
                Piece::Lines(lines) => {
                    assert!(lines.len() <= BLOCK + MAX_LOOKED_AT);
                    String::from_utf8(lines).unwrap()
                }
                Piece::TooLong { bytes, ended } => format!("{bytes} {ended}"),
            });
        }
        let (first, last) = (format!("{} true", 5 * BLOCK + 1), format!("{} false", 3 * BLOCK));
        assert_eq!(told, ["a\n", &first, "b\n", &last]);
    }

    #[test]
    fn an_error_costs_the_line_it_comes_in() {
        let mut pieces = Pieces::new(Slow(b"one\ntwo\nthr", 2, true));
        let Some(Piece::Lines(lines)) = pieces.next() else { panic!("no lines") };
        assert_eq!(lines, b"one\ntwo\n");
        assert!(pieces.next().is_none());
        assert_eq!(pieces.error().unwrap().to_string(), "torn");
    }
}
