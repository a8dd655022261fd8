//! What a playbook may not say although its types allow it.

use super::{On, Playbook, Step};
use crate::yaml::{Parsed, Problem};
use camino::{Utf8Component, Utf8Path};

/// Longest script in bytes: the kernel takes 128 KiB as one argument.
const SCRIPT_BYTES: usize = 100 << 10;

/// Longest name: files are named after it.
const NAME_CHARS: usize = 40;

/// Everything that is wrong.
pub(super) fn problems(parsed: &Parsed<Playbook>) -> Vec<Problem> {
    let playbook = &parsed.value;
    let mut problems = Vec::new();
    if !is_name(&playbook.name) {
        let message = format!("`{}` cannot name a playbook", playbook.name.escape_debug());
        problems.push(parsed.problem(&["name"], message).hint(NAME_HINT));
    }
    if playbook.steps.is_empty() {
        problems.push(parsed.problem(&["steps"], "a playbook needs a step"));
    }
    for (index, step) in playbook.steps.iter().enumerate() {
        check_step(parsed, index, step, &mut problems);
    }
    problems
}

const NAME_HINT: &str = "lowercase letters, digits and dashes, beginning with a letter, at most 40";

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= NAME_CHARS
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

fn check_step(parsed: &Parsed<Playbook>, index: usize, step: &Step, problems: &mut Vec<Problem>) {
    let number = index.to_string();
    let here = ["steps", number.as_str()];
    let at = |key| ["steps", number.as_str(), key];
    if !is_name(&step.name) {
        let message = format!("`{}` cannot name a step", step.name.escape_debug());
        problems.push(parsed.problem(&at("name"), message).hint(NAME_HINT));
    }
    let before = &parsed.value.steps[..index];
    if let Some(first) = before.iter().position(|other| other.name == step.name) {
        problems.push(
            parsed
                .problem(&at("name"), format!("two steps are named `{}`", step.name))
                .hint("give each step a name of its own")
                .also(parsed.at(&["steps", &first.to_string(), "name"]), "the first"),
        );
    }
    if step.check.is_none() && step.files.is_empty() {
        problems.push(
            parsed
                .problem(&here, format!("step `{}` has neither `check` nor `files`", step.name))
                .hint("without them nobody can tell whether it is done"),
        );
    }
    if step.action.is_none() && step.files.is_empty() {
        problems.push(
            parsed
                .problem(&here, format!("step `{}` has neither `action` nor `files`", step.name))
                .hint("say what makes it done"),
        );
    }
    for (key, script) in
        [("check", &step.check), ("action", &step.action), ("verify", &step.verify)]
    {
        let Some(script) = script else { continue };
        if let Some(why) = bad_script(script) {
            problems.push(parsed.problem(&at(key), format!("`{key}` {why}")));
        }
    }
    check_files(parsed, index, step, problems);
    for (place, name) in step.secrets.iter().enumerate() {
        if !is_variable(name) {
            let place = place.to_string();
            problems.push(
                parsed
                    .problem(
                        &["steps", &number, "secrets", &place],
                        format!("`{}` cannot name a secret", name.escape_debug()),
                    )
                    .hint("it is an environment variable: capital letters, digits and `_`"),
            );
        }
    }
    for (place, collect) in step.collect.iter().enumerate() {
        let place = place.to_string();
        let at = |key| ["steps", &number, "collect", &place, key];
        let share = collect.share.iter().map(|share| ("share", share));
        for (key, path) in share.chain([("path", &collect.path)]) {
            if !is_file(path) {
                problems.push(not_a_file(parsed, &at(key), path));
            }
        }
        if collect.share.is_some() && step.on != On::First {
            problems.push(
                parsed
                    .problem(&at("share"), "only a step of the first node can share a file")
                    .hint("write `on: first`: several would overwrite each other's"),
            );
        }
    }
    if step.deadline.0 == 0 {
        problems.push(parsed.problem(&at("deadline"), "nothing can be done in no time"));
    }
}

fn bad_script(script: &str) -> Option<&'static str> {
    if script.trim().is_empty() {
        Some("is empty")
    } else if script.contains('\0') {
        Some("holds a NUL, which no shell reads")
    } else if script.len() > SCRIPT_BYTES {
        Some("is longer than 100 KiB")
    } else {
        None
    }
}

fn is_file(path: &Utf8Path) -> bool {
    path.is_absolute()
        && path.file_name().is_some()
        && !path.as_str().ends_with('/')
        && !path.components().any(|part| matches!(part, Utf8Component::ParentDir))
        && !path.as_str().contains(char::is_control)
}

fn not_a_file(parsed: &Parsed<Playbook>, at: &[&str], path: &Utf8Path) -> Problem {
    let shown = path.as_str().escape_debug();
    parsed
        .problem(at, format!("`{shown}` is not the path of a file"))
        .hint("write it from the root, such as `/etc/exports`")
}

fn check_files(parsed: &Parsed<Playbook>, index: usize, step: &Step, problems: &mut Vec<Problem>) {
    for (place, file) in step.files.iter().enumerate() {
        let path = [index, place].map(|number| number.to_string());
        let at = ["steps", &path[0], "files", &path[1], "path"];
        if !is_file(&file.path) {
            problems.push(not_a_file(parsed, &at, &file.path));
        }
        let all = parsed.value.steps.iter().enumerate().flat_map(|(number, step)| {
            step.files.iter().enumerate().map(move |(place, file)| (number, place, file))
        });
        let mut before = all.take_while(|(number, other, _)| (*number, *other) < (index, place));
        let twin = before.find(|(_, _, other)| other.path == file.path);
        if let Some((step, place, _)) = twin {
            let first = ["steps", &step.to_string(), "files", &place.to_string(), "path"];
            problems.push(
                parsed
                    .problem(&at, format!("`{}` is written twice", file.path))
                    .hint("one of them would always find that the other has changed it")
                    .also(parsed.at(&first), "the first"),
            );
        }
    }
}
