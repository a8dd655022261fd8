//! One-line messages on the first serial port, and the end of the guest.

use core::arch::asm;
use core::fmt::{self, Write};
use core::panic::PanicInfo;

use crate::port;

const COM1: u16 = 0x3f8;
const LINE_STATUS: u16 = COM1 + 5;
const TRANSMITTER_EMPTY: u8 = 1 << 5;
/// Port of QEMU's `isa-debug-exit` device; without that device a write does nothing.
const DEBUG_EXIT: u16 = 0xf4;
/// A port that is not there never says that it is ready.
const MOST_POLLS: u32 = 100_000;

/// How the guest ended, as written to `isa-debug-exit` (QEMU exits with twice this plus one).
#[derive(Clone, Copy, Debug)]
pub enum Exit {
    /// What was asked has been done.
    Done = 0,
    /// A panic, said on the serial port.
    Panicked = 1,
}

/// The first serial port.
pub struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            for _ in 0..MOST_POLLS {
                // SAFETY: reading the line status of a serial port touches no memory.
                if unsafe { port::read_u8(LINE_STATUS) } & TRANSMITTER_EMPTY != 0 {
                    break;
                }
            }
            // SAFETY: a serial port sends the byte; it touches no memory.
            unsafe { port::write_u8(COM1, byte) };
        }
        Ok(())
    }
}

/// Ends the guest: by `isa-debug-exit` where there is one, else by halting for good.
pub fn exit(how: Exit) -> ! {
    // SAFETY: ends the virtual machine or does nothing.
    unsafe { port::write_u32(DEBUG_EXIT, how as u32) };
    loop {
        // SAFETY: with interrupts off the processor stops here for good, which is meant.
        unsafe { asm!("cli", "hlt", options(nomem, nostack)) }
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // Nothing is left to try when even this cannot be written.
    let _ = match info.location() {
        Some(place) => writeln!(
            Console,
            "guest: panicked: {} ({}:{})",
            info.message(),
            place.file(),
            place.line()
        ),
        None => writeln!(Console, "guest: panicked: {}", info.message()),
    };
    exit(Exit::Panicked)
}
