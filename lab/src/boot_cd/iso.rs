//! An ISO 9660 image with one file that a BIOS boots.

/// A sector of a CD, bytes.
const SECTOR: usize = 2048;
/// A sector as a BIOS counts when it loads a boot image, bytes.
const BOOT_SECTOR: usize = 512;

/// Sectors, from the first after the 16 that a CD leaves to its system (ECMA-119 6.2.1).
const PRIMARY: usize = 16;
const BOOT_RECORD: usize = 17;
const TERMINATOR: usize = 18;
const PATHS_LITTLE: usize = 19;
const PATHS_BIG: usize = 20;
const ROOT: usize = 21;
const CATALOGUE: usize = 22;
const FILE: usize = 23;

/// The file's name: of capitals, with its version.
const NAME: &[u8] = b"GUEST.BIN;1";
/// The volume's name.
const VOLUME: &str = "PRECOPY_LAB";
/// A path table with the root alone, bytes.
const PATHS_BYTES: u32 = 10;

/// The CD with this boot image.
pub(super) fn image(boot: &[u8]) -> Vec<u8> {
    let mut cd = vec![0; (FILE + boot.len().div_ceil(SECTOR)) * SECTOR];
    let sectors = cd.len() / SECTOR;
    write(&mut cd, FILE, boot);
    write(&mut cd, PRIMARY, &primary(sectors));
    write(&mut cd, BOOT_RECORD, &boot_record());
    write(&mut cd, TERMINATOR, b"\xffCD001\x01");
    let [little, big] = paths();
    write(&mut cd, PATHS_LITTLE, &little);
    write(&mut cd, PATHS_BIG, &big);
    let root = [
        entry(&[0], ROOT, SECTOR, true),
        entry(&[1], ROOT, SECTOR, true),
        entry(NAME, FILE, boot.len(), false),
    ];
    write(&mut cd, ROOT, &root.concat());
    write(&mut cd, CATALOGUE, &catalogue(boot.len()));
    cd
}

fn write(cd: &mut [u8], sector: usize, content: &[u8]) {
    let begin = sector * SECTOR;
    cd[begin..begin + content.len()].copy_from_slice(content);
}

/// A number in both byte orders (ECMA-119 7.3.3). A CD of this kind is far below 4 GiB.
fn both(number: usize) -> [u8; 8] {
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    let mut both = [0; 8];
    both[..4].copy_from_slice(&number.to_le_bytes());
    both[4..].copy_from_slice(&number.to_be_bytes());
    both
}

/// A small number in both byte orders (7.2.3).
fn both_short(number: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (number.to_le_bytes(), number.to_be_bytes());
    [a, b, c, d]
}

/// A text at the begin of a field of this length, filled with spaces.
fn text(text: &str, bytes: usize) -> Vec<u8> {
    let mut field = text.as_bytes().to_vec();
    field.resize(bytes, b' ');
    field
}

/// The primary volume descriptor (ECMA-119 8.4).
fn primary(sectors: usize) -> Vec<u8> {
    let never = [b"0000000000000000".as_slice(), &[0]].concat();
    let sector_bytes = u16::try_from(SECTOR).unwrap_or(u16::MAX);
    let path = |sector: usize| u32::try_from(sector).unwrap_or(u32::MAX);
    [
        b"\x01CD001\x01\x00".to_vec(),
        text("", 32),
        text(VOLUME, 32),
        vec![0; 8],
        both(sectors).to_vec(),
        vec![0; 32],
        both_short(1).to_vec(),
        both_short(1).to_vec(),
        both_short(sector_bytes).to_vec(),
        both(PATHS_BYTES as usize).to_vec(),
        path(PATHS_LITTLE).to_le_bytes().to_vec(),
        vec![0; 4],
        path(PATHS_BIG).to_be_bytes().to_vec(),
        vec![0; 4],
        entry(&[0], ROOT, SECTOR, true),
        // Volume set, publisher, preparer, application; three files that tell more.
        text("", 128 * 4 + 37 * 3),
        // Made, changed, to be gone, to be used: the same image for the same guest.
        never.repeat(4),
        vec![1, 0],
    ]
    .concat()
}

/// What says that it can be booted (El Torito, figure 7).
fn boot_record() -> Vec<u8> {
    let mut record = b"\x00CD001\x01EL TORITO SPECIFICATION".to_vec();
    record.resize(71, 0);
    record.extend(u32::try_from(CATALOGUE).unwrap_or(u32::MAX).to_le_bytes());
    record
}

/// The path tables of both byte orders (ECMA-119 9.4): the root, which is its own parent.
fn paths() -> [Vec<u8>; 2] {
    let root = u32::try_from(ROOT).unwrap_or(u32::MAX);
    let little = [&[1, 0][..], &root.to_le_bytes(), &1_u16.to_le_bytes(), &[0, 0]].concat();
    let big = [&[1, 0][..], &root.to_be_bytes(), &1_u16.to_be_bytes(), &[0, 0]].concat();
    [little, big]
}

/// A folder's entry (ECMA-119 9.1).
fn entry(name: &[u8], sector: usize, bytes: usize, is_folder: bool) -> Vec<u8> {
    const FIXED: usize = 33;
    let length = (FIXED + name.len()).next_multiple_of(2);
    let byte = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
    let mut entry = vec![byte(length), 0];
    entry.extend(both(sector));
    entry.extend(both(bytes));
    // 1 January 1970, and no zone.
    entry.extend([70, 1, 1, 0, 0, 0, 0]);
    entry.extend([if is_folder { 2 } else { 0 }, 0, 0]);
    entry.extend(both_short(1));
    entry.push(byte(name.len()));
    entry.extend(name);
    entry.resize(length, 0);
    entry
}

/// The boot catalogue (El Torito, figures 2 and 3): for a PC, and the one entry there is.
fn catalogue(boot_bytes: usize) -> Vec<u8> {
    let mut validation = vec![0; 32];
    (validation[0], validation[30], validation[31]) = (1, 0x55, 0xaa);
    let words = validation.chunks(2).map(|word| u16::from_le_bytes([word[0], word[1]]));
    let sum = words.fold(0_u16, u16::wrapping_add);
    validation[28..30].copy_from_slice(&sum.wrapping_neg().to_le_bytes());
    // Bootable, no emulation, at the usual segment.
    let mut default = vec![0x88, 0, 0, 0, 0, 0];
    let sectors = u16::try_from(boot_bytes.div_ceil(BOOT_SECTOR)).unwrap_or(u16::MAX);
    default.extend(sectors.to_le_bytes());
    default.extend(u32::try_from(FILE).unwrap_or(u32::MAX).to_le_bytes());
    default.resize(32, 0);
    [validation, default].concat()
}
