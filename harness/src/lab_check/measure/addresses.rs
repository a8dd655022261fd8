//! The addresses that guests get: whether somebody on the network has one already.

use super::{Station, all};
use crate::lab_check::{Answered, Taken};
use anyhow::{Context, Result};
use lab::{
    RunningLab,
    spec::{GUEST_SLOTS, Provider},
};

/// Asks from every node, where the guest network is one that others use too.
pub async fn look(lab: &RunningLab, stations: &[Station]) -> Vec<Answered> {
    // A VM that one has comes with its own.
    if lab.spec.provider != Provider::Hosts || lab.spec.existing().is_some() {
        return Vec::new();
    }
    let guest = &lab.spec.networks.guest;
    let first = guest.guest_address(GUEST_SLOTS - 1).to_string();
    let jobs = stations.iter().cloned().map(|station| {
        let first = first.clone();
        async move {
            let own = station.node.guest_address.to_string();
            let said = station.observe(&["arp", &own, &first, &GUEST_SLOTS.to_string()]).await;
            let taken = said.and_then(|said| taken(&said)).into();
            Answered { node: station.node.name, taken }
        }
    });
    all(jobs).await
}

fn taken(said: &str) -> Result<Vec<Taken>> {
    let mut taken = Vec::new();
    for line in said.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["taken", address, mac] => {
                let address = address.parse().context("the observer said no address")?;
                taken.push(Taken { address, mac: mac.to_owned() });
            }
            ["asked", _] => return Ok(taken),
            _ => break,
        }
    }
    anyhow::bail!("the observer said `{}`", said.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_observer_says_is_understood() {
        let found = taken("taken 10.77.0.250 02:00:00:00:00:07\nasked 16\n").unwrap();
        assert_eq!(found[0].mac, "02:00:00:00:00:07");
        assert_eq!(taken("asked 16\n").unwrap(), []);
        assert!(taken("").is_err() && taken("taken x y\nasked 16\n").is_err());
    }
}
