//! The arguments of `predict`: the factors, in their own words.

use crate::files;
use camino::Utf8PathBuf;
use clap::Args;
use harness::{
    experiment::{Filled, Levels, LinkRate},
    settings::{
        BandwidthLimit, Content, DiskSize, MigrationNetwork, Pattern, QemuPair, Transport,
        level::Level,
    },
};
use lab::units::{BlockRate, Bytes, Millis, PageRate};

/// Examples for `--help`.
pub const EXAMPLES: &str = "\
Examples:
  cargo xtask predict --memory 4GiB --working-set 512MiB --touch-rate '20000 pages/s' \\
      --link-rate '1 Gbit/s'
  cargo xtask predict experiments/precopy.yaml           a row for each cell
  cargo xtask predict --memory 8GiB --touch-rate '5000 pages/s' --link-rate '10 Gbit/s' --json

Quantities have their units, as in an experiment file. Nothing is run: METHODOLOGY.md, `The model`,
says how good the answers are and for what.";

/// Arguments of `predict`.
#[derive(Debug, Args)]
pub struct PredictArgs {
    /// An experiment's file: a row for each of its cells
    #[arg(value_name = "FILE", conflicts_with_all = FACTORS)]
    pub file: Option<Utf8PathBuf>,
    /// The guest's memory
    #[arg(long, value_name = "SIZE", value_parser = level::<Bytes>, required_unless_present = "file")]
    pub memory: Option<Bytes>,
    /// The part of it that the workload rewrites [default: an eighth of the memory]
    #[arg(long, value_name = "SIZE", value_parser = level::<Bytes>)]
    pub working_set: Option<Bytes>,
    /// The part of it that is not zero: working_set, memory or a size [default: memory]
    #[arg(long, value_name = "SIZE", value_parser = level::<Filled>)]
    pub filled: Option<Filled>,
    /// Pages of 4 KiB rewritten per second
    #[arg(long, value_name = "RATE", value_parser = level::<PageRate>, required_unless_present = "file")]
    pub touch_rate: Option<PageRate>,
    /// In which order: idle, sequential, random or hotspot [default: random]
    #[arg(long, value_name = "WORD", value_parser = level::<Pattern>)]
    pub pattern: Option<Pattern>,
    /// What pages hold: random, sparse or zero [default: random]
    #[arg(long, value_name = "WORD", value_parser = level::<Content>)]
    pub content: Option<Content>,
    /// Rate of the migration link; `lab` is that of the lab's file
    #[arg(long, value_name = "RATE", value_parser = level::<LinkRate>, required_unless_present = "file")]
    pub link_rate: Option<LinkRate>,
    /// The hypervisor's own cap: default (128 MiB/s), unlimited or a rate [default: unlimited]
    #[arg(long, value_name = "RATE", value_parser = level::<BandwidthLimit>)]
    pub bandwidth_limit: Option<BandwidthLimit>,
    /// The downtime aimed at [default: 300 ms for QEMU, 100 ms for Proxmox]
    #[arg(long, value_name = "TIME", value_parser = level::<Millis>)]
    pub downtime_limit: Option<Millis>,
    /// A migration that takes longer has not converged [default: 1 h; an experiment's own]
    #[arg(long, value_name = "TIME", value_parser = level::<Millis>)]
    pub max_time: Option<Millis>,
    /// The lab's file, for what `lab` means
    #[arg(long, value_name = "FILE", default_value_t = files::shipped("labs/local.yaml"))]
    pub lab: Utf8PathBuf,
    /// Print JSON on stdout
    #[arg(long)]
    pub json: bool,
}

/// What an experiment's file has itself.
const FACTORS: [&str; 9] = [
    "memory",
    "working_set",
    "filled",
    "touch_rate",
    "pattern",
    "content",
    "link_rate",
    "bandwidth_limit",
    "downtime_limit",
];

/// A level as clap wants it: what was expected, and what was probably meant.
fn level<T: Level>(text: &str) -> Result<T, String> {
    T::read(text).map_err(|error| match error.hint() {
        Some(hint) => format!("{error}\n\nhint: {hint}"),
        None => error.to_string(),
    })
}

impl PredictArgs {
    /// The guest and the link that the options describe.
    ///
    /// # Errors
    /// When they do not fit together.
    pub fn levels(&self) -> anyhow::Result<Levels> {
        let (Some(memory), Some(touch_rate), Some(link_rate)) =
            (self.memory, self.touch_rate, self.link_rate)
        else {
            anyhow::bail!("`--memory`, `--touch-rate` and `--link-rate` are needed");
        };
        let levels = Levels {
            network: MigrationNetwork::Dedicated,
            transport: Transport::Lab,
            qemu: QemuPair::lab(),
            disk: DiskSize::None,
            disk_write_rate: BlockRate(0),
            memory,
            working_set: self.working_set.unwrap_or(Bytes(memory.0 / 8 / 4096 * 4096)),
            filled: self.filled.unwrap_or(Filled::Memory),
            touch_rate,
            pattern: self.pattern.unwrap_or(match touch_rate {
                PageRate(0) => Pattern::Idle,
                PageRate(_) => Pattern::Random,
            }),
            content: self.content.unwrap_or(Content::Random),
            link_rate,
            bandwidth_limit: self.bandwidth_limit.unwrap_or(BandwidthLimit::Unlimited),
            downtime_limit: self.downtime_limit.unwrap_or(QEMU_LIMIT),
        };
        check(&levels)?;
        Ok(levels)
    }
}

/// What QEMU aims at when nobody says otherwise.
const QEMU_LIMIT: Millis = Millis(300);

/// Unlike an experiment's, a guest that is only thought of has no bounds but sense.
fn check(levels: &Levels) -> anyhow::Result<()> {
    let settings = levels.settings();
    let (memory, set, filled) = (settings.memory, settings.working_set, settings.filled);
    if set.0 < 4096 {
        anyhow::bail!("a working set of {set} holds no page\n\nhint: a page is 4 KiB");
    }
    if set > memory {
        anyhow::bail!(
            "a working set of {set} does not fit into {memory} of memory\n\nhint: `--working-set` \
             is the part of `--memory` that is rewritten"
        );
    }
    if filled > memory || filled < set {
        anyhow::bail!(
            "{filled} cannot be filled with {memory} of memory and a working set of {set}\n\nhint: \
             `--filled` is a part of `--memory`, and `--working-set` a part of it"
        );
    }
    if (settings.pattern == Pattern::Idle) != (settings.touch_rate.0 == 0) {
        anyhow::bail!(
            "the pattern is {} and the touch rate {}\n\nhint: `idle` is for 0 pages/s, the others \
             for more",
            settings.pattern,
            settings.touch_rate
        );
    }
    if settings.downtime_limit.0 == 0 {
        anyhow::bail!("with a downtime limit of 0 ms no migration ends\n\nhint: QEMU's is 300 ms");
    }
    Ok(())
}
