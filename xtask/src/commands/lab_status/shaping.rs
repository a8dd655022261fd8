//! The shaping in force on a node's links, as the kernel tells it.

use anyhow::{Context, Result};
use lab::{node::Node, units::BitRate};
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

/// What `tc` may take.
const COMMAND_DEADLINE: Duration = Duration::from_secs(10);

/// What delays or limits what leaves through a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shaping {
    /// The device.
    pub device: String,
    /// The kernel's name of the queueing discipline.
    pub kind: String,
    /// The rate that it holds to, where it has one.
    pub rate_bit_per_s: Option<u64>,
    /// What it lets through at once, bytes.
    pub burst_bytes: Option<u64>,
}

/// Of both uplinks of a node.
///
/// # Errors
/// When the node cannot be asked.
pub async fn of(node: &Node) -> Result<Vec<Shaping>> {
    let argv = ["tc", "-j", "qdisc", "show"].map(str::to_owned);
    let answer = node.run(&argv, COMMAND_DEADLINE).await?;
    let devices = [node.guest_device.as_str(), node.migration_device.as_str()];
    parse(&answer, &devices).context("`tc` answers in an unknown form")
}

fn parse(answer: &str, devices: &[&str]) -> Result<Vec<Shaping>> {
    let all: Vec<Value> = serde_json::from_str(answer)?;
    let roots = all.iter().filter(|qdisc| qdisc["root"].as_bool() == Some(true));
    let shaping = |qdisc: &Value| {
        let (device, kind) = (qdisc["dev"].as_str()?, qdisc["kind"].as_str()?);
        devices.contains(&device).then(|| Shaping {
            device: device.to_owned(),
            kind: kind.to_owned(),
            // `tc` tells rates in bytes per second.
            rate_bit_per_s: qdisc["options"]["rate"].as_u64().map(|rate| rate.saturating_mul(8)),
            burst_bytes: qdisc["options"]["burst"].as_u64(),
        })
    };
    Ok(roots.filter_map(shaping).collect())
}

impl Shaping {
    /// In a few words.
    pub fn words(&self) -> String {
        match self.rate_bit_per_s {
            Some(rate) => BitRate(rate).to_string(),
            // What a virtual link has from the beginning, and what an ordinary one has.
            None if ["noqueue", "pfifo_fast", "fq_codel"].contains(&self.kind.as_str()) => {
                "unlimited".to_owned()
            }
            None => self.kind.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rates_of_the_uplinks_are_read() {
        let answer = r#"[
            {"kind":"noqueue","handle":"0:","dev":"lo","root":true,"refcnt":2,"options":{}},
            {"kind":"noqueue","handle":"0:","dev":"lan0","root":true,"refcnt":2,"options":{}},
            {"kind":"tbf","handle":"8001:","dev":"mig0","root":true,"refcnt":17,
             "options":{"rate":125000000,"burst":250000,"lat":18003}}]"#;
        let found = parse(answer, &["lan0", "mig0"]).unwrap();
        let words: Vec<_> = found.iter().map(|s| (s.device.as_str(), s.words())).collect();
        assert_eq!(words, [("lan0", "unlimited".to_owned()), ("mig0", "1 Gbit/s".to_owned())]);
        assert_eq!(found[1].burst_bytes, Some(250_000));
        assert!(parse("{}", &[]).is_err());
    }
}
