//! The links of a trial: which of them the guest is migrated over, at what rate, and what it sent.

use super::Order;
use anyhow::{Context, Result};
use lab::{RunningLab, node::Node, spec::Link};
use std::time::Duration;

/// What reading a counter may take.
const COUNTER_DEADLINE: Duration = Duration::from_secs(30);

/// Shapes both links of a node that takes part: the one that the guest is migrated over to the
/// trial's rate, which is by default that of the migration network whichever link it is, and the
/// other one as the lab file says. So a trial's links do not depend on the trial before it.
///
/// # Errors
/// When the node cannot do it.
pub async fn shape(lab: &RunningLab, node: &Node, order: &Order) -> Result<()> {
    // Nothing can be run there; what would need it has been refused.
    if !node.has_shell() {
        return Ok(());
    }
    let networks = &lab.spec.networks;
    let used = order.settings.network.link();
    let rate = |link: Link| {
        if link == used {
            order.settings.link_rate.or(networks.migration.link_rate)
        } else {
            networks.of(link).link_rate
        }
    };
    for link in Link::ALL {
        node.shape(link, rate(link)).await?;
    }
    Ok(())
}

/// What a node's link has sent so far, bytes.
///
/// # Errors
/// When the node does not tell.
pub async fn sent_bytes(node: &Node, link: Link) -> Result<u64> {
    let counters = node.run(&["cat", "/proc/net/dev"].map(str::to_owned), COUNTER_DEADLINE).await?;
    sent(&counters, node.device(link))
        .with_context(|| format!("the {link} link of {} has no counter", node.name))
}

/// The bytes sent through a device, by the text of `/proc/net/dev`.
fn sent(counters: &str, device: &str) -> Option<u64> {
    let line =
        counters.lines().find_map(|line| line.trim().strip_prefix(device)?.strip_prefix(':'))?;
    // The ninth column: see the file's heading, eight receive columns come first.
    line.split_whitespace().nth(8)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTERS: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo
    lo:       1       0    0    0    0     0          0         0        2       0    0    0    0
  mig0:      11       0    0    0    0     0          0         0       33       4    0    0    0
 mig01:123456789123 0 0 0 0 0 0 0 987654321987 0 0 0 0
";

    #[test]
    fn a_link_has_sent_what_its_own_line_says() {
        assert_eq!(sent(COUNTERS, "mig0"), Some(33));
        assert_eq!(sent(COUNTERS, "mig01"), Some(987_654_321_987));
        assert_eq!(sent(COUNTERS, "mig"), None);
        assert_eq!(sent(COUNTERS, "lan0"), None);
    }
}
