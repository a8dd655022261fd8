//! What is committed here can be read, and is named as it says.
//!
//! That this is a test target is also how `cargo insta review` comes to look into this folder.

use camino::{Utf8Path, Utf8PathBuf};
use harness::judge::baseline;
use std::fs;

#[test]
fn every_baseline_can_be_read_and_is_named_as_it_says() {
    let folder = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../baselines");
    let entries = folder.read_dir_utf8().expect("the folder of the baselines");
    let paths: Vec<Utf8PathBuf> = entries.map(|entry| entry.expect("entry").into_path()).collect();
    for path in paths.iter().filter(|path| path.extension() == Some("snap")) {
        let text = fs::read_to_string(path).expect("read");
        let sample = baseline::parse(path.as_str(), &text)
            .unwrap_or_else(|report| panic!("{}", report.render(false, 100)));
        assert_eq!(path.file_name(), Some(baseline::file_name(&sample).as_str()));
        assert!(!sample.cells.is_empty(), "{path} has no cell");
    }
}
