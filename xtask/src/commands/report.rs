//! `report`: the report of a run, made anew from its records.

use crate::{cli::ReportArgs, color::ColorChoice, exit, files, show};

/// Runs the command.
///
/// # Errors
/// When there is no such run, or it cannot be read.
pub fn run(args: &ReportArgs, colors: ColorChoice) -> exit::Result {
    let folder = files::run_folder(args.run.as_deref())
        .map_err(|error| exit::Failure::new(exit::Exit::InvalidInput, error))?;
    show::write_report(&folder)?;
    if args.json {
        show::print(&show::json(&folder)?);
    } else {
        show::print(&show::table(&folder, colors)?);
        show::tell(&format!("\nreport: {}", folder.report_path()));
    }
    Ok(())
}
