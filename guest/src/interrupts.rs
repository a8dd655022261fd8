//! Interrupt and exception tables. Nothing happens in an interrupt but that `hlt` ends.

use core::arch::{asm, global_asm};
use core::cell::UnsafeCell;

global_asm!(include_str!("interrupts.s"));

unsafe extern "C" {
    static gdt: UnsafeCell<[u64; 5]>;
    static exception_entries: [[u8; 16]; EXCEPTIONS];
    fn timer_interrupt();
    fn spurious_interrupt();
}

const EXCEPTIONS: usize = 32;
const STACK_BYTES: usize = 8192;

/// Vector of the local timer.
pub const TIMER_VECTOR: u8 = 0x40;
/// Vector of the local controller's spurious interrupt.
pub const SPURIOUS_VECTOR: u8 = 0xff;

const CODE_SELECTOR: u16 = 8;
const TASK_SELECTOR: u16 = 24;
/// Interrupt gate of 64 bits, present.
const GATE: u64 = 0x8e;
/// Task state of 64 bits, available, present.
const TASK: u64 = 0x89;

/// The stack switched to by an exception, and the one switched to by an interrupt.
const EXCEPTION_STACK: u8 = 1;
const INTERRUPT_STACK: u8 = 2;

/// The task state segment: for us only a list of stacks. Fields of 64 bits at odd places, hence
/// 32-bit halves (Intel SDM volume 3, figure 9-11).
#[repr(C)]
struct TaskState([u32; 26]);

#[repr(C, align(16))]
struct Stacks([[u8; STACK_BYTES]; 2]);

/// Everything the processor reads at an interrupt.
#[repr(C, align(16))]
struct Tables {
    gates: [[u64; 2]; 256],
    task: TaskState,
    stacks: Stacks,
}

struct Shared(UnsafeCell<Tables>);

// SAFETY: there is one processor, and only `install` writes, before interrupts are on.
unsafe impl Sync for Shared {}

static TABLES: Shared = Shared(UnsafeCell::new(Tables {
    gates: [[0; 2]; 256],
    task: TaskState([0; 26]),
    stacks: Stacks([[0; STACK_BYTES]; 2]),
}));

#[repr(C, packed)]
struct TablePointer {
    limit: u16,
    base: u64,
}

/// Fills the tables and gives them to the processor. Interrupts stay off. To be called once.
pub fn install() {
    let tables = TABLES.0.get();
    // SAFETY: called once, before any interrupt, so nothing else refers to the tables or the
    // descriptor table; the pointers stay valid because all of them are statics.
    unsafe {
        let stacks = &raw mut (*tables).stacks.0;
        for (index, stack) in [EXCEPTION_STACK, INTERRUPT_STACK].into_iter().enumerate() {
            let top = stacks.cast::<u8>().add((index + 1) * STACK_BYTES) as u64;
            // The list of stacks starts with number 1, at byte 36.
            let field = 9 + 2 * (usize::from(stack) - 1);
            (*tables).task.0[field] = top as u32;
            (*tables).task.0[field + 1] = (top >> 32) as u32;
        }

        let base = &raw const (*tables).task as u64;
        let limit = size_of::<TaskState>() as u64 - 1;
        let segments = gdt.get();
        (*segments)[3] = limit | (base & 0xff_ffff) << 16 | TASK << 40 | (base >> 24 & 0xff) << 56;
        (*segments)[4] = base >> 32;

        for (vector, entry) in exception_entries.iter().enumerate() {
            (*tables).gates[vector] = gate(entry.as_ptr() as u64, EXCEPTION_STACK);
        }
        (*tables).gates[usize::from(TIMER_VECTOR)] =
            gate(timer_interrupt as *const () as u64, INTERRUPT_STACK);
        (*tables).gates[usize::from(SPURIOUS_VECTOR)] =
            gate(spurious_interrupt as *const () as u64, INTERRUPT_STACK);

        let pointer = TablePointer {
            limit: (size_of::<[[u64; 2]; 256]>() - 1) as u16,
            base: &raw const (*tables).gates as u64,
        };
        asm!("lidt [{}]", in(reg) &raw const pointer, options(readonly, nostack));
        asm!("ltr {:x}", in(reg) TASK_SELECTOR, options(nostack));
    }
}

/// A descriptor of an entry (Intel SDM volume 3, figure 7-8).
const fn gate(entry: u64, stack: u8) -> [u64; 2] {
    [
        entry & 0xffff
            | (CODE_SELECTOR as u64) << 16
            | (stack as u64) << 32
            | GATE << 40
            | (entry >> 16 & 0xffff) << 48,
        entry >> 32,
    ]
}

/// Where every exception ends: none is expected.
#[unsafe(no_mangle)]
extern "C" fn exception(vector: u64, error: u64, at: u64, address: u64) -> ! {
    panic!("exception {vector}, error {error:#x}, at {at:#x}, address {address:#x}")
}
