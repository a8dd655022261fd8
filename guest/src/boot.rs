//! What the loader says: the command line and where RAM is.

use core::arch::global_asm;
use core::ptr;

global_asm!(include_str!("boot.s"));
global_asm!(include_str!("cd.s"));
global_asm!(include_str!("memory_functions.s"));

/// What a multiboot2 loader leaves in EAX.
const MULTIBOOT2_MAGIC: u32 = 0x36d7_6289;
/// First field of PVH's `hvm_start_info`.
const PVH_MAGIC: u32 = 0x336e_c578;
/// Usable RAM, in both memory maps.
const RAM: u32 = 1;

const MOST_RANGES: usize = 8;
const MOST_COMMAND_LINE_BYTES: usize = 512;

/// A range of usable RAM, bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Range {
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

/// The loader's information, copied out of memory that will be overwritten.
pub struct BootInfo {
    ranges: [Range; MOST_RANGES],
    range_count: usize,
    command_line: [u8; MOST_COMMAND_LINE_BYTES],
    command_line_bytes: usize,
    /// Whether memory may hold leavings of a loader anywhere, not only near the top.
    pub littered: bool,
}

impl BootInfo {
    /// Reads what the loader left.
    ///
    /// # Safety
    /// `magic` and `address` must be what EAX and EBX held at entry, and memory as it was then.
    pub unsafe fn read(magic: u32, address: u64) -> Self {
        let mut info = Self {
            ranges: [Range::default(); MOST_RANGES],
            range_count: 0,
            command_line: [0; MOST_COMMAND_LINE_BYTES],
            command_line_bytes: 0,
            littered: magic == MULTIBOOT2_MAGIC,
        };
        // SAFETY: the caller's promise; the formats are those of the two protocols.
        unsafe {
            if magic == MULTIBOOT2_MAGIC {
                info.read_multiboot2(address);
            } else {
                info.read_pvh(address);
            }
        }
        assert!(info.range_count > 0, "the loader gave no memory map");
        info
    }

    /// Usable ranges in the loader's order.
    pub fn ranges(&self) -> &[Range] {
        &self.ranges[..self.range_count]
    }

    /// The value of `key=value` on the command line.
    pub fn argument(&self, key: &str) -> Option<&str> {
        let line = str::from_utf8(&self.command_line[..self.command_line_bytes]).ok()?;
        line.split_ascii_whitespace()
            .filter_map(|word| word.split_once('='))
            .find_map(|(name, value)| (name == key).then_some(value))
    }

    /// `struct hvm_start_info`, version 1 (Xen, `include/public/arch-x86/hvm/start_info.h`).
    unsafe fn read_pvh(&mut self, address: u64) {
        // SAFETY: the caller's promise.
        unsafe {
            let magic = load::<u32>(address);
            assert!(magic == PVH_MAGIC, "not started by PVH or multiboot2: {magic:#x}");
            let version = load::<u32>(address + 4);
            assert!(version >= 1, "PVH version {version} has no memory map: use QEMU 4.0 or later");
            self.copy_command_line(load::<u64>(address + 24));
            let map = load::<u64>(address + 40);
            let entries = load::<u32>(address + 48);
            for entry in (0..u64::from(entries)).map(|index| map + index * 24) {
                self.add_range(load(entry), load(entry + 8), load(entry + 16));
            }
        }
    }

    /// The list of tags (Multiboot2 specification, section 3.6).
    unsafe fn read_multiboot2(&mut self, address: u64) {
        const END: u32 = 0;
        const COMMAND_LINE: u32 = 1;
        const MEMORY_MAP: u32 = 6;
        let mut tag = address + 8;
        // SAFETY: the caller's promise; every tag says its length.
        unsafe {
            loop {
                let length = u64::from(load::<u32>(tag + 4));
                match load::<u32>(tag) {
                    END => break,
                    COMMAND_LINE => self.copy_command_line(tag + 8),
                    MEMORY_MAP => {
                        let step = u64::from(load::<u32>(tag + 8)).max(24);
                        let mut entry = tag + 16;
                        while entry + step <= tag + length {
                            self.add_range(load(entry), load(entry + 8), load(entry + 16));
                            entry += step;
                        }
                    }
                    _ => {}
                }
                tag += length.max(8).next_multiple_of(8);
            }
        }
    }

    fn add_range(&mut self, start: u64, bytes: u64, kind: u32) {
        if kind == RAM && self.range_count < MOST_RANGES {
            self.ranges[self.range_count] = Range { start, end: start.saturating_add(bytes) };
            self.range_count += 1;
        }
    }

    /// Copies a string that ends with a zero byte; 0 stands for none.
    unsafe fn copy_command_line(&mut self, address: u64) {
        if address == 0 {
            return;
        }
        for (slot, place) in self.command_line.iter_mut().zip(address..) {
            // SAFETY: the caller's promise: the string ends before memory does.
            let byte = unsafe { load::<u8>(place) };
            if byte == 0 {
                break;
            }
            *slot = byte;
            self.command_line_bytes += 1;
        }
    }
}

/// Reads one value at a physical address.
///
/// # Safety
/// The address must be mapped RAM, and any bits must be a valid `T`.
unsafe fn load<T: Copy>(address: u64) -> T {
    // SAFETY: the caller's promise.
    unsafe { ptr::read_unaligned(address as *const T) }
}
