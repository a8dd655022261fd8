//! What `ssh` goes through to a node of a lab whose network is its own: connects from inside.

use super::super::netns::{self, namespaces};
use anyhow::{Context, Result, bail};
use camino::Utf8Path;
use std::{
    fs::File,
    io::{self, Read, Write},
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
        File::open(format!("/proc/{}/ns/net", supervisor.pid.as_raw_nonzero()))
            .context("failed to open the lab's network")?
            .into();
    namespaces::enter_network(&namespace).context("failed to enter the lab's network")?;
    let port: u16 = port.parse().context("a port is a number")?;
    let there = TcpStream::connect((address.as_str(), port))
        .with_context(|| format!("failed to connect to {address} port {port} in the lab"))?;
    there.set_nodelay(true)?;
    let (from, to) = (there.try_clone()?, there);
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    thread::spawn(move || {
        let _the_other_way_ends_it = carry(input, &to);
        // `ssh` is gone, so nobody reads what may still come; and a node that is gone, too, would
        // never say that it is the end.
        let _closed_already = to.shutdown(Shutdown::Both);
    });
    let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    carry(from, output).context("the connection broke")
}

/// Passes on each piece as it comes. Not by `io::copy`: it lets the kernel move the bytes, which
/// may keep the last of them back until there are more.
fn carry(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    let mut piece = [0; 16 << 10];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(length) => to.write_all(&piece[..length])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
