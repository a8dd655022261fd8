use super::*;
use harness::lab_check::Reading;
use lab::hypervisor::proxmox::observe::{Observed, Window};

fn vm(name: &str, in_1_s: u64, in_4_s: u64) -> Observed {
    let window = |window_s, mib_per_s| Window { window_s, mib_per_s, sample_pages_per_gib: 4096 };
    Observed {
        vmid: 101,
        name: Some(name.to_owned()),
        node: "pve1".to_owned(),
        qemu: Some("10.1.2".to_owned()),
        memory_bytes: 8 << 30,
        migrate_downtime_s: None,
        migrate_speed_bytes_s: None,
        ha: false,
        windows: vec![window(1, in_1_s), window(4, in_4_s)],
    }
}

fn datacenter(kind: &str) -> Datacenter {
    let network = Some("192.0.2.128/26".to_owned());
    Datacenter { kind: kind.to_owned(), network, cap_bytes_per_s: None }
}

fn way(from: &str, to: &str, plain: f64, tunnel: Reading<f64>) -> Way {
    let (from, to) = (from.to_owned(), to.to_owned());
    Way { from, to, plain: Reading::Measured(plain), tunnel }
}

fn answer(known: &Known, datacenter: Datacenter, seen: &[Observed]) -> Answer {
    let links = known.links(None, datacenter.cap_bytes_per_s).unwrap();
    let own = known.links(Some("pve1"), datacenter.cap_bytes_per_s).unwrap();
    let vms: Vec<Vm> =
        seen.iter().map(|vm| Vm::seen(Advice::of(vm, &own, None), &datacenter)).collect();
    Answer {
        schema: SCHEMA,
        lab: "pve".to_owned(),
        sentences: words::of_links(&links, &datacenter, vms.len()),
        no_secure: known.no_secure(&links),
        ways: known.ways(),
        datacenter,
        links,
        vms,
    }
}

/// Ways at 1 Gbit/s, a third of that through SSH.
fn measured() -> Known {
    let tunnel = |rate| Reading::Measured(rate);
    Known::Ways(vec![
        way("pve1", "pve2", 118e6, tunnel(39e6)),
        way("pve2", "pve1", 117e6, tunnel(38e6)),
    ])
}

fn shown(answer: &Answer) -> String {
    let text = text::text(answer, Paint::stdout(ColorChoice::Never));
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    text
}

#[test]
fn links_alone() {
    insta::assert_snapshot!("links", shown(&answer(&measured(), datacenter("insecure"), &[])));
}

#[test]
fn an_idle_vm_one_that_needs_insecure_and_one_that_is_forced_through() {
    let seen = [vm("mail", 0, 0), vm("web", 30, 20), vm("db", 180, 160)];
    let mut all = answer(&measured(), datacenter("secure"), &seen);
    all.vms.push(Vm::Refused {
        vmid: 999,
        why: "the cluster has no such VM".to_owned(),
        remedy: Some("`qm list` on each node lists those it has".to_owned()),
    });
    insta::assert_snapshot!("vms", shown(&all));
}

#[test]
fn without_ssh_under_a_cap_and_what_windows_cannot_tell() {
    let spec = LabSpec::read(&files::shipped("labs/proxmox.example.yaml")).unwrap();
    let parsed = |args: &[&str]| {
        let all = [&["xtask", "advise"], args].concat();
        match <crate::cli::Cli as clap::Parser>::try_parse_from(all).unwrap().command {
            crate::cli::Command::Advise(args) => args,
            _ => panic!("another command"),
        }
    };
    // A rate that nobody told, and one that the file has no room for.
    let nobody = told(&parsed(&["--vm", "101"]), &spec).unwrap_err().to_string();
    assert!(nobody.contains("hint: name the nodes' `hosts`"), "{nobody}");
    let args = parsed(&["--link-rate", "10 Gbit/s"]);
    let links = told(&args, &spec).unwrap().unwrap();
    assert!((links.insecure.bytes_per_s / 1.1955e9 - 1.0).abs() < 1e-3, "{links:?}");
    let cap = Some(50.0 * 1_048_576.0);
    let known = Known::Told(Links { cap_bytes_per_s: cap, ..links });
    let seen = [vm("saturated", 70, 18), vm("spreading", 25, 25)];
    let datacenter = Datacenter { network: None, cap_bytes_per_s: cap, ..datacenter("insecure") };
    insta::assert_snapshot!("capped", shown(&answer(&known, datacenter, &seen)));
}

#[test]
fn a_tunnel_that_fails_is_told_with_its_remedy() {
    let failed = || Reading::Failed("ssh to root@192.0.2.141: Permission denied".to_owned());
    let known = Known::Ways(vec![way("pve1", "pve2", 118e6, failed())]);
    let text = shown(&answer(&known, datacenter("secure"), &[]));
    assert!(text.contains("Permission denied") && text.contains("pvecm updatecerts"), "{text}");
}

#[test]
fn the_json_has_its_schema_and_everything() {
    let all = answer(&measured(), datacenter("insecure"), &[vm("web", 30, 20)]);
    let json = serde_json::to_value(&all).unwrap();
    assert_eq!(json["schema"], SCHEMA);
    let advice = &json["vms"][0]["seen"]["advice"];
    assert_eq!(advice["vm"]["windows"][1]["mib_per_s"], 20);
    assert!(advice["insecure"]["ending"]["likely"].is_string(), "{advice}");
    assert!(advice["needs_bytes_per_s"]["likely"]["from"].as_f64().unwrap() > 0.0, "{advice}");
    assert!(json["vms"][0]["seen"]["sentences"][0].is_string());
}
