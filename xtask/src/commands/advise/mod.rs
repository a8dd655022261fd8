//! `advise`: what a Proxmox cluster's migrations would do to the VMs that it has. Changes nothing.

mod answer;
pub mod args;
mod text;
mod words;

use crate::{
    build,
    color::{ColorChoice, Paint},
    exit::{Exit, Failure, Result},
    files, labs, setup, show,
};
use answer::{Answer, Datacenter, NoSecure, SCHEMA, Vm};
use anyhow::anyhow;
use args::AdviseArgs;
use harness::{
    advice::{self, Advice, Links, Rate, Way},
    carried, prediction,
};
use lab::{hypervisor::proxmox::Client, spec::LabSpec, state, units::BitRate};

/// What the nodes are asked by SSH, or what stands for it.
enum Known {
    /// Measured.
    Ways(Vec<Way>),
    /// Told.
    Told(Links),
}

/// Runs the command.
///
/// # Errors
/// For what is wrong with the options or the lab's file, for a cluster that cannot be asked, and
/// when a VM or a link could not be looked at.
pub fn run(args: &AdviseArgs, colors: ColorChoice) -> Result {
    let invalid = |error: anyhow::Error| Failure::new(Exit::InvalidInput, error);
    let spec = files::checked(LabSpec::read(&args.lab.lab), colors, args.json)?;
    if spec.api().is_none() {
        return Err(invalid(anyhow!(
            "{} says of no Proxmox cluster where its API is\n\nhint: copy \
             labs/proxmox.example.yaml and name the copy by `--lab`; `cargo xtask predict` needs no \
             cluster",
            args.lab.lab
        )));
    }
    let told = told(args, &spec).map_err(invalid)?;
    let client = Client::of_lab(&spec, |name| std::env::var(name).ok())
        .map_err(|error| invalid(error.into()))?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    // What is wrong with the API is known before anything is measured.
    let datacenter = runtime.block_on(datacenter(&client))?;
    let cap = datacenter.cap_bytes_per_s;
    let known = match told {
        Some(links) => Known::Told(Links { cap_bytes_per_s: cap, ..links }),
        None => Known::Ways(measured(&spec, &runtime, colors)?),
    };
    let links = known.links(None, cap).map_err(|why| {
        let error = anyhow!(
            "nothing could be measured between the nodes: {why}\n\nhint: `cargo xtask lab-check \
             --lab {}` says more; `--link-rate` takes its place",
            args.lab.lab
        );
        Failure::new(Exit::Lab, error)
    })?;
    let wanted_s = args.downtime.map(|time| time.duration().as_secs_f64());
    let mut vms = Vec::new();
    for vmid in &args.vms {
        show::tell(&format!("looking at VM {vmid}, for five seconds"));
        vms.push(match runtime.block_on(client.observe(*vmid)) {
            Ok(seen) => {
                let own = known.links(Some(&seen.node), cap).unwrap_or_else(|_| links.clone());
                Vm::seen(Advice::of(&seen, &own, wanted_s), &datacenter)
            }
            Err(error) => {
                let words = error.fault().to_string();
                let why = words.strip_prefix(&format!("VM {vmid}: ")).unwrap_or(&words).to_owned();
                Vm::Refused { vmid: *vmid, why, remedy: error.fault().hint() }
            }
        });
    }
    let answer = Answer {
        schema: SCHEMA,
        lab: spec.name,
        sentences: words::of_links(&links, &datacenter, vms.len()),
        no_secure: known.no_secure(&links),
        ways: known.ways(),
        datacenter,
        links,
        vms,
    };
    if args.json {
        show::print(&format!("{}\n", serde_json::to_string_pretty(&answer)?));
    } else {
        show::print(&text::text(&answer, Paint::stdout(colors)));
    }
    let refused = answer.vms.iter().any(|vm| matches!(vm, Vm::Refused { .. }));
    if refused { Err(Failure::shown(Exit::Lab)) } else { Ok(()) }
}

/// The links where nothing is to be measured: by the options, or without SSH by the lab's file.
fn told(args: &AdviseArgs, spec: &LabSpec) -> anyhow::Result<Option<Links>> {
    let (rate, source) = match (args.link_rate, spec.networks.migration.link_rate) {
        (Some(rate), _) => (rate, "--link-rate"),
        (None, _) if spec.has_ssh() => return Ok(None),
        (None, Some(rate)) => (rate, "the lab file's link_rate"),
        (None, None) => anyhow::bail!(
            "nobody says what the migration network carries\n\nhint: name the nodes' `hosts` in {}, \
             so that it is measured by SSH, or its rate, such as `--link-rate '10 Gbit/s'`",
            args.lab.lab
        ),
    };
    let link = |rate: BitRate, source: &str| Rate {
        bytes_per_s: prediction::payload_bytes_per_s(rate),
        source: source.to_owned(),
    };
    Ok(Some(Links {
        insecure: link(rate, source),
        // No more than the link.
        secure: args.secure_rate.map(|secure| link(secure.min(rate), "--secure-rate")),
        cap_bytes_per_s: None,
    }))
}

async fn datacenter(client: &Client) -> Result<Datacenter> {
    let options = client.cluster_options().await.map_err(|error| Failure::new(Exit::Lab, error))?;
    let migration = options.migration.as_ref();
    #[expect(clippy::cast_precision_loss, reason = "bytes are far below 2^53")]
    let cap = options.migration_limit_bytes_s().map(|cap| cap as f64);
    Ok(Datacenter {
        kind: migration.and_then(|it| it.kind.clone()).unwrap_or_else(|| "secure".to_owned()),
        network: migration.and_then(|it| it.network.clone()),
        cap_bytes_per_s: cap,
    })
}

fn measured(
    spec: &LabSpec,
    runtime: &tokio::runtime::Runtime,
    colors: ColorChoice,
) -> Result<Vec<Way>> {
    setup::ensure(setup::Job::Experiment, false, colors)?;
    let lab_failure = |error: anyhow::Error| Failure::new(Exit::Lab, error);
    let _alone = state::measuring_lock().map_err(lab_failure)?;
    let observer = build::build()?.observer;
    show::tell("measuring what the ways between the nodes carry");
    runtime.block_on(async {
        let lab = labs::for_experiment(spec, false).await.map_err(lab_failure)?;
        let ways = carried::ways(&lab, &observer).await;
        lab.close(&mut show::tell).await.map_err(lab_failure)?;
        Ok(ways)
    })
}

impl Known {
    /// What counts for a guest on a node.
    fn links(&self, node: Option<&str>, cap: Option<f64>) -> std::result::Result<Links, String> {
        match self {
            Self::Told(links) => Ok(links.clone()),
            Self::Ways(ways) => advice::links(ways, node, cap),
        }
    }

    fn ways(&self) -> Vec<Way> {
        match self {
            Self::Told(_) => Vec::new(),
            Self::Ways(ways) => ways.clone(),
        }
    }

    fn no_secure(&self, links: &Links) -> Option<NoSecure> {
        if links.secure.is_some() {
            return None;
        }
        let why = advice::no_tunnel(&self.ways());
        Some(why.map_or_else(NoSecure::not_measured, NoSecure::measured))
    }
}

#[cfg(test)]
mod tests;
