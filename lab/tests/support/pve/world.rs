//! What the double knows.

use super::{
    facts::Facts,
    qemu::Real,
    real::Pending,
    request::{Reply, Request},
    tasks::Task,
    vms::Vm,
};
use lab::hypervisor::proxmox::{Credentials, Secret};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

pub const PASSWORD: &str = "hunter2-of-root";
pub const TOKEN: &str = "lab@pve!harness";
pub const TOKEN_SECRET: &str = "0f0f0f0f-1111-2222-3333-444444444444";

/// root@pam, by its password.
pub fn root() -> Credentials {
    Credentials::password("root@pam", Secret::new(PASSWORD)).expect("good")
}

/// A token that is not root's.
pub fn token() -> Credentials {
    Credentials::token(TOKEN, Secret::new(TOKEN_SECRET)).expect("good")
}

/// A cluster.
pub struct World {
    /// Whether each is up.
    pub nodes: BTreeMap<String, bool>,
    pub quorate: bool,
    /// What reads of the cluster give.
    pub facts: Facts,
    pub vms: Vec<Vm>,
    pub tasks: Vec<Task>,
    /// Tickets that are good, each with its CSRF token.
    pub tickets: BTreeMap<String, String>,
    /// Of the token's user: `(path, privilege)`.
    pub granted: BTreeSet<(String, String)>,
    /// Whether errors have a message beside their reason phrase (Proxmox VE 8.4 and later).
    pub has_messages: bool,
    /// How long a VM's configuration is waited for; Proxmox: 10 s.
    pub lock_wait: Duration,
    /// What the next migrations write, and how they exit.
    pub migration: (Vec<String>, String),
    /// Whether the next migrations are killed: their locks stay.
    pub leaves_lock: bool,
    /// What QEMU says of a migration when its worker is killed, the next one that looks.
    pub kills_worker_at: Option<&'static str>,
    /// Lines that a running task writes from one look to the next.
    pub lines_a_look: usize,
    /// Connections to come that are cut while TLS begins.
    pub cut_handshakes: usize,
    /// What lists of tasks are like.
    pub listing: Listing,
    /// What runs VMs, where true QEMUs do.
    pub real: Option<Real>,
    /// What tasks have yet to do with them.
    pub(super) pending: Vec<Pending>,
    /// What lies on storages, by its name there.
    pub volumes: BTreeMap<String, Vec<u8>>,
    /// All that was asked.
    pub asked: Vec<Request>,
    pub(super) failures: Vec<(String, Failure)>,
    pub(super) counter: u32,
}

/// What lists of tasks are like, by how often a migration was asked for.
#[derive(Clone, Copy, Debug)]
pub enum Listing {
    True,
    /// Empty until it was asked for so often.
    EmptyUntil(usize),
    /// Broken from then on.
    BrokenFrom(usize),
}

/// What goes wrong with a call.
#[derive(Clone, Debug)]
pub enum Failure {
    /// The connection is dropped, and nothing is done.
    DropBefore,
    /// It is done, and the connection dropped without an answer.
    DropAfter,
    /// Likewise, and somebody else's migration of VM 101 begins instead.
    SomebodyElse,
    /// The answer is cut off before its end.
    CutBody,
    /// No answer ever comes.
    Hang,
    /// This is answered, and nothing done.
    Answer(Reply),
}

impl Failure {
    pub(super) fn is_of_body(&self) -> bool {
        matches!(self, Self::CutBody)
    }
}

impl World {
    /// Three nodes, VM 101 on pve1, and a token that may migrate it.
    pub fn cluster() -> Self {
        let granted = [("/vms/101", "VM.Migrate"), ("/vms/101", "VM.Audit"), ("/", "Sys.Audit")];
        let own = |(path, privilege): (&str, &str)| (path.to_owned(), privilege.to_owned());
        Self {
            nodes: ["pve1", "pve2", "pve3"].map(|name| (name.to_owned(), true)).into(),
            quorate: true,
            facts: Facts::cluster(),
            vms: vec![Vm::new(101, "pve1")],
            tasks: Vec::new(),
            tickets: BTreeMap::new(),
            granted: granted.map(own).into(),
            has_messages: true,
            lock_wait: Duration::from_millis(50),
            migration: (vec!["TASK OK".to_owned()], "OK".to_owned()),
            leaves_lock: false,
            kills_worker_at: None,
            lines_a_look: usize::MAX,
            cut_handshakes: 0,
            listing: Listing::True,
            real: None,
            pending: Vec::new(),
            volumes: BTreeMap::new(),
            asked: Vec::new(),
            failures: Vec::new(),
            counter: 0,
        }
    }

    /// Three nodes of these names, and nothing on them.
    pub fn of(names: [&str; 3]) -> Self {
        let mut world = Self { vms: Vec::new(), ..Self::cluster() };
        let own = |name: &str| (name.to_owned(), true);
        world.nodes = names.map(own).into();
        let facts = std::mem::take(&mut world.facts.nodes).into_values();
        world.facts.nodes = names.map(str::to_owned).into_iter().zip(facts).collect();
        world
    }

    pub fn vm(&mut self, vmid: u32) -> Option<&mut Vm> {
        self.vms.iter_mut().find(|vm| vm.vmid == vmid)
    }

    /// The next call whose name (`POST /nodes/…`) has this in it fails.
    pub fn fail(&mut self, call: &str, failure: Failure) {
        self.failures.push((call.to_owned(), failure));
    }

    pub(super) fn failure(
        &mut self,
        request: &Request,
        of: impl Fn(&Failure) -> bool,
    ) -> Option<Failure> {
        let name = request.name();
        let at =
            self.failures.iter().position(|(call, f)| name.contains(call.as_str()) && of(f))?;
        Some(self.failures.remove(at).1)
    }

    /// How often something was asked.
    pub fn times(&self, call: &str) -> usize {
        self.asked.iter().filter(|request| request.name().contains(call)).count()
    }

    pub(super) fn number(&mut self) -> u32 {
        self.counter += 1;
        self.counter
    }

    /// Logs in by a ticket or password.
    pub(super) fn log_in(&mut self, request: &Request) -> Reply {
        let Some(password) = request.parameter("password") else {
            return Reply::parameters(&[(
                "password",
                "property is missing and it is not optional",
            )]);
        };
        let good = password == PASSWORD || self.tickets.contains_key(password);
        if request.parameter("username") != Some("root@pam") || !good {
            return Reply::error(401, "authentication failure");
        }
        let number = self.number();
        let (ticket, csrf) =
            (format!("PVE:root@pam:{number:08X}::a+b/c="), format!("{number:08X}:csrf"));
        self.tickets.insert(ticket.clone(), csrf.clone());
        Reply::data(&serde_json::json!({
            "username": "root@pam", "ticket": ticket, "CSRFPreventionToken": csrf,
            "clustername": "lab", "cap": {},
        }))
    }

    /// Who asks, or why nobody does.
    pub(super) fn who(&self, request: &Request) -> Result<String, Reply> {
        if let Some(token) = request.header("authorization") {
            let good = token == format!("PVEAPIToken={TOKEN}={TOKEN_SECRET}");
            return good
                .then(|| TOKEN.to_owned())
                .ok_or_else(|| Reply::bare(401, "Authentication failed!"));
        }
        let cookie = request.header("cookie").and_then(|c| c.strip_prefix("PVEAuthCookie="));
        let Some(cookie) = cookie else { return Err(Reply::bare(401, "No ticket")) };
        let Some(csrf) = self.tickets.get(&super::request::decode(cookie)) else {
            return Err(Reply::bare(401, "Authentication failed!"));
        };
        if request.method != "GET" && request.header("csrfpreventiontoken") != Some(csrf) {
            return Err(Reply::bare(401, "Permission denied - invalid csrf token"));
        }
        Ok("root@pam".to_owned())
    }
}
