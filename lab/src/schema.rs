//! JSON Schemas of the files that people write, so that editors complete and check them.
//!
//! They are made from the types that read the files. What only a check of meaning knows (ranges,
//! what fits what) is not in them: a file that its schema takes may still be refused. Pure.

use schemars::{
    JsonSchema, Schema, SchemaGenerator,
    generate::SchemaSettings,
    json_schema,
    transform::{Transform, transform_subschemas},
};
use serde_json::{Map, Value, json};

/// The schema of a kind of file. `title` is what editors show.
///
/// Draft 7, because that is what every editor knows.
#[must_use]
pub fn of<T: JsonSchema>(title: &str) -> Value {
    let settings = SchemaSettings::draft07().with_transform(Tidy);
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema.to_value()
}

/// A text of some form. `expected` says what it is, in words; editors show them for a text that
/// `pattern` does not match.
#[must_use]
pub fn text(expected: &str, pattern: &str, examples: &[&str]) -> Schema {
    json_schema!({
        "type": "string",
        "description": sentence(expected),
        "pattern": pattern,
        "patternErrorMessage": format!("expected {expected}"),
        "examples": examples,
    })
}

/// One of these words.
#[must_use]
pub fn words(words: &[&str]) -> Schema {
    json_schema!({ "type": "string", "enum": words })
}

/// One of these words, or any of the others.
pub fn words_or(
    generator: &mut SchemaGenerator,
    words: &[&str],
    others: &[fn(&mut SchemaGenerator) -> Schema],
) -> Schema {
    let words = self::words(words);
    if others.is_empty() {
        return words;
    }
    let others = others.iter().map(|other| other(generator));
    let any: Vec<Schema> = std::iter::once(words).chain(others).collect();
    json_schema!({ "anyOf": any })
}

/// A number and one of these units, however their letters are written.
pub(crate) fn quantity<'a>(
    expected: &str,
    example: &str,
    units: impl Iterator<Item = &'a str>,
) -> Schema {
    let units: Vec<String> = units.map(any_case).collect();
    let pattern = format!("^[0-9][0-9_]*([.][0-9_]+)? *({})$", units.join("|"));
    text(&format!("{expected}, such as `{example}`"), &pattern, &[example])
}

/// A pattern for a word in upper and lower case: patterns have no switch for it.
fn any_case(word: &str) -> String {
    word.chars()
        .map(|c| match (c.to_ascii_lowercase(), c.to_ascii_uppercase()) {
            (lower, upper) if lower == upper => c.to_string(),
            (lower, upper) => format!("[{upper}{lower}]"),
        })
        .collect()
}

/// A mapping of these keys, none of which must be there: name, schema and what is said of it.
#[must_use]
pub fn mapping(properties: impl IntoIterator<Item = (String, Schema, String)>) -> Schema {
    let properties: Map<String, Value> = properties
        .into_iter()
        .map(|(name, mut schema, description)| {
            schema.insert("description".to_owned(), description.into());
            (name, schema.to_value())
        })
        .collect();
    json_schema!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// Words that begin like a sentence.
fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

/// What the generator takes from Rust and no file has: a type's width, `null` for what may be
/// left out (a key without a value is refused), links and line breaks of documentation.
#[derive(Clone, Debug)]
struct Tidy;

impl Transform for Tidy {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(object) = schema.as_object_mut() {
            tidy(object);
        }
        transform_subschemas(self, schema);
    }
}

fn tidy(schema: &mut Map<String, Value>) {
    let null = json!("null");
    if schema.get("format").and_then(Value::as_str).is_some_and(|name| name.starts_with("uint")) {
        schema.remove("format");
    }
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| *name != null);
        if let [one] = &types[..] {
            let one = one.clone();
            schema.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(any)) = schema.get_mut("anyOf") {
        any.retain(|one| one.get("type") != Some(&null));
        // Beside a reference nothing else counts in draft 7, so it stays wrapped.
        if any.len() == 1
            && let Some(any) = schema.remove("anyOf")
        {
            schema.insert("allOf".to_owned(), any);
        }
    }
    if let Some(Value::String(words)) = schema.get_mut("description") {
        let paragraphs: Vec<String> = words
            .split("\n\n")
            .map(|paragraph| paragraph.replace('\n', " ").replace("[`", "`").replace("`]", "`"))
            .collect();
        *words = paragraphs.join("\n\n");
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::units::{BitRate, Bytes, Millis};
    use proptest::prelude::*;

    /// Whether a schema takes this YAML, by a validator that shares nothing with its generator.
    pub(crate) fn takes(schema: &Value, text: &str) -> bool {
        let Ok(file) = crate::yaml::parse::<Value>("file.yaml", text) else { return false };
        let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
        compiler.add_resource("it.json", schema.clone()).expect("a resource");
        let index = compiler.compile("it.json", &mut schemas).expect("a schema");
        schemas.validate(&file.value, index).is_ok()
    }

    #[test]
    fn a_quantity_is_a_number_with_its_unit() {
        let schema = of::<Bytes>("size");
        for text in ["256 MiB", "1.5 GiB", "4KiB", "1_024 mib", "0 B"] {
            assert!(takes(&schema, text) && text.parse::<Bytes>().is_ok(), "{text}");
        }
        for text in ["256", "'256'", "256 MB", "MiB", "1. GiB", "-5 MiB", "256 MiB/s", "[1 MiB]"] {
            assert!(!takes(&schema, text) && text.parse::<Bytes>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_taken(number: u64) {
            for (schema, text) in [
                (of::<Bytes>(""), Bytes(number).to_string()),
                (of::<BitRate>(""), BitRate(number).to_string()),
                (of::<Millis>(""), Millis(number).to_string()),
            ] {
                prop_assert!(takes(&schema, &text), "{text}");
            }
        }
    }
}
