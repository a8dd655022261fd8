//! What the monitor of a VM of the double says.

use super::{
    request::{Reply, Request},
    vms::Vm,
    world::World,
};
use serde_json::json;
use std::collections::BTreeMap;

/// How fast a VM dirties its memory, as its monitor tells.
#[derive(Clone, Debug, Default)]
pub struct Dirtying {
    /// MiB a second, by the length of the window, seconds.
    pub mib_per_s: BTreeMap<u64, u64>,
    /// Window and samples of the measurement that was begun, and how often it was looked at.
    begun: Option<(u64, u64, usize)>,
}

impl Dirtying {
    pub fn at(rates: [(u64, u64); 2]) -> Self {
        Self { mib_per_s: rates.into(), begun: None }
    }

    /// As QEMU 10.0.2 says it.
    fn say(&mut self, command: &str) -> String {
        let words: Vec<&str> = command.split(' ').collect();
        match words[..] {
            ["calc_dirty_rate", window, samples] => {
                let number = |word: &str| word.parse().expect("a number");
                self.begun = Some((number(window), number(samples), 0));
                format!(
                    "Starting dirty rate measurement with period {window} seconds\r\n\
                     [Please use 'info dirty_rate' to check results]\r\n"
                )
            }
            ["info", "dirty_rate"] => {
                let (window, samples, looks) = self.begun.as_mut().expect("it was begun");
                *looks += 1;
                let (status, rate) = match looks {
                    1 => ("unstarted", "(not ready)".to_owned()),
                    2 => ("measuring", "(not ready)".to_owned()),
                    _ => ("measured", format!("{} (MB/s)", self.mib_per_s[window])),
                };
                format!(
                    "Status: {status}\r\nStart Time: 1795400022 (ms)\r\nSample Pages: {samples} (per GB)\r\n\
                     Period: {window} (sec)\r\nMode: page-sampling\r\nDirty rate: {rate}\r\n"
                )
            }
            _ => format!("unknown command: '{command}'\r\n"),
        }
    }
}

impl World {
    pub(super) fn say(&mut self, vm: &Vm, request: &Request, who: &str) -> Reply {
        let command = request.parameter("command").unwrap_or_default();
        if vm.dirtying.is_none() {
            return Reply::data(&json!(vm.monitor));
        }
        if !command.starts_with("info ")
            && let Err(reply) = self.may(who, "/", "Sys.Modify")
        {
            return reply;
        }
        let own = self.vm(vm.vmid).expect("there").dirtying.as_mut();
        Reply::data(&json!(own.expect("it dirties").say(command)))
    }
}
