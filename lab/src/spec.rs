//! stand-in until merged
#![expect(missing_docs, reason = "stand-in")]
use crate::units::BitRate;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabSpec {
    pub name: String,
    pub nodes: Vec<String>,
    pub networks: Networks,
}
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Networks {
    pub guest: Network,
    pub migration: Network,
}
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    pub cidr: Ipv4Cidr,
    pub mtu: u32,
    pub link_rate: Option<BitRate>,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ipv4Cidr {
    pub address: Ipv4Addr,
    pub prefix: u8,
}
impl Ipv4Cidr {
    pub fn prefix(&self) -> u8 {
        self.prefix
    }
}
impl Network {
    pub fn node_address(&self, index: usize) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.cidr.address) + 1 + index as u32)
    }
    pub fn guest_address(&self, slot: usize) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.cidr.address) + 200 + slot as u32)
    }
}
