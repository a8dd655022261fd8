//! Sentences of advice: pure.

use super::answer::Datacenter;
use crate::commands::predict::text::{seconds, size};
use harness::advice::{Advice, Bound, Ending, Links, Outlook, Range, Shape};

/// From so many times as long on, secure is said to cost something.
const COSTLY: f64 = 1.25;
/// No longer downtime is advised, seconds.
const LONGEST_S: f64 = 10.0;

/// Of links alone.
pub fn of_links(links: &Links, datacenter: &Datacenter, vms: usize) -> Vec<String> {
    let mut sentences = Vec::new();
    if let Some(secure) = &links.secure {
        let share = secure.bytes_per_s / links.insecure.bytes_per_s;
        sentences.push(if share * COSTLY < 1.0 {
            format!(
                "Secure costs bandwidth here: SSH carries {:.0} % of what the link does. The same \
                 memory takes {:.1} times as long, and a guest may write only {:.0} % as fast \
                 before it does not converge.",
                share * 100.0,
                1.0 / share,
                share * 100.0,
            )
        } else {
            "Secure costs next to nothing here: the link binds before SSH does. Choose secure."
                .to_owned()
        });
    }
    if let Some(cap) = links.cap_bytes_per_s {
        sentences.push(format!(
            "The datacenter caps migrations at {} (`bwlimit`): whatever the link could do more is \
             not used.",
            per_second(cap)
        ));
    }
    if datacenter.network.is_none() {
        sentences.push(
            "The datacenter names no migration network: migrations go over the cluster's own, \
             beside corosync. `pvesh set /cluster/options --migration type=TYPE,network=CIDR` \
             gives them one."
                .to_owned(),
        );
    }
    if vms == 0 {
        sentences.push(
            "Name VMs with `--vm ID` to learn whether they converge, and what that costs."
                .to_owned(),
        );
    }
    sentences
}

/// Of one VM.
pub fn of_vm(advice: &Advice, datacenter: &Datacenter) -> Vec<String> {
    let mut sentences = Vec::new();
    if advice.vm.ha {
        sentences.push("HA manages it, and migrates it when HA sees fit.".to_owned());
    }
    let is_secure = datacenter.kind == "secure";
    let (now, word) = match (&advice.secure, is_secure) {
        (Some(secure), true) => (secure, "secure"),
        _ => (&advice.insecure, "insecure"),
    };
    sentences.push(ends(advice, now, word));
    sentences.extend(choice(advice, datacenter));
    if now.ending.most >= Ending::Throttled {
        let leaves = advice.insecure.ending.likely < now.ending.likely;
        let out = ways_out(advice, now).into_iter();
        sentences.extend(out.map(|way| match leaves {
            true => format!("Where it stays {word}: {way}"),
            false => capital(&way),
        }));
        sentences
            .push("Or migrate it when it writes less: this was five seconds of it.".to_owned());
    }
    sentences.push(needs(advice));
    sentences.extend(unknown(advice));
    sentences
}

fn ends(advice: &Advice, outlook: &Outlook, word: &str) -> String {
    let way = format!("{word}, at {}", rate(outlook.live_bytes_per_s));
    let forced = || {
        let limit = ranged(outlook.last_limit_s, seconds);
        format!(
            "Proxmox throttles it by up to {} % and raises the limit from {} to {limit} until it \
             fits",
            outlook.throttle_percent.most,
            seconds(advice.limit_s),
        )
    };
    match (outlook.ending.likely, outlook.ending.most) {
        (Ending::Unaided, Ending::Unaided) => format!("It converges by itself ({way})."),
        (Ending::Unaided, Ending::Throttled) => {
            format!("It probably converges by itself ({way}), or after being throttled.")
        }
        (Ending::Unaided, _) => format!(
            "It probably converges by itself ({way}); where it writes as much as fits what was \
             seen, {}.",
            forced()
        ),
        (Ending::Throttled, most) => {
            let or = match most {
                Ending::Forced | Ending::Never => {
                    format!(", at worst to be forced through: {}", forced())
                }
                _ => String::new(),
            };
            format!(
                "It does not converge at its own speed ({way}): it is throttled by {} % to end \
                 within its limit{or}.",
                ranged_percent(outlook.throttle_percent),
            )
        }
        (Ending::Forced, _) if outlook.converges_alone.likely => format!(
            "By QEMU's own rule it would converge ({way}), but Proxmox does not wait so long and \
             forces it through: {}.",
            forced()
        ),
        (Ending::Forced, _) => {
            format!("It does not converge ({way}) and is forced through: {}.", forced())
        }
        (Ending::Never, _) => format!("It does not end within a day ({way})."),
    }
}

/// Secure or insecure.
fn choice(advice: &Advice, datacenter: &Datacenter) -> Vec<String> {
    let (insecure, Some(secure)) = (&advice.insecure, &advice.secure) else { return Vec::new() };
    let slower = secure.total_time_s.likely / insecure.total_time_s.likely;
    let costs = format!(
        "{} instead of {} to migrate, {} of downtime instead of {}",
        seconds(secure.total_time_s.likely),
        seconds(insecure.total_time_s.likely),
        seconds(secure.downtime_s.likely),
        seconds(insecure.downtime_s.likely),
    );
    let sentence = if secure.ending.likely > insecure.ending.likely {
        format!(
            "Choose insecure for it, on a network that nobody else can read, for its memory \
             crosses that in clear. Secure costs {costs}: it is {} then.",
            match secure.ending.likely {
                Ending::Throttled => "throttled",
                Ending::Forced => "forced through",
                Ending::Never | Ending::Unaided => "not done within a day",
            }
        )
    } else if slower > COSTLY && secure.ending.likely == Ending::Forced {
        format!(
            "Either way it is forced through; secure costs {costs}. Choose secure unless that \
             matters and nobody else can read the network."
        )
    } else if slower > COSTLY {
        format!("Secure ends alike and costs {costs}. Choose it unless that time matters.")
    } else {
        format!("Choose secure: it costs next to nothing ({costs}).")
    };
    let wanted = if secure.ending.likely > insecure.ending.likely { "insecure" } else { "secure" };
    let mut sentences = vec![sentence];
    if wanted != datacenter.kind {
        let network = datacenter.network.as_deref().unwrap_or("CIDR");
        sentences.push(format!(
            "The datacenter has {}; to change it for all VMs: `pvesh set /cluster/options \
             --migration type={wanted},network={network}`.",
            datacenter.kind
        ));
    }
    sentences
}

/// What else could be set where it is not migrated unaided: ends of sentences.
fn ways_out(advice: &Advice, outlook: &Outlook) -> Vec<String> {
    let mut sentences = Vec::new();
    let id = advice.vm.vmid;
    match outlook.unaided_from_limit_s.likely {
        Bound::From(limit_s) if limit_s > advice.limit_s && limit_s <= LONGEST_S => {
            let up = (limit_s * 110.0).ceil() / 100.0;
            sentences.push(format!(
                "`qm set {id} --migrate_downtime {up}` lets it end without being throttled; it \
                 costs a stop of up to {}.",
                seconds(up)
            ));
        }
        Bound::From(limit_s) if limit_s <= LONGEST_S => {}
        _ => sentences.push(format!(
            "no downtime of up to {} lets it end without being throttled.",
            seconds(LONGEST_S)
        )),
    }
    if let (true, Some(cap)) = (outlook.is_capped, advice.cap_bytes_per_s) {
        let whose = match advice.vm.migrate_speed_bytes_s {
            #[expect(clippy::cast_precision_loss, reason = "bytes are far below 2^53")]
            Some(own) if own as f64 <= cap => {
                format!("its own (`qm set {id} --delete migrate_speed`)")
            }
            _ => "the datacenter's (`bwlimit`)".to_owned(),
        };
        sentences.push(format!("the cap of {} binds, not the link: {whose}.", per_second(cap)));
    }
    sentences
}

fn needs(advice: &Advice) -> String {
    let wanted = seconds(advice.wanted_s);
    let has = rate(advice.insecure.live_bytes_per_s);
    let range = advice.needs_bytes_per_s;
    match (range.likely, range.most) {
        (Bound::Any, Bound::Any) => format!("Any link keeps its downtime limit of {wanted}."),
        (Bound::Never, _) => {
            format!(
                "No link, however fast, keeps a downtime limit of {wanted} without throttling it."
            )
        }
        (likely, most) => {
            let up_to = match (likely, most) {
                (_, Bound::Never) => " (it may be that none is enough)".to_owned(),
                (Bound::From(likely), Bound::From(most)) if most > likely * 1.05 => {
                    format!(" (up to {})", rate(most))
                }
                (Bound::Any, Bound::From(most)) => format!(" (up to {})", rate(most)),
                _ => String::new(),
            };
            let likely = match likely {
                Bound::From(likely) => format!("about {}", rate(likely)),
                _ => "hardly anything".to_owned(),
            };
            format!(
                "A downtime limit of {wanted} without throttling or raising it needs {likely} of \
                 payload{up_to}; there is {has}."
            )
        }
    }
}

/// What the windows could not tell.
fn unknown(advice: &Advice) -> Option<String> {
    match advice.dirtying.shape {
        Shape::Idle | Shape::Random => None,
        Shape::Saturated => Some(
            "It writes its whole working set within a second; how fast beyond that cannot be seen, \
             so figures are for 3 to 30 times a second."
                .to_owned(),
        ),
        Shape::Spreading => Some(
            "It hardly writes a page twice within four seconds, so its working set is taken to be \
             all of its memory: it may be less, which is better."
                .to_owned(),
        ),
    }
}

/// With a capital at its beginning.
fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A rate of payload, as a network's is told: the bits of it.
pub fn rate(bytes_per_s: f64) -> String {
    let mbit = bytes_per_s * 8.0 / 1e6;
    if mbit >= 9999.5 {
        format!("{:.1} Gbit/s", mbit / 1e3)
    } else if mbit >= 99.5 {
        format!("{mbit:.0} Mbit/s")
    } else {
        format!("{mbit:.1} Mbit/s")
    }
}

/// A likely value with what it lies between, where that is more than rounding.
pub fn ranged(range: Range<f64>, shown: fn(f64) -> String) -> String {
    let [likely, least, most] = [range.likely, range.least, range.most].map(shown);
    if least == likely && most == likely {
        return likely;
    }
    let (number, unit) = least.split_once(' ').unwrap_or((&least, ""));
    let same = most.split_once(' ').is_some_and(|(_, other)| other == unit);
    format!("{likely} ({} to {most})", if same { number } else { &least })
}

fn ranged_percent(range: Range<u32>) -> String {
    if range.least == range.most {
        range.likely.to_string()
    } else {
        format!("{} ({} to {})", range.likely, range.least, range.most)
    }
}

/// A size per second.
pub fn per_second(bytes: f64) -> String {
    format!("{}/s", size(bytes))
}
