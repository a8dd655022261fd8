//! Whether anybody has addresses already that guests are to get: each is asked for by ARP, as a
//! machine does before it takes an address (RFC 5227, 2.1), and who answers has it.

use crate::{clock, poll};
use std::{
    collections::BTreeMap,
    error::Error,
    io,
    net::Ipv4Addr,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    ptr,
};

/// Each address is asked for as often: a single frame may be lost.
const ROUNDS: u64 = 3;
/// From one round to the next, and from the last one to the end.
const ROUND_NS: u64 = 300_000_000;
/// As many addresses at most.
const MOST: u32 = 256;

const REQUEST: u16 = 1;
/// An ARP packet of IPv4 over Ethernet.
const PACKET_BYTES: usize = 28;

type Mac = [u8; 6];

/// Asks for `count` addresses from `first` on, in the network in which this node has the address
/// `own`, and prints `taken ADDRESS MAC` for each that somebody has, then `asked COUNT`.
pub fn run(own: &str, first: &str, count: &str) -> Result<(), Box<dyn Error>> {
    let (own, first): (Ipv4Addr, Ipv4Addr) = (own.parse()?, first.parse()?);
    let count: u32 = count.parse()?;
    let last = first.to_bits().checked_add(count.clamp(1, MOST) - 1);
    let last = last.ok_or("there are not so many addresses")?;
    let asked: Vec<Ipv4Addr> = (first.to_bits()..=last).map(Ipv4Addr::from_bits).collect();
    let device = device_of(own)?;
    let socket = open(device.index)?;
    let mut taken = BTreeMap::new();
    for _round in 0..ROUNDS {
        for address in &asked {
            send(&socket, &device, &request(device.mac, *address))?;
        }
        let begun_ns = clock::monotonic_ns();
        while let Some(left_ns) = (begun_ns + ROUND_NS).checked_sub(clock::monotonic_ns()) {
            poll::readable([socket.as_raw_fd()], poll::milliseconds(left_ns))?;
            let mut packet = [0; 64];
            while let Some(length) = receive(&socket, &mut packet)? {
                if let Some((address, mac)) = sender(&packet[..length])
                    && asked.contains(&address)
                    && mac != device.mac
                {
                    taken.insert(address, mac);
                }
            }
        }
    }
    for (address, mac) in taken {
        println!("taken {address} {}", mac.map(|byte| format!("{byte:02x}")).join(":"));
    }
    println!("asked {}", asked.len());
    Ok(())
}

/// A request that claims no address for who asks.
fn request(from: Mac, to: Ipv4Addr) -> [u8; PACKET_BYTES] {
    let mut packet = [0; PACKET_BYTES];
    // Ethernet, IPv4, and how long their addresses are.
    packet[..6].copy_from_slice(&[0, 1, 8, 0, 6, 4]);
    packet[6..8].copy_from_slice(&REQUEST.to_be_bytes());
    packet[8..14].copy_from_slice(&from);
    packet[24..28].copy_from_slice(&to.octets());
    packet
}

/// Who says to have which address; nobody in a packet of one who only asks whether it is free.
fn sender(packet: &[u8]) -> Option<(Ipv4Addr, Mac)> {
    if packet.get(..6)? != [0, 1, 8, 0, 6, 4] {
        return None;
    }
    let mac: Mac = packet.get(8..14)?.try_into().ok()?;
    let octets: [u8; 4] = packet.get(14..18)?.try_into().ok()?;
    let address = Ipv4Addr::from(octets);
    (!address.is_unspecified()).then_some((address, mac))
}

/// The device that has an address.
#[derive(Debug, PartialEq, Eq)]
struct Device {
    index: i32,
    mac: Mac,
}

#[expect(unsafe_code, reason = "std has no binding for getifaddrs")]
fn device_of(own: Ipv4Addr) -> Result<Device, Box<dyn Error>> {
    let mut list = ptr::null_mut();
    // SAFETY: `list` is a place for a pointer to a list, which is freed below.
    if unsafe { libc::getifaddrs(&raw mut list) } != 0 {
        return Err(io::Error::last_os_error().into());
    }
    let (mut name, mut cards) = (None, Vec::new());
    let mut entry = list;
    // SAFETY: each entry is valid until the list is freed, its name is a text that ends with NUL,
    // and its address, where there is one, is of the type that its family says.
    unsafe {
        while let Some(interface) = entry.as_ref() {
            entry = interface.ifa_next;
            let Some(address) = interface.ifa_addr.as_ref() else { continue };
            let of = std::ffi::CStr::from_ptr(interface.ifa_name).to_owned();
            match i32::from(address.sa_family) {
                libc::AF_INET => {
                    let address = interface.ifa_addr.cast::<libc::sockaddr_in>().read_unaligned();
                    if address.sin_addr.s_addr == u32::from_ne_bytes(own.octets()) {
                        // The label of an address may follow the device's name.
                        let device = of.to_bytes().split(|byte| *byte == b':').next();
                        name = device.map(<[u8]>::to_vec);
                    }
                }
                libc::AF_PACKET => {
                    let card = interface.ifa_addr.cast::<libc::sockaddr_ll>().read_unaligned();
                    cards.push((of.into_bytes(), card));
                }
                _ => {}
            }
        }
        libc::freeifaddrs(list);
    }
    let name = name.ok_or_else(|| format!("this node has not the address {own}"))?;
    let card = cards.iter().find(|(card, _)| *card == name).map(|(_, card)| card);
    let card = card.filter(|card| card.sll_halen == 6);
    let card =
        card.ok_or_else(|| format!("{} has no hardware address", String::from_utf8_lossy(&name)))?;
    let [a, b, c, d, e, f, ..] = card.sll_addr;
    Ok(Device { index: card.sll_ifindex, mac: [a, b, c, d, e, f] })
}

fn place(index: i32, mac: Mac) -> libc::sockaddr_ll {
    let [a, b, c, d, e, f] = mac;
    libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: (libc::ETH_P_ARP as u16).to_be(),
        sll_ifindex: index,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: [a, b, c, d, e, f, 0, 0],
    }
}

/// A socket for ARP's packets on one device; the kernel makes their frames.
#[expect(unsafe_code, reason = "std has no binding for packet sockets")]
fn open(index: i32) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    let protocol = i32::from((libc::ETH_P_ARP as u16).to_be());
    // SAFETY: socket takes numbers.
    let socket = unsafe { libc::socket(libc::AF_PACKET, kind, protocol) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was opened just now and belongs to nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    let place = place(index, [0; 6]);
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: pointer and length describe `place`.
    let status = unsafe { libc::bind(socket.as_raw_fd(), (&raw const place).cast(), length) };
    if status == 0 { Ok(socket) } else { Err(io::Error::last_os_error()) }
}

#[expect(unsafe_code, reason = "std has no binding for packet sockets")]
fn send(socket: &OwnedFd, device: &Device, packet: &[u8]) -> io::Result<()> {
    let everybody = place(device.index, [0xff; 6]);
    // SAFETY: pointers and lengths describe `packet` and `everybody`.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            packet.as_ptr().cast(),
            packet.len(),
            0,
            (&raw const everybody).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The length of the next packet; `None` when there is none now.
#[expect(unsafe_code, reason = "std has no binding for packet sockets")]
fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    // SAFETY: pointer and length describe `buffer`.
    let length =
        unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
    match usize::try_from(length) {
        Ok(length) => Ok(Some(length)),
        Err(_) => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            error => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = [2, 0, 0, 0, 0, 7];

    #[test]
    fn who_asks_claims_nothing_and_who_answers_has_it() {
        let address = Ipv4Addr::new(10, 77, 0, 254);
        let mut packet = request(MAC, address);
        assert_eq!(sender(&packet), None);
        assert_eq!(packet[24..28], address.octets());
        // An answer names its sender where the request had nobody.
        packet[7] = 2;
        packet[14..18].copy_from_slice(&address.octets());
        assert_eq!(sender(&packet), Some((address, MAC)));
        assert_eq!(sender(&packet[..17]), None);
        packet[3] = 6;
        assert_eq!(sender(&packet), None, "another protocol");
    }

    #[test]
    fn a_device_is_found_by_its_address() {
        let loopback = device_of(Ipv4Addr::LOCALHOST).expect("there is one");
        assert_eq!((loopback.index, loopback.mac), (1, [0; 6]));
        let error = device_of(Ipv4Addr::new(192, 0, 2, 77)).expect_err("not ours");
        assert_eq!(error.to_string(), "this node has not the address 192.0.2.77");
    }
}
