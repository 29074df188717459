//! The models of 2026-12-01-preview, for its OpenAPI document (api.md section 7, and what is ours).
//!
//! They stand in tables, one file a kind of resource, see [`notation`]; [`schemas`] writes them out.

mod notation;

mod clusters;
mod file_servers;
mod jobs;
mod lists;
mod mounts;
mod resources;
mod toolkits;

use serde_json::{Map, Value};

use notation::{Model, schema};

/// Every model: its name and its schema, as in `components.schemas` of an OpenAPI 3.0 document.
pub fn schemas() -> Map<String, Value> {
    let models: Vec<Model> = [
        resources::models(),
        clusters::models(),
        file_servers::models(),
        jobs::models(),
        toolkits::models(),
        mounts::models(),
        lists::models(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let objects = models
        .iter()
        .map(|model| (model.name.to_owned(), schema(model, &models)));
    let words = [clusters::deallocation(), toolkits::tool_type()];
    let words = words.map(|(name, kind)| (name.to_owned(), kind.into()));
    objects.chain(words).collect()
}

/// A reference to a model.
pub fn reference(model: &str) -> Value {
    notation::of(model).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_to_a_model() {
        let schemas = schemas();
        let all = Value::Object(schemas.clone());
        let mut found = Vec::new();
        references(&all, &mut found);
        assert!(found.len() > 50);
        for reference in found {
            let name = reference.strip_prefix("#/components/schemas/").unwrap();
            assert!(schemas.contains_key(name), "{name}");
        }
    }
}
