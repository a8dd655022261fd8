//! I/O ports of x86.

use core::arch::asm;

/// Writes a byte to a port.
///
/// # Safety
/// The device behind the port must not thereby break memory that Rust relies on.
pub unsafe fn write_u8(port: u16, value: u8) {
    // SAFETY: the instruction itself touches no memory; the caller answers for the device.
    unsafe { asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack)) }
}

/// Writes 32 bits to a port.
///
/// # Safety
/// As for [`write_u8`].
pub unsafe fn write_u32(port: u16, value: u32) {
    // SAFETY: the instruction itself touches no memory; the caller answers for the device.
    unsafe { asm!("out dx, eax", in("dx") port, in("eax") value, options(nomem, nostack)) }
}

/// Reads a byte from a port.
///
/// # Safety
/// As for [`write_u8`]: reading, too, may make a device act.
pub unsafe fn read_u8(port: u16) -> u8 {
    let value;
    // SAFETY: the instruction itself touches no memory; the caller answers for the device.
    unsafe { asm!("in al, dx", in("dx") port, out("al") value, options(nomem, nostack)) }
    value
}

/// Reads 32 bits from a port.
///
/// # Safety
/// As for [`read_u8`].
pub unsafe fn read_u32(port: u16) -> u32 {
    let value;
    // SAFETY: the instruction itself touches no memory; the caller answers for the device.
    unsafe { asm!("in eax, dx", in("dx") port, out("eax") value, options(nomem, nostack)) }
    value
}
