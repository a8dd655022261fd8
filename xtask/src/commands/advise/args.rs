//! The arguments of `advise`.

use crate::cli::LabArgs;
use clap::Args;
use lab::units::{BitRate, Millis};

/// Examples for `--help`.
pub const EXAMPLES: &str = "\
Examples:
  cargo xtask advise --lab my-cluster.yaml                 what secure migrations cost there
  cargo xtask advise --lab my-cluster.yaml --vm 101 --vm 102
                                                           what becomes of these two
  cargo xtask advise --lab my-cluster.yaml --vm 101 --downtime '50 ms'
                                                           what bandwidth that downtime needs
  cargo xtask advise --lab my-cluster.yaml --vm 101 --link-rate '10 Gbit/s' --json

For a Proxmox VE cluster that you already have (labs/proxmox.example.yaml). Nothing is migrated and
no VM is changed: of those named by --vm, QEMU itself compares samples of pages for five seconds.
With `hosts` in the lab file, every way between nodes is filled for a tenth of a second, and for one
second through SSH. It ends with 4 when something could not be looked at.";

/// Arguments of `advise`.
#[derive(Debug, Args)]
pub struct AdviseArgs {
    /// Which lab.
    #[command(flatten)]
    pub lab: LabArgs,
    /// A VM that may be looked at, by its id; may be given several times
    #[arg(long = "vm", value_name = "ID", value_parser = clap::value_parser!(u32).range(100..))]
    pub vms: Vec<u32>,
    /// The downtime to find the bandwidth for [default: each VM's own limit]
    #[arg(long, value_name = "TIME", value_parser = downtime)]
    pub downtime: Option<Millis>,
    /// Rate of the migration network; nothing is measured then [default: measured, or the lab
    /// file's]
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub link_rate: Option<BitRate>,
    /// What of it SSH carries, where that is not measured [default: not known]
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub secure_rate: Option<BitRate>,
    /// Print JSON on stdout
    #[arg(long)]
    pub json: bool,
}

fn downtime(text: &str) -> Result<Millis, String> {
    match text.parse::<Millis>() {
        Ok(Millis(0)) => Err("with a downtime of 0 ms no migration ends".to_owned()),
        Ok(time) => Ok(time),
        Err(error) => Err(worded(&error)),
    }
}

fn rate(text: &str) -> Result<BitRate, String> {
    match text.parse::<BitRate>() {
        Ok(BitRate(0)) => Err("over a link of no rate nothing goes".to_owned()),
        Ok(rate) => Ok(rate),
        Err(error) => Err(worded(&error)),
    }
}

fn worded(error: &lab::units::QuantityError) -> String {
    match error.hint() {
        Some(hint) => format!("{error}\n\nhint: {hint}"),
        None => error.to_string(),
    }
}
