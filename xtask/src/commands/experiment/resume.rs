//! A run that goes on: exactly the missing trials, under the same conditions.

use super::{Task, fresh};
use crate::{
    cli::Shard,
    equipment::Equipped,
    exit::{Exit, Failure, Result},
    files, provenance,
};
use anyhow::{Context, anyhow};
use camino::Utf8Path;
use harness::{
    experiment::Experiment,
    plan::Plan,
    run_folder::{Manifest, RunFolder, RunWriter},
};
use lab::spec::LabSpec;

/// A run that was begun before.
pub struct Resumed {
    folder: RunFolder,
    manifest: Manifest,
}

/// Finds the run: a folder, or the name of one in `runs`.
pub fn open(run: &Utf8Path) -> Result<Resumed> {
    let invalid = |error: anyhow::Error| Failure::new(Exit::InvalidInput, error);
    let folder = files::run_folder(Some(run)).map_err(invalid)?;
    let manifest = folder.manifest().map_err(|error| invalid(error.into()))?;
    Ok(Resumed { folder, manifest })
}

impl Resumed {
    /// The task as it was; a plan that comes out otherwise is refused.
    pub fn task(&self) -> Result<Task> {
        let spec: LabSpec = serde_json::from_value(self.manifest.lab.clone())
            .context("failed to understand the lab in the run's manifest")?;
        let (experiment, plan) = self.planned(spec.nodes.len())?;
        Ok(Task { experiment, spec, plan })
    }

    /// What makes it repeatable.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its experiment and its plan, on a lab of so many nodes.
    pub fn planned(&self, nodes: usize) -> Result<(Experiment, Plan)> {
        let experiment = serde_json::from_value(self.manifest.experiment.clone())
            .context("failed to understand the experiment in the run's manifest")?;
        let shard = self.manifest.shard.as_deref().map(str::parse::<Shard>).transpose();
        let shard = shard.map_err(|error| anyhow!("the shard in the run's manifest: {error}"))?;
        let shard = shard.map(|shard| (shard.index, shard.count));
        let plan = fresh::plan(&experiment, nodes, self.manifest.filter.as_deref(), shard)?;
        if provenance::plan_hash(&plan)? != self.manifest.plan_hash {
            let text = "this version plans the run's experiment otherwise than it was planned\n\n\
                        hint: resume it with the version that began it (see manifest.json), or begin anew";
            return Err(Failure::new(Exit::InvalidInput, anyhow!(text)));
        }
        Ok((experiment, plan))
    }

    /// Trials of one run must be comparable: the same QEMU, guest and accelerator.
    pub fn same_equipment(&self, equipped: &Equipped) -> Result {
        let then_and_now = [
            ("QEMU", &self.manifest.qemu.version, &equipped.qemu.full_version),
            ("QEMU's hash", &self.manifest.qemu.sha256, &equipped.qemu.sha256()?),
            ("the guest's hash", &self.manifest.guest.sha256, &equipped.guest_sha256),
            (
                "the accelerator",
                &self.manifest.accelerator,
                &equipped.equipment.accelerator.name().to_owned(),
            ),
        ];
        for (what, then, now) in then_and_now {
            if then != now {
                let text = format!(
                    "{what} was `{then}` when this run was begun and is `{now}` now; its trials would not be comparable\n\n\
                     hint: begin a new run"
                );
                return Err(Failure::new(Exit::InvalidInput, anyhow!(text)));
            }
        }
        Ok(())
    }

    /// The folder, to go on with.
    pub fn writer(self) -> Result<RunWriter> {
        Ok(self.folder.writer()?)
    }
}
