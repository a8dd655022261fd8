//! True QEMUs behind the double: a VM's `args` are what they are started with, by TCG on this
//! machine, each node's sockets in a folder of its own.

use camino::Utf8PathBuf;
use lab::{
    hypervisor::qemu::Qmp,
    process::{self, Command, Conversation, Ending},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// What VMs are run by.
pub struct Real {
    program: String,
    folder: Utf8PathBuf,
    /// By node and VM.
    pub running: BTreeMap<(String, u32), Qemu>,
}

/// A QEMU; killed when this is dropped.
pub struct Qemu {
    /// Proxmox's own monitor.
    pub qmp: Arc<Qmp>,
    _process: Ending,
}

impl Real {
    /// `None` where there is no QEMU, which is said.
    pub fn find(folder: Utf8PathBuf) -> Option<Self> {
        let found = process::find("qemu-system-x86_64");
        if found.is_none() {
            eprintln!("left out: there is no `qemu-system-x86_64`");
        }
        let program = found?.to_str().expect("UTF-8").to_owned();
        Some(Self { program, folder, running: BTreeMap::new() })
    }

    /// Where a node has what Proxmox has in `/run/qemu-server`.
    pub fn folder(&self, node: &str) -> Utf8PathBuf {
        let folder = self.folder.join(node);
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    /// Where a guest's memory goes, as if through SSH.
    pub fn uri(&self, vmid: u32) -> String {
        format!("unix:{}/{vmid}.migrate", self.folder)
    }

    /// What is started of a VM on a node.
    pub fn command(
        &self,
        node: &str,
        config: &BTreeMap<String, String>,
        incoming: bool,
    ) -> Command {
        let folder = self.folder(node);
        let args = config.get("args").map_or("", String::as_str);
        assert!(!args.contains(['"', '\'', '\\']), "what needs no quotes has none");
        let args = args.replace("/run/qemu-server", folder.as_str());
        let own = "-machine pc -accel tcg,tb-size=32 -nodefaults -no-user-config -display none \
                   -chardev stdio,id=own,signal=off -mon chardev=own,mode=control";
        let command = Command::new(&self.program)
            .args(own.split_whitespace())
            .args(["-m", &config["memory"]])
            .args(args.split_whitespace());
        if incoming { command.args(["-S", "-incoming", "defer"]) } else { command }
    }
}

impl Qemu {
    /// Starts one, until its monitor answers.
    pub async fn start(command: &Command) -> Result<Self, String> {
        let Conversation { stdin, stdout, ending } = command.converse().expect("QEMU");
        match Qmp::over(stdout, stdin).await {
            Ok((qmp, _events)) => Ok(Self { qmp: Arc::new(qmp), _process: ending }),
            Err(_) => Err(ending.last_words(std::time::Duration::from_secs(5)).await),
        }
    }
}

/// As Proxmox sets them: each of them, on or off.
pub fn capabilities() -> Value {
    let one = |name: &str, on: bool| json!({"capability": name, "state": on});
    let on = ["auto-converge", "xbzrle"].map(|name| one(name, true));
    let off = ["events", "postcopy-ram", "multifd", "return-path"].map(|name| one(name, false));
    let all = [&on[..], &off[..]].concat();
    json!({ "capabilities": all })
}
