//! `schema`: the JSON Schema of a kind of file, printed; or all of them, written for editors.

use crate::{cli::SchemaArgs, exit, files, show};
use anyhow::Context;
use harness::schemas::{FOLDER, Kind};

/// Runs the command.
///
/// # Errors
/// When a file cannot be written.
pub fn run(args: &SchemaArgs) -> exit::Result {
    if let Some(kind) = args.kind {
        show::print(&Kind::from(kind).text());
    }
    if args.write {
        let folder = files::shipped(FOLDER);
        std::fs::create_dir_all(&folder).with_context(|| format!("failed to make `{folder}`"))?;
        for kind in Kind::ALL {
            let path = folder.join(kind.file_name());
            std::fs::write(&path, kind.text())
                .with_context(|| format!("failed to write `{path}`"))?;
            show::print(&format!("{path}\n"));
        }
    }
    Ok(())
}
