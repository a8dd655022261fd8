//! Whether a libvirt on this host uses its QEMU: then that is not ours to replace.

use lab::hypervisor::qemu::find::NAME;
use std::{fs, path::Path};

/// What shows that a libvirt on this machine may use the QEMU that its packages brought. Empty where
/// there is no libvirt, or no such QEMU: then there is nothing to replace.
pub fn users_of_qemu() -> Vec<String> {
    let root = Path::new("/");
    if root.join("usr/bin").join(NAME).exists() { evidence(root) } else { Vec::new() }
}

/// What shows that there is a libvirt, below `root` (`/`): its daemons, running or installed, and
/// the domains it knows. Empty where there is none.
fn evidence(root: &Path) -> Vec<String> {
    let daemons = ["libvirtd", "virtqemud"];
    let installed = daemons.iter().flat_map(|name| {
        ["usr/sbin", "usr/local/sbin", "usr/bin"].map(|folder| format!("{folder}/{name}"))
    });
    let mut found: Vec<String> = installed
        .filter(|file| root.join(file).exists())
        .map(|file| format!("/{file} is installed"))
        .collect();
    for process in names(&root.join("proc")) {
        let comm = fs::read_to_string(root.join("proc").join(&process).join("comm"));
        if let Some(name) =
            daemons.iter().find(|name| comm.as_ref().is_ok_and(|c| c.trim() == **name))
        {
            found.push(format!("{name} runs as process {process}"));
        }
    }
    let domains = names(&root.join("etc/libvirt/qemu"));
    let domains =
        domains.into_iter().filter_map(|name| Some(name.strip_suffix(".xml")?.to_owned()));
    found.extend(domains.map(|name| format!("libvirt knows the domain `{name}`")));
    found
}

/// The names in a folder, sorted; none where it cannot be read.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_evidence_counts() {
        for (file, text, expected) in [
            ("usr/sbin/libvirtd", "", "/usr/sbin/libvirtd is installed"),
            ("proc/4711/comm", "virtqemud\n", "virtqemud runs as process 4711"),
            ("etc/libvirt/qemu/web.xml", "", "libvirt knows the domain `web`"),
        ] {
            let root = tempfile::tempdir().expect("a folder");
            assert_eq!(evidence(root.path()), Vec::<String>::new());
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, text).expect("written");
            assert_eq!(evidence(root.path()), [expected]);
        }
    }

    #[test]
    fn what_is_near_it_is_none() {
        let root = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(root.path().join("etc/libvirt/qemu/networks")).expect("made");
        fs::create_dir_all(root.path().join("proc/1")).expect("made");
        fs::write(root.path().join("proc/1/comm"), "init\n").expect("written");
        assert_eq!(evidence(root.path()), Vec::<String>::new());
    }
}
