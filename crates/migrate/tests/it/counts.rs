//! How many call sites the fixtures hold.

use crate::fixtures::{fixtures, list, scan};

#[test]
fn more_than_a_hundred_call_sites_are_found() {
    let mut found = 0;
    let mut words = std::collections::BTreeMap::<String, usize>::new();
    for (language, ending) in [("python", "py"), ("json", "json"), ("notebook", "ipynb")] {
        for fixture in fixtures(language, ending) {
            let calls = scan(language, &fixture.before);
            let listed = list(&fixture.before, &calls);
            assert_eq!(listed, fixture.listed, "{}", fixture.name);
            found += calls.len();
            for line in listed.lines() {
                let word = line.rsplit(' ').next().unwrap_or_default().to_owned();
                *words.entry(word).or_default() += 1;
            }
        }
    }
    println!("call sites in Python, notebooks and JSON files: {found} found, {words:?}, wrong 0");
    assert!(found >= 110, "only {found}");
}
