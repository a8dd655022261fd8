//! What a person or a program is shown of a run. Pure: from manifest and summary to text.

mod damage;
mod figure;
mod grid;
mod json;
mod markdown;
mod note;
mod number;
mod table;
mod text;

pub use json::json;
pub use markdown::markdown;
pub use table::table;

pub(crate) use markdown::{escape, markdown_table};
pub(crate) use text::{list, spell, wrap};

use crate::claim::Tested;
use crate::judge::Judgement;
use crate::metric::{self, Definition};
use crate::run_folder::{Faults, Manifest};
use crate::summary::Summary;
use camino::Utf8Path;

/// A run, as far as reports show it.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// What makes it repeatable; `None` when its folder has lost it.
    pub manifest: Option<&'a Manifest>,
    /// What came of it.
    pub summary: &'a Summary,
    /// Its folder, as the user would type it.
    pub folder: &'a Utf8Path,
    /// What the user must know besides: of the records, of the QEMU in use, …
    pub warnings: &'a [String],
    /// What it was found to be against its baseline, where there is one.
    pub judgement: Option<&'a Judgement>,
    /// What came of the experiment's claims.
    pub claims: &'a [Tested],
    /// What of its folder cannot be used.
    pub faults: &'a Faults,
}

impl<'a> Run<'a> {
    /// The run's name, by its manifest or else by its folder.
    fn name(&self) -> &'a str {
        let folder = self.folder.file_name().unwrap_or(self.folder.as_str());
        self.manifest.map_or(folder, |manifest| manifest.run.as_str())
    }

    /// Definitions of the metrics that its records have.
    fn metrics(&self) -> impl Iterator<Item = &'static Definition> {
        let by_proxmox = self.summary.policies.contains("proxmox");
        let of_proxmox: &[Definition] = if by_proxmox { metric::OF_PROXMOX } else { &[] };
        metric::ALL.iter().chain(of_proxmox)
    }

    /// Whether it is known to have been measured under KVM.
    fn is_kvm(&self) -> bool {
        self.manifest.is_some_and(|manifest| manifest.accelerator.eq_ignore_ascii_case("kvm"))
    }
}

/// How the terminal's table may look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Columns to stay within.
    pub width: usize,
    /// Whether characters beyond ASCII may be used.
    pub unicode: bool,
    /// Whether escape sequences for colour may be used.
    pub colour: bool,
}

impl Style {
    /// For a pipe or a file: 100 columns, ASCII, no colour.
    pub const PLAIN: Self = Self { width: 100, unicode: false, colour: false };
}

#[cfg(test)]
mod tests;
