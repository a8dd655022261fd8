//! Reads records, one a line, in the order of their file and within bounded memory, on as many
//! processors as help. A line that cannot be used costs nothing but itself.

use super::fault::{Fault, FaultKind, Faults};
use super::line::MAX_LINE_BYTES;
use super::pieces::{MAX_LOOKED_AT, Piece, Pieces};
use super::refill::Refiller;
use crate::record::{self, Record};
use camino::Utf8PathBuf;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Read;
use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// What some editors put before the first line.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
/// Parsing is most of the work; more than this few can hardly be fed.
const MOST_WORKERS: usize = 4;

/// What was odd about records that were read.
#[derive(Debug, Default)]
pub(super) struct Oddities {
    /// Lines that could not be used.
    pub faults: Faults,
    /// The last line, where it has no newline.
    pub unended: Option<Unended>,
    /// The fault of such a last line that breaks off, which is not among the others.
    pub broken_off: Option<Fault>,
}

impl Oddities {
    /// All that could not be used.
    pub fn all(mut self) -> Faults {
        self.broken_off.into_iter().for_each(|fault| self.faults.push(fault));
        self.faults
    }
}

/// A last line without its newline.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unended {
    /// How long it is.
    pub bytes: u64,
    /// Whether it is a record all the same.
    pub is_record: bool,
}

/// Hands every record of `run` to `visit`; without a `run`, every record of the first one's run.
///
/// `file` is what faults call the file.
pub(super) fn records(
    from: impl Read,
    file: &str,
    run: Option<&str>,
    visit: &mut dyn FnMut(&Record),
) -> Oddities {
    let mut pieces = Pieces::new(from);
    let mut taker = Taker {
        file: file.into(),
        run: run.map(str::to_owned),
        seen: BTreeMap::new(),
        lines: 0,
        odd: Oddities::default(),
        visit,
    };
    let first = pieces.next();
    if pieces.all_is_read() {
        // No thread for what is in memory at once.
        let mut refiller = Refiller::default();
        let mut spare = Vec::new();
        for (at, piece) in first.into_iter().chain(&mut pieces).enumerate() {
            spare = taker.take(parse(Work { piece, first: at == 0, spare }, &mut refiller));
        }
    } else if let Some(first) = first {
        in_parallel(first, &mut pieces, &mut taker);
    }
    if let Some(error) = pieces.error() {
        taker.unreadable(&error);
    }
    taker.odd
}

/// A piece to parse.
struct Work {
    piece: Piece,
    /// Whether it is the first of the file.
    first: bool,
    /// Records that are no longer needed.
    spare: Vec<Record>,
}

/// What the lines of a piece hold. Lines are counted from 0; those without anything are in
/// neither list.
#[derive(Default)]
struct Parsed {
    lines: u64,
    /// The line of each record.
    record_lines: Vec<u64>,
    /// As many of them as there are lines of records; more are spare.
    records: Vec<Record>,
    faults: Vec<(u64, Unusable)>,
    unended: Option<Unended>,
}

/// A line that is no record of ours.
struct Unusable {
    kind: FaultKind,
    column: Option<u64>,
    message: String,
}

/// Pieces go around the workers and their results are taken in the same turn, so that the order
/// is that of the file; and no worker is more than two pieces ahead, so that memory is bounded.
fn in_parallel<R: Read>(first: Piece, pieces: &mut Pieces<R>, taker: &mut Taker<'_>) {
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get).min(MOST_WORKERS);
    std::thread::scope(|scope| {
        let channels: Vec<(SyncSender<Work>, Receiver<Parsed>)> = (0..workers)
            .map(|_| {
                let (give, work) = sync_channel::<Work>(1);
                let (done, take) = sync_channel(1);
                scope.spawn(move || {
                    let mut refiller = Refiller::default();
                    for work in work {
                        if done.send(parse(work, &mut refiller)).is_err() {
                            return;
                        }
                    }
                });
                (give, take)
            })
            .collect();
        let mut pieces = std::iter::once(first).chain(pieces);
        let mut spares: Vec<Vec<Record>> = Vec::new();
        let (mut given, mut taken) = (0usize, 0usize);
        let mut more = true;
        // A worker that is gone has panicked, and the scope panics with it.
        while more || taken < given {
            if more && given - taken < 2 * workers {
                let sent = pieces.next().map(|piece| {
                    let spare = spares.pop().unwrap_or_default();
                    channels[given % workers].0.send(Work { piece, first: given == 0, spare })
                });
                more = matches!(sent, Some(Ok(())));
                given += usize::from(more);
                continue;
            }
            let Ok(parsed) = channels[taken % workers].1.recv() else { return };
            spares.push(taker.take(parsed));
            taken += 1;
        }
    });
}

fn parse(work: Work, refiller: &mut Refiller) -> Parsed {
    let mut parsed = Parsed { records: work.spare, ..Parsed::default() };
    let text = match &work.piece {
        Piece::Lines(text) => text.as_slice(),
        &Piece::TooLong { bytes, ended } => {
            (parsed.lines, parsed.faults) = (1, vec![(0, too_long(bytes))]);
            parsed.unended = (!ended).then_some(Unended { bytes, is_record: false });
            return parsed;
        }
    };
    let text = match text.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) if work.first => rest,
        _ => text,
    };
    match str::from_utf8(text) {
        Ok(text) => {
            for line in text.split_inclusive('\n') {
                parsed.take(line.as_bytes(), Some(line), refiller);
            }
        }
        Err(_) => {
            for line in text.split_inclusive(|&byte| byte == b'\n') {
                parsed.take(line, str::from_utf8(line).ok(), refiller);
            }
        }
    }
    parsed
}

impl Parsed {
    /// The next line, and the same as text where it is one.
    fn take(&mut self, line: &[u8], text: Option<&str>, refiller: &mut Refiller) {
        let number = self.lines;
        self.lines += 1;
        let ended = line.ends_with(b"\n");
        if ended && line.trim_ascii().is_empty() {
            return;
        }
        let is_record = match self.take_record(line, text, ended, refiller) {
            Ok(()) => {
                self.record_lines.push(number);
                true
            }
            Err(unusable) => {
                self.faults.push((number, unusable));
                false
            }
        };
        if !ended {
            self.unended = Some(Unended { bytes: line.len() as u64, is_record });
        }
    }

    /// Puts the line's record behind those there are.
    fn take_record(
        &mut self,
        line: &[u8],
        text: Option<&str>,
        ended: bool,
        refiller: &mut Refiller,
    ) -> Result<(), Unusable> {
        if line.len() > MAX_LOOKED_AT {
            return Err(too_long(line.len() as u64));
        }
        let at = self.record_lines.len();
        if let (Some(record), Some(text)) = (self.records.get_mut(at), text)
            && refiller.refill(record, text).is_ok()
            && record.schema == record::SCHEMA
        {
            return Ok(());
        }
        let record = parse_line(line, ended)?;
        match self.records.get_mut(at) {
            Some(spare) => *spare = record,
            None => self.records.push(record),
        }
        Ok(())
    }
}

/// Parses one line, and says what is wrong where it is no record.
fn parse_line(line: &[u8], ended: bool) -> Result<Record, Unusable> {
    let error = match serde_json::from_slice::<Record>(line) {
        Ok(record) if record.schema == record::SCHEMA => return Ok(record),
        Ok(record) => return Err(other_schema(record.schema.into())),
        Err(error) => error,
    };
    Err(match schema_of(line) {
        Some(schema) if schema != u64::from(record::SCHEMA) => other_schema(schema),
        _ if !ended => Unusable {
            kind: FaultKind::Torn,
            column: None,
            message: format!(
                "the last line is incomplete ({} bytes): its trial is not counted",
                line.len()
            ),
        },
        _ => Unusable {
            kind: FaultKind::NotARecord,
            // What is missed at the end of a line is missed in its last column.
            column: Some(
                if error.line() > 1 { line.trim_ascii_end().len() } else { error.column() } as u64,
            ),
            message: format!(
                "not a record, and not counted: {}",
                words_of(&error, error.line() > 1)
            ),
        },
    })
}

fn other_schema(found: u64) -> Unusable {
    let message = format!(
        "a record with schema {found}, and not counted: this program reads schema {}",
        record::SCHEMA
    );
    Unusable { kind: FaultKind::Schema, column: None, message }
}

fn too_long(bytes: u64) -> Unusable {
    let message = format!(
        "{bytes} bytes in one line, and not counted: a record has at most {MAX_LINE_BYTES}"
    );
    Unusable { kind: FaultKind::TooLong, column: None, message }
}

/// The layout's version that a JSON text names; `None` when it names none.
pub(super) fn schema_of(text: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Schema {
        schema: u64,
    }
    serde_json::from_slice::<Schema>(text).ok().map(|Schema { schema }| schema)
}

/// What the parser says, without the place (told before it) and without its list of all fields.
/// `at_end` says that it missed something at the end of a line.
pub(super) fn words_of(error: &serde_json::Error, at_end: bool) -> String {
    if error.is_eof() || (at_end && error.is_syntax()) {
        return "it breaks off in the middle".to_owned();
    }
    let words = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let words = words.strip_suffix(&place).unwrap_or(&words);
    match words.split_once(", expected one of ") {
        Some((words, _)) if words.starts_with("unknown field ") => words.to_owned(),
        _ if error.is_syntax() => format!("no JSON: {words}"),
        _ => words.to_owned(),
    }
}

/// Takes what was found, in the order of the file.
struct Taker<'a> {
    file: Utf8PathBuf,
    run: Option<String>,
    /// The line of each trial's record.
    seen: BTreeMap<u32, u64>,
    /// Lines before the piece to come.
    lines: u64,
    odd: Oddities,
    visit: &'a mut dyn FnMut(&Record),
}

impl Taker<'_> {
    /// Takes what a piece holds; the answer is records that are no longer needed.
    fn take(&mut self, parsed: Parsed) -> Vec<Record> {
        let before = self.lines + 1;
        let mut faults = parsed.faults.into_iter().peekable();
        for (&line, record) in parsed.record_lines.iter().zip(&parsed.records) {
            while let Some((line, fault)) = faults.next_if(|(other, _)| *other < line) {
                self.fault(before + line, fault, false);
            }
            self.record(before + line, record);
        }
        for (line, fault) in faults {
            let unended = parsed.unended.is_some() && line + 1 == parsed.lines;
            self.fault(before + line, fault, unended);
        }
        self.lines += parsed.lines;
        self.odd.unended = parsed.unended;
        parsed.records
    }

    fn record(&mut self, line: u64, record: &Record) {
        let run = self.run.get_or_insert_with(|| record.run.clone());
        let (kind, message) = if *run != record.run {
            let run_of = &record.run;
            (
                FaultKind::OtherRun,
                format!("a record of run `{run_of}`, and not counted: this is `{run}`"),
            )
        } else if let Some(first) = self.seen.get(&record.trial) {
            let trial = record.trial;
            (
                FaultKind::Repeated,
                format!(
                    "repeats trial {trial} of line {first}, and is not counted: the first one is"
                ),
            )
        } else {
            self.seen.insert(record.trial, line);
            return (self.visit)(record);
        };
        self.fault(line, Unusable { kind, column: None, message }, false);
    }

    fn fault(&mut self, line: u64, unusable: Unusable, unended: bool) {
        let Unusable { kind, column, message } = unusable;
        let file = self.file.clone();
        let fault = Fault { kind, file, line: Some(line), column, message };
        match kind {
            FaultKind::Torn | FaultKind::TooLong if unended => self.odd.broken_off = Some(fault),
            _ => self.odd.faults.push(fault),
        }
    }

    fn unreadable(&mut self, error: &std::io::Error) {
        let message = format!("cannot be read from here on: {error}");
        let unusable = Unusable { kind: FaultKind::Unreadable, column: None, message };
        self.fault(self.lines + 1, unusable, false);
    }
}
