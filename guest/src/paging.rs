//! The identity map, and its growth beyond the first 4 GiB that the boot code mapped.

use core::arch::asm;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicUsize, Ordering};

const PRESENT_WRITABLE: u64 = 0b11;
const LARGE: u64 = 1 << 7;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const LARGE_PAGE_BYTES: u64 = 2 << 20;
/// Enough for 60 GiB above the boot map's 4, in a few separate places.
const SPARE_TABLES: usize = 64;

type Table = [u64; 512];

#[repr(C, align(4096))]
struct Spare(UnsafeCell<[Table; SPARE_TABLES]>);

// SAFETY: only `take_spare` refers to it, and gives each table out once.
unsafe impl Sync for Spare {}

static SPARE: Spare = Spare(UnsafeCell::new([[0; 512]; SPARE_TABLES]));
static SPARE_USED: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" {
    static boot_pml4: UnsafeCell<Table>;
}

/// Maps `start..end` of physical memory at the same virtual addresses, rounded outwards to
/// 2 MiB. What is mapped already stays.
pub fn map(start: u64, end: u64) {
    let mut address = start & !(LARGE_PAGE_BYTES - 1);
    while address < end {
        map_large(address);
        address += LARGE_PAGE_BYTES;
    }
}

fn map_large(address: u64) {
    // SAFETY: the root table is a static of the boot code.
    let mut table = unsafe { boot_pml4.get() };
    for level_shift in [39, 30] {
        // SAFETY: `table` is a page table: either the root or one that an entry of ours points
        // to, all identity-mapped statics. There is one processor, and no reference to a table
        // outlives its statement.
        let entry = unsafe { &mut (*table)[(address >> level_shift) as usize & 511] };
        if *entry == 0 {
            *entry = take_spare() as u64 | PRESENT_WRITABLE;
        }
        table = (*entry & ADDRESS) as *mut Table;
    }
    // SAFETY: as above.
    let entry = unsafe { &mut (*table)[(address >> 21) as usize & 511] };
    if *entry == 0 {
        *entry = address | LARGE | PRESENT_WRITABLE;
        // SAFETY: flushes one address from the translation cache.
        unsafe { asm!("invlpg [{}]", in(reg) address, options(nostack)) };
    }
}

fn take_spare() -> *mut Table {
    let index = SPARE_USED.fetch_add(1, Ordering::Relaxed);
    assert!(index < SPARE_TABLES, "out of page tables: too much memory");
    // SAFETY: inside the static, by the assertion.
    unsafe { SPARE.0.get().cast::<Table>().add(index) }
}
