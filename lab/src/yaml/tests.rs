use super::*;
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

/// How a text is refused: as people see it.
fn refused(text: &str) -> String {
    parse::<Doc>("test.yaml", text).expect_err("must be refused").render(false, 90)
}
