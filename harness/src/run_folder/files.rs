//! Small file operations that either happen whole or not at all.

use super::Error;
use camino::Utf8Path;
use std::fs::{self, File};
use std::io::Write;

/// Turns a system error into one that says what was tried where.
pub(super) fn io<'a>(
    action: &'static str,
    path: &'a Utf8Path,
) -> impl FnOnce(std::io::Error) -> Error + 'a {
    move |cause| Error::Io { action, path: path.to_owned(), cause }
}

/// Writes a file beside its place and moves it there, so that a reader (and a crash) sees the
/// old one or the new one, never half of it.
pub(super) fn write_atomically(path: &Utf8Path, content: &[u8]) -> Result<(), Error> {
    let name = path.file_name().unwrap_or("file");
    // With the process in its name: two `report`s of one run may be under way at once.
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = File::create(&temporary)
        .and_then(|mut file| {
            file.write_all(content)?;
            file.sync_data()
        })
        .and_then(|()| fs::rename(&temporary, path));
    if let Err(source) = written {
        // The first error is the one to tell; what is left behind is hidden and overwritten.
        let _ = fs::remove_file(&temporary);
        return Err(io("write", path)(source));
    }
    Ok(())
}

/// Makes the names in a directory survive a power cut.
pub(super) fn sync_directory(path: &Utf8Path) -> Result<(), Error> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(io("sync", path))
}
