//! Who owns which page of RAM: the guest's image, the version array, the workload's region.

use core::ptr;
use core::slice;

use wire::{PAGE_BYTES, Page, content};

use crate::boot::{BootInfo, Range};
use crate::paging;

const PAGE: u64 = PAGE_BYTES as u64;
/// Memory below belongs to the firmware and to nobody else.
const LOW_END: u64 = 1 << 20;
const FOUR_GIB: u64 = 4 << 30;
/// Where firmware leaves litter, as distances from the end of the RAM below 4 GiB.
///
/// SeaBIOS reserves tables at that end, 16 MiB or, in older versions, 256 KiB, and unpacks itself
/// right below without wiping it. Seen: up to 0.12 and from 16.0 to 16.2 MiB (QEMU 10.0, `pc` and
/// `q35`, 64 MiB to 3.5 GiB). Not all that lies between, because reading a page for the first
/// time costs its host a page fault; what is overlooked here, verification finds.
const FIRMWARE_LITTER: [(u64, u64); 2] = [(2 << 20, 0), (18 << 20, 15 << 20)];
const MOST_RANGES: usize = 8;

unsafe extern "C" {
    static image_start: u8;
    static image_constant_end: u8;
    static image_end: u8;
}

/// The workload's pages, numbered from 0 across the ranges of RAM that they lie in.
pub struct Region {
    ranges: [Range; MOST_RANGES],
    range_count: usize,
    pages: u64,
}

impl Region {
    /// Pages of the region.
    pub const fn pages(&self) -> u64 {
        self.pages
    }

    /// One page of the region.
    pub fn page(&mut self, index: u64) -> &mut Page {
        let address = self.address(index);
        // SAFETY: the region is mapped RAM that nothing else refers to (`Memory::divide` took it
        // out of all other use), every bit pattern is a page, and the borrow of `self` keeps this
        // the only reference.
        unsafe { &mut *(address as *mut Page) }
    }

    /// Reads one word of one page, from memory and not from what the compiler may know of it: it
    /// may have been changed from outside.
    ///
    /// One word at a time also because QEMU's emulation is slower at loads of 16 bytes (12 ns
    /// each, seen with QEMU 10.0) than at four times as many loads of 8.
    pub fn words(&self, index: u64) -> impl Fn(usize) -> u64 {
        let page = self.address(index) as *const Page;
        move |word| {
            // SAFETY: mapped RAM of the region; the index of the array is checked.
            unsafe { ptr::read_volatile(&raw const (*page)[word]) }
        }
    }

    fn address(&self, index: u64) -> u64 {
        let mut left = index;
        for range in &self.ranges[..self.range_count] {
            let pages = (range.end - range.start) / PAGE;
            if left < pages {
                return range.start + left * PAGE;
            }
            left -= pages;
        }
        panic!("page {index} of a region of {} pages", self.pages)
    }

    fn add(&mut self, range: Range) {
        if range.start < range.end {
            self.ranges[self.range_count] = range;
            self.range_count += 1;
            self.pages += (range.end - range.start) / PAGE;
        }
    }
}

/// All memory, divided.
pub struct Memory {
    /// The workload's.
    pub region: Region,
    /// Eight bytes for every page of the region, zero until verification needs them.
    pub versions: &'static mut [u64],
    /// Pages of RAM that the firmware reported as usable, whoever owns them.
    pub ram_pages: u64,
}

impl Memory {
    /// Divides the RAM that the loader reported, maps it and clears what firmware left in it.
    ///
    /// # Safety
    /// To be called once, after everything wanted from the loader's memory has been copied.
    pub unsafe fn divide(info: &BootInfo) -> Self {
        let mut ranges = [Range::default(); MOST_RANGES];
        let mut ram_pages = 0;
        for (slot, range) in ranges.iter_mut().zip(info.ranges()) {
            let start = range.start.next_multiple_of(PAGE);
            let end = range.end & !(PAGE - 1);
            ram_pages += end.saturating_sub(start) / PAGE;
            *slot = Range { start: start.max(LOW_END), end };
        }
        for range in ranges.iter().filter(|range| range.end > FOUR_GIB) {
            paging::map(range.start, range.end);
        }

        let image = image();
        let home =
            ranges.iter_mut().find(|range| range.start <= image.start && image.end <= range.end);
        let Some(home) = home else { panic!("the image lies outside of the reported RAM") };
        home.start = image.end;
        let room = home.end - home.start;
        let pages_at_most: u64 = ranges.iter().map(pages_of).sum();
        let versions_bytes = (pages_at_most * 8).next_multiple_of(PAGE);
        assert!(room > versions_bytes, "too little memory beside the image");
        let versions_start = image.end;
        for range in ranges.iter_mut().filter(|range| range.start == versions_start) {
            range.start += versions_bytes;
        }

        let mut region =
            Region { ranges: [Range::default(); MOST_RANGES], range_count: 0, pages: 0 };
        for range in ranges {
            region.add(range);
        }
        // SAFETY: mapped RAM right behind the image, in no range of the region, and given out
        // only here, once; zeros are valid numbers.
        let versions =
            unsafe { slice::from_raw_parts_mut(versions_start as *mut u64, region.pages as usize) };
        let mut memory = Self { region, versions, ram_pages };
        memory.clear_litter(info.littered);
        memory
    }

    /// Makes zero what is not: where firmware leaves litter, or everywhere.
    fn clear_litter(&mut self, everywhere: bool) {
        if everywhere {
            self.clear(0, u64::MAX);
            self.versions.fill(0);
            return;
        }
        let ends = self.region.ranges.iter().map(|range| range.end);
        let top = ends.filter(|end| *end <= FOUR_GIB).max().unwrap_or(0);
        for (from, to) in FIRMWARE_LITTER {
            self.clear(top.saturating_sub(from), top.saturating_sub(to));
        }
    }

    /// Makes zero those pages of the region between two addresses that are not.
    fn clear(&mut self, from: u64, to: u64) {
        let mut first_index = 0;
        let ranges = self.region.ranges;
        for range in &ranges[..self.region.range_count] {
            for address in (range.start.max(from)..range.end.min(to)).step_by(PAGE_BYTES) {
                let index = first_index + (address - range.start) / PAGE;
                if !content::is_zero(self.region.words(index)) {
                    self.region.page(index).fill(0);
                }
            }
            first_index += pages_of(range);
        }
    }
}

/// Pages of the guest's own (image, tables, stacks, queues) that are not zero.
pub fn own_nonzero_pages() -> u64 {
    let image = image();
    let mut pages = 0;
    for address in (image.start..image.end).step_by(PAGE_BYTES) {
        for word in (address..address + PAGE).step_by(8) {
            // SAFETY: the image's own memory. Read word by word and volatile, because other code
            // and the network card write to it.
            if unsafe { ptr::read_volatile(word as *const u64) } != 0 {
                pages += 1;
                break;
            }
        }
    }
    pages
}

/// A checksum of the guest's code and constants.
pub fn image_checksum() -> u64 {
    let start = &raw const image_start as u64;
    let end = &raw const image_constant_end as u64;
    let mut sum: u64 = 0;
    for word in (start..end).step_by(8) {
        // SAFETY: mapped memory of the image, which nothing writes. Volatile, so that it is the
        // memory that is read.
        let value = unsafe { ptr::read_volatile(word as *const u64) };
        // Multiplication by an odd number and rotation: a changed bit anywhere changes the sum.
        sum = (sum.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    sum
}

fn image() -> Range {
    Range { start: &raw const image_start as u64, end: &raw const image_end as u64 }
}

const fn pages_of(range: &Range) -> u64 {
    range.end.saturating_sub(range.start) / PAGE
}
