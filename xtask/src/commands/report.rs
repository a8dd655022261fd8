//! `report`: the report of a run, made anew from its records.

use crate::{cli::ReportArgs, color::ColorChoice, exit, files, judging, show};

/// Runs the command.
///
/// # Errors
/// When there is no such run, when nothing of it can be read, and, with what could be read shown,
/// when a part of it cannot be.
pub fn run(args: &ReportArgs, colors: ColorChoice) -> exit::Result {
    let folder = files::run_folder(args.run.as_deref())
        .map_err(|error| exit::Failure::new(exit::Exit::InvalidInput, error))?;
    let mut shown = show::Shown::read(&folder)?;
    let baselines = judging::folder(args.baselines.folder.as_deref());
    // A baseline that cannot be read must not hide the run.
    let judged = shown.judge(&baselines, false, colors);
    let written = shown.write_report();
    if args.json {
        show::print(&shown.json()?);
    } else {
        show::print(&shown.table(colors));
    }
    written?;
    if !args.json {
        show::tell(&format!("\nreport: {}", folder.report_path()));
    }
    judged?;
    shown.whole()
}
