//! The client of Proxmox's API against a double, and on what a real cluster answered.

#[expect(dead_code, unused_imports, reason = "these tests need a part of it")]
#[path = "support/pve/mod.rs"]
mod pve;
#[expect(dead_code, reason = "these tests need a part of it")]
#[path = "support/sshd.rs"]
mod sshd;
#[expect(dead_code, reason = "these tests need a part of it")]
mod support;

#[path = "proxmox/comparison.rs"]
mod comparison;
#[path = "proxmox/faults.rs"]
mod faults;
#[path = "proxmox/guests.rs"]
mod guests;
#[path = "proxmox/logs.rs"]
mod logs;
#[path = "proxmox/lost.rs"]
mod lost;
#[path = "proxmox/observe.rs"]
mod observe;
#[path = "proxmox/real.rs"]
mod real;
#[path = "proxmox/recorded.rs"]
mod recorded;
#[path = "proxmox/recordings.rs"]
mod recordings;
#[path = "proxmox/sessions.rs"]
mod sessions;
#[path = "proxmox/survey.rs"]
mod survey;
#[path = "proxmox/tasks.rs"]
mod tasks;
#[path = "proxmox/tls.rs"]
mod tls;

use lab::hypervisor::proxmox::{Form, Start};

/// VM 101 from pve1 to that node.
fn migration(target: &str) -> Start<'static> {
    let form = Form::new().with("target", target).with_flag("online", true);
    Start::of_vm("pve1", 101, "migrate", "qmigrate", form)
}
