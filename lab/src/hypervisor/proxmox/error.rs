//! What can go wrong between here and Proxmox, and what helps.

use super::{answer, fingerprint::Fingerprint, migration_log::MigrationLog, upid::Upid};
use std::{collections::BTreeMap, fmt};

/// A call that did not do what it was to do.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    asked: String,
    fault: Fault,
}

impl Error {
    /// `asked`: method and path, without parameters.
    pub(super) fn new(asked: impl Into<String>, fault: Fault) -> Self {
        Self(Box::new(Inner { asked: asked.into(), fault }))
    }

    /// What was wrong.
    #[must_use]
    pub fn fault(&self) -> &Fault {
        &self.0.fault
    }

    /// Method and path of the call, such as `GET /nodes`.
    #[must_use]
    pub fn asked(&self) -> &str {
        &self.0.asked
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.asked, self.0.fault)?;
        match self.0.fault.hint() {
            Some(hint) => write!(f, "\n\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// What was wrong with a call. Texts named `said` are Proxmox's own words.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says what its fields are")]
pub enum Fault {
    /// Neither user nor password can be told to be wrong: Proxmox does not say which.
    #[error("Proxmox does not let {user} in: wrong user, realm or password ({said})")]
    WrongPassword { user: String, said: String },
    /// The user must give a second factor, which a program has not.
    #[error("{user} needs a second factor to log in")]
    SecondFactor { user: String },
    /// The API token is not known, or its secret is wrong.
    #[error("Proxmox does not accept the API token {token} ({said})")]
    TokenRefused { token: String, said: String },
    /// A ticket was refused, and so was the one that was got for it.
    #[error("{user}'s ticket has expired, and a new one was refused too ({said})")]
    TicketRefused { user: String, said: String },
    /// The user lacks privileges.
    #[error("{who} may not do this: {} is missing on {path}", .privileges.join(" or "))]
    Privilege { who: String, path: String, privileges: Vec<String> },
    /// The user lacks a privilege that Proxmox does not name.
    #[error("{who} may not do this ({said})")]
    Forbidden { who: String, said: String },
    /// Only root@pam with its password may do this; its tokens may not.
    #[error("only root@pam, logged in by its password, may do this ({said})")]
    RootOnly { said: String },
    /// Another certificate than the pinned one.
    #[error("{host} has another certificate than it was known by: {found}, not {pinned}")]
    Fingerprint { host: String, pinned: Fingerprint, found: Fingerprint },
    /// A certificate that the given authority does not vouch for, or that proves nothing.
    #[error("{host}'s certificate is not to be trusted: {why}")]
    Certificate { host: String, why: String },
    /// No connection: nothing was asked.
    #[error("nothing answers at {host}: {why}")]
    Unreachable { host: String, why: String },
    /// A connection, but no TLS: nothing was asked.
    #[error("{host} takes connections and cuts TLS off: {why}")]
    TlsCut { host: String, why: String },
    /// The connection was lost after the call was sent, or while it was.
    #[error("the connection to {host} was lost before its answer: {why}")]
    Lost { host: String, why: String },
    /// Connected, but no answer in time.
    #[error("{host} gave no answer within {seconds} s")]
    TimedOut { host: String, seconds: u64 },
    /// A call that may have been carried out; its task could not be looked for.
    #[error("the answer was lost, and whether it was carried out could not be found out: {why}")]
    Unresolved { why: String },
    /// The cluster has no quorum, so nothing can be changed.
    #[error("the cluster has no quorum ({said})")]
    NoQuorum { said: String },
    /// The node that the call was handed on to does not answer (595, 596, 599).
    #[error("{node} does not answer: {said} ({status})")]
    NodeDown { node: String, said: String, status: u16 },
    /// No node of that name.
    #[error("{node} is no node of this cluster ({said})")]
    NoNode { node: String, said: String },
    /// No storage of that name, or not on that node.
    #[error("storage `{storage}` is not there ({said})")]
    NoStorage { storage: String, said: String },
    /// No such VM on that node.
    #[error("VM {vmid} is not on {node}")]
    NoVm { vmid: String, node: String },
    /// The id is taken.
    #[error("VM {vmid} exists already ({said})")]
    VmExists { vmid: String, said: String },
    /// The VM's configuration is locked by something that runs, or was killed.
    #[error("the VM is locked: {lock}")]
    Locked { lock: String },
    /// The configuration's file was locked for longer than Proxmox waits (10 s).
    #[error("another operation on the VM did not end in time ({said})")]
    Busy { said: String },
    /// Parameters that Proxmox refuses, each with its reason.
    #[error("Proxmox refuses {}", list(.errors))]
    Parameters { errors: BTreeMap<String, String> },
    /// The node does not know the task (any more).
    #[error("there is no task {upid} (any more)")]
    NoTask { upid: String },
    /// A task that did not end in time.
    #[error("the task did not end within {seconds} s: {upid}")]
    TaskRuns { upid: Box<Upid>, seconds: u64 },
    /// A task that did not do what it was to do.
    #[error("`{kind}` on {node} failed: {said}")]
    TaskFailed { kind: String, node: String, said: String },
    /// Something stands against what was to be done with a VM.
    #[error("VM {vmid}: {why}")]
    Unfit { vmid: u32, why: String, hint: &'static str },
    /// No such path or method in this version of Proxmox VE.
    #[error("this Proxmox VE does not have this call ({said})")]
    NotImplemented { said: String },
    /// What answers is not Proxmox's API.
    #[error("no answer of Proxmox's API, but {kind} ({status}){}", told(.begins))]
    NotTheApi { status: u16, kind: String, begins: String },
    /// An answer that does not have what it must have.
    #[error("an answer that is not understood: {why}")]
    Unexpected { why: String },
    /// Any other refusal.
    #[error("{said} ({status})")]
    Refused { status: u16, said: String },
    /// What was given to connect with cannot be used.
    #[error("{why}")]
    Settings { why: String },
}

fn list(errors: &BTreeMap<String, String>) -> String {
    let each = errors.iter().map(|(name, why)| format!("`{name}`: {why}"));
    each.collect::<Vec<_>>().join("; ")
}

fn told(begins: &str) -> String {
    if begins.is_empty() { String::new() } else { format!(": {begins}") }
}

impl Fault {
    /// Whether the call cannot have been carried out, because it was never sent whole.
    #[must_use]
    pub fn was_never_sent(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::TlsCut { .. })
    }

    /// Whether nobody can tell from this if the call was carried out.
    #[must_use]
    pub fn leaves_open(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::TimedOut { .. })
    }

    /// Whether it may be over soon by itself: a node or a quorum that is away, or something between
    /// that answers in Proxmox's place, as long as it has a server's fault to tell.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::NodeDown { .. } | Self::NoQuorum { .. } => true,
            Self::NotTheApi { status, .. } => *status >= 500,
            _ => false,
        }
    }

    /// What helps, where something does.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::WrongPassword { user, .. } => format!(
                "the user's name ends with its realm: `root@pam`, or `{}@pve` for users that only \
                 Proxmox knows",
                user.split('@').next().unwrap_or_default()
            ),
            Self::SecondFactor { .. } => "use an API token of that user".to_owned(),
            Self::TokenRefused { token, .. } => format!(
                "`pveum user token list {}` shows the tokens that there are; the secret is shown \
                 only when one is made",
                token.split('!').next().unwrap_or_default()
            ),
            Self::TicketRefused { .. } => {
                "are the nodes' clocks set? tickets are only good for two hours by them".to_owned()
            }
            Self::Privilege { who, path, privileges } => {
                let privilege = privileges.first().map_or("", String::as_str);
                let who_option = if who.contains('!') { "--tokens" } else { "--users" };
                format!(
                    "a role with {privilege}: `pveum role add precopy-lab-more --privs {privilege}`, \
                     `pveum acl modify {path} {who_option} '{who}' --roles precopy-lab-more`"
                )
            }
            Self::Forbidden { .. } => {
                "`pveum user permissions USER` shows what a user or token may".to_owned()
            }
            Self::RootOnly { .. } => {
                "log in as root@pam with its password; an API token of root is not root. Type and \
                 network of migrations can be set for the datacenter instead"
                    .to_owned()
            }
            Self::Fingerprint { .. } => {
                "another machine may be answering; only if you know that the node got a new \
                 certificate (it does when it joins a cluster), compare with `openssl x509 -noout \
                 -fingerprint -sha256 -in /etc/pve/local/pve-ssl.pem` on it and set the new one"
                    .to_owned()
            }
            Self::Certificate { .. } => {
                "give the cluster's authority, /etc/pve/pve-root-ca.pem, and the node's own name \
                 as its certificate has it; or pin the certificate's SHA-256 fingerprint"
                    .to_owned()
            }
            Self::Unreachable { .. } => {
                "is the node up, `pveproxy` running, and port 8006 open from here?".to_owned()
            }
            Self::TlsCut { .. } => {
                "is this the port of Proxmox's API (8006)? if it is: `systemctl status pveproxy` \
                 on the node, and what is between that could break TLS off"
                    .to_owned()
            }
            Self::Lost { .. } | Self::TimedOut { .. } => {
                "`systemctl status pveproxy pvedaemon` on the node; is the network between stable?"
                    .to_owned()
            }
            Self::Unresolved { .. } => {
                "look at the node's task list before doing it again".to_owned()
            }
            Self::NoQuorum { .. } => {
                "`pvecm status` on a node says which are missing; wait for them, or start them"
                    .to_owned()
            }
            Self::NodeDown { node, .. } => format!(
                "is {node} up, and `pveproxy` on it running? the cluster's nodes must reach each \
                 other's port 8006"
            ),
            Self::NoNode { .. } => "`pvecm nodes` lists them".to_owned(),
            Self::NoStorage { storage, .. } => format!(
                "`pvesm status` on the node lists those that it has; `{storage}` must be shared, \
                 enabled and not limited to other nodes"
            ),
            Self::NoVm { vmid, .. } => {
                format!(
                    "it may have been migrated: `pvesh get /cluster/resources` says where VM {vmid} is"
                )
            }
            Self::VmExists { .. } => "choose a range of ids that nothing else uses".to_owned(),
            Self::Locked { lock } => unlocking(lock),
            Self::Busy { .. } => {
                "wait for what runs on that VM, such as a migration, and try again".to_owned()
            }
            Self::NotImplemented { .. } => "Proxmox VE 8 and 9 are supported".to_owned(),
            Self::NotTheApi { .. } => {
                "is the address that of a Proxmox VE node (port 8006), and not of something in \
                 front of it?"
                    .to_owned()
            }
            Self::TaskRuns { upid, .. } => {
                format!("`pvenode task log {upid}` on {} shows how far it is", upid.node())
            }
            Self::Unfit { hint, .. } => (*hint).to_owned(),
            Self::TaskFailed { said, .. } => {
                return MigrationLog::remedy_of(said)
                    .or_else(|| answer::by_words(said.clone(), 500, "").hint());
            }
            Self::Parameters { .. }
            | Self::NoTask { .. }
            | Self::Unexpected { .. }
            | Self::Refused { .. }
            | Self::Settings { .. } => return None,
        })
    }
}

/// The way back from a migration that was killed: what was found on a real cluster, by killing
/// migrations at every stage.
pub(super) const AFTER_A_KILL: &str = "if no `qmigrate` task of the VM runs, one was killed. While \
    memory was still moving: `migrate_cancel` in the VM's monitor (the target's QEMU ends by \
    itself), then `qm unlock VMID` as root on its node. If both sides stand still (source \
    `postmigrate`, target `paused`): resume the VM on the source with `skiplock=1`, unlock it; the \
    next migration fails with `already running` and removes the twin, the one after that works";

/// The way back from a lock.
fn unlocking(lock: &str) -> String {
    match lock {
        "migrate" => AFTER_A_KILL.to_owned(),
        "backup" | "snapshot" | "clone" | "create" | "disk" | "rollback" | "snapshot-delete"
        | "suspending" | "suspended" => format!(
            "wait until its {lock} is done; if no task of the VM runs, it was killed: `qm unlock \
             VMID` as root on its node"
        ),
        _ => "if no task of the VM runs: `qm unlock VMID` as root on its node".to_owned(),
    }
}
