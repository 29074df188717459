//! `docs/configuration.md`, written from [`super::keys::KEYS`].

use super::catalogue;
use super::keys::KEYS;

#[cfg(test)]
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");

/// The whole page.
pub fn page() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         Written from the code by `UPDATE_DOCS=1 cargo test -p trainyard docs`; do not edit.\n\n\
         A value comes from the first of these that sets it: a flag, a variable, the TOML file, the default. The \
         file is the one of `--config` or `TRAINYARD_CONFIG`, else `trainyard.toml` in the data folder if it is \
         there. Relative paths in the file start from the file's folder. Keys and `TRAINYARD_` variables that \
         are not listed here are refused. A list in a variable has commas between its items.\n\n\
         | key | variable | default | meaning |\n|---|---|---|---|\n",
    );
    for key in KEYS {
        let variable = key
            .variable()
            .map_or_else(|| "-".to_owned(), |name| format!("`{name}`"));
        page += &format!(
            "| `{}` | {variable} | {} | {} |\n",
            key.name, key.default, key.meaning
        );
    }
    page += "\n## VM sizes known without being told\n\n\
             | name | cores | memory (MiB) | GPUs | family |\n|---|---|---|---|---|\n";
    for (name, size) in catalogue::sizes() {
        page += &format!(
            "| {name} | {} | {} | {} | {} |\n",
            size.cores, size.memory, size.gpus, size.family
        );
    }
    page
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a switch for whoever runs this test")]
fn docs_are_fresh() {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(FILE, page()).unwrap();
    }
    let found = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(
        found == page(),
        "docs/configuration.md is old: run UPDATE_DOCS=1 cargo test -p trainyard docs"
    );
}
