//! Nodes that get packages through this machine, while they are set up.
//!
//! A node listens on its own loopback, and its agent carries what connects there to the
//! [`PackageCache`] here. Nothing of it is written down on the node: scripts learn of it from their
//! environment, and it ends with the agent or with [`Supplies`].

use super::Machines;
use crate::{
    agent::Agent,
    node::{Exit, Node},
    packages::{self, Fetch, PackageCache},
    playbook::{Reboot, Shell},
};
use anyhow::{Context, Result};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Mutex, task::JoinHandle};

/// How long a node's apt may take to say where it gets packages from.
const SOURCES_DEADLINE: Duration = Duration::from_secs(120);

/// Starts a program with a proxy that holds for it alone, unless it would have one already. A proxy
/// of apt's own configuration comes before this one, as apt has it.
const WITH_PROXY: &str = r#"[ -n "${http_proxy:-}" ] || export http_proxy="$1" no_proxy="$2"
shift 2
exec "$@""#;

/// Whom no proxy is asked for: what a node means by them is the node itself.
const LOOPBACK: &str = "localhost,127.0.0.1,::1";

/// What the nodes of one lab get their packages from.
#[derive(Debug)]
pub struct Supplies<F> {
    cache: PackageCache<F>,
    no_proxy: &'static str,
}

impl<F> Clone for Supplies<F> {
    fn clone(&self) -> Self {
        Self { cache: self.cache.clone(), no_proxy: self.no_proxy }
    }
}

impl<F: Fetch> Supplies<F> {
    /// From this cache. `named` are addresses of archives that the lab file names: they are seen
    /// from here, also one on this machine's loopback.
    pub fn new(cache: PackageCache<F>, named: &[&str]) -> Self {
        let hosts: Vec<String> = named.iter().filter_map(|url| packages::host(url)).collect();
        let ours = hosts.iter().any(|host| packages::is_local(host));
        cache.allow(hosts);
        Self { cache, no_proxy: if ours { "" } else { LOOPBACK } }
    }

    /// The node with these supplies.
    pub fn to(&self, node: &Node) -> Supplied<F> {
        Supplied { node: node.clone(), supplies: Some(self.clone()), way: Arc::default() }
    }
}

/// A node whose programs get packages through this machine. Clones share the way.
#[derive(Debug)]
pub struct Supplied<F> {
    node: Node,
    supplies: Option<Supplies<F>>,
    way: Arc<Mutex<Option<Way>>>,
}

/// The way from a node to the cache. It ends when this is dropped.
#[derive(Debug)]
struct Way {
    /// Another one, after a reboot or a lost connection, has none.
    agent: Agent,
    port: u16,
    serving: JoinHandle<()>,
}

impl Drop for Way {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl<F: Fetch> Supplied<F> {
    /// A node that gets its packages by itself.
    pub fn none(node: &Node) -> Self {
        Self { node: node.clone(), supplies: None, way: Arc::default() }
    }

    /// The proxy for programs that the node's present agent starts, made where it is not there.
    async fn proxy(&self, supplies: &Supplies<F>, agent: Agent) -> Result<String> {
        let mut way = self.way.lock().await;
        let port = match &*way {
            Some(way) if way.agent.is(&agent) && !way.serving.is_finished() => way.port,
            _ => {
                let opened = open(&self.node, supplies.cache.clone(), agent).await?;
                way.insert(opened).port
            }
        };
        Ok(format!("http://127.0.0.1:{port}"))
    }
}

async fn open<F: Fetch>(node: &Node, cache: PackageCache<F>, agent: Agent) -> Result<Way> {
    let listener = agent.listen().await.with_context(|| {
        format!(
            "failed to lead {} to the packages of this machine\n\nhint: with `packages: direct` in \
             the lab file nodes get them by themselves",
            node.name
        )
    })?;
    let port = listener.port();
    let node = node.clone();
    let serving = tokio::spawn(async move {
        let first = async { cache.allow(sources(&node).await) };
        // That the agent is lost is said by whatever else is asked of it.
        let _agent_lost = cache.serve(listener, first).await;
    });
    Ok(Way { agent, port, serving })
}

/// Hosts that the node's own apt gets packages from. None of them is this machine: what the node
/// calls so is itself.
async fn sources(node: &Node) -> Vec<String> {
    let argv = ["apt-get", "--quiet", "--print-uris", "update"].map(str::to_owned);
    // Where apt cannot be asked, only what the lab file names is given.
    let text = node.run(&argv, SOURCES_DEADLINE).await.unwrap_or_default();
    hosts(&text)
}

/// From lines such as `'http://deb.example/debian/dists/trixie/InRelease' NAME 0`.
fn hosts(uris: &str) -> Vec<String> {
    let quoted = |line: &str| Some(line.strip_prefix('\'')?.split_once('\'')?.0.to_owned());
    let hosts = uris.lines().filter_map(quoted).filter_map(|url| packages::host(&url));
    let mut hosts: Vec<String> = hosts.filter(|host| !packages::is_local(host)).collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

impl<F: Fetch> Shell for Supplied<F> {
    fn name(&self) -> &str {
        &self.node.name
    }

    async fn call(
        &self,
        argv: Vec<String>,
        input: Vec<u8>,
        said: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<Exit> {
        let (Some(supplies), Some(agent)) = (&self.supplies, self.node.agent()) else {
            return self.node.call(argv, input, said).await;
        };
        let proxy = self.proxy(supplies, agent).await?;
        let with_proxy = ["sh", "-c", WITH_PROXY, "sh", &proxy, supplies.no_proxy];
        let argv = with_proxy.into_iter().map(str::to_owned).chain(argv).collect();
        self.node.call(argv, input, said).await
    }
}

impl<F: Fetch> Reboot<Supplied<F>> for Machines {
    async fn reboot(&self, supplied: &Supplied<F>) -> Result<Supplied<F>> {
        let node = Reboot::<Node>::reboot(self, &supplied.node).await?;
        Ok(Supplied { node, supplies: supplied.supplies.clone(), way: Arc::clone(&supplied.way) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_apt_says_of_its_sources_is_read() {
        let text = "'http://deb.example/debian/dists/trixie/InRelease' deb.example_InRelease 0 \n\
                    'http://deb.example/debian/dists/trixie/main/Packages.xz' deb.example_P 0 SHA256:0\n\
                    'http://HTTPS///secret.example:8443/x/InRelease' s 0\n\
                    'http://localhost:3142/debian/InRelease' l 0\n\
                    'file:/srv/debian/InRelease' f 0\nN: a note\n";
        assert_eq!(hosts(text), ["deb.example", "secret.example:8443"]);
    }
}
