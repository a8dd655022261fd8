//! A lab's status for people.

use super::{Details, NodeStatus, Status};
use crate::{
    color::{ColorChoice, Paint},
    columns::{Align, aligned},
    show,
};
use camino::Utf8Path;
use std::io::IsTerminal;

/// The whole text; `file`: the lab's file, as the user named it.
pub fn render(status: &Status, file: &Utf8Path, colors: ColorChoice) -> String {
    let paint = Paint::stdout(colors);
    let mut lines = Vec::new();
    match &status.details {
        Some(details) => up(status, details, file, paint, &mut lines),
        None => {
            lines.push(format!("the lab `{}` is {}", status.lab, paint.strong("not up")));
            lines.push(format!("hint: `cargo xtask lab-up --lab {file}` brings it up"));
            declared(&status.machines, paint, &mut lines);
        }
    }
    if !status.other_labs.is_empty() {
        lines.push(String::new());
        lines.push(paint.strong("other labs"));
        for other in &status.other_labs {
            let whose = match other.command_pid {
                Some(pid) => format!("of a running command (process {pid}), ends with it"),
                None => "of `lab-up`".to_owned(),
            };
            lines.push(format!("  {}  {whose}; since {}", other.lab, other.since));
        }
    }
    if !status.leftovers.is_empty() {
        lines.push(String::new());
        let title = "left behind by killed commands (the next lab command removes it)";
        lines.push(paint.warning(title));
        lines.extend(status.leftovers.iter().map(|folder| format!("  {folder}")));
    }
    lines.join("\n") + "\n"
}

fn up(status: &Status, details: &Details, file: &Utf8Path, paint: Paint, lines: &mut Vec<String>) {
    let since = details.since.map(|since| format!(" since {since}")).unwrap_or_default();
    let supervisor = details.supervisor_pid.map(|pid| format!(" (supervisor: process {pid})"));
    let supervisor = supervisor.unwrap_or_default();
    lines.push(format!("the lab `{}` is {}{since}{supervisor}", status.lab, paint.good("up")));
    if !details.as_its_file_says {
        let text = format!("{file} says something else now; `lab-down`, then `lab-up`, applies it");
        lines.push(format!("{} {text}", paint.warning("warning:")));
    }
    unreachable(&details.unreachable, paint, lines);
    if details.nodes.is_empty() {
        return;
    }
    lines.push(String::new());
    let mut table = aligned([Align::Left; 6], &links(&details.nodes));
    if let Some(head) = table.first_mut() {
        *head = paint.strong(head);
    }
    lines.append(&mut table);
    lines.push(String::new());
    let machines: Vec<String> = details.nodes.iter().filter_map(machine).collect();
    if !machines.is_empty() {
        lines.push(paint.strong("the nodes are machines"));
        lines.extend(machines);
        return;
    }
    let processes = processes(&details.nodes);
    if processes.is_empty() {
        lines.push("nothing runs on its nodes".to_owned());
        return;
    }
    lines.push(paint.strong("running on its nodes"));
    // A pipe gets all of it.
    let width = if std::io::stdout().is_terminal() { show::terminal_width() } else { usize::MAX };
    let shorten = |line: String| {
        if line.chars().count() <= width {
            return line;
        }
        line.chars().take(width.saturating_sub(3)).chain("...".chars()).collect()
    };
    lines.extend(
        aligned([Align::Left, Align::Right, Align::Left], &processes).into_iter().map(shorten),
    );
}

/// What is wrong may have several paragraphs, and all of them belong to the node.
fn indented(why: &str) -> impl Iterator<Item = String> {
    why.lines().filter(|line| !line.is_empty()).map(|line| format!("  {line}"))
}

/// Nodes that do not answer.
fn unreachable(nodes: &[super::Unreachable], paint: Paint, lines: &mut Vec<String>) {
    for node in nodes {
        lines.push(String::new());
        lines.push(format!("{} {} cannot be looked at:", paint.error("lost:"), node.name));
        lines.extend(indented(&node.why));
    }
}

/// The machines of a lab that is not up.
fn declared(machines: &[super::Declared], paint: Paint, lines: &mut Vec<String>) {
    if machines.is_empty() {
        return;
    }
    let head = ["node", "by SSH", "answers", "guest network", "migration network", "Linux", "QEMU"];
    let mut rows = vec![head.map(str::to_owned)];
    for machine in machines {
        let link = |network: &str| {
            let link = machine.links.iter().find(|link| link.network == network);
            link.map_or_else(|| "-".to_owned(), |it| format!("{} by {}", it.address, it.device))
        };
        let (name, ssh) = (machine.name.clone(), machine.ssh.clone());
        let answers = if machine.reachable { "yes" } else { "no" }.to_owned();
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let (kernel, qemu) = (or_none(&machine.kernel), or_none(&machine.qemu));
        rows.push([name, ssh, answers, link("guest"), link("migration"), kernel, qemu]);
    }
    lines.push(String::new());
    let mut table = aligned([Align::Left; 7], &rows);
    if let Some(head) = table.first_mut() {
        *head = paint.strong(head);
    }
    lines.append(&mut table);
    for machine in machines {
        let Some(why) = &machine.why else { continue };
        lines.push(String::new());
        lines.push(format!("{}:", paint.warning(&machine.name)));
        lines.extend(indented(why));
    }
}

/// A row for each link of each node.
fn links(nodes: &[NodeStatus]) -> Vec<[String; 6]> {
    let head = ["node", "network", "address", "link", "sends at most", "guest's device"];
    let mut rows = vec![head.map(str::to_owned)];
    for node in nodes {
        let sends = |device: &str| {
            let shaping = node.shaping.iter().find(|shaping| shaping.device == device);
            shaping.map_or_else(|| "unknown".to_owned(), super::Shaping::words)
        };
        let guest = &node.guest_device;
        let migration = &node.migration_device;
        rows.push([
            node.name.clone(),
            "guest".to_owned(),
            node.guest_address.to_string(),
            guest.clone(),
            sends(guest),
            node.tap.clone(),
        ]);
        rows.push([
            String::new(),
            "migration".to_owned(),
            node.migration_address.to_string(),
            migration.clone(),
            sends(migration),
            String::new(),
        ]);
    }
    rows
}

/// What a node is that is another machine.
fn machine(node: &NodeStatus) -> Option<String> {
    let super::Machine { facts, qemu } = node.machine.as_ref()?;
    let gib = facts.memory_bytes as f64 / f64::from(1 << 30);
    let qemu = qemu.as_deref().map_or_else(|| "no QEMU".to_owned(), |it| format!("QEMU {it}"));
    let (cpus, model, kernel) = (facts.cpu_count, &facts.cpu_model, &facts.kernel);
    Some(format!("  {}  {cpus} × {model}, {gib:.1} GiB, Linux {kernel}, {qemu}", node.name))
}

fn processes(nodes: &[NodeStatus]) -> Vec<[String; 3]> {
    let of_node = |node: &NodeStatus| {
        let name = node.name.clone();
        let row = move |process: &super::Running| {
            [name.clone(), process.pid.to_string(), command(&process.argv)]
        };
        node.processes.iter().flatten().map(row).collect::<Vec<_>>()
    };
    nodes.iter().flat_map(of_node).collect()
}

/// A command line with the program's name for its path.
fn command(argv: &[String]) -> String {
    let program =
        argv.first().map_or("", |program| Utf8Path::new(program).file_name().unwrap_or(program));
    let mut words = vec![program];
    words.extend(argv.iter().skip(1).map(String::as_str));
    lab::process::quote_all(&words)
}
