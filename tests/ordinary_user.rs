//! An ordinary user runs an experiment: in a mount namespace with an open `/dev/net/tun`, root
//! becomes nobody. What is built is handed over (`PRECOPY_BUILT`), since nobody has no cargo.

use crate::support::{
    Running, Sandbox, build,
    check::{verified, well_formed},
    lax,
};
use camino::Utf8Path;
use harness::record::Outcome;
use lab::process::Command;
use std::{fs, os::unix::fs::chown};

const EXPERIMENT: &str = "
name: nobody
replicates: 1
factors:
  memory: 64 MiB
  working_set: 8 MiB
  touch_rate: 1000 pages/s
";

const LAB: &str = "name: nobody\nprovider: netns\nhypervisor: qemu\n";

const NOBODY: u32 = 65534;
const BECOME_NOBODY: &str = "setpriv --reuid 65534 --regid 65534 --clear-groups --";

#[test]
fn an_ordinary_user_migrates() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("left out: only root can become another user");
        return;
    }
    let may = format!("exec {BECOME_NOBODY} unshare --user --map-root-user --net true");
    if let Err(error) = Command::new("sh").args(["-c", &may]).run() {
        eprintln!("left out: ordinary users may make no namespaces here: {error}");
        return;
    }
    let sandbox = Sandbox::new();
    let built = build::build().expect("built");
    let file = sandbox.file("nobody.yaml", &lax(EXPERIMENT));
    let lab = sandbox.file("nobody-lab.yaml", LAB);
    for (from, name) in [(&built.guest, "guest"), (&built.observer, "observer")] {
        fs::copy(from, sandbox.path().join(name)).expect("copied");
    }
    // The repository may lie where nobody can look.
    let program = sandbox.path().join("xtask");
    fs::copy(crate::support::program::program(), &program).expect("copied");
    give_to_nobody(sandbox.path());

    let (runs, state) = (sandbox.runs(), sandbox.state());
    let prepare = format!(
        "mount -t tmpfs none /dev/net; mknod -m 666 /dev/net/tun c 10 200
         cd {}; shift; exec {BECOME_NOBODY} {program} \"$@\"",
        sandbox.path()
    );
    let baselines = sandbox.baselines();
    let folders = ["--out", runs.as_str(), "--baselines", baselines.as_str()];
    let args = ["experiment", file.as_str(), "--lab", lab.as_str(), "--json"];
    let args = [&args, &folders[..]].concat();
    let home = sandbox.path().as_str();
    let env = [
        ("PRECOPY_LAB_STATE", state.as_str()),
        ("PRECOPY_BUILT", home),
        ("HOME", home),
        ("XDG_CACHE_HOME", ""),
        ("XDG_RUNTIME_DIR", ""),
    ];
    Running::start_in_own_mounts(&prepare, &args, &env).succeed();
    let run = sandbox.run();
    let records = run.records().expect("read").records;
    let [record] = &records[..] else { panic!("{records:#?}") };
    assert_eq!(record.outcome, Outcome::Completed, "{:?}", record.reason);
    well_formed(record);
    verified(record);
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(run.path()).expect("there"));
    assert_eq!(owner, NOBODY, "it was not nobody who ran it");
    sandbox.assert_nothing_left();
}

fn give_to_nobody(folder: &Utf8Path) {
    chown(folder, Some(NOBODY), Some(NOBODY)).expect("given");
    for entry in folder.read_dir_utf8().expect("listed") {
        chown(entry.expect("an entry").path(), Some(NOBODY), Some(NOBODY)).expect("given");
    }
}
