//! An experiment: its matrix, the trials, what was observed, and what came of it.
//!
//! Data flows one way: spec → plan → trial → record → summary → report.

pub mod aa_pool;
pub mod advice;
pub mod carried;
pub mod claim;
pub mod experiment;
#[cfg(test)]
mod fixture;
pub mod judge;
pub mod lab_check;
pub mod link_check;
pub mod metric;
pub mod model_lab;
pub mod plan;
pub mod prediction;
pub mod record;
pub mod report;
pub mod run;
pub mod run_folder;
pub mod schemas;
pub mod series;
pub mod settings;
pub mod statistics;
pub mod stopping;
pub mod summary;
pub mod ticks;
pub mod trial;
