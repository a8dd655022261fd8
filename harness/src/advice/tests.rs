use super::*;
use lab::hypervisor::proxmox::observe::Window;
use model::{Part, Writer};
use proptest::prelude::*;

const MIB: f64 = 1_048_576.0;
const GIB: f64 = 1024.0 * MIB;
/// Payload of 1 Gbit/s, bytes a second.
const GIGABIT: f64 = 119.5e6;

fn rate(bytes_per_s: f64) -> Rate {
    Rate { bytes_per_s, source: "measured".to_owned() }
}

fn links(insecure: f64, secure: f64) -> Links {
    Links { insecure: rate(insecure), secure: Some(rate(secure)), cap_bytes_per_s: None }
}

/// A VM of 4 GiB that was seen to dirty so many MiB a second in 1 s and in 4 s.
fn vm(in_1_s: u64, in_4_s: u64) -> Observed {
    let window = |window_s, mib_per_s| Window { window_s, mib_per_s, sample_pages_per_gib: 4096 };
    Observed {
        vmid: 101,
        name: Some("db".to_owned()),
        node: "pve1".to_owned(),
        qemu: Some("10.1.2".to_owned()),
        memory_bytes: 4 << 30,
        migrate_downtime_s: None,
        migrate_speed_bytes_s: None,
        ha: false,
        windows: vec![window(1, in_1_s), window(4, in_4_s)],
    }
}

fn exact(part: Part, seconds: f64) -> Seen {
    Seen { seconds, dirtied_bytes: Range::exactly(Writer::Uniform(part).dirtied_bytes(seconds)) }
}

proptest! {
    /// What was made by the formula is found by it, wherever it can be told.
    #[test]
    fn a_writer_is_found_again(set_mib in 1.0..8000.0_f64, turns in 0.02..2.9_f64) {
        let bytes = set_mib * MIB;
        let part = Part { bytes, touch_bytes_per_s: turns * bytes };
        let found = Writers::of(&[exact(part, 1.0), exact(part, 4.0)], 16.0 * GIB);
        prop_assert_eq!((found.shape, found.parts.len()), (Shape::Random, 1));
        let of = |value: f64, true_one: f64| (value / true_one - 1.0).abs() < 1e-6;
        prop_assert!(of(found.parts[0].bytes, part.bytes), "{:?} {:?}", part, found);
        prop_assert!(of(found.parts[0].touch_bytes_per_s, part.touch_bytes_per_s));
    }

    /// As the monitor tells it, cut off to MiB a second, the truth is in the range.
    #[test]
    fn the_truth_is_within_what_is_told(
        set_mib in 40.0..3000.0_f64, turns in 0.02..2.9_f64, gib in 4_u64..64,
    ) {
        let part = Part { bytes: set_mib * MIB, touch_bytes_per_s: turns * set_mib * MIB };
        let memory = gib as f64 * GIB;
        let seen = [1, 4].map(|window_s| {
            let dirtied = Writer::Uniform(part).dirtied_bytes(window_s as f64);
            let mib_per_s = (dirtied / MIB / window_s as f64) as u64;
            Seen::of(&Window { window_s, mib_per_s, sample_pages_per_gib: 2048 }, memory)
        });
        for seen in seen {
            let dirtied = Writer::Uniform(part).dirtied_bytes(seen.seconds);
            let told = seen.dirtied_bytes;
            prop_assert!(told.least <= dirtied && dirtied <= told.most && told.least <= told.likely);
        }
        let told = Writers::of(&seen, memory).dirtying();
        let within = |range: Range<f64>, value: f64| {
            range.least <= value * 1.001 && value * 0.999 <= range.most
        };
        prop_assert!(within(told.touch_bytes_per_s, part.touch_bytes_per_s), "{part:?} {told:?}");
        prop_assert!(within(told.working_set_bytes, part.bytes), "{part:?} {told:?}");
    }

    /// Whatever a monitor says, there is an answer, and all of its ranges are ranges.
    #[test]
    fn there_is_always_an_answer(in_1_s in 0_u64..5000, in_4_s in 0_u64..5000, mbit in 10.0..1e5_f64) {
        let memory = 4.0 * GIB;
        let seen = vm(in_1_s, in_4_s).windows.iter().map(|it| Seen::of(it, memory)).collect::<Vec<_>>();
        let writers = Writers::of(&seen, memory);
        for part in &writers.parts {
            prop_assert!((0.0..=memory).contains(&part.bytes), "{part:?}");
            prop_assert!(part.touch_bytes_per_s.is_finite() && part.touch_bytes_per_s >= 0.0);
        }
        let over = Over {
            memory_bytes: memory,
            link_bytes_per_s: mbit * 125e3,
            cap_bytes_per_s: f64::INFINITY,
            limit_s: 0.1,
        };
        for writer in writers.writers() {
            let told = over.proxmox(writer);
            prop_assert!(told.downtime_s.is_finite() && told.total_time_s.is_finite(), "{told:?}");
        }
    }
}

#[test]
fn what_the_windows_can_and_cannot_tell() {
    let of = |first: f64, second: f64| {
        let seen = |seconds, mib: f64| Seen { seconds, dirtied_bytes: Range::exactly(mib * MIB) };
        let found = Writers::of(&[seen(1.0, first), seen(4.0, second)], GIB).dirtying();
        let mib = |range: Range<f64>| [range.likely, range.least, range.most].map(|it| it / MIB);
        (found.shape, mib(found.touch_bytes_per_s), mib(found.working_set_bytes))
    };
    assert_eq!(of(0.0, 0.0), (Shape::Idle, [0.0; 3], [0.0; 3]));
    // Everything within a second: from three times to thirty.
    let (shape, touches, set) = of(100.0, 100.0);
    assert_eq!((shape, set), (Shape::Saturated, [100.0; 3]));
    assert!((touches[1] / 300.0 - 1.0).abs() < 1e-9 && (touches[2] / 3000.0 - 1.0).abs() < 1e-9);
    // Nothing twice: it may go on so, all over the memory.
    let (shape, touches, set) = of(10.0, 40.0);
    assert_eq!((shape, set), (Shape::Spreading, [1024.0; 3]));
    assert!((10.0..10.5).contains(&touches[0]), "{touches:?}");
}

/// The bandwidth from which on a VM is migrated unaided, held against trying thousands: above it
/// nearly all do, just below some do not, and far below none does.
#[test]
fn the_bandwidth_that_is_needed_is_found_by_trying_too() {
    for (set_mib, touch_mib, limit_s) in
        [(256.0, 60.0, 0.1), (256.0, 60.0, 0.3), (64.0, 500.0, 0.1), (1024.0, 20.0, 0.05)]
    {
        let part = Part { bytes: set_mib * MIB, touch_bytes_per_s: touch_mib * MIB };
        let writers = Writers { shape: Shape::Random, parts: vec![part] };
        let over = |link_bytes_per_s: f64| Over {
            memory_bytes: 2.0 * GIB,
            link_bytes_per_s,
            cap_bytes_per_s: f64::INFINITY,
            limit_s,
        };
        let Bound::From(needed) = over(GIGABIT).least_link(&writers).likely else {
            panic!("{part:?}")
        };
        let share = |from: f64, to: f64| {
            let holds = (0..1000).filter(|at| {
                let link = from * (to / from).powf((f64::from(*at) + 0.5) / 1000.0);
                let told = over(link).proxmox(Writer::Uniform(part));
                told.converged && told.limit_factor <= 1.0 && told.throttle_percent == 0
            });
            holds.count() as f64 / 1000.0
        };
        let shares = [
            share(needed, needed * 1.3),
            share(needed, needed * 100.0),
            share(needed / 1.005, needed),
            share(needed / 100.0, needed / 2.0),
        ];
        let [above, far_above, just_below, far_below] = shares;
        let told = format!("{part:?} needs {needed:.0}: {shares:?}");
        assert!(above >= 0.99 && far_above >= 0.999, "{told}");
        assert!(just_below < 1.0 && far_below == 0.0, "{told}");
    }
}

#[test]
fn an_idle_vm_needs_nothing_and_a_busy_one_is_forced_through() {
    let idle = Advice::of(&vm(0, 0), &links(GIGABIT, GIGABIT / 2.0), None);
    assert_eq!(idle.insecure.ending.likely, Ending::Unaided);
    assert!(idle.insecure.converges_alone.likely && idle.limit_s == PROXMOX_LIMIT_S);
    let busy = Advice::of(&vm(180, 160), &links(GIGABIT, GIGABIT / 2.0), None);
    let it = busy.insecure;
    assert_eq!((it.ending.likely, it.converges_alone.any), (Ending::Forced, false), "{it:?}");
    assert!(it.last_limit_s.likely > busy.limit_s && it.throttle_percent.likely > 0, "{it:?}");
    let Bound::From(needed) = busy.needs_bytes_per_s.likely else { panic!("{busy:?}") };
    assert!(needed > GIGABIT, "{needed}");
    // With that, it is.
    let enough = Advice::of(&vm(180, 160), &links(needed * 1.05, needed), None);
    assert_eq!(enough.insecure.ending.likely, Ending::Unaided);
    // A longer downtime needs less.
    let longer = Advice::of(&vm(180, 160), &links(GIGABIT, GIGABIT), Some(1.0));
    assert!(longer.needs_bytes_per_s.likely < busy.needs_bytes_per_s.likely);
    assert_eq!((longer.wanted_s, longer.limit_s), (1.0, PROXMOX_LIMIT_S));
    // So does the limit at which it would end by itself.
    let Bound::From(limit_s) = it.unaided_from_limit_s.likely else { panic!("{it:?}") };
    let patient = Observed { migrate_downtime_s: Some(limit_s * 1.05), ..vm(180, 160) };
    let patient = Advice::of(&patient, &links(GIGABIT, GIGABIT), None);
    assert_eq!(patient.insecure.ending.likely, Ending::Unaided);
}

#[test]
fn the_lower_cap_counts_and_does_not_bind_the_stop() {
    let capped = Observed { migrate_speed_bytes_s: Some(50 << 20), ..vm(30, 20) };
    let all = Links { cap_bytes_per_s: Some(20.0 * MIB), ..links(GIGABIT, GIGABIT) };
    let advice = Advice::of(&capped, &all, None);
    assert_eq!(advice.cap_bytes_per_s, Some(20.0 * MIB));
    assert!(advice.insecure.is_capped && advice.insecure.live_bytes_per_s == 20.0 * MIB);
    let free = Advice::of(&vm(30, 20), &links(GIGABIT, GIGABIT), None);
    assert!(!free.insecure.is_capped && free.insecure.ending.likely == Ending::Unaided);
    assert!(advice.insecure.ending.likely > Ending::Unaided, "{advice:?}");
    // What is needed is of the link, whatever the cap.
    assert_eq!(advice.needs_bytes_per_s, free.needs_bytes_per_s);
}
