//! What labs of the provider `vagrant` need of this machine.

use super::{
    check::packaged,
    distribution::{Distribution, Package},
    need::{Fault, Need, Source},
};
use lab::process;
use std::path::PathBuf;

/// A program, what it is for, and what brings it.
const PROGRAMS: [(&str, &str, Package); 9] = [
    ("vagrant", "makes the nodes", Package::Vagrant),
    ("virsh", "asks libvirt", Package::Vagrant),
    ("libvirtd", "runs the nodes, where no libvirt does yet", Package::Vagrant),
    ("dnsmasq", "gives the nodes their addresses", Package::Vagrant),
    ("ssh", "reaches the nodes", Package::Vagrant),
    ("mmdebstrap", "builds a box from Debian's packages", Package::BoxBuilder),
    ("mke2fs", "makes the box's file system", Package::BoxBuilder),
    ("qemu-img", "makes disk images", Package::BoxBuilder),
    ("zstd", "unpacks the nodes' kernel", Package::BoxBuilder),
];
/// Where distributions put the plugin.
const PLUGIN_FOLDERS: [&str; 3] = [
    "/usr/share/rubygems-integration/all/specifications",
    "/usr/share/gems/specifications",
    "/usr/share/vagrant/gems/specifications",
];

/// All of it, thing by thing.
pub fn needs(distribution: &Distribution) -> Vec<Need> {
    let mut needs: Vec<Need> = PROGRAMS
        .iter()
        .map(|&(name, why, package)| {
            let found = process::find(name).map(|path| path.display().to_string());
            let found = found.ok_or_else(|| Fault::missing("not found"));
            packaged(distribution, package, name, why, found).for_vagrant()
        })
        .collect();
    let found = plugin().map(|path| path.display().to_string());
    let found = found.ok_or_else(|| Fault::missing("not among this system's packages"));
    let why = "lets Vagrant use libvirt; one of `vagrant plugin install` would do, too";
    // A plugin of one's own is seen by Vagrant alone, so this does not stop anybody.
    let need = packaged(distribution, Package::Vagrant, "vagrant-libvirt", why, found);
    needs.insert(1, need.for_vagrant().optional());
    needs
}

fn plugin() -> Option<PathBuf> {
    let files = PLUGIN_FOLDERS.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    files.flatten().map(|file| file.path()).find(|path| {
        path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("vagrant-libvirt-"))
    })
}

/// One line for those who look at the machine as a whole and may never want such a lab.
pub fn summary() -> Need {
    let missing: Vec<&str> = PROGRAMS
        .iter()
        .map(|(name, _, _)| *name)
        .filter(|name| process::find(name).is_none())
        .collect();
    let found = if missing.is_empty() {
        Ok("Vagrant, libvirt and what builds boxes".to_owned())
    } else {
        Err(Fault::missing(format!("not found: {}", missing.join(", "))))
    };
    Need::required("vagrant labs", "labs of virtual machines; left out without it", found)
        .for_vagrant()
        .optional()
        .from(Source::ByHand, "cargo xtask setup --install --vagrant".to_owned())
}
