//! The local interrupt controller's one-shot timer, and sleeping until it fires.

use core::arch::asm;
use core::ptr;

use crate::clock::Clock;
use crate::interrupts::{SPURIOUS_VECTOR, TIMER_VECTOR};
use crate::port;

const APIC: usize = 0xfee0_0000;
const SPURIOUS: usize = 0xf0;
const LVT_TIMER: usize = 0x320;
const LVT_LINT0: usize = 0x350;
const INITIAL_COUNT: usize = 0x380;
const CURRENT_COUNT: usize = 0x390;
const DIVIDE: usize = 0x3e0;

const ENABLE: u32 = 1 << 8;
const MASKED: u32 = 1 << 16;
const DIVIDE_BY_ONE: u32 = 0b1011;

const PIC_DATA: [u16; 2] = [0x21, 0xa1];

/// How long the rate of the timer is measured, and how far apart the two readings that make up
/// one measurement may lie (further: the host took the processor away in between).
const CALIBRATION_NS: u64 = 300_000;
const CALIBRATION_SLACK_NS: u64 = 10_000;
const CALIBRATION_READS: u32 = 1000;

/// Sleeping for less is not worth the interrupt.
const SHORTEST_SLEEP_NS: u64 = 2_000;

/// The timer.
pub struct Timer {
    /// Counts per nanosecond, in units of 2^-20.
    counts_per_ns_shifted: u64,
}

const SHIFT: u32 = 20;

impl Timer {
    /// Masks all other interrupts, switches the timer on and measures its rate by the clock.
    pub fn start(clock: &mut Clock) -> Self {
        for port in PIC_DATA {
            // SAFETY: masks all lines of the old interrupt controllers.
            unsafe { port::write_u8(port, 0xff) };
        }
        write(SPURIOUS, ENABLE | u32::from(SPURIOUS_VECTOR));
        write(LVT_LINT0, MASKED);
        write(DIVIDE, DIVIDE_BY_ONE);
        write(LVT_TIMER, MASKED | u32::from(TIMER_VECTOR));
        write(INITIAL_COUNT, u32::MAX);

        let (begin_ns, begin_count) = read_both(clock);
        while clock.now_ns() < begin_ns + CALIBRATION_NS {}
        let (end_ns, end_count) = read_both(clock);
        let counts = u64::from(begin_count.wrapping_sub(end_count));
        let counts_per_ns_shifted = (counts << SHIFT) / (end_ns - begin_ns);
        assert!(counts_per_ns_shifted > 0, "the local timer does not run");

        write(INITIAL_COUNT, 0);
        write(LVT_TIMER, u32::from(TIMER_VECTOR));
        Self { counts_per_ns_shifted }
    }

    /// Halts from `now_ns` until `until_ns` of the clock, or a little earlier.
    pub fn sleep(&mut self, now_ns: u64, until_ns: u64) {
        let left_ns = until_ns.saturating_sub(now_ns);
        if left_ns < SHORTEST_SLEEP_NS {
            return;
        }
        // Bounded before the product so that it cannot overflow; the caller asks for at most ms.
        let left_ns = left_ns.min(1_000_000_000);
        let counts = (left_ns * self.counts_per_ns_shifted) >> SHIFT;
        write(INITIAL_COUNT, u32::try_from(counts).unwrap_or(u32::MAX).max(1));
        // SAFETY: interrupts are off until here and come in only after the instruction that
        // follows `sti`, so the timer cannot fire unseen before the halt. The handler uses its
        // own stack and changes nothing.
        unsafe { asm!("sti", "hlt", "cli") }
    }
}

/// Clock and count at the same moment.
fn read_both(clock: &mut Clock) -> (u64, u32) {
    let mut best = (u64::MAX, 0, 0);
    for _ in 0..CALIBRATION_READS {
        let before = clock.now_ns();
        let count = read(CURRENT_COUNT);
        let after = clock.now_ns();
        if after - before < best.0 {
            best = (after - before, before.midpoint(after), count);
        }
        if best.0 <= CALIBRATION_SLACK_NS {
            break;
        }
    }
    (best.1, best.2)
}

fn write(register: usize, value: u32) {
    // SAFETY: a register of the local controller, identity-mapped by the boot code; it only
    // concerns interrupts, which are off whenever Rust code runs.
    unsafe { ptr::write_volatile((APIC + register) as *mut u32, value) }
}

fn read(register: usize) -> u32 {
    // SAFETY: as for `write`.
    unsafe { ptr::read_volatile((APIC + register) as *const u32) }
}
