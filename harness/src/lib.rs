//! An experiment: its matrix, the trials, what was observed, and what came of it.
//!
//! Data flows one way: spec → plan → trial → record → summary → report.

pub mod experiment;
pub mod metric;
pub mod plan;
pub mod record;
pub mod settings;
