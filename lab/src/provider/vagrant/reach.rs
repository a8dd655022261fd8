//! What `ssh` goes through to a node of a lab whose network is its own: connects from inside.

use super::super::netns::{self, namespaces};
use anyhow::{Context, Result, bail};
use camino::Utf8Path;
use std::{
    io,
    net::{Shutdown, TcpStream},
    os::fd::{AsFd, OwnedFd},
    thread,
};

/// First argument of the process that becomes [`reach`].
pub const REACH_ARGUMENT: &str = "__reach";

/// Carries stdin and stdout to and from an address in the network of the lab in a folder.
/// `arguments`: the lab's folder, address and port.
///
/// # Errors
/// When the lab is not up, or nobody answers there.
pub fn reach(arguments: &[String]) -> Result<()> {
    let [folder, address, port] = arguments else {
        bail!("usage: {REACH_ARGUMENT} FOLDER ADDRESS PORT")
    };
    let holders = netns::holders(Utf8Path::new(folder))?;
    let supervisor = holders.iter().find(|holder| holder.supervises);
    let supervisor = supervisor.with_context(|| {
        format!("the lab in {folder} is not up\n\nhint: `cargo xtask lab-up` brings it up")
    })?;
    let namespace: OwnedFd =
        std::fs::File::open(format!("/proc/{}/ns/net", supervisor.pid.as_raw_nonzero()))
            .context("failed to open the lab's network")?
            .into();
    namespaces::enter_network(&namespace).context("failed to enter the lab's network")?;
    let port: u16 = port.parse().context("a port is a number")?;
    let there = TcpStream::connect((address.as_str(), port))
        .with_context(|| format!("failed to connect to {address} port {port} in the lab"))?;
    there.set_nodelay(true)?;
    let (mut from, mut to) = (there.try_clone()?, there);
    thread::spawn(move || {
        let _the_other_way_ends_it = io::copy(&mut io::stdin().lock(), &mut to);
        let _closed_already = to.shutdown(Shutdown::Write);
    });
    // Unbuffered: what a node says is short, and is waited for.
    let mut out = std::fs::File::from(io::stdout().as_fd().try_clone_to_owned()?);
    io::copy(&mut from, &mut out).map(drop).context("the connection broke")
}
