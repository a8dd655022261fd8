use super::*;
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a mapping, `key: value`")]
#[expect(dead_code, reason = "only the reading is tested")]
struct Doc {
    name: String,
    count: Option<u32>,
    size: Option<crate::units::Bytes>,
    list: Option<Vec<crate::units::Bytes>>,
    inner: Option<Inner>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a mapping, `key: value`")]
#[expect(dead_code, reason = "only the reading is tested")]
struct Inner {
    touch_rate: Option<u32>,
    kind: Option<Kind>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Quick,
    Slow,
}

const BAD: &[(&str, &str)] = &[
    ("empty", ""),
    ("only_comments", "# nothing\n\n# here\n"),
    ("only_dashes", "---\n"),
    ("no_mapping", "hello\n"),
    ("a_list", "- name: x\n"),
    ("two_documents", "name: x\n---\nname: y\n"),
    ("tab", "name: x\ninner:\n\ttouch_rate: 1\n"),
    ("unclosed", "name: x\nlist: [1 MiB,\n"),
    ("colon_in_text", "name: x: y\n"),
    ("unknown_anchor", "name: *other\n"),
    ("merge_key", "name: x\ninner: { <<: { touch_rate: 1 } }\n"),
    ("duplicate", "name: x\ncount: 1\nname: y\n"),
    (
        "duplicates_below",
        "name: x\ninner:\n  touch_rate: 1\n  kind: quick\n  touch_rate: 2\n  kind: slow\n",
    ),
    ("unknown_key", "name: x\ninner:\n  touchrate: 1\n"),
    ("unknown_keys", "name: x\nconut: 1\ncolour: red\n"),
    ("unknown_variant", "name: x\ninner: { kind: qiuck }\n"),
    ("missing", "count: 1\n"),
    ("no_value", "name: x\ncount:\nsize: ~\nlist: [1 MiB, ]\n"),
    ("no_value_in_list", "name: x\nlist:\n  - 1 MiB\n  -\n"),
    ("number_wanted", "name: x\ncount: many\n"),
    ("negative", "name: x\ncount: -1\n"),
    ("too_large", "name: x\ncount: 99999999999\n"),
    ("text_wanted", "name: [x]\n"),
    ("list_wanted", "name: x\nlist: 3 MiB\n"),
    ("mapping_wanted", "name: x\ninner: [1]\n"),
    ("no_unit", "name: x\nsize: 256\n"),
    ("wrong_unit", "name: x\nlist: [1 MiB, 256 MB]\n"),
    ("odd_key", "name: x\n[a, b]: 1\n"),
    ("not_ascii", "name: größer  # für alle\nsize: größer\n"),
    ("tag", "name: !secret x\n"),
    ("open_quote", "name: 'x\ncount: 1\n\n"),
    ("through_alias", "name: &n x\nsize: *n\n"),
];

#[test]
fn bad_files_are_refused_where_the_mistake_is() {
    for (name, text) in BAD {
        let report = parse::<Doc>("test.yaml", text).expect_err(name);
        insta::assert_snapshot!(*name, report.render(false, 90));
    }
}

#[test]
fn a_report_is_plain_fields_for_programs() {
    let text = "name: x\ninner:\n  touchrate: 1\n";
    let report = parse::<Doc>("test.yaml", text).expect_err("an unknown key");
    insta::assert_json_snapshot!(report);
    insta::assert_snapshot!("one_line_each", report.to_string());
}

#[test]
fn a_report_is_ascii_or_coloured_when_asked() {
    let report = parse::<Doc>("test.yaml", "name: x\nconut: 1\n").expect_err("an unknown key");
    let ascii = report.render_ascii(false, 80);
    assert!(ascii.is_ascii(), "{ascii}");
    assert!(!report.render(false, 80).contains('\u{1b}'));
    assert!(report.render(true, 80).contains('\u{1b}'));
}

#[test]
fn anchors_and_aliases_are_read() {
    let text = "name: &n x\nlist: &l [1 MiB]\ninner: { kind: quick }\n";
    let parsed = parse::<Doc>("test.yaml", text).expect("anchors are YAML");
    assert_eq!(parsed.value.name, "x");
    assert_eq!(parsed.at(&["inner", "kind"]).line, 3);
}

#[test]
fn a_path_is_found_at_its_value_or_its_nearest_ancestor() {
    let text = "name: x\nlist: [1 MiB, 2 MiB]\ninner:\n  kind: quick\n";
    let parsed = parse::<Doc>("test.yaml", text).expect("a good file");
    let at = |path: &[&str]| {
        let place = parsed.at(path);
        (place.line, place.column, &text[place.offset..place.offset + place.length])
    };
    assert_eq!(at(&["list", "1"]), (2, 15, "2 MiB"));
    assert_eq!(at(&["list"]), (2, 7, "[1 MiB, 2 MiB]"));
    assert_eq!(at(&["list", "7"]), (2, 7, "[1 MiB, 2 MiB]"));
    assert_eq!(at(&["inner"]), (3, 1, "inner"));
    assert_eq!(at(&["inner", "kind"]), (4, 9, "quick"));
    assert_eq!(at(&["inner", "touch_rate"]), (3, 1, "inner"));
    assert_eq!(at(&["nothing"]), (1, 1, "name"));
    assert!(parsed.says(&["inner", "kind"]) && !parsed.says(&["inner", "touch_rate"]));
}

#[test]
fn endless_nesting_and_huge_files_are_refused() {
    let deep = format!("name: {}", "[".repeat(40));
    let report = parse::<Doc>("test.yaml", &deep).expect_err("too deep");
    assert!(report.to_string().contains("nested deeper than 32 levels"), "{report}");
    // Deeper still, the parser itself gives up; it must not run out of stack before.
    let deepest = "[".repeat(100_000);
    parse::<Doc>("test.yaml", &deepest).expect_err("much too deep");
    parse::<Doc>("test.yaml", &"- ".repeat(100_000)).expect_err("much too deep");
    parse::<Doc>("test.yaml", &"a: {".repeat(100_000)).expect_err("much too deep");
    let long = format!("name: {}", "x".repeat(MAX_FILE_BYTES));
    let report = parse::<Doc>("test.yaml", &long).expect_err("too long");
    assert!(report.to_string().contains("longer than 1 MiB"), "{report}");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}") {
        if let Err(report) = parse::<Doc>("test.yaml", &text) {
            prop_assert!(!report.render(false, 80).is_empty());
        }
    }

    #[test]
    fn no_text_of_yaml_signs_makes_it_panic(
        text in "([a-e]|name|inner|list|: |- |\\n|\\r\\n|  |\\t|\\[|\\]|\\{|\\}|, |\"|'|#|&a |\\*a|!|\\||>|ä|1|<<|---\\n|\u{feff}|\u{2028}){0,40}"
    ) {
        if let Err(report) = parse::<Doc>("test.yaml", &text) {
            prop_assert!(!report.render(false, 80).is_empty());
            for problem in &report.problems {
                let place = problem.place;
                prop_assert!(text.get(place.offset..place.offset + place.length).is_some(), "{place:?}");
            }
        }
    }
}
