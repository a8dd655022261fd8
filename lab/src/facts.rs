//! What a node is, as far as it matters to guests: kernel, processors, memory, load.

use crate::node::Node;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// Reading some files, on a node that is slow.
const DEADLINE: Duration = Duration::from_secs(30);

/// Says one fact a line: its name, a blank, and what it is.
const SCRIPT: &str = "\
echo kernel $(uname -r)
echo cpus $(nproc)
echo model $(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
echo memory $(sed -n 's/^MemTotal: *\\([0-9]*\\) kB$/\\1/p' /proc/meminfo)
if [ -r /dev/kvm ] && [ -w /dev/kvm ]; then echo kvm open; else echo kvm closed; fi
";

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The kernel's release.
    pub kernel: String,
    /// Name of the CPU's model.
    pub cpu_model: String,
    /// CPUs that our processes there may use.
    pub cpu_count: u32,
    /// Memory, bytes.
    pub memory_bytes: u64,
    /// Whether our processes there may open `/dev/kvm`, which says nothing of what it is worth.
    pub kvm_opens: bool,
}

impl Facts {
    /// Asks a node.
    ///
    /// # Errors
    /// When it does not answer, or in an unknown form.
    pub async fn of(node: &Node) -> Result<Self> {
        let argv = ["sh", "-c", SCRIPT].map(str::to_owned);
        let answer = node.run(&argv, DEADLINE).await?;
        parse(&answer)
            .with_context(|| format!("{} answers in an unknown form: {}", node.name, answer.trim()))
    }
}

fn parse(answer: &str) -> Option<Facts> {
    let facts: BTreeMap<&str, &str> =
        answer.lines().filter_map(|line| line.trim_end().split_once(' ')).collect();
    let kib: u64 = facts.get("memory")?.parse().ok()?;
    Some(Facts {
        kernel: (*facts.get("kernel")?).to_owned(),
        cpu_model: (*facts.get("model").unwrap_or(&"unknown")).to_owned(),
        cpu_count: facts.get("cpus")?.parse().ok()?,
        memory_bytes: kib.checked_mul(1024)?,
        kvm_opens: *facts.get("kvm")? == "open",
    })
}

/// The one-minute load average of a node; an answer also says that it can be reached.
///
/// # Errors
/// When it does not answer.
pub async fn load(node: &Node) -> Result<f64> {
    let argv = ["cat", "/proc/loadavg"].map(str::to_owned);
    let answer = node.run(&argv, DEADLINE).await?;
    let load = answer.split_whitespace().next().and_then(|load| load.parse().ok());
    load.with_context(|| format!("{} tells its load in an unknown form", node.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Command;

    #[test]
    fn what_a_node_says_of_itself_is_understood() {
        let answer = "kernel 6.12.0-1-amd64\ncpus 1\nmodel QEMU Virtual CPU version 2.5+\n\
                      memory 1000000\nkvm closed\n";
        let expected = Facts {
            kernel: "6.12.0-1-amd64".to_owned(),
            cpu_model: "QEMU Virtual CPU version 2.5+".to_owned(),
            cpu_count: 1,
            memory_bytes: 1_024_000_000,
            kvm_opens: false,
        };
        assert_eq!(parse(answer), Some(expected));
        assert_eq!(parse("kernel x\ncpus many\nmemory 1\nkvm open\n"), None);
    }

    #[test]
    fn the_script_works_on_this_machine() {
        let said = Command::new("sh").args(["-c", SCRIPT]).run().expect("run").text();
        let facts = parse(&said).expect("understood");
        assert_eq!(facts.kernel, rustix::system::uname().release().to_string_lossy());
        assert!(facts.cpu_count > 0 && facts.memory_bytes > 1 << 20, "{facts:?}");
    }
}
