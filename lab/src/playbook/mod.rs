//! Playbooks: how nodes are set up, as data.
//!
//! A template is rendered once for each node ([`render()`]) into a [`Playbook`]: steps with a check,
//! files, an action and a verification. Nothing is remembered between runs but what the nodes
//! themselves say when they are checked, so a playbook that was interrupted anywhere is simply
//! run again.

mod check;
mod quoting;
mod render;
mod script;
mod types;

pub use render::render;
pub use types::{File, Mode, On, Order, Playbook, Step};
