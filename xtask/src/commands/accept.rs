//! `accept`: a run becomes the baseline of its experiment and context.

use crate::{cli::AcceptArgs, exit, judging, show};

/// Runs the command.
///
/// # Errors
/// When there is no such run, it cannot be read, or the baseline not be written.
pub fn run(args: &AcceptArgs) -> exit::Result {
    let run = judging::run_folder(args.run.as_deref())?;
    let baselines = judging::folder(args.baselines.folder.as_deref());
    let path = judging::accept(&run, &baselines)?;
    show::print(&format!("{path}\n"));
    show::tell(
        "\nhint: commit it; later runs of this experiment in this context are held against it",
    );
    Ok(())
}
