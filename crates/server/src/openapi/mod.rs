//! The OpenAPI document of 2026-12-01-preview: paths from the table of operations, models from the adapter.
//!
//! It has the operations of Microsoft.BatchAI. Those of the resource manager around it take any api-version,
//! and our own have none, so they stand in no document of one.

mod operations;
mod parameters;

use serde_json::{Map, Value, json};
use trainyard_wire::{ApiVersion, openapi};

use crate::ops::OPERATIONS;

/// The api-version that is described.
const VERSION: ApiVersion = ApiVersion::V2026_12_01Preview;

/// The whole document, OpenAPI 3.0.3.
pub fn document() -> Value {
    let schemas = openapi::schemas();
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": "Trainyard",
            "version": VERSION.as_str(),
            "description": "The Batch AI service for your own machines: all of 2018-05-01 and what is Trainyard's own. \
                            Paths and names are compared without case. A member that is null counts as absent, one \
                            that is not known is passed over, and no answer has a null.",
        },
        "security": [{ "bearer": [] }],
        "paths": paths(&schemas),
        "components": {
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "description": "A token of this server." },
            },
            "parameters": parameters::all(VERSION),
            "schemas": schemas,
        },
    })
}

fn paths(schemas: &Map<String, Value>) -> Map<String, Value> {
    let mut paths = Map::new();
    for operation in OPERATIONS.iter().filter(|o| o.versions.has(VERSION)) {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method.as_str().to_ascii_lowercase()] = operations::describe(operation, schemas);
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/openapi/2026-12-01-preview.json"
    );

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs this test")]
    fn docs_are_fresh() {
        let text = serde_json::to_string_pretty(&document()).unwrap() + "\n";
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(FILE, &text).unwrap();
        }
        let found = std::fs::read_to_string(FILE).unwrap_or_default();
        assert!(
            found == text,
            "docs/openapi/2026-12-01-preview.json is old: run UPDATE_DOCS=1 cargo test -p trainyard-server docs"
        );
    }

    #[test]
    fn every_operation_is_described() {
        let document = document();
        for operation in OPERATIONS.iter().filter(|o| o.versions.has(VERSION)) {
            let method = operation.method.as_str().to_ascii_lowercase();
            let shown = &document["paths"][operation.path][method];
            assert_eq!(shown["operationId"], operation.name);
            assert!(
                shown["summary"].as_str().is_some_and(|text| !text.is_empty()),
                "{} has no words in openapi/operations.rs",
                operation.name
            );
        }
    }
}
