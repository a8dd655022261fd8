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
mod vagrant;

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
    let mut needs = look(args.vagrant);
    let rights = if args.install { Rights::here() } else { Rights::shown() };
    let plan = install::plan(&needs, args.replace_qemu, rights);
    let mut installed = Ok(());
    let run = args.install && rights != Rights::None && !plan.steps.is_empty();
    if run {
        installed = install::run(&plan, colors);
        needs = look(args.vagrant);
    }
    let can = |job: Job| !needs.iter().any(|need| need.needed_for <= job && need.prevents());
    // Where it was not asked for there is one line for all of it, which prevents nothing.
    let lacks = |need: &Need| {
        need.needed_for == Job::Vagrant
            && need.state != State::Ok
            && (need.required || !args.vagrant)
    };
    let experiment = can(Job::Experiment);
    let vagrant = experiment && !needs.iter().any(lacks);
    let ready = Ready { experiment, ci: can(Job::Ci), vagrant };
    if args.json {
        show_json(&Answer { ready, needs: &needs })?;
    } else {
        let mut text = display::table(&needs, Paint::stdout(colors));
        text += &format!("\n{}\n", display::verdict(&needs));
        text += &display::notes(&plan);
        text += &match (args.install, plan.steps.is_empty()) {
            (true, true) if ready.ci => "Nothing to install.\n".to_owned(),
            (true, true) => "Nothing that this program can install.\n".to_owned(),
            (true, false) if run => String::new(),
            (true, false) => format!("\n{}", display::by_hand(&plan)),
            (false, true) => String::new(),
            (false, false) => {
                let steps = display::steps(&plan);
                format!("\n`cargo xtask setup --install` would run:\n\n{steps}")
            }
        };
        io::stdout().write_all(text.as_bytes())?;
    }
    installed?;
    let enough = if args.vagrant { ready.vagrant } else { ready.experiment };
    if enough { Ok(()) } else { Err(Failure::shown(Exit::Missing)) }
}

/// What the whole machine has and lacks; with `vagrant` also, thing by thing, for its labs.
fn look(vagrant: bool) -> Vec<Need> {
    let mut needs = check(Job::Ci);
    if vagrant {
        let of_vagrant = |need: &Need| need.needed_for == Job::Vagrant;
        needs.retain(|need| !of_vagrant(need));
        needs.extend(check(Job::Vagrant).into_iter().filter(of_vagrant));
    }
    needs
}

/// Makes sure that `job` can be done here, before another command does it: silent when all is
/// there; otherwise says on stderr what is not, and gets it when `install` is set. What the job
/// can do without does not stop it, even where it could not be installed.
///
/// # Errors
/// When something that is needed is missing in the end.
pub fn ensure(job: Job, install: bool, colors: ColorChoice) -> exit::Result {
    let mut needs = check(job);
    let mut text = String::new();
    if install && needs.iter().any(|need| need.state != State::Ok) {
        let rights = Rights::here();
        let plan = install::plan(&needs, false, rights);
        if rights == Rights::None && !plan.steps.is_empty() {
            text = display::by_hand(&plan);
        } else if !plan.steps.is_empty() {
            if let Err(failure) = install::run(&plan, colors) {
                failure.print(colors);
            }
            needs = check(job);
        }
        text += &display::notes(&plan);
    }
    needs.retain(Need::prevents);
    if !install && !needs.is_empty() {
        text = "\nhint: `--install` gets what can be installed\n".to_owned();
    }
    text = display::table(&needs, Paint::stderr(colors)) + &text;
    io::stderr().write_all(text.as_bytes())?;
    if needs.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = needs.iter().map(|need| need.what).collect();
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
    vagrant: bool,
}

fn show_json(answer: &Answer<'_>) -> exit::Result {
    let mut text = serde_json::to_string_pretty(answer)?;
    text.push('\n');
    io::stdout().write_all(text.as_bytes())?;
    Ok(())
}
