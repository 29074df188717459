//! What is wanted of the node: the files in `wanted/`.

use std::collections::BTreeMap;
use std::fs;

use trainyard_domain::ids::PlacementId;

use crate::files::Folder;

/// What is wanted with one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wish {
    /// There is a plan.
    pub plan: bool,
    /// It is to be stopped.
    pub stop: bool,
}

/// Everything that is wanted now.
pub fn scan(folder: &Folder) -> BTreeMap<PlacementId, Wish> {
    let mut wishes: BTreeMap<PlacementId, Wish> = BTreeMap::new();
    let Ok(entries) = fs::read_dir(folder.wanted()) else {
        return wishes;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some((id, kind)) = name.to_str().and_then(|name| name.rsplit_once('.')) else {
            continue;
        };
        let Ok(id) = id.parse() else { continue };
        match kind {
            "json" => wishes.entry(id).or_default().plan = true,
            "stop" => wishes.entry(id).or_default().stop = true,
            _ => {}
        }
    }
    wishes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_files_count() {
        let base = tempfile::tempdir().unwrap();
        let folder = Folder::new(base.path());
        fs::create_dir(folder.wanted()).unwrap();
        for name in [
            "1-1.json",
            "1-1.stop",
            "2-1.json",
            ".3-1.json.new",
            "x.json",
            "4-1",
        ] {
            fs::write(folder.wanted().join(name), "").unwrap();
        }
        let wishes = scan(&folder);
        let both = Wish {
            plan: true,
            stop: true,
        };
        let plan = Wish {
            plan: true,
            stop: false,
        };
        let expected = [("1-1", both), ("2-1", plan)].map(|(id, wish)| (id.parse().unwrap(), wish));
        assert_eq!(wishes, BTreeMap::from(expected));
    }
}
