//! Boxes: our own, built once from Debian's packages and kept, and published ones.

use super::{
    host::{self, Host},
    settings,
    vagrantfile::BoxUse,
};
use crate::{
    process::Command,
    spec::{Boot, LabSpec},
    state,
};
use anyhow::{Context, Result};
use camino::{Utf8Path, Utf8PathBuf};
use sha2::{Digest, Sha256};
use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

/// The recipe: each file's path below `vagrant/box`, whether it is a program, and its text.
const RECIPE: [(&str, bool, &str); 16] = [
    ("build", true, include_str!("../../../../vagrant/box/build")),
    ("vmlinux", true, include_str!("../../../../vagrant/box/vmlinux")),
    ("command-line", false, COMMAND_LINE),
    ("hooks/boot-loader", true, include_str!("../../../../vagrant/box/hooks/boot-loader")),
    ("hooks/setup", true, include_str!("../../../../vagrant/box/hooks/setup")),
    ("hooks/customize", true, include_str!("../../../../vagrant/box/hooks/customize")),
    ("hooks/initrd", true, include_str!("../../../../vagrant/box/hooks/initrd")),
    ("hooks/init", true, include_str!("../../../../vagrant/box/hooks/init")),
    ("overlay/etc/fstab", false, include_str!("../../../../vagrant/box/overlay/etc/fstab")),
    (
        "overlay/etc/apt/apt.conf.d/90precopy-lab",
        false,
        include_str!("../../../../vagrant/box/overlay/etc/apt/apt.conf.d/90precopy-lab"),
    ),
    (
        "overlay/etc/dpkg/dpkg.cfg.d/precopy-lab",
        false,
        include_str!("../../../../vagrant/box/overlay/etc/dpkg/dpkg.cfg.d/precopy-lab"),
    ),
    (
        "overlay/etc/ssh/sshd_config.d/precopy-lab.conf",
        false,
        include_str!("../../../../vagrant/box/overlay/etc/ssh/sshd_config.d/precopy-lab.conf"),
    ),
    (
        "overlay/etc/sudoers.d/vagrant",
        false,
        include_str!("../../../../vagrant/box/overlay/etc/sudoers.d/vagrant"),
    ),
    (
        "overlay/etc/systemd/network/50-management.network",
        false,
        include_str!("../../../../vagrant/box/overlay/etc/systemd/network/50-management.network"),
    ),
    (
        "overlay/etc/systemd/system/precopy-lab-first-boot.service",
        false,
        include_str!(
            "../../../../vagrant/box/overlay/etc/systemd/system/precopy-lab-first-boot.service"
        ),
    ),
    (
        "overlay/usr/local/lib/precopy-lab/first-boot",
        true,
        include_str!("../../../../vagrant/box/overlay/usr/local/lib/precopy-lab/first-boot"),
    ),
];
/// What the nodes' kernel is told, whatever starts it; one line. An emulated node on a busy machine
/// may get its timer's interrupt too late for the kernel's test of it, which ends in a panic
/// (seen once in some thirty boots), and its services start in minutes where 90 s are the rule.
const COMMAND_LINE: &str = include_str!("../../../../vagrant/box/command-line");
/// A build takes a minute on a quiet machine with a mirror nearby.
const BUILD_PATIENCE: Duration = Duration::from_secs(3600);
const ADD_PATIENCE: Duration = Duration::from_secs(3600);
/// What a build downloads, MiB, as measured.
pub(super) const BUILD_DOWNLOAD_MIB: u64 = 200;
/// What a built box takes, MiB, as measured; Vagrant and libvirt have a copy each.
pub(super) const BOX_MIB: u64 = 200;

/// One of our own boxes, built or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OwnBox {
    /// Debian's name of the release.
    pub release: &'static str,
    /// Its name, for Vagrant: of release and recipe.
    pub name: String,
    /// Where it is, once it is built.
    pub folder: Utf8PathBuf,
}

/// The box of our own that this lab wants; `None` when it wants a published one.
pub(super) fn own(spec: &LabSpec) -> Result<Option<OwnBox>> {
    let Some(release) = settings(spec).own_release() else { return Ok(None) };
    let mut hash = Sha256::new();
    for (path, _, text) in RECIPE {
        hash.update(format!("{path} {}\n{text}", text.len()));
    }
    let hash: String = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let name = format!("precopy-lab-{release}-{hash}");
    let folder = boxes()?.join(&name);
    Ok(Some(OwnBox { release, name, folder }))
}

fn boxes() -> Result<Utf8PathBuf> {
    let boxes = state::data_root()?.join("boxes");
    fs::create_dir_all(&boxes).with_context(|| format!("failed to make {boxes}"))?;
    Ok(boxes)
}

/// Vagrant's folder of boxes, which all labs of this user share.
pub(super) fn vagrant_home() -> Result<Utf8PathBuf> {
    let home = state::data_root()?.join("vagrant");
    fs::create_dir_all(&home).with_context(|| format!("failed to make {home}"))?;
    Ok(home)
}

impl OwnBox {
    /// Whether it is built.
    pub fn is_built(&self) -> bool {
        self.folder.exists()
    }

    /// The file that Vagrant takes.
    pub fn file(&self) -> Utf8PathBuf {
        self.folder.join(format!("precopy-lab-{}.box", self.release))
    }

    /// How nodes are made of it.
    pub fn usage(&self, boot: Boot) -> BoxUse {
        let beside = |file| (boot == Boot::Direct).then(|| self.folder.join(file).into_string());
        BoxUse {
            name: self.name.clone(),
            version: None,
            own: true,
            kernel: beside("vmlinux"),
            initrd: beside("initrd"),
            command_line: COMMAND_LINE.trim_end(),
        }
    }

    /// Builds it, unless it is there. One build at a time.
    pub async fn ensure(&self, log: &Utf8Path, tell: &mut (dyn FnMut(&str) + Send)) -> Result<()> {
        let _alone = state::lock(&boxes()?.join("build.lock"))?;
        if self.is_built() {
            return Ok(());
        }
        // Of builds that were killed.
        for entry in boxes()?.read_dir_utf8()? {
            let entry = entry?;
            if entry.file_name().starts_with(&format!("{}.", self.name)) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        let recipe = boxes()?.join(format!("{}.recipe", self.name));
        for (path, program, text) in RECIPE {
            let file = recipe.join(path);
            fs::create_dir_all(file.parent().unwrap_or(&recipe))?;
            fs::write(&file, text)?;
            let mode = if program { 0o755 } else { 0o644 };
            fs::set_permissions(&file, fs::Permissions::from_mode(mode))?;
        }
        tell(&format!("building the box {} (once)", self.name));
        let program = recipe.join("build").into_string();
        let build = Command::new(program).args([self.release, self.folder.as_str()]).tied();
        let each = &mut |line: &str| {
            // Its own lines, such as `12 s: kernel`; the rest is in the log.
            let seconds = line.split_once(" s: ").map(|(seconds, _)| seconds);
            if seconds.is_some_and(|text| text.bytes().all(|byte| byte.is_ascii_digit())) {
                tell(line);
            }
        };
        host::follow(build, log, BUILD_PATIENCE, each)
            .await
            .with_context(|| format!("failed to build the box {}", self.name))?;
        fs::remove_dir_all(&recipe).with_context(|| format!("failed to remove {recipe}"))
    }
}

/// How this lab's nodes are made: our own box, built and known to Vagrant, or a published one,
/// which Vagrant gets.
pub(super) async fn ensure(
    spec: &LabSpec,
    host: &Host,
    log: &Utf8Path,
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<BoxUse> {
    let Some(own) = own(spec)? else {
        let settings = settings(spec);
        return Ok(BoxUse {
            name: settings.box_name,
            version: settings.box_version,
            own: false,
            kernel: None,
            initrd: None,
            command_line: "",
        });
    };
    own.ensure(log, tell).await?;
    let home = vagrant_home()?;
    let _alone = state::lock(&home.join("add.lock"))?;
    // Vagrant puts a box there whole, by one rename.
    if !home.join("boxes").join(&own.name).exists() {
        tell(&format!("giving the box {} to Vagrant", own.name));
        let variable = format!("VAGRANT_HOME={home}");
        let file = own.file();
        let argv = ["env", &variable, "vagrant", "box", "add", "--force", "--no-color", "--name"];
        let argv = [&argv[..], &[own.name.as_str(), file.as_str()]].concat();
        host.follow(&argv, log, ADD_PATIENCE, &mut |_| {}).await?;
    }
    Ok(own.usage(settings(spec).boot))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_kernel_beside_the_disk_is_only_for_a_direct_start() {
        let own = OwnBox { release: "trixie", name: "b".to_owned(), folder: "/boxes/b".into() };
        let direct = own.usage(Boot::Direct);
        assert_eq!(direct.kernel.as_deref(), Some("/boxes/b/vmlinux"));
        assert_eq!(direct.initrd.as_deref(), Some("/boxes/b/initrd"));
        assert!(!direct.command_line.contains('\n') && direct.command_line.starts_with("root="));
        let disk = own.usage(Boot::Disk);
        assert_eq!((disk.kernel, disk.initrd), (None, None));
    }

    #[test]
    fn the_recipe_is_all_that_lies_in_its_folder() {
        let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../vagrant/box");
        let (mut found, mut folders) = (BTreeSet::new(), vec![root.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in folder.read_dir_utf8().expect("a folder") {
                let path = entry.expect("an entry").path().to_owned();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let mode = fs::metadata(&path).expect("a file").permissions().mode();
                let below = path.strip_prefix(&root).expect("below").to_string();
                found.insert((below, mode & 0o100 != 0));
            }
        }
        let known = RECIPE.map(|(path, program, _)| (path.to_owned(), program));
        assert_eq!(found, BTreeSet::from(known));
    }
}
