//! One trial.
pub mod gate;
pub mod witness;
