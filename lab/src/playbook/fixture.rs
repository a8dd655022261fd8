//! For tests: nodes that are folders of this machine, on which scripts really run.

use super::{Playbook, Reboot, Shell, render};
use crate::{node::Exit, process::Command};
use anyhow::{Context, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use serde_json::json;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

/// A node: its scripts know their folder by its name in the template, `{{ folder }}`.
#[derive(Clone, Debug)]
pub struct Here {
    pub name: String,
    pub folder: Utf8PathBuf,
    pub boots: usize,
    /// Everything that was started, as one text each.
    pub started: Arc<Mutex<Vec<String>>>,
    /// After so many calls more, of all nodes together, nothing can be reached any more.
    pub calls_left: Arc<AtomicUsize>,
}

impl Shell for Here {
    fn name(&self) -> &str {
        &self.name
    }

    async fn call(
        &self,
        argv: Vec<String>,
        input: Vec<u8>,
        said: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<Exit> {
        self.started.lock().expect("not poisoned").push(argv.join(" "));
        let left = |left: usize| left.checked_sub(1);
        if self.calls_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left).is_err() {
            bail!("the node is gone");
        }
        // Its exit code goes last: of a program that fails, `output` gives the last words only.
        let status = r#""$@"; printf '\n%s' "$?""#;
        let command = Command::new("sh").args(["-c", status, "sh"]).args(argv).stdin(input);
        let output = command.output().await?.text();
        let (words, code) = output.rsplit_once('\n').context("no exit code")?;
        for piece in words.as_bytes().chunks(7) {
            said(piece);
        }
        Ok(Exit::Code(code.parse()?))
    }
}

/// Counts boots.
pub struct Boots;

impl Reboot<Here> for Boots {
    async fn reboot(&self, node: &Here) -> Result<Here> {
        let boots = node.boots + 1;
        std::fs::write(node.folder.join("boots"), boots.to_string())?;
        Ok(Here { boots, ..node.clone() })
    }
}

/// A lab of such nodes.
pub struct Lab {
    pub nodes: Vec<Here>,
    pub folder: Utf8PathBuf,
    _folder: tempfile::TempDir,
}

impl Lab {
    pub fn new(names: &[&str]) -> Self {
        let temporary = tempfile::tempdir().expect("a folder");
        let folder = Utf8Path::from_path(temporary.path()).expect("UTF-8").to_owned();
        let calls_left = Arc::new(AtomicUsize::new(usize::MAX));
        let started = Arc::new(Mutex::new(Vec::new()));
        let node = |name: &&str| {
            let folder = folder.join("nodes").join(name);
            std::fs::create_dir_all(&folder).expect("a folder");
            let (started, calls_left) = (Arc::clone(&started), Arc::clone(&calls_left));
            Here { name: (*name).to_owned(), folder, boots: 0, started, calls_left }
        };
        let nodes = names.iter().map(node).collect();
        Self { nodes, folder, _folder: temporary }
    }

    /// The playbook of each node: steps of a template that knows `folder`, `name` and `lab`.
    pub fn playbooks(&self, steps: &str) -> Vec<Playbook> {
        let text = format!("name: test\nsteps:\n{steps}");
        let playbook = |node: &Here| {
            let context = json!({"folder": node.folder, "name": node.name, "lab": self.folder});
            render("test.yaml.j2", &text, &node.name, &context).unwrap_or_else(|e| panic!("{e}"))
        };
        self.nodes.iter().map(playbook).collect()
    }

    /// A text without what differs from run to run.
    pub fn plain(&self, text: &str) -> String {
        text.replace(self.folder.as_str(), "[lab]")
    }

    /// A file of a node.
    pub fn read(&self, node: usize, name: &str) -> Option<String> {
        std::fs::read_to_string(self.nodes[node].folder.join(name)).ok()
    }
}
