//! Which distribution this is, and what its packages are called.

use std::{fs, path::Path};

/// What `/etc/os-release` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// For people: `Debian GNU/Linux 12 (bookworm)`.
    pub name: String,
    /// `bookworm`, `noble`; empty where there is none.
    pub codename: String,
    /// `ID` first, then `ID_LIKE`.
    ids: Vec<String>,
}

/// A packager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Debian, Ubuntu and what comes from them.
    Apt,
    /// Fedora and the Red Hat family.
    Dnf,
    /// Arch.
    Pacman,
    /// openSUSE.
    Zypper,
}

/// Something that a distribution's packages bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Package {
    /// `qemu-system-x86_64`.
    Qemu,
    /// `ip` and `tc`.
    Iproute,
    /// A C compiler as linker, and a C library to link statically.
    Compiler,
    /// `shellcheck`.
    Shellcheck,
    /// Vagrant, its plugin for libvirt, and libvirt.
    Vagrant,
    /// What boxes of our own are built with.
    BoxBuilder,
    /// `sshd`, for tests.
    SshServer,
}

impl Distribution {
    /// This machine's; with an unknown one nothing can be installed, only named.
    pub fn here() -> Self {
        let read = |path| fs::read_to_string(Path::new(path)).ok();
        let text = read("/etc/os-release").or_else(|| read("/usr/lib/os-release"));
        Self::parse(&text.unwrap_or_default())
    }

    /// What the text of an os-release file says.
    pub fn parse(text: &str) -> Self {
        let field = |name: &str| {
            let lines = text.lines().filter_map(|line| line.trim().split_once('='));
            let value = lines.filter(|(key, _)| *key == name).map(|(_, value)| value).next_back();
            value.unwrap_or_default().trim_matches(['"', '\'']).to_owned()
        };
        let ids = format!("{} {}", field("ID"), field("ID_LIKE"));
        let name = Some(field("PRETTY_NAME")).filter(|name| !name.is_empty());
        Self {
            name: name.unwrap_or_else(|| "an unknown distribution".to_owned()),
            codename: field("VERSION_CODENAME"),
            ids: ids.split_whitespace().map(str::to_lowercase).collect(),
        }
    }

    /// Its packager, where it is one that is known.
    pub fn family(&self) -> Option<Family> {
        self.ids.iter().find_map(|id| match id.as_str() {
            "debian" | "ubuntu" => Some(Family::Apt),
            "fedora" | "rhel" | "centos" => Some(Family::Dnf),
            "arch" => Some(Family::Pacman),
            "suse" | "opensuse" => Some(Family::Zypper),
            _ => None,
        })
    }

    /// The suite that has a QEMU which is new enough, where the distribution's own has not.
    pub fn qemu_suite(&self) -> Option<String> {
        let is_debian = self.ids.first().is_some_and(|id| id == "debian");
        (is_debian && self.codename == "bookworm").then(|| "bookworm-backports".to_owned())
    }
}

impl Family {
    /// The packages that bring it.
    pub fn packages(self, package: Package) -> &'static [&'static str] {
        use Family::{Apt, Dnf, Pacman, Zypper};
        use Package::{BoxBuilder, Compiler, Iproute, Qemu, Shellcheck, SshServer, Vagrant};
        match (self, package) {
            (Apt, Qemu) => &["qemu-system-x86"],
            (Apt, Iproute) => &["iproute2"],
            (Apt, Compiler) => &["gcc", "libc6-dev"],
            (Apt | Pacman, Shellcheck) => &["shellcheck"],
            (Apt | Dnf, SshServer) => &["openssh-server"],
            (Pacman | Zypper, SshServer) => &["openssh"],
            (Dnf, Qemu) => &["qemu-kvm"],
            (Dnf, Iproute) => &["iproute", "iproute-tc"],
            (Dnf, Compiler) => &["gcc", "glibc-devel", "glibc-static"],
            (Dnf | Zypper, Shellcheck) => &["ShellCheck"],
            (Pacman, Qemu) => &["qemu-system-x86"],
            (Pacman | Zypper, Iproute) => &["iproute2"],
            (Pacman, Compiler) => &["gcc"],
            (Zypper, Qemu) => &["qemu-x86"],
            (Apt, Vagrant) => &[
                "vagrant",
                "vagrant-libvirt",
                "libvirt-daemon-system",
                "libvirt-clients",
                "openssh-client",
            ],
            (Dnf, Vagrant) => {
                &["vagrant", "vagrant-libvirt", "libvirt-daemon-kvm", "libvirt-client", "dnsmasq"]
            }
            // vagrant-libvirt is in no repository of theirs: `vagrant plugin install` gets it.
            (Pacman, Vagrant) => &["vagrant", "libvirt", "dnsmasq", "openssh"],
            (Zypper, Vagrant) => &["vagrant", "vagrant-libvirt", "libvirt", "dnsmasq"],
            (Apt, BoxBuilder) => {
                &["mmdebstrap", "e2fsprogs", "qemu-utils", "zstd", "debian-archive-keyring"]
            }
            (Dnf, BoxBuilder) => &["mmdebstrap", "e2fsprogs", "qemu-img", "zstd", "debian-keyring"],
            (Pacman, BoxBuilder) => {
                &["mmdebstrap", "e2fsprogs", "qemu-img", "zstd", "debian-archive-keyring"]
            }
            (Zypper, BoxBuilder) => &["mmdebstrap", "e2fsprogs", "qemu-tools", "zstd"],
            (Zypper, Compiler) => &["gcc", "glibc-devel", "glibc-devel-static"],
        }
    }

    /// The command that installs packages, without `sudo`.
    pub fn install_line(self, packages: &[&str]) -> String {
        let packages = packages.join(" ");
        match self {
            Self::Apt => format!("apt-get install --no-install-recommends {packages}"),
            Self::Dnf => format!("dnf install {packages}"),
            Self::Pacman => format!("pacman -S --needed {packages}"),
            Self::Zypper => format!("zypper install {packages}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(text: &str) -> Option<Family> {
        Distribution::parse(text).family()
    }

    #[test]
    fn debian_12_takes_qemu_from_backports() {
        let debian = Distribution::parse(
            "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n",
        );
        assert_eq!(debian.name, "Debian GNU/Linux 12 (bookworm)");
        assert_eq!(debian.family(), Some(Family::Apt));
        assert_eq!(debian.qemu_suite().as_deref(), Some("bookworm-backports"));
        let trixie = Distribution::parse("ID=debian\nVERSION_CODENAME=trixie\n");
        assert_eq!((trixie.family(), trixie.qemu_suite()), (Some(Family::Apt), None));
    }

    #[test]
    fn families_are_known_by_what_a_distribution_is_like() {
        assert_eq!(family("ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble"), Some(Family::Apt));
        assert_eq!(family("ID=linuxmint\nID_LIKE=\"ubuntu debian\""), Some(Family::Apt));
        assert_eq!(family("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\""), Some(Family::Dnf));
        assert_eq!(family("ID=fedora"), Some(Family::Dnf));
        assert_eq!(family("ID='opensuse-leap'\nID_LIKE=\"suse opensuse\""), Some(Family::Zypper));
        assert_eq!(family("ID=arch"), Some(Family::Pacman));
        assert_eq!(family("ID=nixos"), None);
        assert_eq!(Distribution::parse("").name, "an unknown distribution");
    }
}
