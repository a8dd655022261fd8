//! ARP, ping and our UDP datagrams, on frames of smoltcp's making.
//!
//! There is no table of neighbours: a guest that must beat through a migration may not fall
//! silent because an ARP request got lost. Every address we send to was learnt from a datagram
//! that came from there, and before that from nobody: we broadcast.

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol,
    EthernetRepr, Icmpv4Packet, Icmpv4Repr, IpProtocol, Ipv4Address, Ipv4Packet, Ipv4Repr,
    UdpPacket, UdpRepr,
};
use wire::{GUEST_PORT, MAX_MESSAGE_BYTES, Message, OBSERVER_PORT, ipv4_of_mac};

use crate::nic::{FRAME_BYTES, Nic};

const ETHERNET_HEADER: usize = 14;
const IPV4_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
/// The shortest Ethernet frame without its checksum; shorter ones are padded with zeros.
const SHORTEST_FRAME: usize = 60;
const HOP_LIMIT: u8 = 64;

/// Where datagrams go to, or came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    mac: EthernetAddress,
    ipv4: Ipv4Address,
    port: u16,
}

impl Peer {
    /// Everybody on the network, at the observer's port.
    pub const EVERYBODY: Self =
        Self { mac: EthernetAddress::BROADCAST, ipv4: Ipv4Address::BROADCAST, port: OBSERVER_PORT };
}

/// The guest's place on the network.
pub struct Network {
    nic: Nic,
    mac: EthernetAddress,
    ipv4: Ipv4Address,
    checksums: ChecksumCapabilities,
}

impl Network {
    /// Takes over a card, whose MAC address says the IPv4 address.
    pub fn new(nic: Nic) -> Self {
        let mac = nic.mac();
        let Some(ipv4) = ipv4_of_mac(mac) else {
            panic!("the MAC address {} holds no IPv4 address", EthernetAddress(mac))
        };
        Self {
            nic,
            mac: EthernetAddress(mac),
            ipv4: ipv4.into(),
            checksums: ChecksumCapabilities::default(),
        }
    }

    /// The next message that came in, and from whom. ARP and pings are answered on the way;
    /// everything else is dropped.
    pub fn receive(&mut self) -> Option<(Peer, Message)> {
        let mut buffer = [0; FRAME_BYTES];
        loop {
            let length = self.nic.receive(&mut buffer)?;
            if let Some(received) = self.handle(&buffer[..length]) {
                return Some(received);
            }
        }
    }

    /// Sends a message.
    pub fn send(&mut self, to: Peer, message: &Message) {
        let mut buffer = [0; MAX_MESSAGE_BYTES];
        let payload = message.encode(&mut buffer);
        let udp = UdpRepr { src_port: GUEST_PORT, dst_port: to.port };
        let bytes = UDP_HEADER + payload.len();
        let (source, checksums) = (self.ipv4, self.checksums.clone());
        self.send_ipv4(to.mac, to.ipv4, IpProtocol::Udp, bytes, |space| {
            udp.emit(
                &mut UdpPacket::new_unchecked(space),
                &source.into(),
                &to.ipv4.into(),
                payload.len(),
                |space| space.copy_from_slice(payload),
                &checksums,
            );
        });
    }

    fn handle(&mut self, frame: &[u8]) -> Option<(Peer, Message)> {
        let frame = EthernetFrame::new_checked(frame).ok()?;
        let addressed = frame.dst_addr() == self.mac || frame.dst_addr().is_broadcast();
        match frame.ethertype() {
            EthernetProtocol::Arp if addressed => self.handle_arp(frame.payload()),
            EthernetProtocol::Ipv4 if frame.dst_addr() == self.mac => {
                return self.handle_ipv4(frame.src_addr(), frame.payload());
            }
            _ => {}
        }
        None
    }

    fn handle_arp(&mut self, packet: &[u8]) {
        let parsed = ArpPacket::new_checked(packet).and_then(|packet| ArpRepr::parse(&packet));
        let Ok(ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Request,
            source_hardware_addr,
            source_protocol_addr,
            target_protocol_addr,
            ..
        }) = parsed
        else {
            return;
        };
        if target_protocol_addr != self.ipv4 {
            return;
        }
        let answer = ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Reply,
            source_hardware_addr: self.mac,
            source_protocol_addr: self.ipv4,
            target_hardware_addr: source_hardware_addr,
            target_protocol_addr: source_protocol_addr,
        };
        self.send_ethernet(
            source_hardware_addr,
            EthernetProtocol::Arp,
            answer.buffer_len(),
            |space| answer.emit(&mut ArpPacket::new_unchecked(space)),
        );
    }

    fn handle_ipv4(&mut self, from: EthernetAddress, packet: &[u8]) -> Option<(Peer, Message)> {
        let packet = Ipv4Packet::new_checked(packet).ok()?;
        let ip = Ipv4Repr::parse(&packet, &self.checksums).ok()?;
        if ip.dst_addr != self.ipv4 || packet.more_frags() || packet.frag_offset() != 0 {
            return None;
        }
        match ip.next_header {
            IpProtocol::Icmp => {
                let icmp = Icmpv4Packet::new_checked(packet.payload()).ok()?;
                let echo = Icmpv4Repr::parse(&icmp, &self.checksums).ok()?;
                if let Icmpv4Repr::EchoRequest { ident, seq_no, data } = echo {
                    let answer = Icmpv4Repr::EchoReply { ident, seq_no, data };
                    let checksums = self.checksums.clone();
                    let bytes = answer.buffer_len();
                    self.send_ipv4(from, ip.src_addr, IpProtocol::Icmp, bytes, |space| {
                        answer.emit(&mut Icmpv4Packet::new_unchecked(space), &checksums);
                    });
                }
                None
            }
            IpProtocol::Udp => {
                let udp = UdpPacket::new_checked(packet.payload()).ok()?;
                let (source, target) = (ip.src_addr.into(), ip.dst_addr.into());
                let ports = UdpRepr::parse(&udp, &source, &target, &self.checksums).ok()?;
                if ports.dst_port != GUEST_PORT {
                    return None;
                }
                let message = Message::decode(udp.payload()).ok()?;
                Some((Peer { mac: from, ipv4: ip.src_addr, port: ports.src_port }, message))
            }
            _ => None,
        }
    }

    fn send_ipv4(
        &mut self,
        mac: EthernetAddress,
        ipv4: Ipv4Address,
        protocol: IpProtocol,
        bytes: usize,
        emit: impl FnOnce(&mut [u8]),
    ) {
        let header = Ipv4Repr {
            src_addr: self.ipv4,
            dst_addr: ipv4,
            next_header: protocol,
            payload_len: bytes,
            hop_limit: HOP_LIMIT,
        };
        let checksums = self.checksums.clone();
        self.send_ethernet(mac, EthernetProtocol::Ipv4, IPV4_HEADER + bytes, |space| {
            header.emit(&mut Ipv4Packet::new_unchecked(&mut *space), &checksums);
            emit(&mut space[IPV4_HEADER..]);
        });
    }

    fn send_ethernet(
        &mut self,
        mac: EthernetAddress,
        protocol: EthernetProtocol,
        bytes: usize,
        emit: impl FnOnce(&mut [u8]),
    ) {
        let header = EthernetRepr { src_addr: self.mac, dst_addr: mac, ethertype: protocol };
        // A card that holds all buffers (a host that does not drain it) loses the frame.
        self.nic.send(|space| {
            let end = ETHERNET_HEADER + bytes;
            let padded = end.max(SHORTEST_FRAME);
            header.emit(&mut EthernetFrame::new_unchecked(&mut space[..end]));
            emit(&mut space[ETHERNET_HEADER..end]);
            space[end..padded].fill(0);
            padded
        });
    }
}
