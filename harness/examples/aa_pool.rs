//! Makes the committed file of A/A trials from run folders, named in the order of time:
//!
//! ```sh
//! cargo run -p harness --example aa_pool -- RUN... > harness/data/aa-quick-2026-11-22.tsv
//! ```
//!
//! Only whole blocks are taken.

use anyhow::Result;
use harness::{
    aa_pool,
    record::{Metric, Record},
    run_folder::RunFolder,
    summary,
};
use std::{collections::BTreeMap, io::Write};

fn main() -> Result<()> {
    let mut text = aa_pool::heading() + "\n";
    for (run, path) in std::env::args().skip(1).enumerate() {
        let folder = RunFolder::open(path)?;
        let manifest = folder.manifest()?;
        let mut blocks: BTreeMap<u32, Vec<Record>> = BTreeMap::new();
        for record in folder.records()?.records {
            blocks.entry(record.block).or_default().push(record);
        }
        for (block, records) in blocks {
            if records.len() == manifest.planned_cells as usize {
                for record in &records {
                    text += &format!("{run}\t{block}\t{}\n", line(record)?);
                }
            }
        }
    }
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// Cell, outcome and the metrics that mean something for it.
fn line(record: &Record) -> Result<String> {
    let outcome = serde_json::to_value(record.outcome)?;
    let mut line = format!("{}\t{}", record.cell, outcome.as_str().unwrap_or_default());
    for name in aa_pool::METRICS {
        line.push('\t');
        if let Some(Metric::Measured(measured)) = record.metrics.get(*name)
            && summary::applies(record.outcome, name)
        {
            line += &measured.value.to_string();
        }
    }
    Ok(line)
}
