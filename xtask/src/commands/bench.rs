//! `bench`: the project's own figures, each with its bar. A bar that is missed is an answer, not
//! a failure: figures depend on the machine.

use crate::{
    bench::{FIGURES, display, measure, select},
    cli::BenchArgs,
    color::ColorChoice,
    exit::{self, Exit, Failure},
    files, setup, show,
};
use lab::spec::LabSpec;

const LAB: &str = "labs/local.yaml";

/// Runs the command.
///
/// # Errors
/// For an unknown figure, and when something cannot be measured at all.
pub fn run(args: &BenchArgs, colors: ColorChoice) -> exit::Result {
    let figures = select(args.name.as_deref());
    if figures.is_empty() {
        let names: Vec<&str> =
            FIGURES.iter().map(|figure| figure.name).filter(|name| !name.contains('/')).collect();
        let text = format!(
            "there is no figure `{}`\n\nhint: the figures are {}",
            args.name.as_deref().unwrap_or_default(),
            names.join(", ")
        );
        return Err(Failure::new(Exit::InvalidInput, anyhow::anyhow!(text)));
    }
    let spec = files::checked(LabSpec::read(&files::shipped(LAB)), colors, args.json)?;
    setup::ensure(setup::Job::Experiment, false, colors)?;
    let outcomes = measure::measure(&figures, &spec, colors)?;
    if args.json {
        show::print(&display::json(&outcomes)?);
    } else {
        show::print(&display::text(&outcomes, colors));
    }
    Ok(())
}
