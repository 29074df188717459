//! `cluster create`, and the scale settings of the others.

use serde_json::{Value, json};

use super::super::place::Kind;
use super::super::{Replay, bodies, standin};
use super::Call;
use super::create::{Draft, refused};
use super::mounts;
use crate::az::grammar::{Dialect, Role};

/// Nodes where the text does not tell how many.
const MOST: i64 = 100;
const SCALES: [Role; 3] = [Role::Target, Role::Min, Role::Max];

/// The PUT.
pub fn create(call: &Call<'_>) -> Replay {
    let mut draft = Draft::new(call, bodies::cluster());
    match fill(&mut draft) {
        Ok(()) => draft.finish(Kind::Cluster, Role::Cluster),
        Err(why) => refused(why),
    }
}

fn fill(draft: &mut Draft<'_>) -> Result<(), &'static str> {
    let call = draft.call;
    let options = &call.options;
    draft.account(&["userAccountSettings"])?;
    let old_default = (call.dialect == Dialect::V01).then(|| "UbuntuLTS".to_owned());
    if let Some(image) = options.text(Role::Image).or(old_default) {
        let reference = image_reference(&image, options.text(Role::CustomImage), &options.group());
        draft.set(
            &["virtualMachineConfiguration"],
            "imageReference",
            Some(reference),
        );
    } else if options.has(Role::CustomImage) {
        return Err("--custom-image needs --image");
    }
    draft.set(
        &[],
        "vmSize",
        options.plain(Role::VmSize).map(|text| vm_size(&text)),
    );
    draft.set(&[], "vmPriority", options.text(Role::VmPriority).map(Value::from));
    if let Some(scale) = scale(call)? {
        draft.at(&[]).insert("scaleSettings".to_owned(), scale);
    }
    if !draft.at(&[]).contains_key("scaleSettings") {
        return Err("it needs scale settings: --target, or --min and --max");
    }
    if !draft.at(&[]).contains_key("vmSize") {
        return Err("it needs a VM size");
    }
    if let Some(command) = options.text(Role::SetupTask) {
        let output = options
            .text(Role::SetupOutput)
            .ok_or("--setup-task needs --setup-task-output")?;
        let task = json!({"commandLine": command, "stdOutErrPathPrefix": output});
        draft.set(&["nodeSetup"], "setupTask", Some(task));
    }
    draft.subnet();
    mounts::add(draft, &["nodeSetup", "mountVolumes"]);
    if options.has(Role::AutoStorage) {
        draft
            .notes
            .push("the storage of --use-auto-storage is not made".to_owned());
    }
    Ok(())
}

/// A VM size; one that is not told has every kind of disk.
pub fn vm_size(text: &str) -> Value {
    if standin::is_unknown(text) {
        bodies::VM_SIZE.into()
    } else {
        text.into()
    }
}

fn image_reference(image: &str, custom: Option<String>, group: &str) -> Value {
    let parts: Vec<&str> = image.splitn(4, ':').collect();
    let mut reference = match (image.to_lowercase().as_str(), parts.as_slice()) {
        ("ubuntults", _) => {
            json!({"publisher": "Canonical", "offer": "UbuntuServer", "sku": "16.04-LTS", "version": "latest"})
        }
        ("ubuntudsvm", _) => json!({"publisher": "microsoft-ads", "offer": "linux-data-science-vm-ubuntu",
            "sku": "linuxdsvmubuntu", "version": "latest"}),
        (_, [publisher, offer, sku, version]) => {
            json!({"publisher": publisher, "offer": offer, "sku": sku, "version": version})
        }
        // A variable.
        _ => json!({"publisher": "any", "offer": "any", "sku": image, "version": "latest"}),
    };
    if let (Some(custom), Some(members)) = (custom, reference.as_object_mut()) {
        let id = if custom.starts_with('/') {
            super::super::place::in_our_subscription(&custom)
        } else {
            let name = standin::name(&custom);
            format!(
                "{}/providers/Microsoft.Compute/images/{name}",
                super::super::place::group(group)
            )
        };
        members.insert("virtualMachineImageId".to_owned(), id.into());
    }
    reference
}

/// The scale settings that the options make, each version in its own way; none where they make none.
fn scale(call: &Call<'_>) -> Result<Option<Value>, &'static str> {
    let options = &call.options;
    let number = |role, otherwise| options.number(role, &SCALES, otherwise);
    let (min, max) = (number(Role::Min, 0), number(Role::Max, MOST));
    if call.dialect == Dialect::V01 {
        let min = min.unwrap_or(0);
        return Ok(max.map(|max| {
            if min == max {
                manual(max)
            } else {
                auto(min, max, None)
            }
        }));
    }
    // It is read as a text: "0" is there, and is no number of the others.
    let target = number(Role::Target, 1);
    let some = |count: Option<i64>| count.is_some_and(|count| count != 0);
    if target.is_none() && !some(min) && !some(max) {
        return Ok(None);
    }
    match (min, max) {
        (None, None) => Ok(target.map(manual)),
        (Some(min), Some(max)) if min > max => Err("--min is more than --max"),
        (Some(min), Some(max)) if min == max && target.is_none() => Ok(Some(manual(min))),
        (Some(min), Some(max)) => Ok(Some(auto(min, max, target))),
        _ => Err("--min and --max are given together or not at all"),
    }
}

fn manual(count: i64) -> Value {
    json!({"manual": {"targetNodeCount": count}})
}

fn auto(min: i64, max: i64, initial: Option<i64>) -> Value {
    json!({"autoScale": {
        "minimumNodeCount": min,
        "maximumNodeCount": max,
        "initialNodeCount": initial.unwrap_or(0),
    }})
}

/// The body of `cluster resize` and `cluster auto-scale`.
pub fn update(call: &Call<'_>) -> Value {
    let number = |role, otherwise| call.options.number(role, &SCALES, otherwise).unwrap_or_default();
    let scale = if call.options.has(Role::Target) {
        manual(number(Role::Target, 1))
    } else {
        auto(number(Role::Min, 0), number(Role::Max, MOST), None)
    };
    json!({"properties": {"scaleSettings": scale}})
}
