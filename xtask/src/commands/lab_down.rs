//! `lab-down`: takes a lab down, with everything in it, and clears up after killed commands.

use crate::{
    cli::LabArgs,
    color::ColorChoice,
    exit::{self, Exit, Failure},
    files, show,
};
use lab::{running, spec::LabSpec};
use std::time::Instant;

/// Runs the command.
///
/// # Errors
/// For what is wrong with the lab's file, and when something cannot be removed.
pub fn run(args: &LabArgs, colors: ColorChoice) -> exit::Result {
    let spec = files::checked(LabSpec::read(&args.lab), colors, false)?;
    let begun = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let was_up = runtime
        .block_on(running::down(&spec, &mut show::tell))
        .map_err(|error| Failure::new(Exit::Lab, error))?;
    if was_up {
        show::print(&format!(
            "the lab `{}` is down ({:.3} s)\n",
            spec.name,
            begun.elapsed().as_secs_f64()
        ));
    } else {
        show::print(&format!("the lab `{}` was not up\n", spec.name));
    }
    Ok(())
}
