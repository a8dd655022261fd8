//! The textbook model and QEMU's rule against numbers of an independent program.
//!
//! `vectors.json` is what `python3 model/tests/vectors.py model/tests/vectors.json` writes: the
//! same equations, step by step, in another language.

use model::{Course, Part, QemuRule, Textbook, Writer, closed_form, throttle};
use serde_json::Value;

const TOLERANCE: f64 = 1e-9;

fn vectors() -> Vec<Value> {
    let document: Value = serde_json::from_str(include_str!("vectors.json")).expect("it is there");
    document["vectors"].as_array().expect("it is there").clone()
}

fn close(what: &str, is: f64, should_be: f64) {
    let difference = (is - should_be).abs();
    assert!(difference <= TOLERANCE * should_be.abs(), "{what}: {is}, expected {should_be}");
}

fn number(value: &Value, key: &str) -> Option<f64> {
    value.get(key).and_then(Value::as_f64)
}

fn writer(input: &Value) -> Writer {
    let touch_bytes_per_s = number(input, "r").unwrap_or(0.0);
    let part = Part { bytes: number(input, "W").unwrap_or(0.0), touch_bytes_per_s };
    match input["kind"].as_str().expect("it is there") {
        "linear" => Writer::Linear { touch_bytes_per_s },
        "sweep" => Writer::Sweep(part),
        "uniform" => Writer::Uniform(part),
        "hot" => {
            let at = |k: usize, n: usize| input["parts"][k][n].as_f64().expect("it is there");
            let part = |k| Part { bytes: at(k, 0), touch_bytes_per_s: at(k, 1) };
            Writer::TwoSpeed([part(0), part(1)])
        }
        other => panic!("{other}"),
    }
}

fn check(name: &str, course: &Course, expected: &Value) {
    assert_eq!(
        u64::from(course.rounds),
        expected["rounds_live"].as_u64().expect("it is there"),
        "{name}"
    );
    if let Some(converged) = expected["converged"].as_bool() {
        assert_eq!(course.converged, converged, "{name}");
    }
    if let Some(count) = expected["dirty_sync_count"].as_u64() {
        assert_eq!(u64::from(course.sync_count), count, "{name}");
    }
    let fields = [
        ("theta", course.threshold_bytes),
        ("live_time", course.live_time_s),
        ("stop_bytes", course.stop_bytes),
        ("downtime", course.downtime_s),
        ("total_time", course.total_time_s),
        ("total_bytes", course.stream_bytes),
    ];
    for (field, is) in fields {
        // The closed form has no threshold of its own.
        if let Some(should_be) = number(expected, field) {
            close(&format!("{name}: {field}"), is, should_be);
        }
    }
}

fn textbook(input: &Value) -> Textbook {
    let get = |key: &str| number(input, key).expect("it is there");
    let bandwidth = get("B");
    let plain = Textbook::new(get("M"), bandwidth, get("L"), writer(input));
    Textbook {
        zero_bytes: number(input, "zero").unwrap_or(0.0),
        stop_bandwidth_bytes_per_s: number(input, "B_stop").unwrap_or(bandwidth),
        setup_s: number(input, "t_setup").unwrap_or(0.0),
        stop_fixed_s: number(input, "t_fixed").unwrap_or(0.0),
        counts_headers: input["overhead"].as_bool().unwrap_or(false),
        most_rounds: input["max_rounds"].as_u64().map_or(plain.most_rounds, |n| n as u32),
        ..plain
    }
}

#[test]
fn the_textbook_model_is_exact_round_by_round() {
    let mut tried = 0;
    for vector in vectors().iter().filter(|vector| vector["model"] == "A") {
        let name = vector["name"].as_str().expect("it is there");
        let mut rounds = Vec::new();
        let course = textbook(&vector["input"]).course_seen(|round| rounds.push(*round));
        check(name, &course, &vector["expected"]);
        let expected = vector["expected"]["rounds"].as_array().expect("it is there");
        assert_eq!(rounds.len(), expected.len(), "{name}");
        for (round, expected) in rounds.iter().zip(expected) {
            close(
                name,
                round.dirty_before_bytes,
                number(expected, "dirty_start").expect("it is there"),
            );
            close(name, round.sent_bytes, number(expected, "sent").expect("it is there"));
            close(name, round.time_s, number(expected, "time").expect("it is there"));
            close(
                name,
                round.dirty_after_bytes,
                number(expected, "dirty_end").expect("it is there"),
            );
        }
        tried += 1;
    }
    assert_eq!(tried, 7);
}

#[test]
fn qemus_rule_is_exact_reading_by_reading() {
    let mut tried = 0;
    for vector in vectors().iter().filter(|vector| vector["model"] == "Q") {
        let name = vector["name"].as_str().expect("it is there");
        let get = |key: &str| number(&vector["input"], key).expect("it is there");
        let rule = QemuRule::new(get("M"), get("B"), get("L"), writer(&vector["input"]));
        let mut syncs = Vec::new();
        let course = rule.course_seen(|sync| syncs.push(*sync));
        check(name, &course, &vector["expected"]);
        let expected = vector["expected"]["syncs"].as_array().expect("it is there");
        assert_eq!(syncs.len(), expected.len(), "{name}");
        for (sync, expected) in syncs.iter().zip(expected) {
            assert_eq!(
                u64::from(sync.number),
                expected["sync"].as_u64().expect("it is there"),
                "{name}"
            );
            close(name, sync.at_s, number(expected, "t").expect("it is there"));
            close(name, sync.pending_bytes, number(expected, "pending").expect("it is there"));
        }
        tried += 1;
    }
    assert_eq!(tried, 3);
}

#[test]
fn the_closed_form_and_the_fixed_point_are_exact() {
    let vectors = vectors();
    let named =
        |name: &str| vectors.iter().find(|vector| vector["name"] == name).expect("it is there");
    let linear = named("A2-linear-geometric");
    let get = |key: &str| number(&linear["input"], key).expect("it is there");
    let course = closed_form::linear(get("M"), get("B"), get("L"), get("r")).expect("it is there");
    check("closed form", &course, &linear["closed_form"]);
    let steady = named("U1-uniform-fixed-point");
    let get = |key: &str| number(&steady["input"], key).expect("it is there");
    let is = closed_form::steady_uniform_bytes(get("B"), get("r"), get("W"));
    close("steady set", is, number(&steady["expected"], "steady_dirty").expect("it is there"));
}

#[test]
fn the_throttle_ladder() {
    let vectors = vectors();
    let ladder =
        vectors.iter().find(|vector| vector["name"] == "T1-throttle").expect("it is there");
    let numbers = |value: &Value| -> Vec<u64> {
        value.as_array().expect("it is there").iter().filter_map(Value::as_u64).collect()
    };
    let steps = numbers(&ladder["input"]["k"]);
    let percents: Vec<u64> =
        steps.iter().map(|step| u64::from(throttle::percent_after(*step as u32))).collect();
    assert_eq!(percents, numbers(&ladder["expected"]["percent"]));
    assert_eq!(throttle::percent_after(0), 0);
    assert_eq!(throttle::percent_after(u32::MAX), throttle::MOST_PERCENT);
}
