//! The VM sizes known without being told: those that the service offered in 2018.

use std::collections::BTreeMap;

use super::VmSize;

/// Quota families in the order of the usages list (behaviour.md section 12).
pub const FAMILIES: [&str; 7] = [D, DV2, NC, NCV2, NCV3, ND, NV];

const D: &str = "Standard D Family";
const DV2: &str = "Standard Dv2 Family";
const NC: &str = "Standard NC Family";
const NCV2: &str = "Standard NCv2 Family";
const NCV3: &str = "Standard NCv3 Family";
const ND: &str = "Standard ND Family";
const NV: &str = "Standard NV Family";

/// Name, cores, memory in halves of a GiB, GPUs, family.
type Row = (&'static str, u32, u64, u32, &'static str);

// The sizes with an S behind the D have premium disks. The service took them for file servers alone and lists no
// family of theirs, so they count to that of their twins.
#[rustfmt::skip]
const SIZES: [Row; 55] = [
    ("STANDARD_D1", 1, 7, 0, D),
    ("STANDARD_D2", 2, 14, 0, D),
    ("STANDARD_D3", 4, 28, 0, D),
    ("STANDARD_D4", 8, 56, 0, D),
    ("STANDARD_D11", 2, 28, 0, D),
    ("STANDARD_D12", 4, 56, 0, D),
    ("STANDARD_D13", 8, 112, 0, D),
    ("STANDARD_D14", 16, 224, 0, D),
    ("STANDARD_DS1", 1, 7, 0, D),
    ("STANDARD_DS2", 2, 14, 0, D),
    ("STANDARD_DS3", 4, 28, 0, D),
    ("STANDARD_DS4", 8, 56, 0, D),
    ("STANDARD_DS11", 2, 28, 0, D),
    ("STANDARD_DS12", 4, 56, 0, D),
    ("STANDARD_DS13", 8, 112, 0, D),
    ("STANDARD_DS14", 16, 224, 0, D),
    ("STANDARD_D1_V2", 1, 7, 0, DV2),
    ("STANDARD_D2_V2", 2, 14, 0, DV2),
    ("STANDARD_D3_V2", 4, 28, 0, DV2),
    ("STANDARD_D4_V2", 8, 56, 0, DV2),
    ("STANDARD_D5_V2", 16, 112, 0, DV2),
    ("STANDARD_D11_V2", 2, 28, 0, DV2),
    ("STANDARD_D12_V2", 4, 56, 0, DV2),
    ("STANDARD_D13_V2", 8, 112, 0, DV2),
    ("STANDARD_D14_V2", 16, 224, 0, DV2),
    ("STANDARD_D15_V2", 20, 280, 0, DV2),
    ("STANDARD_DS1_V2", 1, 7, 0, DV2),
    ("STANDARD_DS2_V2", 2, 14, 0, DV2),
    ("STANDARD_DS3_V2", 4, 28, 0, DV2),
    ("STANDARD_DS4_V2", 8, 56, 0, DV2),
    ("STANDARD_DS5_V2", 16, 112, 0, DV2),
    ("STANDARD_DS11_V2", 2, 28, 0, DV2),
    ("STANDARD_DS12_V2", 4, 56, 0, DV2),
    ("STANDARD_DS13_V2", 8, 112, 0, DV2),
    ("STANDARD_DS14_V2", 16, 224, 0, DV2),
    ("STANDARD_DS15_V2", 20, 280, 0, DV2),
    ("STANDARD_NC6", 6, 112, 1, NC),
    ("STANDARD_NC12", 12, 224, 2, NC),
    ("STANDARD_NC24", 24, 448, 4, NC),
    ("STANDARD_NC24R", 24, 448, 4, NC),
    ("STANDARD_NC6S_V2", 6, 224, 1, NCV2),
    ("STANDARD_NC12S_V2", 12, 448, 2, NCV2),
    ("STANDARD_NC24S_V2", 24, 896, 4, NCV2),
    ("STANDARD_NC24RS_V2", 24, 896, 4, NCV2),
    ("STANDARD_NC6S_V3", 6, 224, 1, NCV3),
    ("STANDARD_NC12S_V3", 12, 448, 2, NCV3),
    ("STANDARD_NC24S_V3", 24, 896, 4, NCV3),
    ("STANDARD_NC24RS_V3", 24, 896, 4, NCV3),
    ("STANDARD_ND6S", 6, 224, 1, ND),
    ("STANDARD_ND12S", 12, 448, 2, ND),
    ("STANDARD_ND24S", 24, 896, 4, ND),
    ("STANDARD_ND24RS", 24, 896, 4, ND),
    ("STANDARD_NV6", 6, 112, 1, NV),
    ("STANDARD_NV12", 12, 224, 2, NV),
    ("STANDARD_NV24", 24, 448, 4, NV),
];

/// The catalogue by upper-case name.
pub fn sizes() -> BTreeMap<String, VmSize> {
    SIZES
        .iter()
        .map(|&(name, cores, half_gib, gpus, family)| {
            let size = VmSize {
                cores,
                memory: half_gib * 512,
                processes: None,
                gpus,
                family: family.to_owned(),
            };
            (name.to_owned(), size)
        })
        .collect()
}

/// Whether file servers of a size can have premium disks and caching. Those of the service have it where an S
/// stands behind the number, as in NC6S_V2, or behind the D before it; the operator's own have it.
pub fn has_premium_storage(name: &str) -> bool {
    let Some((name, ..)) = SIZES.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name)) else {
        return true;
    };
    let kind = name.trim_start_matches("STANDARD_");
    let before_version = kind.split('_').next().unwrap_or_default();
    kind.starts_with("DS") || before_version.ends_with('S')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_sane() {
        let sizes = sizes();
        assert_eq!(sizes.len(), SIZES.len(), "a name stands twice");
        for (name, size) in &sizes {
            assert_eq!(*name, name.to_ascii_uppercase());
            assert!(FAMILIES.contains(&size.family.as_str()), "{name}");
            assert!(
                (1..=24).contains(&size.cores) && size.memory >= 1024 * u64::from(size.cores),
                "{name}"
            );
            assert_eq!(size.gpus > 0, size.family.starts_with("Standard N"), "{name}");
            assert!(
                size.gpus == 0 || size.cores == 6 * size.gpus,
                "{name}: six cores come with a GPU"
            );
        }
        for family in FAMILIES {
            assert!(
                sizes.values().any(|size| size.family == family),
                "{family} has no size"
            );
        }
        let d1 = &sizes["STANDARD_D1"];
        assert_eq!((d1.cores, d1.memory), (1, 3584));
    }

    #[test]
    fn premium_disks_change_nothing_else_of_a_size() {
        let sizes = sizes();
        let premium: Vec<_> = sizes
            .iter()
            .filter(|(name, _)| name.starts_with("STANDARD_DS"))
            .collect();
        assert_eq!(premium.len(), 18);
        for (name, size) in premium {
            assert_eq!(size, &sizes[&name.replace("_DS", "_D")], "{name}");
        }
    }

    /// The published list of usages names the families, in its order.
    #[test]
    fn families_are_those_of_the_published_usages() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../shared/reference/spec/examples/2018-05-01/ListUsages.json"
        );
        let Ok(text) = std::fs::read_to_string(path) else {
            println!("left out: ../shared is not here (families of the usages)");
            return;
        };
        let example: serde_json::Value = serde_json::from_str(&text).unwrap();
        let rows = example["responses"]["200"]["body"]["value"].as_array().unwrap();
        let names = rows.iter().filter_map(|row| row["name"]["value"].as_str());
        let families: Vec<&str> = names
            .filter_map(|name| name.strip_suffix(" Cluster Dedicated vCPUs"))
            .collect();
        assert_eq!(families, FAMILIES);
    }

    #[test]
    fn premium_storage_is_told_by_the_name() {
        let sizes = sizes();
        let with: Vec<&String> = sizes.keys().filter(|name| has_premium_storage(name)).collect();
        assert_eq!(with.len(), 30);
        for name in &with {
            assert!(
                [
                    "Standard D Family",
                    "Standard Dv2 Family",
                    "Standard NCv2 Family",
                    "Standard NCv3 Family",
                    "Standard ND Family"
                ]
                .contains(&sizes[*name].family.as_str()),
                "{name}"
            );
        }
        for without in ["STANDARD_D1", "standard_nc24r", "STANDARD_D15_V2", "STANDARD_NV6"] {
            assert!(!has_premium_storage(without), "{without}");
        }
        assert!(has_premium_storage("standard_nc24rs_v3") && has_premium_storage("DGX"));
    }
}
