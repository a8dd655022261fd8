//! `lab-up`: brings a lab up and leaves it up.

use crate::{
    cli::{LabArgs, LabUpArgs},
    color::ColorChoice,
    exit::{self, Exit, Failure},
    files, interrupt, labs, show,
};
use lab::{
    Lifetime, running,
    spec::{LabSpec, Provider},
};
use std::time::Instant;

/// Runs the command. A lab that is up already, as its file says, is left alone.
///
/// # Errors
/// For what is wrong with the lab's file, and when it does not come up.
pub fn run(args: &LabUpArgs, colors: ColorChoice) -> exit::Result {
    let spec = files::checked(LabSpec::read(&args.lab.lab), colors, false)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if args.dry_run {
        let preview = runtime.block_on(labs::preview(&spec));
        show::print(&preview.map_err(|error| Failure::new(Exit::Lab, error))?);
        return Ok(());
    }
    labs::ensure_programs(&spec, args.install, colors)?;
    let interrupted = interrupted(&spec, &args.lab);
    runtime.block_on(interrupt::unless(bring_up(&args.lab, spec), &interrupted))
}

/// What is said when it is interrupted.
fn interrupted(spec: &LabSpec, args: &LabArgs) -> String {
    format!(
        "\ninterrupted: the lab `{}` is as far as it came\n\nhint: `cargo xtask lab-up --lab {}` goes on from there; `cargo xtask lab-down --lab {}` removes it",
        spec.name, args.lab, args.lab
    )
}

async fn bring_up(args: &LabArgs, spec: LabSpec) -> exit::Result {
    let lab_failure = |error: anyhow::Error| Failure::new(Exit::Lab, error);
    // Nodes that a playbook sets up are looked at step by step, each time.
    let looks = spec.provider == Provider::Vagrant || spec.sets_up_hosts();
    if !looks && let Some(up) = running::find(&spec).await.map_err(lab_failure)? {
        if up.spec != spec {
            let text = format!(
                "the lab `{}` is up, but not as {} says now\n\nhint: `cargo xtask lab-down --lab {}`, then try again",
                spec.name, args.lab, args.lab
            );
            return Err(lab_failure(anyhow::anyhow!(text)));
        }
        show::print(&format!("the lab `{}` is up already\n", spec.name));
        return Ok(());
    }
    let begun = Instant::now();
    let up = labs::up(spec, Lifetime::Persistent).await.map_err(lab_failure)?;
    let nodes: Vec<&str> = up.nodes.iter().map(|node| node.name.as_str()).collect();
    show::print(&format!(
        "the lab `{}` is up: {} ({:.3} s)\n",
        up.spec.name,
        nodes.join(", "),
        begun.elapsed().as_secs_f64()
    ));
    Ok(())
}
