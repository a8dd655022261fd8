//! A socket of datagrams, UDP or ICMP, that tells when each datagram arrived at this node, by the kernel's own stamp.
//!
//! The stamp is taken when the packet reaches the node, before this process is scheduled: on a
//! machine with fewer cores than busy threads that is the difference between the guest's
//! spacing and the scheduler's.

use crate::clock;
use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

/// A bound socket with arrival stamps switched on.
pub struct StampedSocket {
    inner: UdpSocket,
}

/// A datagram, where it came from and when, in nanoseconds of `CLOCK_MONOTONIC`.
pub struct Arrival<'a> {
    pub bytes: &'a [u8],
    pub from: SocketAddrV4,
    pub monotonic_ns: u64,
}

impl StampedSocket {
    /// Binds to every address of this node, so that the guest's broadcasts arrive too.
    pub fn bind(port: u16) -> io::Result<Self> {
        Self::bind_to(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port))
    }

    /// Binds to one address of this node; port 0 is any that is free.
    pub fn bind_to(address: SocketAddrV4) -> io::Result<Self> {
        let inner = UdpSocket::bind(address)?;
        inner.set_nonblocking(true)?;
        enable_stamps(&inner)?;
        Ok(Self { inner })
    }

    /// For ICMP, which only root may send: what arrives are whole IPv4 packets, those of others too,
    /// and ports say nothing.
    #[expect(unsafe_code, reason = "std has no binding for raw sockets")]
    pub fn icmp() -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: socket takes numbers.
        let socket = unsafe { libc::socket(libc::AF_INET, kind, libc::IPPROTO_ICMP) };
        if socket < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it was opened just now and belongs to nobody else.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        // Sending and receiving are the same system calls.
        let inner = UdpSocket::from(socket);
        enable_stamps(&inner)?;
        Ok(Self { inner })
    }

    /// For `poll`.
    pub fn raw_fd(&self) -> i32 {
        self.inner.as_raw_fd()
    }

    /// Has what is sent never split into fragments: what is larger than the way to the receiver
    /// lets pass is refused here or lost there, whatever this node has learnt of that way.
    #[expect(unsafe_code, reason = "std has no binding for IP_MTU_DISCOVER")]
    pub fn never_fragment(&self) -> io::Result<()> {
        let probe: libc::c_int = libc::IP_PMTUDISC_PROBE;
        // SAFETY: the descriptor is open for the call, and pointer and length describe `probe`.
        let status = unsafe {
            libc::setsockopt(
                self.inner.as_raw_fd(),
                libc::IPPROTO_IP,
                libc::IP_MTU_DISCOVER,
                (&raw const probe).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
        if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Where it is bound.
    #[cfg(test)]
    pub fn port(&self) -> u16 {
        self.inner.local_addr().expect("a bound socket").port()
    }

    /// Sends one datagram.
    pub fn send(&self, bytes: &[u8], to: SocketAddrV4) -> io::Result<()> {
        self.inner.send_to(bytes, to).map(drop)
    }

    /// The next datagram that has arrived; `None` when there is none now.
    pub fn receive<'a>(&self, buffer: &'a mut [u8]) -> io::Result<Option<Arrival<'a>>> {
        match receive_stamped(&self.inner, buffer) {
            Ok((length, from, stamp_realtime_ns)) => {
                // The kernel stamps by the wall clock; what matters is how long ago that was.
                let age_ns = clock::realtime_ns().saturating_sub(stamp_realtime_ns);
                let monotonic_ns = clock::monotonic_ns().saturating_sub(age_ns);
                Ok(Some(Arrival { bytes: &buffer[..length], from, monotonic_ns }))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[expect(unsafe_code, reason = "std has no binding for SO_TIMESTAMPNS")]
fn enable_stamps(socket: &UdpSocket) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the descriptor is open for the call, and the pointer and length describe `on`.
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPNS,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Room for the one control message we ask for, aligned as `cmsghdr` wants it.
#[repr(C, align(8))]
struct Control([u8; 64]);

#[expect(unsafe_code, reason = "std has no binding for recvmsg with control messages")]
fn receive_stamped(
    socket: &UdpSocket,
    buffer: &mut [u8],
) -> io::Result<(usize, SocketAddrV4, u64)> {
    let mut control = Control([0; 64]);
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: all-zero is a valid value of these plain C structs.
    let mut from: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_name = (&raw mut from).cast();
    header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = control.0.len();
    // SAFETY: every pointer in `header` points to live memory of the length given beside it.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, 0) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    let address = Ipv4Addr::from(u32::from_be(from.sin_addr.s_addr));
    let from = SocketAddrV4::new(address, u16::from_be(from.sin_port));
    let mut stamp_ns = None;
    // SAFETY: `header` was filled by recvmsg; the CMSG functions walk only what it describes.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(&raw const header);
        while !message.is_null() {
            if (*message).cmsg_level == libc::SOL_SOCKET
                && (*message).cmsg_type == libc::SCM_TIMESTAMPNS
            {
                let stamp: libc::timespec =
                    std::ptr::read_unaligned(libc::CMSG_DATA(message).cast());
                stamp_ns = Some(
                    u64::try_from(stamp.tv_sec).unwrap_or(0) * 1_000_000_000
                        + u64::try_from(stamp.tv_nsec).unwrap_or(0),
                );
            }
            message = libc::CMSG_NXTHDR(&raw const header, message);
        }
    }
    let stamp_ns = stamp_ns.ok_or_else(|| io::Error::other("a datagram without arrival stamp"))?;
    Ok((length, from, stamp_ns))
}
