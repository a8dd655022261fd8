//! `setup`: what this machine lacks, and how to get it.

mod apt;
mod check;
mod display;
mod distribution;
mod install;
mod libvirt;
mod need;
mod probe;
mod step;

pub use check::check;
pub use need::{Job, Need, State};

use crate::{
    cli::SetupArgs,
    color::{ColorChoice, Paint},
    exit::{self, Exit, Failure},
};
use serde::Serialize;
use std::io::{self, Write};
use step::Rights;

/// Runs the command: looks at everything, installs when told, looks again.
///
/// # Errors
/// When something that experiments need is missing in the end, or a step of the installation failed.
pub fn command(args: &SetupArgs, colors: ColorChoice) -> exit::Result {
    let mut needs = check(Job::Ci);
    let rights = if args.install { Rights::here() } else { Rights::shown() };
    let plan = install::plan(&needs, args.replace_qemu, rights);
    let wanted = args.install && !plan.steps.is_empty();
    if wanted {
        install::run(&plan, Paint::stderr(colors))?;
        needs = check(Job::Ci);
    }
    let can = |job: Job| !needs.iter().any(|need| need.needed_for <= job && need.prevents());
    let ready = Ready { experiment: can(Job::Experiment), ci: can(Job::Ci) };
    if args.json {
        show_json(&Answer { ready, needs: &needs })?;
    } else {
        let mut text = display::table(&needs, Paint::stdout(colors));
        text += &format!("\n{}\n", display::verdict(&needs));
        for note in &plan.notes {
            text += &format!("note: {note}\n");
        }
        if !args.install && !plan.steps.is_empty() {
            text += "\n`cargo xtask setup --install` would run:\n";
            for step in &plan.steps {
                text += &format!("  {}\n", step.display().replace('\n', "\n  "));
            }
        } else if args.install && !wanted {
            text += match ready.ci {
                true => "Nothing to install.\n",
                false => "Nothing that this program can install.\n",
            };
        }
        io::stdout().write_all(text.as_bytes())?;
    }
    if ready.experiment { Ok(()) } else { Err(Failure::shown(Exit::Missing)) }
}

/// Makes sure that `job` can be done here, before another command does it: silent when all is
/// there; otherwise says on stderr what is not, and gets it when `install` is set.
///
/// # Errors
/// When something that is needed is missing in the end, or could not be installed.
pub fn ensure(job: Job, install: bool, colors: ColorChoice) -> exit::Result {
    let mut needs = check(job);
    let mut plan = None;
    if install && needs.iter().any(|need| need.state != State::Ok) {
        let made = install::plan(&needs, false, Rights::here());
        if !made.steps.is_empty() {
            install::run(&made, Paint::stderr(colors))?;
            needs = check(job);
        }
        plan = Some(made);
    }
    if !needs.iter().any(Need::prevents) {
        return Ok(());
    }
    let lacking: Vec<Need> = needs.into_iter().filter(Need::prevents).collect();
    let mut text = display::table(&lacking, Paint::stderr(colors));
    match &plan {
        Some(plan) => plan.notes.iter().for_each(|note| text += &format!("note: {note}\n")),
        None => text += "\nhint: `--install` gets what can be installed\n",
    }
    io::stderr().write_all(text.as_bytes())?;
    let names: Vec<&str> = lacking.iter().map(|need| need.what).collect();
    let error = anyhow::anyhow!("this machine lacks {}", names.join(", "));
    Err(Failure::new(Exit::Missing, error))
}

/// The JSON of `setup`.
#[derive(Serialize)]
struct Answer<'a> {
    ready: Ready,
    needs: &'a [Need],
}

/// What can be done on this machine.
#[derive(Clone, Copy, Serialize)]
struct Ready {
    experiment: bool,
    ci: bool,
}

fn show_json(answer: &Answer<'_>) -> exit::Result {
    let mut text = serde_json::to_string_pretty(answer)?;
    text.push('\n');
    io::stdout().write_all(text.as_bytes())?;
    Ok(())
}
