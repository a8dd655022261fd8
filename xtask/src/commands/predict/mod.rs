//! `predict`: what the model expects, without running anything.

mod answer;
pub mod args;
mod cells;
pub mod text;

use crate::{
    color::ColorChoice,
    exit::{Exit, Failure, Result},
    files, show,
};
use answer::{Answer, Asked};
use args::PredictArgs;
use harness::experiment::{Experiment, LinkRate, Qemus};
use lab::{
    spec::LabSpec,
    units::{BitRate, Millis},
};

/// The longest that the model waits when nobody says otherwise.
const LONGEST: Millis = Millis(3_600_000);
/// What Proxmox aims at when nobody says otherwise.
const PROXMOX_LIMIT: Millis = Millis(100);

/// Runs the command.
///
/// # Errors
/// When the options or the file are wrong.
pub fn run(args: &PredictArgs, colors: ColorChoice) -> Result {
    match &args.file {
        None => one(args, colors),
        Some(path) => {
            let experiment =
                files::checked(Experiment::read(path, &Qemus::default()), colors, args.json)?;
            let max_time = args.max_time.unwrap_or(experiment.max_time);
            let mut answers = Vec::new();
            for cell in experiment.cells() {
                let limit = cell.settings.downtime_limit;
                let link_rate = rate(args, cell.levels.link_rate, colors)?;
                let asked =
                    Asked { settings: cell.settings, link_rate, max_time, proxmox_limit: limit };
                answers.push((cell.levels, Answer::of(asked)));
            }
            if args.json {
                let answers: Vec<_> = answers.iter().map(|(_, answer)| answer).collect();
                show::print(&format!("{}\n", serde_json::to_string_pretty(&answers)?));
            } else {
                show::print(&cells::table(&experiment, &answers, colors));
            }
            Ok(())
        }
    }
}

fn one(args: &PredictArgs, colors: ColorChoice) -> Result {
    let levels = args.levels().map_err(|error| Failure::new(Exit::InvalidInput, error))?;
    let asked = Asked {
        settings: levels.settings(),
        link_rate: rate(args, levels.link_rate, colors)?,
        max_time: args.max_time.unwrap_or(LONGEST),
        proxmox_limit: args.downtime_limit.unwrap_or(PROXMOX_LIMIT),
    };
    let answer = Answer::of(asked);
    if args.json {
        show::print(&format!("{}\n", serde_json::to_string_pretty(&answer)?));
    } else {
        show::print(&text::text(&answer, colors));
    }
    Ok(())
}

/// The rate that a level of `link_rate` means.
fn rate(args: &PredictArgs, level: LinkRate, colors: ColorChoice) -> Result<BitRate> {
    if let LinkRate::Shaped(rate) = level {
        return Ok(rate);
    }
    let spec = files::checked(LabSpec::read(&args.lab), colors, args.json)?;
    spec.networks.migration.link_rate.ok_or_else(|| {
        let error = anyhow::anyhow!(
            "the migration links of {} have no rate, so nothing can be said of them\n\nhint: name a \
             rate, such as `--link-rate '1 Gbit/s'`, or in an experiment `link_rate: 1 Gbit/s`",
            args.lab
        );
        Failure::new(Exit::InvalidInput, error)
    })
}
