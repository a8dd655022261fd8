//! The answer for people, in 80 columns: pure.

use super::{
    answer::{Answer, Vm},
    words::{per_second, ranged, rate},
};
use crate::{
    color::Paint,
    columns::{Align, aligned, filled},
    commands::predict::text::{seconds, size},
};
use harness::advice::{Advice, Ending, Outlook, Rate, Shape};
use std::fmt::Write;

const WIDTH: usize = 80;

/// The whole of it.
pub fn text(answer: &Answer, paint: Paint) -> String {
    let datacenter = &answer.datacenter;
    let mut out = filled(
        &format!(
            "Migrations of the lab `{}`: the datacenter has {} over {}.",
            answer.lab,
            datacenter.kind,
            datacenter.network.as_deref().unwrap_or("the cluster's own network"),
        ),
        "",
        WIDTH,
    );
    out.push('\n');
    let link = |name: &str, it: &Rate| [name.to_owned(), rate(it.bytes_per_s), it.source.clone()];
    let mut rows = vec![["way", "payload", "known from"].map(str::to_owned)];
    rows.push(link("insecure", &answer.links.insecure));
    rows.push(match &answer.links.secure {
        Some(secure) => link("secure", secure),
        None => ["secure", "?", "see below"].map(str::to_owned),
    });
    table(&mut out, paint, &aligned([Align::Left; 3], &rows));
    if let Some(none) = &answer.no_secure {
        out.push('\n');
        let what = format!("What secure migrations would do is not known: {}", none.why);
        out.push_str(&filled(&what, "  ", WIDTH));
        out.push_str(&filled(&format!("remedy: {}", none.remedy), "  ", WIDTH));
    }
    out.push('\n');
    list(&mut out, &answer.sentences);
    for vm in &answer.vms {
        out.push('\n');
        match vm {
            Vm::Seen { advice, sentences } => {
                of_vm(&mut out, paint, advice);
                out.push('\n');
                list(&mut out, sentences);
            }
            Vm::Refused { vmid, why, remedy } => {
                let word = paint.error("could not be looked at");
                let _ = writeln!(out, "{} {word}", paint.strong(&format!("VM {vmid}")));
                out.push_str(&filled(&format!("why: {why}"), "  ", WIDTH));
                if let Some(remedy) = remedy {
                    out.push_str(&filled(&format!("remedy: {remedy}"), "  ", WIDTH));
                }
            }
        }
    }
    out.push('\n');
    out.push_str(&filled(&notes(answer), "", WIDTH));
    out
}

fn of_vm(out: &mut String, paint: Paint, advice: &Advice) {
    let vm = &advice.vm;
    let name = vm.name.as_ref().map(|name| format!(" `{name}`")).unwrap_or_default();
    let _ = writeln!(out, "{} on {}", paint.strong(&format!("VM {}{name}", vm.vmid)), vm.node);
    #[expect(clippy::cast_precision_loss, reason = "bytes are far below 2^53")]
    let memory = size(vm.memory_bytes as f64);
    let cap = advice
        .cap_bytes_per_s
        .map_or("no cap".to_owned(), |cap| format!("cap {}", per_second(cap)));
    let dirtying = &advice.dirtying;
    let writes = match dirtying.shape {
        Shape::Idle => "it was seen to write nothing".to_owned(),
        _ => format!(
            "it writes {} in a working set of {}",
            ranged(dirtying.touch_bytes_per_s, per_second),
            ranged(dirtying.working_set_bytes, size)
        ),
    };
    let limit = seconds(advice.limit_s);
    let what = format!("{memory} of memory, downtime limit {limit}, {cap}; {writes}");
    out.push_str(&filled(&what, "  ", WIDTH));
    let row = |name: &str, of: &dyn Fn(&Outlook) -> String| {
        let secure = advice.secure.as_ref().map_or("?".to_owned(), of);
        [name.to_owned(), of(&advice.insecure), secure]
    };
    let rows = [
        ["", "insecure", "secure"].map(str::to_owned),
        row("converges alone", &|it| match it.converges_alone {
            share if share.all => "yes".to_owned(),
            share if share.likely => "probably".to_owned(),
            share if share.any => "probably not".to_owned(),
            _ => "no".to_owned(),
        }),
        row("ends", &|it| {
            let (likely, most) = (ending(it.ending.likely), ending(it.ending.most));
            if likely == most { likely.to_owned() } else { format!("{likely}, or {most}") }
        }),
        row("last downtime limit", &|it| ranged(it.last_limit_s, seconds)),
        row("guest throttled by", &|it| match it.throttle_percent.most {
            0 => "-".to_owned(),
            most if most == it.throttle_percent.likely => format!("{most} %"),
            most => format!("{} to {most} %", it.throttle_percent.least),
        }),
        row("migration time", &|it| ranged(it.total_time_s, seconds)),
        row("downtime", &|it| ranged(it.downtime_s, seconds)),
        row("  + until it runs", &|it| format!("up to {}", seconds(it.resume_s[1]))),
        row("transferred", &|it| ranged(it.stream_bytes, size)),
    ];
    table(out, paint, &aligned([Align::Left; 3], &rows));
}

const fn ending(ending: Ending) -> &'static str {
    match ending {
        Ending::Unaided => "by itself",
        Ending::Throttled => "throttled",
        Ending::Forced => "forced",
        Ending::Never => "not in a day",
    }
}

fn table(out: &mut String, paint: Paint, lines: &[String]) {
    for (index, line) in lines.iter().enumerate() {
        let line = if index == 0 { paint.strong(line) } else { line.clone() };
        let _ = writeln!(out, "{line}");
    }
}

fn list(out: &mut String, sentences: &[String]) {
    for sentence in sentences {
        out.push_str(&filled(&format!("- {sentence}"), "  ", WIDTH));
    }
}

fn notes(answer: &Answer) -> String {
    let mut notes = Vec::new();
    if answer.vms.iter().any(|vm| matches!(vm, Vm::Seen { .. })) {
        notes.push(
            "In brackets: the least and the most over all that fits what was seen. All memory is \
             taken to hold something, writes to be random, and XBZRLE to gain nothing; a guest \
             with much empty memory is faster. By the model, which was not held against a Proxmox \
             yet, with the fixed costs of a local lab.",
        );
    }
    notes.push("Nothing was migrated or changed.");
    notes.join(" ")
}
