//! True QEMUs behind the double: a VM's `args` are what they are started with, by TCG on this
//! machine, each node's sockets in a folder of its own.

use camino::Utf8PathBuf;
use lab::{
    hypervisor::qemu::Qmp,
    node::{GUEST_TAP, Node, Process, Spawn, Streams},
    process::{self, Command, Conversation, Ending},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

/// What VMs are run by.
pub struct Real {
    program: String,
    folder: Utf8PathBuf,
    /// Where QEMUs of a node run, each guest at the node's tap; those of other nodes have no
    /// network, and run on this machine.
    pub nodes: BTreeMap<String, Place>,
    /// By node and VM.
    pub running: BTreeMap<(String, u32), Qemu>,
}

/// Where a node's QEMUs run.
#[derive(Clone)]
pub enum Place {
    /// On a node of a lab, which shares its files with this machine.
    Node(Node),
    /// On a machine with files of its own, entered by a command.
    Machine { enter: Vec<String>, migration_address: Ipv4Addr },
}

impl Place {
    fn migration_address(&self) -> Ipv4Addr {
        match self {
            Self::Node(node) => node.migration_address,
            Self::Machine { migration_address, .. } => *migration_address,
        }
    }
}

/// A QEMU; killed when this is dropped.
pub struct Qemu {
    /// Proxmox's own monitor.
    pub qmp: Arc<Qmp>,
    _process: Running,
}

#[expect(dead_code, reason = "they are kept for what dropping them does")]
enum Running {
    Here(Ending),
    OnNode(Process),
}

impl Real {
    /// `None` where there is no QEMU, which is said.
    pub fn find(folder: Utf8PathBuf) -> Option<Self> {
        let found = process::find("qemu-system-x86_64");
        if found.is_none() {
            eprintln!("left out: there is no `qemu-system-x86_64`");
        }
        let program = found?.to_str().expect("UTF-8").to_owned();
        Some(Self { program, folder, nodes: BTreeMap::new(), running: BTreeMap::new() })
    }

    /// Where a node has what Proxmox has in `/run/qemu-server`.
    pub fn folder(&self, node: &str) -> Utf8PathBuf {
        let folder = self.folder.join(node);
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    /// Where a file of the shared storage lies.
    pub fn volume(&self, name: &str) -> Utf8PathBuf {
        self.folder("shared").join(name)
    }

    /// Where a guest's memory goes: as it is to a node, unless securely, else as if through SSH.
    pub fn uri(&self, vmid: u32, target: &str, secure: bool) -> String {
        match self.nodes.get(target).filter(|_| !secure) {
            Some(place) => format!("tcp:{}:60000", place.migration_address()),
            None => format!("unix:{}/{vmid}.migrate", self.folder),
        }
    }

    /// What is started of a VM on a node.
    pub fn command(&self, node: &str, config: &BTreeMap<String, String>, incoming: bool) -> Launch {
        let place = self.nodes.get(node);
        let folder = self.folder(node);
        let args = config.get("args").map_or("", String::as_str);
        assert!(!args.contains(['"', '\'', '\\']), "what needs no quotes has none");
        let args = match place {
            Some(Place::Machine { .. }) => args.to_owned(),
            _ => args.replace("/run/qemu-server", folder.as_str()),
        };
        let own = "-machine pc -accel tcg,tb-size=32 -nodefaults -no-user-config -display none \
                   -chardev stdio,id=own,signal=off -mon chardev=own,mode=control";
        let mut argv = match place {
            Some(Place::Machine { enter, .. }) => enter.clone(),
            _ => Vec::new(),
        };
        argv.push(self.program.clone());
        argv.extend(own.split_whitespace().map(str::to_owned));
        argv.extend(["-m".to_owned(), config["memory"].clone()]);
        argv.extend(args.split_whitespace().map(str::to_owned));
        if place.is_some() {
            let card = config["net0"].strip_prefix("virtio=").expect("a card");
            let mac = card.split(',').next().expect("an address");
            let tap = format!("tap,id=net0,ifname={GUEST_TAP},script=no,downscript=no");
            let card = format!("virtio-net-pci,netdev=net0,id=net0,mac={mac}");
            argv.extend(["-netdev", &tap, "-device", &card].map(str::to_owned));
        }
        if let Some(cd) = config.get("ide2") {
            let volume = cd.split(',').next().expect("a volume");
            let file = self.volume(volume.rsplit('/').next().expect("a name"));
            let drive = format!("file={file},if=ide,index=2,media=cdrom,format=raw,readonly=on");
            argv.extend(["-drive", &drive, "-boot", "order=d"].map(str::to_owned));
        }
        if incoming {
            argv.extend(["-S", "-incoming", "defer"].map(str::to_owned));
        }
        let node = match place {
            Some(Place::Node(node)) => Some(node.clone()),
            _ => None,
        };
        Launch { node, argv }
    }
}

/// What is started, and where.
pub struct Launch {
    node: Option<Node>,
    argv: Vec<String>,
}

impl Qemu {
    /// Starts one, until its monitor answers.
    pub async fn start(launch: Launch) -> Result<Self, String> {
        let Launch { node, argv } = launch;
        if let Some(node) = node {
            let spawn = Spawn { argv, cwd: None, streams: Streams::piped() };
            let mut process = node.spawn(spawn).await.map_err(|error| format!("{error:#}"))?;
            let opened = Qmp::open(&mut process).await;
            let (qmp, _events) = opened.map_err(|error| format!("{error:#}"))?;
            return Ok(Self { qmp: Arc::new(qmp), _process: Running::OnNode(process) });
        }
        let command = Command::new(&argv[0]).args(&argv[1..]);
        let Conversation { stdin, stdout, ending } = command.converse().expect("QEMU");
        match Qmp::over(stdout, stdin).await {
            Ok((qmp, _events)) => Ok(Self { qmp: Arc::new(qmp), _process: Running::Here(ending) }),
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
