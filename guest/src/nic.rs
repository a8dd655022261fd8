//! The network card: sends and receives whole Ethernet frames, never waits.

use core::ptr;

use virtio_drivers::device::net::VirtIONetRaw;
use virtio_drivers::transport::pci::PciTransport;
use virtio_drivers::transport::pci::bus::{DeviceFunction, PciRoot};

use crate::pci::Ports;
use crate::virtio::{Identity, PlainPci};

const QUEUE: usize = 32;
/// The longest Ethernet frame without its checksum.
pub const FRAME_BYTES: usize = 1514;
/// A frame behind virtio's header (12 bytes), rounded up so that a page holds two.
const BUFFER_BYTES: usize = 2048;

type Buffer = [u8; BUFFER_BYTES];

#[repr(C, align(4096))]
struct Buffers {
    receive: [Buffer; QUEUE],
    transmit: [Buffer; QUEUE],
}

static mut BUFFERS: Buffers =
    Buffers { receive: [[0; BUFFER_BYTES]; QUEUE], transmit: [[0; BUFFER_BYTES]; QUEUE] };

/// The card and its buffers.
pub struct Nic {
    card: VirtIONetRaw<Identity, PlainPci, QUEUE>,
    buffers: *mut Buffers,
    /// Which buffer the card works on under a token (a token is a descriptor's number).
    receiving: [usize; QUEUE],
    transmitting: [usize; QUEUE],
    /// Transmit buffers at rest; a stack, so that an idle guest uses (and dirties) but one.
    free: [usize; QUEUE],
    free_count: usize,
}

impl Nic {
    /// Starts the card at this place.
    ///
    /// # Safety
    /// To be called once.
    pub unsafe fn start(root: &mut PciRoot<Ports>, device: DeviceFunction) -> Self {
        let card = PciTransport::new::<Identity, _>(root, device)
            .map_err(|_| "its PCI registers are not those of virtio 1")
            .and_then(|transport| {
                VirtIONetRaw::new(PlainPci(transport)).map_err(|_| "it refused its queues")
            });
        let mut card = match card {
            Ok(card) => card,
            Err(reason) => panic!("the virtio network card does not start: {reason}"),
        };
        card.disable_interrupts();
        let mut nic = Self {
            card,
            buffers: &raw mut BUFFERS,
            receiving: [0; QUEUE],
            transmitting: [0; QUEUE],
            free: core::array::from_fn(|index| index),
            free_count: QUEUE,
        };
        for index in 0..QUEUE {
            nic.lend(index);
        }
        nic
    }

    /// The card's address.
    pub fn mac(&self) -> [u8; 6] {
        self.card.mac_address()
    }

    /// Copies the next frame that has come in to `frame` and returns its length.
    pub fn receive(&mut self, frame: &mut [u8; FRAME_BYTES]) -> Option<usize> {
        let token = self.card.poll_receive()?;
        let index = self.receiving[usize::from(token) % QUEUE];
        // SAFETY: `lend` gave this buffer to the card under this token, which it now hands back;
        // no other reference to the buffer exists.
        let received = unsafe {
            let buffer = &mut (*self.buffers).receive[index];
            self.card.receive_complete(token, buffer).map(|(header, length)| {
                let length = length.min(FRAME_BYTES).min(BUFFER_BYTES - header);
                frame[..length].copy_from_slice(&buffer[header..header + length]);
                length
            })
        };
        self.lend(index);
        received.ok()
    }

    /// Sends the frame that `build` writes; it returns the length. `false` when the card holds
    /// all buffers: then the frame is lost, as on any network.
    pub fn send(&mut self, build: impl FnOnce(&mut [u8]) -> usize) -> bool {
        self.reclaim();
        if self.free_count == 0 {
            return false;
        }
        let index = self.free[self.free_count - 1];
        // SAFETY: the buffer is at rest, so neither the card nor anybody else refers to it.
        let buffer = unsafe { &mut (*self.buffers).transmit[index] };
        let Ok(header) = self.card.fill_buffer_header(buffer) else { return false };
        let length = build(&mut buffer[header..header + FRAME_BYTES]);
        // SAFETY: the buffer is a static and is left alone until `reclaim` gets its token back.
        match unsafe { self.card.transmit_begin(&buffer[..header + length]) } {
            Ok(token) => {
                self.transmitting[usize::from(token) % QUEUE] = index;
                self.free_count -= 1;
                true
            }
            Err(_) => false,
        }
    }

    /// Takes back the buffers that the card has sent.
    fn reclaim(&mut self) {
        while let Some(token) = self.card.poll_transmit() {
            let index = self.transmitting[usize::from(token) % QUEUE];
            // SAFETY: the buffer that `send` gave to the card under this token. Its length does
            // not matter: only its address and direction are used, and both are the same.
            let done = unsafe {
                let buffer = &*ptr::from_ref(&(*self.buffers).transmit[index]);
                self.card.transmit_complete(token, buffer)
            };
            assert!(done.is_ok(), "the network card returned a buffer it never had");
            self.free[self.free_count] = index;
            self.free_count += 1;
        }
    }

    fn lend(&mut self, index: usize) {
        // SAFETY: the card does not hold this buffer, and from here on only the card refers to
        // it until `receive` gets its token back.
        let token = unsafe {
            let buffer = &mut (*self.buffers).receive[index];
            self.card.receive_begin(buffer)
        };
        match token {
            Ok(token) => self.receiving[usize::from(token) % QUEUE] = index,
            Err(_) => panic!("the network card's receive queue is full"),
        }
    }
}
