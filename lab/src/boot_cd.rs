//! The guest on a CD: for those who may give a VM a CD, but no kernel.
//!
//! An ISO 9660 image with one file, which is also its boot image by El Torito, without emulation:
//! the guest's own 16-bit part (`guest/src/cd.s`) and behind it the guest as it lies in memory.
//!
//! Sources: ECMA-119; "El Torito" Bootable CD-ROM Format Specification 1.0; ELF-64 Object File
//! Format 1.5. Pure.

mod elf;
mod iso;

use elf::Elf;

/// Where a BIOS puts the boot image, bytes.
const BASE: u64 = 0x7c00;
/// What a BIOS keeps for itself begins no lower than this.
const LIMIT: u64 = 0x9_0000;
/// The section with the 16-bit part.
const SECTION: &str = ".cd";
/// Where in that the image's length, place and entry stand, as three double words.
const NUMBERS: usize = 4;

/// A file that is no guest which could be put on a CD.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no guest that a CD can start: {0}")]
pub struct NotBootable(pub String);

impl NotBootable {
    fn because(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// The CD of a guest's image, as it is given to QEMU's `-kernel`. The same for the same guest.
///
/// # Errors
/// When the file is no such image.
pub fn image(guest: &[u8]) -> Result<Vec<u8>, NotBootable> {
    Ok(iso::image(&boot_image(guest)?))
}

/// What the BIOS loads.
fn boot_image(guest: &[u8]) -> Result<Vec<u8>, NotBootable> {
    let elf = Elf::parse(guest)?;
    let mut image = elf
        .section(SECTION)?
        .ok_or_else(|| NotBootable::because(format!("it has no section {SECTION}")))?
        .to_vec();
    let (place, mut memory) = elf.memory()?;
    memory.resize(memory.len().next_multiple_of(4), 0);
    let end = BASE + (image.len() + memory.len()) as u64;
    if end > LIMIT {
        return Err(NotBootable::because(format!("it is {} bytes too large", end - LIMIT)));
    }
    let numbers = [memory.len() as u64, place, elf.entry()];
    for (index, number) in numbers.into_iter().enumerate() {
        let number = u32::try_from(number)
            .map_err(|_| NotBootable::because(format!("{number:#x} is above 4 GiB")))?;
        let at = NUMBERS + index * 4;
        image
            .get_mut(at..at + 4)
            .ok_or_else(|| NotBootable::because(format!("{SECTION} is too short")))?
            .copy_from_slice(&number.to_le_bytes());
    }
    image.append(&mut memory);
    Ok(image)
}

#[cfg(test)]
mod tests;
