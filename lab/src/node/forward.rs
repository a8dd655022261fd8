//! A port of this machine's loopback that leads to one of a node's, for programs that know nothing
//! of agents.

use super::Node;
use anyhow::{Context, Result, bail};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// Such a port. Dropping this closes it and all connections through it.
#[derive(Debug)]
pub struct Forward {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Node {
    /// Leads to a TCP port of the node's loopback. Also after the node was lost and is back: each
    /// connection begins with the agent of its time. Other users of this machine reach it too, so
    /// whoever listens on the node must ask who is there.
    ///
    /// # Errors
    /// When this machine has no port left, and for a node that is this machine.
    pub async fn forward(&self, port: u16) -> Result<Forward> {
        if self.is_this_machine() {
            bail!("{} is this machine: nothing leads to its ports", self.name);
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.context("failed to listen on the loopback")?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(accept(self.clone(), port, listener));
        Ok(Forward { address, accepting })
    }
}

impl Forward {
    /// Where it begins, on this machine.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(node: Node, port: u16, listener: TcpListener) {
    // They end with this.
    let mut connections = JoinSet::new();
    while let Ok((ours, _)) = listener.accept().await {
        connections.spawn(join(node.clone(), port, ours));
        while connections.try_join_next().is_some() {}
    }
}

/// One connection. Where nobody listens there, ours is closed: that is all it can be told.
async fn join(node: Node, port: u16, mut ours: TcpStream) {
    let Some(agent) = node.agent() else { return };
    let Ok(mut theirs) = agent.connect_port(port).await else { return };
    let _broken_off = copy_bidirectional(&mut ours, &mut theirs).await;
}
