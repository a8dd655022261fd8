//! `probe=<MiB>` on the command line: how fast this machine fills memory, what asking a device
//! takes, and nothing else.

use core::fmt::Write;

use wire::{Content, PAGE_BYTES, content};

use crate::clock::Clock;
use crate::console::{Console, Exit, exit};
use crate::memory::Region;

const PAGES_PER_MIB: u64 = (1 << 20) / PAGE_BYTES as u64;

/// The clock is a device, and each reading is answered by whatever runs this machine. Where
/// virtualization is emulated itself, memory may be filled fast and yet nothing be done in time.
const READINGS: u64 = 200;

/// Fills, reads the clock, tells how long either took, and ends the guest.
pub fn run(mebibytes: &str, region: &mut Region, clock: &mut Clock) -> ! {
    let Ok(wanted) = mebibytes.parse::<u32>() else {
        panic!("probe={mebibytes}: expected a number of MiB")
    };
    let pages = u64::from(wanted) * PAGES_PER_MIB;
    assert!(
        pages <= region.pages(),
        "probe={wanted}: there are only {} MiB to fill",
        region.pages() / PAGES_PER_MIB
    );
    let begin_ns = clock.now_ns();
    for page in 0..pages {
        content::write(Content::Random, 0, page, 0, region.page(page));
        // The clock must be read every few seconds of guest time, and this may be a slow machine.
        if page % PAGES_PER_MIB == 0 {
            clock.now_ns();
        }
    }
    let took_us = (clock.now_ns() - begin_ns) / 1000;
    // With nothing listening on the port there is nobody to tell.
    let _ = writeln!(Console, "probe fill {wanted} MiB {took_us} us");
    let begin_ns = clock.now_ns();
    for _ in 1..READINGS {
        clock.now_ns();
    }
    let each_ns = (clock.now_ns() - begin_ns) / READINGS;
    let _ = writeln!(Console, "probe device {each_ns} ns");
    exit(Exit::Done)
}
