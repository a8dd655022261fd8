//! What commands show of a run.

use crate::{
    color::{ColorChoice, Paint},
    exit::{Exit, Failure, Result},
    judging::{self, Judged},
};
use anyhow::anyhow;
use camino::Utf8Path;
use harness::{
    claim::{Tested, Tests},
    judge::{self, Judgement, Rules, Sample, SampleBuilder},
    report::{self, Run, Style},
    run_folder::{Contents, RunFolder},
    stopping,
    summary::{Summary, Tally},
};
use rustix::fd::AsFd;
use std::io::{IsTerminal, Write};

/// A run, read once, with everything that is shown of it.
pub struct Shown<'a> {
    folder: &'a RunFolder,
    contents: Contents,
    summary: Summary,
    warnings: Vec<String>,
    claims: Vec<Tested>,
    /// What is judged of it, and by what rules; `None` without a manifest that says so.
    sample: Option<(Sample, Rules)>,
    judgement: Option<Judgement>,
}

impl<'a> Shown<'a> {
    /// Reads a run and summarises it, holding a few of its records at a time.
    ///
    /// # Errors
    /// When nothing of it can be read.
    pub fn read(folder: &'a RunFolder) -> Result<Self> {
        let mut tally = Tally::new();
        let manifest = folder.manifest().ok();
        let experiment = manifest.as_ref().and_then(|manifest| judging::experiment(manifest).ok());
        let mut tests = Tests::new(experiment.as_ref().map_or(&[], |it| it.claims.as_slice()));
        let rules = experiment.map(|experiment| experiment.judge);
        let mut stopping = manifest.as_ref().and_then(stopping::Tally::of_manifest);
        let both = manifest.zip(rules.as_ref());
        let mut sample = both.map(|(manifest, rules)| SampleBuilder::new(&manifest, rules));
        // The one place where the records of a run go by.
        let contents = folder.read(|record| {
            tally.add(record);
            tests.add(record);
            if let Some(stopping) = &mut stopping {
                stopping.add(record);
            }
            if let Some(sample) = &mut sample {
                sample.add(record);
            }
        });
        let contents = contents.map_err(|error| Failure::new(Exit::InvalidInput, error))?;
        let warnings = contents.manifest.as_ref().map(|manifest| manifest.warnings.clone());
        let warnings = warnings.unwrap_or_default();
        let mut summary = tally.summary();
        summary.stopping = stopping.map(|stopping| stopping.stopping());
        Ok(Self {
            folder,
            contents,
            summary,
            warnings,
            claims: tests.finish(),
            sample: sample.map(SampleBuilder::finish).zip(rules),
            judgement: None,
        })
    }

    fn run(&self) -> Run<'_> {
        Run {
            manifest: self.contents.manifest.as_ref(),
            summary: &self.summary,
            folder: self.folder.path(),
            warnings: &self.warnings,
            judgement: self.judgement.as_ref(),
            claims: &self.claims,
            faults: &self.contents.faults,
        }
    }

    /// Holds the run against the baseline of its experiment; the report has the judgement from
    /// then on. With `propose`, what is to be reviewed is left beside the accepted baseline.
    ///
    /// # Errors
    /// When the baseline cannot be read, or a proposal not be written.
    pub fn judge(
        &mut self,
        baselines: &Utf8Path,
        propose: bool,
        colors: ColorChoice,
    ) -> Result<Judged> {
        let Some((sample, rules)) = &self.sample else { return Ok(Judged::default()) };
        let judged = judging::judge(sample, rules, baselines, propose, colors)?;
        self.judgement = judged.judgement.clone();
        Ok(judged)
    }

    /// Whether the run was meant to have every trial of its experiment.
    pub fn is_of_the_whole_plan(&self) -> bool {
        let manifest = self.contents.manifest.as_ref();
        manifest.is_some_and(|manifest| manifest.filter.is_none() && manifest.shard.is_none())
    }

    /// The table for stdout, and the verdict where there is one.
    pub fn table(&self, colors: ColorChoice) -> String {
        let style = style(colors);
        let table = report::table(self.run(), style);
        match &self.judgement {
            Some(judgement) => format!("{table}\n{}", judge::text(judgement, style)),
            None => table,
        }
    }

    /// The JSON for stdout.
    ///
    /// # Errors
    /// None that a manifest and a summary of ours can cause.
    pub fn json(&self) -> serde_json::Result<String> {
        report::json(self.run())
    }

    /// Writes `summary.json` and `report.md` into the folder.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write_report(&self) -> Result {
        self.folder.write_summary(&self.summary)?;
        self.folder.write_report(&report::markdown(self.run()))?;
        Ok(())
    }

    /// Whether the folder is whole.
    ///
    /// # Errors
    /// What of it is lost and what to do, with the exit code of an invalid input.
    pub fn whole(&self) -> Result {
        let faults = &self.contents.faults;
        if !faults.is_damage() {
            return Ok(());
        }
        let folder = self.folder.path();
        let mut text = format!("{folder} is damaged: {}", faults.summary().join("; "));
        for line in faults.lines(Some(folder)) {
            text.push_str(&format!("\n  {line}"));
        }
        text.push_str("\nwhat could be read is shown\n");
        for hint in faults.hints() {
            text.push_str(&format!("\nhint: {hint}"));
        }
        Err(Failure::new(Exit::InvalidInput, anyhow!(text)))
    }
}

/// How text on stdout may look.
pub fn style(colors: ColorChoice) -> Style {
    if std::io::stdout().is_terminal() {
        Style {
            width: terminal_width(),
            unicode: speaks_unicode(),
            colour: Paint::stdout(colors).is_on(),
        }
    } else {
        Style { colour: Paint::stdout(colors).is_on(), ..Style::PLAIN }
    }
}

/// Writes to stdout. A reader that has gone (`| head`) ends the program quietly.
pub fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    if stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Writes a line to stderr. With nobody there to read it, there is nothing to tell: unlike
/// `eprintln!`, this never ends the program.
pub fn tell(line: &str) {
    tell_raw(&format!("{line}\n"));
}

/// The same, without an end of line.
pub fn tell_raw(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _nobody_reads = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// Columns of the terminal on stdout or stderr; 100 where there is none.
pub fn terminal_width() -> usize {
    width_of(std::io::stdout())
        .or_else(|| width_of(std::io::stderr()))
        .unwrap_or(Style::PLAIN.width)
}

/// Columns of the terminal that a stream goes to, when it goes to one.
pub fn width_of(stream: impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    Some(usize::from(size.ws_col)).filter(|width| *width > 0)
}

/// Whether the locale says that the terminal takes UTF-8.
fn speaks_unicode() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
    locale.is_some_and(|locale| locale.to_ascii_lowercase().replace('-', "").contains("utf8"))
}
