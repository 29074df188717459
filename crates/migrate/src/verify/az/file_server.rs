//! `file-server create`.

use serde_json::Value;

use super::super::place::Kind;
use super::super::{Replay, bodies};
use super::Call;
use super::cluster::vm_size;
use super::create::{Draft, refused};
use crate::az::grammar::{Dialect, Role};

/// The PUT.
pub fn create(call: &Call<'_>) -> Replay {
    let mut draft = Draft::new(call, bodies::file_server());
    match fill(&mut draft) {
        Ok(()) => draft.finish(Kind::FileServer, Role::FileServer),
        Err(why) => refused(why),
    }
}

fn fill(draft: &mut Draft<'_>) -> Result<(), &'static str> {
    const DISKS: &[&str] = &["dataDisks"];
    let call = draft.call;
    let options = &call.options;
    draft.account(&["sshConfiguration", "userAccountSettings"])?;
    draft.set(
        &[],
        "vmSize",
        options.plain(Role::VmSize).map(|text| vm_size(&text)),
    );
    let number = |role, otherwise| options.number(role, &[], otherwise).map(Value::from);
    draft.set(DISKS, "diskCount", number(Role::DiskCount, 2));
    draft.set(DISKS, "diskSizeInGB", number(Role::DiskSize, 20));
    draft.set(DISKS, "cachingType", options.text(Role::Caching).map(Value::from));
    let old_default = (call.dialect == Dialect::V01).then(|| "Premium_LRS".to_owned());
    let sku = options.plain(Role::Sku).map(|text| {
        if super::super::standin::is_unknown(&text) {
            "Premium_LRS".to_owned()
        } else {
            text
        }
    });
    draft.set(DISKS, "storageAccountType", sku.or(old_default).map(Value::from));
    draft.subnet();
    for (way, member, why) in [
        (&[][..], "vmSize", "it needs a VM size"),
        (DISKS, "diskCount", "it needs a number of disks"),
        (DISKS, "diskSizeInGB", "it needs a size of disks"),
        (DISKS, "storageAccountType", "it needs --storage-sku"),
    ] {
        if !draft.at(way).contains_key(member) {
            return Err(why);
        }
    }
    Ok(())
}
