//! Whether a folder is shared: one node writes a file, the others read it.

use crate::clock;
use std::{
    error::Error,
    ffi::CString,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
};

/// A file holds its text as often as fits: a page, so that more than a directory entry travels.
const FILE_BYTES: usize = 4096;

fn content(text: &str) -> Vec<u8> {
    text.bytes().cycle().take(if text.is_empty() { 0 } else { FILE_BYTES }).collect()
}

/// Makes a new file full of `text`, synced with its folder, and prints
/// `wrote NANOSECONDS FREE_BYTES`: how long that took, and what the file system has left.
pub fn write(file: &str, text: &str) -> Result<(), Box<dyn Error>> {
    let (ns, free_bytes) = write_synced(Path::new(file), text)?;
    println!("wrote {ns} {free_bytes}");
    Ok(())
}

fn write_synced(path: &Path, text: &str) -> io::Result<(u64, u64)> {
    let folder = path.parent().ok_or_else(|| io::Error::other("a file without a folder"))?;
    let begun_ns = clock::monotonic_ns();
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let written = file.write_all(&content(text)).and_then(|()| file.sync_all());
    drop(file);
    let written = written.and_then(|()| File::open(folder)?.sync_all());
    let ns = clock::monotonic_ns() - begun_ns;
    if let Err(error) = written {
        // What is half there is of no use to anybody.
        let _gone = fs::remove_file(path);
        return Err(error);
    }
    Ok((ns, free_bytes(folder)?))
}

/// Reads files and prints a line for each: `same` when it is full of its text, `other` when it
/// holds something else, `none WHY` when it cannot be read.
pub fn read(files_and_texts: &[&str]) -> Result<(), Box<dyn Error>> {
    let (pairs, rest) = files_and_texts.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("a file without its text".into());
    }
    for [file, text] in pairs {
        println!("{}", compare(Path::new(file), text));
    }
    Ok(())
}

fn compare(path: &Path, text: &str) -> String {
    match fs::read(path) {
        Ok(bytes) if bytes == content(text) => "same".to_owned(),
        Ok(_) => "other".to_owned(),
        Err(error) => format!("none {error}"),
    }
}

#[expect(unsafe_code, reason = "std has no binding for statvfs")]
fn free_bytes(folder: &Path) -> io::Result<u64> {
    let path = CString::new(folder.as_os_str().as_encoded_bytes())?;
    // SAFETY: all-zero is a valid value of this plain C struct.
    let mut about: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: `path` ends in a zero byte and `about` is there to be written to.
    if unsafe { libc::statvfs(path.as_ptr(), &raw mut about) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(about.f_bavail.saturating_mul(about.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let name = format!("precopy-lab-observer-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let (ns, free_bytes) = write_synced(&path, "node1-7").unwrap();
        assert!(ns > 0 && free_bytes > 0);
        assert_eq!(fs::metadata(&path).unwrap().len(), 4096);
        assert_eq!(compare(&path, "node1-7"), "same");
        assert_eq!(compare(&path, "node1-8"), "other");
        let again = write_synced(&path, "node1-8").unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists, "nothing is written over");
        fs::remove_file(&path).unwrap();
        assert!(compare(&path, "node1-7").starts_with("none No such file"));
    }
}
