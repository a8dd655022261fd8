//! The newer format has no recording; these texts are put together as QEMU's sources print them,
//! with and without the tabs that newer builds have.

use super::*;
use proptest::prelude::*;

const GROUPS: &str = "Status: \t\tactive\r\n\
    Time (ms): \t\ttotal=47317, setup=5, exp_down=300\r\n\
    RAM info:\r\n\
    \x20 Throughput (Mbps): \t1342.83\r\n\
    \x20 Sizes: \t\tpagesize=4 KiB, total=4.02 GiB\r\n\
    \x20 Transfers: \t\ttransferred=1.41 GiB, remain=2.46 GiB\r\n\
    \x20   Channels: \t\tprecopy=15.2 MiB, multifd=0 B, postcopy=1.39 GiB\r\n\
    \x20   Page Types: \tnormal=367713, zero=41195\r\n\
    \x20 Page Rates (pps): \ttransfer=40900, dirty=4\r\n\
    \x20 Others: \t\tdirty_syncs=2\r\n\
    Globals:\r\n\
    \x20 store-global-state: on\r\n\
    \x20 clear-bitmap-shift: 18\r\n\
    XBZRLE: size=33554432, transferred=172032, pages=11262, miss=16468\r\n\
    \x20 miss_rate=0.98, encode_rate=32.50, overflow=3\r\n\
    CPU Throttle (%): 30\r\n";

#[test]
fn groups_are_read() {
    let info = InfoMigrate::read(GROUPS, InfoMigrateFormat::Groups).unwrap();
    insta::assert_json_snapshot!(info);
    let without_tabs = GROUPS.replace('\t', "");
    assert_eq!(InfoMigrate::read(&without_tabs, InfoMigrateFormat::Groups), Ok(info));
}

#[test]
fn a_completed_one_says_its_downtime() {
    let text = "Status: completed\nTime (ms): total=11179, setup=8, down=46\n";
    let info = InfoMigrate::read(text, InfoMigrateFormat::Groups).unwrap();
    assert_eq!((info.downtime_ms, info.expected_downtime_ms), (Some(46), None));
}

#[test]
fn a_failure_says_why() {
    let text =
        "Migration status: failed (Unable to write to socket: Broken pipe)\r\ntotal time: 0 ms\r\n";
    let info = InfoMigrate::read(text, InfoMigrateFormat::Lines).unwrap();
    assert_eq!(info.status.as_deref(), Some("failed"));
    assert_eq!(info.error.as_deref(), Some("Unable to write to socket: Broken pipe"));
}

#[test]
fn what_is_none_of_it_is_an_error() {
    for text in ["Error: unknown option '-a'\r\n", "ERROR: VM 101 qmp command failed", "x"] {
        for format in [InfoMigrateFormat::Lines, InfoMigrateFormat::Groups] {
            let error = InfoMigrate::read(text, format).unwrap_err().to_string();
            assert!(error.contains(text.trim()), "{error}");
        }
    }
    // In the other's format.
    let old = "globals:\r\nonly-migratable: off\r\nMigration status: active\r\n";
    assert!(InfoMigrate::read(old, InfoMigrateFormat::Groups).is_err());
    assert!(InfoMigrate::read(&GROUPS[..26], InfoMigrateFormat::Lines).is_err());
    for idle in ["", "Globals:\n  only-migratable: off\n"] {
        let info = InfoMigrate::read(idle, InfoMigrateFormat::Groups);
        assert_eq!(info, Ok(InfoMigrate::default()));
    }
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(text in any::<String>(), cut in 0usize..GROUPS.len()) {
        for format in [InfoMigrateFormat::Lines, InfoMigrateFormat::Groups] {
            let _ = InfoMigrate::read(&text, format);
            let _ = InfoMigrate::read(&GROUPS[..cut], format);
        }
    }
}
