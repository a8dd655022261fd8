//! Which paths a Rust text names: those of its `use` declarations, spelt out, and those in its
//! code. Not a parser: enough for rules about who knows whom.

/// Every path, as `std::process::Command`.
pub fn paths_of(text: &str) -> Vec<String> {
    let code: String = text.lines().map(without_comment).collect::<Vec<_>>().join("\n");
    let mut paths = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let begins = code[..at].chars().next_back().is_none_or(|c| c.is_whitespace() || c == ')');
        let tree = code[at + 4..].split(';').next().unwrap_or_default();
        if begins {
            spell_out("", tree, &mut paths);
        }
    }
    let part_of_path = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let inline = code.split(|c: char| !part_of_path(c)).filter(|word| word.contains("::"));
    paths.extend(inline.map(|word| word.trim_matches(':').to_owned()));
    paths
}

/// The paths that begin outside of this project.
pub fn outside(text: &str) -> Vec<String> {
    let outside =
        |path: &String| !["crate::", "super::", "self::"].iter().any(|p| path.starts_with(p));
    paths_of(text).into_iter().filter(outside).collect()
}

/// Whether it names the system's own way to start a process, or tokio's.
pub fn names_the_systems_command(text: &str) -> bool {
    paths_of(text)
        .iter()
        .any(|path| path.starts_with("std::process::Command") || path.starts_with("tokio::process"))
}

fn without_comment(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// The paths of a `use` tree below `prefix`.
fn spell_out(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let name = tree.split(" as ").next().unwrap_or_default().trim();
        paths.push(format!("{prefix}{name}"));
        return;
    };
    let prefix = format!("{prefix}{}", tree[..open].trim());
    let inner = &tree[open + 1..tree.rfind('}').unwrap_or(tree.len()).max(open + 1)];
    let (mut depth, mut begin) = (0_u32, 0);
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                spell_out(&prefix, &inner[begin..at], paths);
                begin = at + 1;
            }
            _ => {}
        }
    }
    if !inner[begin..].trim().is_empty() {
        spell_out(&prefix, &inner[begin..], paths);
    }
}

#[test]
fn a_tree_of_imports_is_spelt_out() {
    let text = "pub(crate) use std::{\n    fmt, // a comment\n    process::{self, Child as C},\n};\nlet x = a::b::c(1);";
    let paths = paths_of(text);
    for path in ["std::fmt", "std::process::self", "std::process::Child", "a::b::c"] {
        assert!(paths.iter().any(|known| known == path), "{path}: {paths:?}");
    }
}
