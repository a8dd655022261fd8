//! A run that goes on: exactly the missing trials, under the same conditions.

use super::{Task, checked::Checked, fresh};
use crate::{
    cli::Shard,
    equipment::Equipped,
    exit::{Exit, Failure, Result},
    files, provenance, qemus,
};
use anyhow::{Context, anyhow};
use camino::Utf8Path;
use harness::{
    experiment::{Experiment, Qemus},
    plan::Plan,
    run_folder::{Home, Manifest, Qemu, RunFolder, RunWriter},
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
    folder.resumable().map_err(|error| invalid(error.into()))?;
    Ok(Resumed { folder, manifest })
}

impl Resumed {
    /// The task as it was; a plan that comes out otherwise is refused. Programs may lie elsewhere
    /// now: those `given` replace the experiment's.
    pub fn task(&self, given: &Qemus) -> Result<Task> {
        let spec: LabSpec = serde_json::from_value(self.manifest.lab.clone())
            .map_err(|error| self.invalid("lab", &error))?;
        let (mut experiment, plan) = self.planned(fresh::Migrates::on(&spec))?;
        experiment.qemus.extend(given.clone());
        qemus::absolute(&mut experiment)?;
        Ok(Task { experiment, spec, plan })
    }

    /// What makes it repeatable.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Where a VM that somebody has was before the run, where it migrates one.
    pub fn home(&self) -> Result<Option<Home>> {
        self.folder.home().map_err(|error| Failure::new(Exit::InvalidInput, error))
    }

    fn invalid(&self, what: &str, error: &serde_json::Error) -> Failure {
        let file = self.folder.path().join("manifest.json");
        let text = format!("{file}: the {what} in it cannot be understood: {error}");
        Failure::new(Exit::InvalidInput, anyhow!(text))
    }

    /// Its experiment and its plan.
    pub fn planned(&self, migrates: fresh::Migrates) -> Result<(Experiment, Plan)> {
        let experiment: Experiment = serde_json::from_value(self.manifest.experiment.clone())
            .map_err(|error| self.invalid("experiment", &error))?;
        let shard = self.manifest.shard.as_deref().map(str::parse::<Shard>).transpose();
        let shard = shard.map_err(|error| anyhow!("the shard in the run's manifest: {error}"))?;
        let shard = shard.map(|shard| (shard.index, shard.count));
        let plan = fresh::plan(&experiment, migrates, self.manifest.filter.as_deref(), shard)?;
        if provenance::plan_hash(&plan)? != self.manifest.plan_hash {
            let text = "this version plans the run's experiment otherwise than it was planned\n\n\
                        hint: resume it with the version that began it (see manifest.json), or begin anew";
            return Err(Failure::new(Exit::InvalidInput, anyhow!(text)));
        }
        Ok((experiment, plan))
    }

    /// Trials of one run must be comparable: the same QEMU, guest and accelerator.
    pub fn same_equipment(&self, equipped: &Equipped) -> Result {
        let then = &self.manifest;
        let mut then_and_now = vec![
            ("the guest".to_owned(), then.guest.kind.clone(), equipped.guest.kind.clone()),
            (
                "the guest's hash".to_owned(),
                then.guest.sha256.clone(),
                equipped.guest.sha256.clone(),
            ),
            (
                "the accelerator".to_owned(),
                then.accelerator.clone(),
                equipped.equipment.accelerator.name().to_owned(),
            ),
            (
                "the machine type".to_owned(),
                then.machine.clone().unwrap_or_default(),
                equipped.equipment.machine().unwrap_or_default().to_owned(),
            ),
        ];
        let now = fresh::by_text(equipped.equipment.qemus());
        if then.qemus.is_empty() {
            let Qemu { version, sha256: hash, .. } = equipped.qemu.clone();
            then_and_now.push(("QEMU".to_owned(), then.qemu.version.clone(), version));
            then_and_now.push(("QEMU's hash".to_owned(), then.qemu.sha256.clone(), hash));
        }
        for (name, then) in &then.qemus {
            // The plan is the same, and so are the names.
            let now = now.get(name).with_context(|| format!("the run lacks the QEMU `{name}`"))?;
            let what = format!("the QEMU `{name}`");
            then_and_now.push((what.clone(), then.version.clone(), now.version.clone()));
            then_and_now.push((what + "'s hash", then.sha256.clone(), now.sha256.clone()));
        }
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

    /// The folder, to go on with. Its manifest tells of this time's lab and warnings, too.
    pub fn writer(self, checked: Option<Checked>, warnings: Vec<String>) -> Result<RunWriter> {
        let writer = self.folder.writer()?;
        let mut manifest = self.manifest;
        if let Some(checked) = checked {
            manifest.link_checks.extend(checked.links);
            manifest.lab_checks.push(checked.lab);
        }
        for warning in warnings {
            if !manifest.warnings.contains(&warning) {
                manifest.warnings.push(warning);
            }
        }
        writer.write_manifest(&manifest)?;
        Ok(writer)
    }
}
