//! What is read of a cluster, a call each. Errors are those of [`Client::get`].

use super::{
    call::Client,
    capabilities::{Capabilities, InfoMigrateFormat},
    error::{Error, Fault},
    form::{Form, encode},
    info_migrate::InfoMigrate,
    types::{
        ClusterOptions, ClusterStatus, Content, Interface, NodeEntry, NodeStatus, NodeTime,
        Package, Permissions, Precheck, Release, Resource, StorageEntry, StorageStatus, VmConfig,
        VmStatus,
    },
};
use serde_json::Value;

#[expect(clippy::missing_errors_doc, reason = "the module says it once for all")]
impl Client {
    /// The release of the node that answers.
    pub async fn release(&self) -> Result<Release, Error> {
        self.get("/version", &Form::new()).await
    }

    /// Quorum, and which nodes see each other.
    pub async fn cluster_status(&self) -> Result<ClusterStatus, Error> {
        self.get("/cluster/status", &Form::new()).await
    }

    /// What migrations depend on in the datacenter's options.
    pub async fn cluster_options(&self) -> Result<ClusterOptions, Error> {
        self.get("/cluster/options", &Form::new()).await
    }

    /// Everything of a kind (`vm`, `node`, `storage`) in the cluster.
    pub async fn resources(&self, kind: &str) -> Result<Vec<Resource>, Error> {
        self.get("/cluster/resources", &Form::new().with("type", kind)).await
    }

    /// The node that a VM is on; `None` where there is no such VM.
    pub async fn node_of(&self, vmid: u32) -> Result<Option<String>, Error> {
        let all = self.resources("vm").await?;
        Ok(all.into_iter().find(|r| r.kind == "qemu" && r.vmid == Some(vmid)).and_then(|r| r.node))
    }

    /// The nodes.
    pub async fn nodes(&self) -> Result<Vec<NodeEntry>, Error> {
        self.get("/nodes", &Form::new()).await
    }

    /// How a node is.
    pub async fn node_status(&self, node: &str) -> Result<NodeStatus, Error> {
        self.get(&format!("/nodes/{node}/status"), &Form::new()).await
    }

    /// A node's network interfaces.
    pub async fn interfaces(&self, node: &str) -> Result<Vec<Interface>, Error> {
        self.get(&format!("/nodes/{node}/network"), &Form::new()).await
    }

    /// A node's clock and zone.
    pub async fn node_time(&self, node: &str) -> Result<NodeTime, Error> {
        self.get(&format!("/nodes/{node}/time"), &Form::new()).await
    }

    /// A node's packages that matter to Proxmox.
    pub async fn packages(&self, node: &str) -> Result<Vec<Package>, Error> {
        self.get(&format!("/nodes/{node}/apt/versions"), &Form::new()).await
    }

    /// What a node can do, by its `qemu-server`.
    pub async fn capabilities(&self, node: &str) -> Result<Capabilities, Error> {
        let packages = self.packages(node).await?;
        let unknown = |why: String| {
            Error::new(format!("GET /nodes/{node}/apt/versions"), Fault::Unexpected { why })
        };
        let of = packages.iter().find(|package| package.package == "qemu-server");
        let installed = of.and_then(Package::installed);
        match installed {
            Some(Ok(version)) => Ok(Capabilities::of(version)),
            Some(Err(error)) => Err(unknown(error.to_string())),
            None => Err(unknown("`qemu-server` is not among its packages".to_owned())),
        }
    }

    /// The storages that the datacenter defines.
    pub async fn storages(&self) -> Result<Vec<StorageEntry>, Error> {
        self.get("/storage", &Form::new()).await
    }

    /// The storages of a node, as it finds them now.
    pub async fn node_storages(&self, node: &str) -> Result<Vec<StorageStatus>, Error> {
        self.get(&format!("/nodes/{node}/storage"), &Form::new()).await
    }

    /// What lies on a storage, of a kind such as `iso`.
    pub async fn content(
        &self,
        node: &str,
        storage: &str,
        kind: &str,
    ) -> Result<Vec<Content>, Error> {
        let path = format!("/nodes/{node}/storage/{}/content", encode(storage));
        self.get(&path, &Form::new().with("content", kind)).await
    }

    /// What this user may do; on one path where one is given.
    pub async fn permissions(&self, path: Option<&str>) -> Result<Permissions, Error> {
        self.get("/access/permissions", &Form::new().with_some("path", path)).await
    }

    /// The configuration that a VM runs with, without what waits for its next start.
    pub async fn vm_config(&self, node: &str, vmid: u32) -> Result<VmConfig, Error> {
        let current = Form::new().with_flag("current", true);
        self.get(&format!("/nodes/{node}/qemu/{vmid}/config"), &current).await
    }

    /// How a VM is, as its QEMU says.
    pub async fn vm_status(&self, node: &str, vmid: u32) -> Result<VmStatus, Error> {
        self.get(&format!("/nodes/{node}/qemu/{vmid}/status/current"), &Form::new()).await
    }

    /// What stands against a migration.
    pub async fn precheck(&self, node: &str, vmid: u32, target: &str) -> Result<Precheck, Error> {
        let target = Form::new().with("target", target);
        self.get(&format!("/nodes/{node}/qemu/{vmid}/migrate"), &target).await
    }

    /// A free id for a VM; another may take it before it is used.
    pub async fn next_id(&self) -> Result<u32, Error> {
        let data = self.read("/cluster/nextid", &Form::new()).await?.value;
        let text = data.as_str().map_or_else(|| data.to_string(), str::to_owned);
        text.parse().map_err(|_| {
            let why = format!("no VM's id: {text:?}");
            Error::new("GET /cluster/nextid", Fault::Unexpected { why })
        })
    }

    /// Says something to a VM's monitor and gives its words. The monitor's errors are words too:
    /// `Error: …` or `ERROR: …`.
    pub async fn monitor(&self, node: &str, vmid: u32, command: &str) -> Result<String, Error> {
        let path = format!("/nodes/{node}/qemu/{vmid}/monitor");
        let form = Form::new().with("command", command);
        // Only commands that tell may be repeated.
        let tells = command.starts_with("info ");
        let said = if tells {
            self.post_again(&path, &form).await?
        } else {
            self.post(&path, &form).await?
        };
        match said {
            Value::String(text) => Ok(text),
            Value::Null => Ok(String::new()),
            other => {
                let why = format!("the monitor's words are expected, not {other}");
                Err(Error::new(format!("POST {path}"), Fault::Unexpected { why }))
            }
        }
    }

    /// How a migration is, from the monitor of the VM's QEMU.
    pub async fn info_migrate(
        &self,
        node: &str,
        vmid: u32,
        format: InfoMigrateFormat,
    ) -> Result<InfoMigrate, Error> {
        let text = self.monitor(node, vmid, format.command()).await?;
        InfoMigrate::read(&text, format).map_err(|error| {
            let path = format!("POST /nodes/{node}/qemu/{vmid}/monitor");
            Error::new(path, Fault::Unexpected { why: error.to_string() })
        })
    }
}
