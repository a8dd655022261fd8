//! The CD of a made-up guest, byte by byte where a BIOS looks.

use super::*;
use proptest::prelude::*;

const SECTOR: usize = 2048;

/// An executable of two parts, far enough from each other to have a hole between, and with a
/// section for the CD.
fn guest() -> Vec<u8> {
    const PARTS: [(u64, &[u8]); 2] = [(0x10_0000, b"first part"), (0x10_1000, b"second")];
    let (programs, sections, contents) = (64, 64 + 2 * 56, 64 + 2 * 56 + 3 * 64);
    let names = b"\0.names\0.cd\0";
    let cd = [b"jump".as_slice(), &[0; 12], b"the 16-bit part"].concat();
    let mut file = vec![0; contents];
    file[..6].copy_from_slice(b"\x7fELF\x02\x01");
    let put = |file: &mut Vec<u8>, at: usize, bytes: &[u8]| {
        file[at..at + bytes.len()].copy_from_slice(bytes);
    };
    put(&mut file, 24, &0x10_0004_u64.to_le_bytes());
    put(&mut file, 32, &(programs as u64).to_le_bytes());
    put(&mut file, 40, &(sections as u64).to_le_bytes());
    for (at, number) in [(54, 56_u16), (56, 2), (58, 64), (60, 3), (62, 1)] {
        put(&mut file, at, &number.to_le_bytes());
    }
    for (index, (place, content)) in PARTS.into_iter().enumerate() {
        let header = programs + index * 56;
        let offset = file.len() as u64;
        put(&mut file, header, &1_u32.to_le_bytes());
        for (at, number) in [(8, offset), (24, place), (32, content.len() as u64), (40, 0x2000)] {
            put(&mut file, header + at, &number.to_le_bytes());
        }
        file.extend(content);
    }
    for (index, (name, content)) in [(1_u32, &names[..]), (8, &cd[..])].into_iter().enumerate() {
        let header = sections + (index + 1) * 64;
        let offset = file.len() as u64;
        put(&mut file, header, &name.to_le_bytes());
        put(&mut file, header + 24, &offset.to_le_bytes());
        put(&mut file, header + 32, &(content.len() as u64).to_le_bytes());
        file.extend(content);
    }
    file
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

#[test]
fn a_bios_finds_the_image_and_the_image_itself() {
    let cd = image(&guest()).expect("a guest");
    assert_eq!(cd, image(&guest()).expect("a guest"), "the same for the same guest");
    assert!(cd.len().is_multiple_of(SECTOR));

    // As a BIOS goes about it.
    let record = &cd[17 * SECTOR..];
    assert_eq!(&record[..7], b"\0CD001\x01");
    assert!(record[7..].starts_with(b"EL TORITO SPECIFICATION\0"));
    let catalogue = &cd[u32_at(record, 0x47) as usize * SECTOR..];
    let words = catalogue[..32].chunks(2).map(|word| u16::from_le_bytes([word[0], word[1]]));
    assert_eq!(words.fold(0, u16::wrapping_add), 0, "the checksum");
    assert_eq!((catalogue[0], catalogue[30], catalogue[31]), (1, 0x55, 0xaa));
    let entry = &catalogue[32..];
    assert_eq!((entry[0], entry[1]), (0x88, 0), "bootable, no emulation");
    let sectors = usize::from(u16::from_le_bytes([entry[6], entry[7]]));
    let begin = u32_at(entry, 8) as usize * SECTOR;
    let boot = &cd[begin..begin + sectors * 512];

    // As its 16-bit part goes about it.
    let bytes = u32_at(boot, 4) as usize;
    assert_eq!((u32_at(boot, 8), u32_at(boot, 12)), (0x10_0000, 0x10_0004));
    assert!(boot.starts_with(b"jump"));
    let memory = &boot[31..31 + bytes];
    assert_eq!(&memory[..10], b"first part");
    assert!(memory[10..0x1000].iter().all(|byte| *byte == 0));
    assert_eq!(&memory[0x1000..], b"second\0\0");
}

#[test]
fn its_one_file_is_in_its_folder() {
    let cd = image(&guest()).expect("a guest");
    let volume = &cd[16 * SECTOR..17 * SECTOR];
    assert_eq!(&volume[..6], b"\x01CD001");
    assert_eq!(u32_at(volume, 80) as usize, cd.len() / SECTOR, "its size");
    assert_eq!(volume[881], 1, "the version of what a file's entry is like");
    let root = &cd[u32_at(volume, 156 + 2) as usize * SECTOR..][..SECTOR];
    let file = &root[34 + 34..];
    assert_eq!(&file[33..33 + usize::from(file[32])], b"GUEST.BIN;1");
    let (begin, bytes) = (u32_at(file, 2) as usize * SECTOR, u32_at(file, 10) as usize);
    assert_eq!(&cd[begin..begin + bytes], &boot_image(&guest()).expect("a guest")[..]);
}

#[test]
fn what_is_no_such_guest_is_refused() {
    let refused = |file: &[u8]| image(file).expect_err("refused").0;
    assert_eq!(refused(b"#!/bin/sh"), "it is no 64-bit ELF");
    let guest = guest();
    for bytes in 0..guest.len() {
        refused(&guest[..bytes]);
    }
    let mut other = guest.clone();
    let name = other.windows(4).position(|it| it == b".cd\0").expect("there");
    other[name] = b'_';
    assert_eq!(refused(&other), "it has no section .cd");
    let mut far = guest.clone();
    far[64 + 56 + 24..][..8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(refused(&far), "its parts lie far from each other");
    let mut large = guest;
    let bytes = large.len() as u64;
    large.extend(vec![1; 0x9_0000]);
    large[64 + 8..][..8].copy_from_slice(&bytes.to_le_bytes());
    large[64 + 32..][..8].copy_from_slice(&0x9_0000_u64.to_le_bytes());
    assert!(refused(&large).ends_with("bytes too large"), "{}", refused(&large));
}

proptest! {
    #[test]
    fn any_file_is_a_guest_or_refused(at in 0_usize..400, bytes in any::<[u8; 8]>()) {
        let mut file = guest();
        let at = at.min(file.len() - 8);
        file[at..at + 8].copy_from_slice(&bytes);
        let _either = image(&file);
    }
}
