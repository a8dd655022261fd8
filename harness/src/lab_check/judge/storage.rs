//! The folder that all nodes share.

use super::{finding, number};
use crate::lab_check::{
    Finding, Needs, Reading, Seen, Severity, Store, What,
    tolerance::{SPACE_BYTES, WRITE_MS},
};
use lab::spec::LabSpec;

pub(super) fn judge(spec: &LabSpec, stores: &[Store], needs: &Needs, findings: &mut Vec<Finding>) {
    for store in stores {
        findings.push(write(spec, store));
        for (writer, seen) in &store.read {
            findings.push(read(spec, store, writer, seen));
        }
    }
    findings.extend(space(stores, needs));
}

/// Where the folder comes from, for remedies.
fn mounted(spec: &LabSpec) -> String {
    match spec.storage.as_ref().and_then(|storage| storage.nfs.as_ref()) {
        Some(nfs) => format!("mount {}:{} at {} on every node", nfs.server, nfs.export, nfs.mount),
        None => "mount the same folder there on every node".to_owned(),
    }
}

fn write(spec: &LabSpec, store: &Store) -> Finding {
    let found = finding(What::StorageWrite, &[&store.node])
        .expected("", format!("at most {}", number::ms(WRITE_MS)));
    match &store.wrote {
        Reading::Failed(why) => found.said(format!("not possible: {why}")).with(
            Severity::Fail,
            format!(
                "{} must be writable on {}: {}, not read-only",
                store.folder,
                store.node,
                mounted(spec)
            ),
        ),
        Reading::Measured(wrote) => {
            let found = found.measured(number::ms(wrote.ms), wrote.ms, "ms");
            if wrote.ms > WRITE_MS {
                let remedy = "a guest's disk would wait as long: end what else writes there, or take a faster disk";
                found.with(Severity::Warn, remedy)
            } else {
                found
            }
        }
    }
}

/// `nodes` of the finding: who wrote, who reads.
fn read(spec: &LabSpec, store: &Store, writer: &str, seen: &Seen) -> Finding {
    let found = finding(What::StorageRead, &[writer, &store.node]).expected("the same bytes", "");
    let words = match seen {
        Seen::Same => return found.said("the same bytes"),
        Seen::Other => "other bytes".to_owned(),
        Seen::Nothing(why) => format!("not read: {why}"),
    };
    found.said(words).with(
        Severity::Fail,
        format!(
            "{} on {} is not what {writer} has there: {}",
            store.folder,
            store.node,
            mounted(spec)
        ),
    )
}

/// The least that any node sees, for it is one folder.
fn space(stores: &[Store], needs: &Needs) -> Option<Finding> {
    let free = |store: &Store| match &store.wrote {
        Reading::Measured(wrote) => Some(wrote.free_bytes),
        Reading::Failed(_) => None,
    };
    let (store, free) = stores
        .iter()
        .filter_map(|store| Some((store, free(store)?)))
        .min_by_key(|(_, free)| *free)?;
    let least = needs.storage_bytes.max(SPACE_BYTES);
    #[expect(clippy::cast_precision_loss, reason = "to be shown")]
    let found = finding(What::StorageSpace, &[&store.node])
        .expected("", format!("at least {}", number::bytes(least)))
        .measured(format!("{} free", number::bytes(free)), free as f64, "B");
    Some(if free < least {
        found.with(Severity::Fail, format!("make room in {}", store.folder))
    } else {
        found
    })
}
