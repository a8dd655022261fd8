use super::*;
use crate::process::Command;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeSet;

const HEAD: &str = "name: test\nsteps:\n  - name: one\n";

fn context() -> serde_json::Value {
    json!({
        "node": {"name": "node1", "index": 0, "guest_device": "eth1", "odd": "it's\n$(id)"},
        "nodes": [{"name": "node1"}, {"name": "node2"}],
        "lab": {"networks": {"guest": {"cidr": "10.77.0.0/24"}}, "storage": null, "yes": true},
    })
}

fn rendered(rest: &str) -> Playbook {
    render("test.yaml.j2", &format!("{HEAD}{rest}"), "node1", &context()).expect("it renders")
}

const BAD: &[(&str, &str)] = &[
    ("undefined", "    check: test {{ node.guest_devise }}\n    action: 'true'\n"),
    ("undefined_at_all", "    check: test {{ nod.name }}\n    action: 'true'\n"),
    ("undefined_on_the_way", "    check: test {{ node.addresses.guest }}\n    action: 'true'\n"),
    ("undefined_in_if", "{% if node.storage %}\n    check: a\n{% endif %}\n    action: 'true'\n"),
    ("undefined_in_for", "    check: {% for n in lab.nodes %}a{% endfor %}\n    action: b\n"),
    ("no_value", "    check: test {{ lab.storage }}\n    action: 'true'\n"),
    ("a_list", "    check: test {{ nodes }}\n    action: 'true'\n"),
    ("a_mapping", "    check: test {{ node }}\n    action: 'true'\n"),
    ("captured", "    check: {% set a %}x{% endset %}test {{ a }}\n    action: 'true'\n"),
    ("safe", "    check: echo {{ node.odd | safe }}\n    action: 'true'\n"),
    ("not_closed", "    check: test {{ node.name }\n    action: 'true'\n"),
    ("no_end_of_if", "{% if node.name %}\n    check: test\n"),
    ("unknown_filter", "    check: test {{ node.name | shout }}\n    action: 'true'\n"),
    ("no_range", "    check: test {{ node.name | prefix }}\n    action: 'true'\n"),
    ("token", "    check: test ⟪0⟫\n    action: 'true'\n"),
    ("double_quotes", "    check: |\n      echo \"to {{ node.odd }}\"\n    action: 'true'\n"),
    (
        "here_document",
        "    check: |\n      cat <<E\n      {{ node.odd }}\n      E\n    action: 'true'\n",
    ),
    ("key_mistyped", "    chek: test {{ node.name }} {{ node.odd }}\n    action: 'true'\n"),
    ("word_mistyped", "    check: a\n    action: b\n    on: {{ node.name }}\n"),
    ("mode", "    files: [{path: /a, mode: \"644\", content: ''}]\n"),
    ("mode_number", "    files: [{path: /a, mode: 644, content: ''}]\n"),
    ("nothing_to_look_at", "    action: b\n"),
    ("nothing_to_do", "    check: b\n"),
    ("empty_script", "    check: ' '\n    action: b\n"),
    ("deadline", "    check: a\n    action: b\n    deadline: 10\n"),
    (
        "names",
        "    check: a\n    action: b\n  - {name: one, check: a, action: b}\n  - {name: A b, check: a, action: b}\n",
    ),
    (
        "collect",
        "    check: a\n    action: b\n    collect: [{path: a, share: /b/}, {path: /c, secret: true}]\n",
    ),
    (
        "collect_of_all",
        "    check: a\n    action: b\n    collect: [{path: /a/}, {path: /c, share: /../d}]\n",
    ),
    ("secret", "    check: a\n    action: b\n    secrets: [root password]\n"),
    (
        "paths",
        "    files:\n      - {path: etc/x, mode: \"0644\", content: ''}\n      - {path: /etc/../x, mode: \"0644\", content: ''}\n      - {path: /etc/, mode: \"0644\", content: ''}\n      - {path: /a, mode: \"0644\", content: ''}\n      - {path: /a, mode: \"0600\", content: ''}\n",
    ),
];

#[test]
fn mistakes_are_shown_where_they_are() {
    for (name, rest) in BAD {
        let text = format!("{HEAD}{rest}");
        let report = render("test.yaml.j2", &text, "node1", &context()).expect_err(name);
        let shown = report.render(false, 90);
        assert!(!shown.contains("$(id)"), "it shows what a variable holds: {shown}");
        insta::assert_snapshot!(*name, shown);
    }
}

#[test]
fn values_that_need_no_quotes_are_written_as_they_are() {
    let playbook = rendered(
        "    check: test {{ node.name }} = {{ lab.networks.guest.cidr | prefix }}\n    \
         reboot: {{ lab.yes }}\n    action: |\n      for n in \
         {% for n in nodes %}{{ n.name }} {% endfor %}; do a; done\n",
    );
    let step = &playbook.steps[0];
    assert_eq!(step.check.as_deref(), Some("test node1 = 24"));
    assert_eq!(step.action.as_deref(), Some("for n in node1 node2 ; do a; done\n"));
    assert!(step.reboot);
}

#[test]
fn what_is_not_said_is_the_default() {
    let playbook = rendered("    check: a\n    action: b\n");
    insta::assert_json_snapshot!(playbook.steps[0]);
}

#[test]
fn a_value_is_a_word_in_a_script_and_itself_in_a_file() {
    let playbook = rendered(
        "    check: echo {{ node.odd }}\n    files: [{path: /a, mode: \"0644\", content: \"<{{ node.odd }}>\"}]\n",
    );
    assert_eq!(playbook.steps[0].check.as_deref(), Some("echo 'it'\\''s\n$(id)'"));
    assert_eq!(playbook.steps[0].files[0].content, "<it's\n$(id)>");
}

/// Where a value may stand in a script (`@`), and where it may not.
const PLACES: &[(&str, bool)] = &[
    ("printf %s @", true),
    ("printf %s a\"b\"@", true),
    ("printf %s 'a'@'b'", true),
    ("x=@; printf %s \"$x\"", true),
    ("printf %s \"$(printf %s @)\"", true),
    ("printf %s \"$(printf %s \"a\" @)\"", true),
    ("printf %s \\'@", true),
    ("printf %s a#@", true),
    ("# it's\nprintf %s @", true),
    ("cat <<'E' >/dev/null\nit's\nE\nprintf %s @", true),
    ("cat <<-E >/dev/null\n\"\n\tE\nprintf %s @", true),
    ("n=$((1 << 2))\nprintf %s @ # \"", true),
    ("case @ in \"a\") true ;; *) printf %s @ ;; esac", true),
    ("printf %s ${x:-@}", true),
    ("printf %s \"@\"", false),
    ("printf %s '@'", false),
    ("printf %s \"\\\"@\"", false),
    ("printf %s \"$(true)@\"", false),
    ("printf %s \"${x:-@}\"", false),
    ("printf %s `echo @`", false),
    ("printf %s $((@))", false),
    ("true # @", false),
    ("cat <<E\n@\nE", false),
    ("cat <<'E'; cat <<F\nE\n@\nF", false),
    ("printf %s \"$(case x in a) printf %s \"@\" ;; esac)\"", false),
];

#[test]
fn values_stand_outside_of_quotes() {
    for (place, good) in PLACES {
        let text = place.replace('@', &quoting::token(0));
        assert_eq!(script::misplaced(&text).is_none(), *good, "{place}");
    }
}

/// Anything that a shell or YAML could trip over.
fn value() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "'",
        "\"",
        "$(exit 3)",
        "`exit 3`",
        "\\",
        "\n",
        " ",
        "#",
        ": ",
        "- ",
        "{{ x }}",
        "⟪0⟫",
        "⟫",
        "a",
        "!",
        "*",
        "~",
        "&",
        "\t",
        "é",
        "%s",
        "\u{1}",
        "---\n",
        "|",
        ";",
        "<<E\n",
    ]);
    prop::collection::vec(odd, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_value_survives_yaml_and_a_shell(
        value in value(),
        place in prop::sample::select(vec![
            "printf %s @",
            "x=@; printf %s \"$x\"",
            "# it's\nprintf %s 'a'@ | tail -c +2",
            "case \"x\" in x) printf %s @ ;; esac",
        ]),
    ) {
        let script = place.replace('@', "{{ value }}");
        let script = script.replace('\n', "\n      ");
        let text = format!(
            "{HEAD}    check: |\n      {script}\n    files:\n      - path: /a\n        mode: \"0644\"\n        \
             content: \"<{{{{ value }}}}>\"\n"
        );
        let playbook = render("t", &text, "n", &json!({ "value": value })).expect("it renders");
        let step = &playbook.steps[0];
        prop_assert_eq!(&step.files[0].content, &format!("<{value}>"));
        let script = step.check.clone().unwrap_or_default();
        let output = Command::new("sh").args(["-eu", "-c", &script]).run().expect("sh runs");
        prop_assert_eq!(output.text(), value);
    }

    #[test]
    fn where_a_token_is_accepted_a_shell_reads_one_word(
        value in value(),
        parts in prop::collection::vec(prop::sample::select(vec![
            "\"", "'", "\\", "$(", ")", "${x:-", "}", "#", "\n", " ", "a", "`", "<<E\n", "E\n", "((",
        ]), 0..6),
    ) {
        let before: String = parts.concat();
        let script = |word: &str| format!("x=\nset -- {before}{word}\n");
        prop_assume!(script::misplaced(&script(&quoting::token(0))).is_none());
        // A script that is one with a harmless word is the same with any other word.
        let run = |word: &str| {
            let script = format!("exec 2>/dev/null\n{}printf '%s|' \"$@\"", script(word));
            Command::new("sh").args(["-c", &script]).run().ok().map(|output| output.text())
        };
        let harmless = run("'WORD'");
        prop_assume!(harmless.as_ref().is_some_and(|out| out.matches("WORD").count() == 1));
        let expected = harmless.map(|out| out.replace("WORD", &value));
        prop_assert_eq!(run(&format!("'{}'", value.replace('\'', r"'\''"))), expected, "{}", before);
    }
}

/// Mistakes of meaning, which a schema cannot know.
const TAKES: &[&str] = &[
    "token",
    "nothing_to_look_at",
    "nothing_to_do",
    "empty_script",
    "names",
    "collect_of_all",
    "secret",
    "paths",
];

#[test]
fn mistakes_that_a_schema_can_know_are_refused_by_it() {
    let schema = crate::schema::of::<Playbook>("playbook");
    let takes = |rest: &str| crate::schema::tests::takes(&schema, &format!("{HEAD}{rest}"));
    // Those that are not rendered into YAML never come to a schema.
    let is_yaml = |rest: &str| !rest.contains("{{") && !rest.contains("{%");
    let yaml = BAD.iter().filter(|(_, rest)| is_yaml(rest));
    let taken = yaml.filter(|(_, rest)| takes(rest)).map(|(name, _)| *name);
    assert_eq!(taken.collect::<BTreeSet<_>>(), TAKES.iter().copied().collect());
    assert!(takes(
        "    check: a\n    action: b\n    on: others\n    order: serial\n    deadline: 5 min\n"
    ));
    assert!(!takes("    check: a\n    action: b\n    on: some\n"));
}
