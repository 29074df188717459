//! Every recipe's job, filled in as the command line client does it (recipes/README.md).

use serde_json::{Value, json};
use trainyard_domain::spec::Toolkit;
use trainyard_wire::v2018_05_01 as wire;

use crate::{reference, samples};

fn fill_in(recipe: &Value) -> Value {
    let text = recipe
        .to_string()
        .replace("<AZURE_BATCHAI_STORAGE_ACCOUNT>", "acc");
    let mut body: Value = serde_json::from_str(&text).unwrap();
    body["properties"]["cluster"] = json!({"id": samples::cluster_id()});
    for kind in ["azureFileShares", "azureBlobFileSystems"] {
        let mounts = body["properties"]
            .get_mut("mountVolumes")
            .and_then(|m| m.get_mut(kind));
        for mount in mounts.and_then(Value::as_array_mut).into_iter().flatten() {
            mount["accountName"] = json!("acc");
            mount["credentials"] = json!({"accountKey": "KEY=="});
        }
    }
    body
}

#[test]
fn every_recipe_is_accepted() {
    let Some(recipes) = reference::folder("recipes") else {
        return;
    };
    let mut accepted = 0;
    for entry in std::fs::read_dir(recipes).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        for (file, recipe) in reference::json_files(&folder) {
            let spec = wire::job_create(fill_in(&recipe).to_string().as_bytes());
            let spec = spec.unwrap_or_else(|error| panic!("{}/{file}: {error}", folder.display()));
            let block = &recipe["properties"][spec.toolkit.member()];
            assert!(
                block.is_object(),
                "{}/{file}: {:?}",
                folder.display(),
                spec.toolkit
            );
            if let Toolkit::Cntk(settings) = &spec.toolkit {
                assert_eq!(
                    settings.config_file_path.as_deref(),
                    block["configFilePath"].as_str()
                );
            }
            accepted += 1;
        }
    }
    assert_eq!(accepted, 17);
}
