//! `report`: the report of a run, made anew from its records.

use crate::{cli::ReportArgs, color::ColorChoice, exit, judging, show};
use harness::judge;

/// Runs the command.
///
/// # Errors
/// When there is no such run, or it cannot be read.
pub fn run(args: &ReportArgs, colors: ColorChoice) -> exit::Result {
    let folder = judging::run_folder(args.run.as_deref())?;
    let baselines = judging::folder(args.baselines.folder.as_deref());
    let judgement = judging::judge_run(&folder, &baselines, false, colors)?.judgement;
    let judgement = judgement.as_ref();
    show::write_report(&folder, judgement)?;
    if args.json {
        show::print(&show::json(&folder, judgement)?);
    } else {
        show::print(&show::table(&folder, colors)?);
        if let Some(judgement) = judgement {
            show::print(&format!("\n{}", judge::text(judgement, show::style(colors))));
        }
        show::tell(&format!("\nreport: {}", folder.report_path()));
    }
    Ok(())
}
