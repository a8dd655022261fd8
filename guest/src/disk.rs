//! The disk: a few requests in flight, whose completion is looked for and never waited for.

mod check;
mod writes;

use check::Check;
pub use writes::Writes;

use core::mem::MaybeUninit;
use core::{ptr, slice};

use virtio_drivers::device::blk::{BlkReq, BlkResp, SECTOR_SIZE, VirtIOBlk};
use virtio_drivers::transport::pci::PciTransport;
use virtio_drivers::transport::pci::bus::{DeviceFunction, PciRoot};
use wire::{PAGE_BYTES, Page};

use crate::pci::Ports;
use crate::virtio::{Identity, PlainPci};

/// Requests in flight at most. The queue has 16 descriptors, and a request takes three.
const IN_FLIGHT: usize = 4;
/// Blocks that one request reads at most; a write is of one block.
const READ_BLOCKS: usize = 8;
const BLOCK_SECTORS: u64 = (PAGE_BYTES / SECTOR_SIZE) as u64;

/// What the device reads and writes for one request. Zeros are a valid one.
#[repr(C, align(4096))]
struct Slot {
    data: [Page; READ_BLOCKS],
    request: BlkReq,
    response: BlkResp,
}

static mut SLOTS: MaybeUninit<[Slot; IN_FLIGHT]> = MaybeUninit::zeroed();

/// A request that the device has.
#[derive(Clone, Copy)]
struct Flight {
    token: u16,
    writes: bool,
    first_block: u64,
    blocks: usize,
}

/// A request that the device has answered.
pub struct Done {
    /// Its first block.
    pub first_block: u64,
    /// How many blocks it was about.
    pub blocks: usize,
    /// Whether the device says that it has done it.
    pub succeeded: bool,
    slot: usize,
}

/// The disk and its buffers.
pub struct Disk {
    device: VirtIOBlk<Identity, PlainPci>,
    slots: *mut Slot,
    flights: [Option<Flight>; IN_FLIGHT],
}

impl Disk {
    /// Starts the disk at this place.
    ///
    /// # Safety
    /// To be called once.
    pub unsafe fn start(root: &mut PciRoot<Ports>, device: DeviceFunction) -> Self {
        let disk = PciTransport::new::<Identity, _>(root, device)
            .map_err(|_| "its PCI registers are not those of virtio 1")
            .and_then(|transport| {
                VirtIOBlk::new(PlainPci(transport)).map_err(|_| "it refused its queue")
            });
        let mut device = match disk {
            Ok(device) => device,
            Err(reason) => panic!("the virtio disk does not start: {reason}"),
        };
        device.disable_interrupts();
        Self { device, slots: (&raw mut SLOTS).cast(), flights: [None; IN_FLIGHT] }
    }

    /// Whole blocks of the disk.
    pub fn blocks(&self) -> u64 {
        self.device.capacity() / BLOCK_SECTORS
    }

    /// Whether the device has a request that it has not answered.
    pub fn is_busy(&self) -> bool {
        self.flights.iter().any(Option::is_some)
    }

    /// Begins to write what `fill` makes of a block's old bytes, whatever they are. `false` when
    /// nothing was begun: too much is in flight, or a request for this block is (a disk may
    /// answer, and do, requests in any order).
    pub fn write(&mut self, block: u64, fill: impl FnOnce(&mut Page)) -> bool {
        let overlaps = |flight: &Flight| {
            (flight.first_block..flight.first_block + flight.blocks as u64).contains(&block)
        };
        if self.flights.iter().flatten().any(overlaps) {
            return false;
        }
        let Some(slot) = self.free_slot() else { return false };
        // SAFETY: the slot is free, so neither the device nor anybody else refers to it. It stays
        // where it is, untouched, until `done` gets the token back.
        let token = unsafe {
            let Slot { data, request, response } = &mut *self.slots.add(slot);
            fill(&mut data[0]);
            let bytes = bytes(data, 1);
            self.device.write_blocks_nb(sector(block), request, bytes, response)
        };
        self.begun(slot, token.ok(), true, block, 1)
    }

    /// Begins to read some blocks, at most [`READ_BLOCKS`]. `false` when too much is in flight.
    pub fn read(&mut self, first_block: u64, blocks: usize) -> bool {
        let Some(slot) = self.free_slot() else { return false };
        // SAFETY: as in `write`.
        let token = unsafe {
            let Slot { data, request, response } = &mut *self.slots.add(slot);
            let bytes = bytes(data, blocks);
            self.device.read_blocks_nb(sector(first_block), request, bytes, response)
        };
        self.begun(slot, token.ok(), false, first_block, blocks)
    }

    /// The next request that the device has answered, if there is one.
    pub fn done(&mut self) -> Option<Done> {
        let token = self.device.peek_used()?;
        let is_its = |flight: &Option<Flight>| flight.is_some_and(|flight| flight.token == token);
        let Some(slot) = self.flights.iter().position(is_its) else {
            panic!("the disk answered a request it never had")
        };
        let Flight { writes, first_block, blocks, .. } = self.flights[slot].take()?;
        // SAFETY: the buffers that the device got under this token, which it now hands back.
        let answer = unsafe {
            let Slot { data, request, response } = &mut *self.slots.add(slot);
            let bytes = bytes(data, blocks);
            if writes {
                self.device.complete_write_blocks(token, request, bytes, response)
            } else {
                self.device.complete_read_blocks(token, request, bytes, response)
            }
        };
        Some(Done { first_block, blocks, succeeded: answer.is_ok(), slot })
    }

    /// Reads one word of a block that a request has just read: from memory, because a device
    /// wrote it. `index` counts from the request's first block. To be used before another
    /// request is begun.
    pub fn words(&self, done: &Done, index: usize) -> impl Fn(usize) -> u64 {
        assert!(index < done.blocks, "block {index} of {} that were read", done.blocks);
        // SAFETY: within the static, by the assertion.
        let page = unsafe { &raw const (*self.slots.add(done.slot)).data[index] };
        move |word| {
            // SAFETY: a static; the index of the array is checked.
            unsafe { ptr::read_volatile(&raw const (*page)[word]) }
        }
    }

    /// Has everything written so far put on the storage, and waits for that. Nothing may be in
    /// flight. Gives whether the device says that it has done it.
    pub fn flush(&mut self) -> bool {
        self.device.flush().is_ok()
    }

    fn free_slot(&self) -> Option<usize> {
        self.flights.iter().position(Option::is_none)
    }

    /// Remembers what the device has, when it has taken it.
    fn begun(
        &mut self,
        slot: usize,
        token: Option<u16>,
        writes: bool,
        first_block: u64,
        blocks: usize,
    ) -> bool {
        self.flights[slot] = token.map(|token| Flight { token, writes, first_block, blocks });
        token.is_some()
    }
}

const fn sector(block: u64) -> usize {
    (block * BLOCK_SECTORS) as usize
}

/// The bytes of the first `blocks` blocks of a slot.
fn bytes(data: &mut [Page; READ_BLOCKS], blocks: usize) -> &mut [u8] {
    let data = &mut data[..blocks];
    // SAFETY: the same memory, borrowed for as long; every byte pattern is a word and the other
    // way round.
    unsafe { slice::from_raw_parts_mut(data.as_mut_ptr().cast(), size_of_val(data)) }
}
