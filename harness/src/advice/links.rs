//! What ways between nodes carry, and which of that counts for a guest.

use super::{Links, Rate};
use crate::lab_check::Reading;
use serde::Serialize;

/// A way from one node to another over the migration network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Way {
    /// Where it begins.
    pub from: String,
    /// Where it ends.
    pub to: String,
    /// What one TCP stream carries, bytes a second.
    pub plain: Reading<f64>,
    /// What one carries through SSH, as Proxmox's tunnel for `secure` goes, bytes a second.
    pub tunnel: Reading<f64>,
}

/// How a rate is read of a way.
type Read = fn(&Way) -> &Reading<f64>;

/// What counts for a guest on `node`: the slowest way that begins there, for nobody says where it
/// goes; of all ways where none does, or `None`. `cap_bytes_per_s` is the datacenter's.
///
/// # Errors
/// When nothing was measured of the ways as they are: why.
pub fn links(
    ways: &[Way],
    node: Option<&str>,
    cap_bytes_per_s: Option<f64>,
) -> Result<Links, String> {
    let insecure = slowest(ways, node, |way| &way.plain)?;
    let secure = slowest(ways, node, |way| &way.tunnel).ok();
    Ok(Links { insecure, secure, cap_bytes_per_s })
}

fn slowest(ways: &[Way], node: Option<&str>, read: Read) -> Result<Rate, String> {
    let measured = |way: &&Way| matches!(read(way), Reading::Measured(rate) if *rate > 0.0);
    let own: Vec<&Way> =
        ways.iter().filter(|way| Some(way.from.as_str()) == node).filter(measured).collect();
    let all: Vec<&Way> = if own.is_empty() { ways.iter().filter(measured).collect() } else { own };
    let rate = |way: &Way| match read(way) {
        Reading::Measured(rate) => *rate,
        Reading::Failed(_) => f64::INFINITY,
    };
    match all.iter().min_by(|a, b| rate(a).total_cmp(&rate(b))) {
        Some(way) => {
            let of = if all.len() > 1 {
                format!(", the slowest of {}", all.len())
            } else {
                String::new()
            };
            let source = format!("measured, {} to {}{of}", way.from, way.to);
            Ok(Rate { bytes_per_s: rate(way), source })
        }
        None => Err(ways
            .iter()
            .find_map(|way| match read(way) {
                Reading::Failed(why) => Some(format!("{} to {}: {why}", way.from, way.to)),
                Reading::Measured(_) => None,
            })
            .unwrap_or_else(|| "there are not two nodes to measure between".to_owned())),
    }
}

/// Why nothing is known of the tunnels, where nothing is.
#[must_use]
pub fn no_tunnel(ways: &[Way]) -> Option<String> {
    slowest(ways, None, |way| &way.tunnel).err().filter(|_| !ways.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(from: &str, to: &str, plain: f64, tunnel: f64) -> Way {
        let reading = |rate: f64| match rate > 0.0 {
            true => Reading::Measured(rate),
            false => Reading::Failed("Permission denied".to_owned()),
        };
        let (from, to) = (from.to_owned(), to.to_owned());
        Way { from, to, plain: reading(plain), tunnel: reading(tunnel) }
    }

    #[test]
    fn the_slowest_way_from_a_guests_node_counts() {
        let ways = [
            way("a", "b", 100.0, 30.0),
            way("b", "a", 90.0, 0.0),
            way("b", "c", 80.0, 0.0),
            way("c", "b", 70.0, 20.0),
        ];
        let of = |node: Option<&str>| links(&ways, node, None).unwrap();
        assert_eq!(
            (of(Some("a")).insecure.bytes_per_s, of(None).insecure.bytes_per_s),
            (100.0, 70.0)
        );
        assert_eq!(of(Some("a")).insecure.source, "measured, a to b");
        assert_eq!(of(Some("b")).insecure.source, "measured, b to c, the slowest of 2");
        // Where none of its own was measured, all count.
        assert_eq!(of(Some("b")).secure.unwrap().bytes_per_s, 20.0);
        assert_eq!(no_tunnel(&ways), None);
        let none = [way("a", "b", 100.0, 0.0)];
        assert_eq!(links(&none, None, None).unwrap().secure, None);
        assert_eq!(no_tunnel(&none).unwrap(), "a to b: Permission denied");
        assert!(links(&[way("a", "b", 0.0, 1.0)], None, None).is_err());
        assert!(links(&[], None, None).unwrap_err().contains("not two nodes"));
    }
}
