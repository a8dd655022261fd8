//! The guest's clock: a hardware counter at a known rate, extended to 64 bits of nanoseconds.
//!
//! The HPET, else the ACPI power-management timer. Not the TSC, whose rate is the host's and may
//! change with a migration, and not counted timer interrupts, some of which get lost.

use core::ptr;

use crate::port;

/// Where QEMU's machines (and PCs in general) have the HPET.
const HPET: usize = 0xfed0_0000;
const HPET_PERIOD_FS: usize = HPET + 0x04;
const HPET_CONFIGURATION: usize = HPET + 0x10;
const HPET_COUNTER: usize = HPET + 0xf0;
const HPET_ENABLE: u32 = 1;
/// The longest period the HPET's specification permits: 100 ns.
const HPET_LONGEST_PERIOD_FS: u32 = 100_000_000;
const FS_PER_NS: u64 = 1_000_000;

/// Where QEMU's firmware puts the power-management timer, on `pc` as on `q35`.
const PM_TIMER: u16 = 0x608;
const PM_TIMER_HZ: u64 = 3_579_545;
const NS_PER_S: u64 = 1_000_000_000;

#[derive(Clone, Copy)]
enum Source {
    Hpet,
    PmTimer,
}

impl Source {
    /// The counter's low bits. Not all 64 of the HPET: some versions of QEMU read its halves one
    /// after the other, and between the two the lower one may have wrapped.
    fn read(self) -> u32 {
        match self {
            // SAFETY: a register of the HPET, identity-mapped by the boot code.
            Self::Hpet => unsafe { ptr::read_volatile(HPET_COUNTER as *const u32) },
            // SAFETY: reading the timer's port touches no memory.
            Self::PmTimer => unsafe { port::read_u32(PM_TIMER) },
        }
    }
}

/// A clock that counts nanoseconds from its start. It must be read at least every 4 s of guest
/// time (a 24-bit counter at 3.58 MHz wraps after 4.7 s); the main loop does so every ms.
pub struct Clock {
    source: Source,
    mask: u32,
    /// Nanoseconds per count, as a fraction.
    numerator: u64,
    denominator: u64,
    last: u32,
    now_ns: u64,
    /// What is left of a nanosecond, in units of `1 / denominator`: so nothing is ever rounded
    /// away and the clock does not drift from its counter.
    remainder: u64,
}

impl Clock {
    /// Starts the clock at 0.
    pub fn start() -> Self {
        // SAFETY: registers of the HPET, identity-mapped by the boot code; where there is no
        // HPET, nothing answers and the reads give ones or zeros.
        let period_fs = unsafe { ptr::read_volatile(HPET_PERIOD_FS as *const u32) };
        let (source, mask, numerator, denominator) = if (1..=HPET_LONGEST_PERIOD_FS)
            .contains(&period_fs)
        {
            // SAFETY: as above; setting the enable bit only makes the counter run.
            unsafe {
                let configuration = ptr::read_volatile(HPET_CONFIGURATION as *const u32);
                ptr::write_volatile(HPET_CONFIGURATION as *mut u32, configuration | HPET_ENABLE);
            }
            (Source::Hpet, u32::MAX, u64::from(period_fs), FS_PER_NS)
        } else {
            (Source::PmTimer, 0xff_ffff, NS_PER_S, PM_TIMER_HZ)
        };
        let clock = Self {
            source,
            mask,
            numerator,
            denominator,
            last: source.read(),
            now_ns: 0,
            remainder: 0,
        };
        clock.assert_runs();
        clock
    }

    /// Nanoseconds since the start.
    pub fn now_ns(&mut self) -> u64 {
        let counter = self.source.read();
        let counts = u64::from(counter.wrapping_sub(self.last) & self.mask);
        self.last = counter;
        // At most 2^32 x 10^8, far from the limit of 64 bits.
        let scaled = counts * self.numerator + self.remainder;
        self.now_ns += scaled / self.denominator;
        self.remainder = scaled % self.denominator;
        self.now_ns
    }

    fn assert_runs(&self) {
        const READS: u32 = 100_000;
        let runs = (0..READS).any(|_| self.source.read() & self.mask != self.last & self.mask);
        assert!(runs, "no clock: neither an HPET nor a power-management timer at {PM_TIMER:#x}");
    }
}
