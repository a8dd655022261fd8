//! The answers for an experiment, a row a cell: pure.

use super::{
    answer::{Answer, Expected},
    text::{seconds, size},
};
use crate::{
    color::{ColorChoice, Paint},
    columns::{Align, aligned},
};
use harness::experiment::{Experiment, Levels};

/// The table.
pub fn table(experiment: &Experiment, answers: &[(Levels, Answer)], colors: ColorChoice) -> String {
    use Align::{Left, Right};
    let varying = experiment.varying();
    let head = [
        if varying.is_empty() { "cell".to_owned() } else { varying.join(", ") },
        "qemu".to_owned(),
        "rounds".to_owned(),
        "time".to_owned(),
        "sent".to_owned(),
        "downtime".to_owned(),
        "proxmox: time".to_owned(),
        "sent".to_owned(),
        "downtime".to_owned(),
        "throttled".to_owned(),
    ];
    let mut rows = vec![head];
    rows.extend(answers.iter().map(|(levels, answer)| {
        let named = levels.texts().into_iter().filter(|(name, _)| varying.contains(name));
        let name = named.map(|(_, level)| level).collect::<Vec<_>>().join(", ");
        let (qemu, proxmox) = (&answer.qemu, &answer.proxmox);
        let if_ended = |expected: &Expected, text: String| {
            if expected.converges { text } else { "-".to_owned() }
        };
        [
            if name.is_empty() { "all".to_owned() } else { name },
            if qemu.converges { "ends" } else { "does not end" }.to_owned(),
            qemu.rounds.to_string(),
            if_ended(qemu, seconds(qemu.total_time_s)),
            if_ended(qemu, size(qemu.stream_bytes)),
            if_ended(qemu, seconds(qemu.downtime_s)),
            if_ended(proxmox, seconds(proxmox.total_time_s)),
            if_ended(proxmox, size(proxmox.stream_bytes)),
            if_ended(proxmox, seconds(proxmox.downtime_s)),
            format!("{} %", proxmox.throttle_percent),
        ]
    }));
    let mut lines =
        aligned([Left, Left, Right, Right, Right, Right, Right, Right, Right, Right], &rows);
    if let Some(head) = lines.first_mut() {
        *head = Paint::stdout(colors).strong(head);
    }
    lines.push(String::new());
    lines.push(
        "By the model, within the experiment's max_time; nothing was run. Both policies begin with"
            .to_owned(),
    );
    lines.push(
        "the cell's downtime limit; to proxmox's downtime comes up to 0.1 s until the guest is resumed."
            .to_owned(),
    );
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::super::answer::Asked;
    use super::*;

    #[test]
    fn a_row_for_each_cell() {
        let text =
            std::fs::read_to_string(crate::build::repository().join("experiments/quick.yaml"));
        let experiment = Experiment::parse("quick.yaml", &text.unwrap()).expect("it is shipped");
        let answers: Vec<_> = experiment
            .cells()
            .into_iter()
            .map(|cell| {
                let link_rate = cell.settings.link_rate.expect("each cell has one");
                let proxmox_limit = cell.settings.downtime_limit;
                let max_time = experiment.max_time;
                let settings = cell.settings;
                (cell.levels, Answer::of(Asked { settings, link_rate, max_time, proxmox_limit }))
            })
            .collect();
        insta::assert_snapshot!("cells", table(&experiment, &answers, ColorChoice::Never));
    }
}
