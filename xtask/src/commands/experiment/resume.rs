//! A run that goes on: exactly the missing trials, under the same conditions.

use super::{Task, fresh};
use crate::{
    cli::Shard,
    equipment::Equipped,
    exit::{Exit, Failure, Result},
    files, provenance,
};
use anyhow::anyhow;
use camino::Utf8Path;
use harness::{
    link_check::LinkCheck,
    run_folder::{Manifest, RunFolder, RunWriter},
};

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
    folder.resumable().map_err(|error| invalid(error.into()))?;
    Ok(Resumed { folder, manifest })
}

impl Resumed {
    /// The task as it was; a plan that comes out otherwise is refused.
    pub fn task(&self) -> Result<Task> {
        let invalid = |what: &str, error: serde_json::Error| {
            let file = self.folder.path().join("manifest.json");
            let text = format!("{file}: the {what} in it cannot be understood: {error}");
            Failure::new(Exit::InvalidInput, anyhow!(text))
        };
        let experiment = serde_json::from_value(self.manifest.experiment.clone())
            .map_err(|error| invalid("experiment", error))?;
        let spec = serde_json::from_value(self.manifest.lab.clone())
            .map_err(|error| invalid("lab", error))?;
        let shard = self.manifest.shard.as_deref().map(str::parse::<Shard>).transpose();
        let shard = shard.map_err(|error| anyhow!("the shard in the run's manifest: {error}"))?;
        let shard = shard.map(|shard| (shard.index, shard.count));
        let plan = fresh::plan(&experiment, &spec, self.manifest.filter.as_deref(), shard)?;
        if provenance::plan_hash(&plan)? != self.manifest.plan_hash {
            let text = "this version plans the run's experiment otherwise than it was planned\n\n\
                        hint: resume it with the version that began it (see manifest.json), or begin anew";
            return Err(Failure::new(Exit::InvalidInput, anyhow!(text)));
        }
        Ok(Task { experiment, spec, plan })
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

    /// The folder, to go on with. Its manifest tells of this time's links and warnings, too.
    pub fn writer(self, checks: Vec<LinkCheck>, warnings: Vec<String>) -> Result<RunWriter> {
        let writer = self.folder.writer()?;
        let mut manifest = self.manifest;
        manifest.link_checks.extend(checks);
        for warning in warnings {
            if !manifest.warnings.contains(&warning) {
                manifest.warnings.push(warning);
            }
        }
        writer.write_manifest(&manifest)?;
        Ok(writer)
    }
}
