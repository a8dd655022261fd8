//! Guests of ours: made, started, stopped and removed, all by tasks that are waited for.

use super::spec::{GuestSpec, Ours};
use crate::hypervisor::proxmox::{
    call::Client,
    error::{Error, Fault},
    form::Form,
    start::Start,
};
use reqwest::Method;
use std::{collections::BTreeSet, time::Duration};

/// How long Proxmox may take for anything with a VM but migrating it. Starting one waits for
/// storages and for QEMU.
pub(super) const DEADLINE: Duration = Duration::from_secs(180);

/// A VM of ours on the node where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// Its id.
    pub vmid: u32,
    /// The node.
    pub node: String,
}

impl Guest {
    /// Makes one, stopped, with the first free id of ours. An id that somebody took in between is
    /// left to them.
    ///
    /// # Errors
    /// When all ids are taken, or Proxmox refuses; before anything is asked, when `args` are
    /// wanted of another user than root.
    pub async fn create(client: &Client, node: &str, spec: &GuestSpec) -> Result<Self, Error> {
        let path = format!("/nodes/{node}/qemu");
        let asked = || format!("POST {path}");
        let who = client.credentials().who();
        if spec.needs_root() && who != "root@pam" {
            let said = format!("{who} may not set a VM's `args`: a kernel or a monitor of our own");
            return Err(Error::new(asked(), Fault::RootOnly { said }));
        }
        let all = client.resources("vm").await?;
        let taken: BTreeSet<u32> = all.iter().filter_map(|guest| guest.vmid).collect();
        for vmid in spec.ours.ids.clone().filter(|vmid| !taken.contains(vmid)) {
            let config = spec
                .config(vmid)
                .map_err(|error| Error::new(asked(), Fault::Settings { why: error.to_string() }))?;
            let form = config.iter().fold(Form::new(), |form, (key, value)| form.with(key, value));
            let start = Start {
                method: Method::POST,
                path: path.clone(),
                form,
                node,
                kind: "qmcreate",
                id: vmid.to_string(),
            };
            match client.carry_out(&start, DEADLINE).await {
                Ok(()) => return Ok(Self { vmid, node: node.to_owned() }),
                Err(error) if is_taken(&error) => {}
                Err(error) => return Err(error),
            }
        }
        let why = format!("all ids from {:?} are taken", spec.ours.ids);
        Err(Error::new(asked(), Fault::Settings { why }))
    }

    /// Starts it. That its QEMU runs says nothing of what runs in it.
    ///
    /// # Errors
    /// When Proxmox refuses or QEMU does not start, in their words.
    pub async fn start(&self, client: &Client) -> Result<(), Error> {
        self.act(client, "status/start", "qmstart", Form::new()).await
    }

    /// Ends its QEMU at once; good if it did not run.
    ///
    /// # Errors
    /// When Proxmox refuses.
    pub async fn stop(&self, client: &Client) -> Result<(), Error> {
        self.act(client, "status/stop", "qmstop", Form::new()).await
    }

    /// Stops and removes it, and all that is told of it elsewhere.
    ///
    /// # Errors
    /// [`Fault::Unfit`] when it is not, or no longer, one of ours: then nothing is done. Else when
    /// Proxmox refuses.
    pub async fn destroy(&self, client: &Client, ours: &Ours) -> Result<(), Error> {
        let Self { vmid, node } = self;
        let path = format!("/nodes/{node}/qemu/{vmid}");
        let config = client.vm_config(node, *vmid).await?;
        if !ours.has(*vmid, &config.tags()) {
            let why = format!("its id and the tag `{}` do not say that it is ours", ours.tag);
            let fault = Fault::Unfit { vmid: *vmid, why, hint: "remove it by hand if it is" };
            return Err(Error::new(format!("DELETE {path}"), fault));
        }
        if client.vm_status(node, *vmid).await?.is_running() {
            self.stop(client).await?;
        }
        let form = Form::new().with_flag("purge", true);
        let form = form.with_flag("destroy-unreferenced-disks", true);
        let (method, id) = (Method::DELETE, vmid.to_string());
        let start = Start { method, path, form, node, kind: "qmdestroy", id };
        client.carry_out(&start, DEADLINE).await
    }

    async fn act(&self, client: &Client, what: &str, kind: &str, form: Form) -> Result<(), Error> {
        client.carry_out(&Start::of_vm(&self.node, self.vmid, what, kind, form), DEADLINE).await
    }
}

/// Proxmox says so at once, or the task does, if both asked at once.
fn is_taken(error: &Error) -> bool {
    match error.fault() {
        Fault::VmExists { .. } => true,
        Fault::TaskFailed { said, .. } => said.contains("already exists"),
        _ => false,
    }
}
