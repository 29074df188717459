//! The public job files: two are of the first version, the others of 2018-05-01 and stay.

use std::path::Path;

use trainyard_migrate::call::Verdict;
use trainyard_migrate::json;
use trainyard_migrate::known::Known;

use crate::fixtures::rewrite;

#[test]
fn the_public_job_files_are_known_for_what_they_are() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference/recipes");
    let Ok(recipes) = std::fs::read_dir(folder) else {
        println!("left out: ../shared is not here (recipes)");
        return;
    };
    let (mut old, mut current) = (0, 0);
    for recipe in recipes.filter_map(|entry| std::fs::read_dir(entry.unwrap().path()).ok()) {
        for path in recipe.map(|entry| entry.unwrap().path()) {
            let text = std::fs::read_to_string(&path).unwrap();
            let calls = json::calls(&text, &Known::default());
            assert_eq!(calls.len(), 1, "{}", path.display());
            match &calls[0].verdict {
                Verdict::Current => current += 1,
                Verdict::Rewritten(_) => {
                    old += 1;
                    let expected = text.replace("2017-09-01-preview", "2018-05-01");
                    assert_eq!(rewrite(&text, &calls), expected, "{}", path.display());
                }
                other => panic!("{}: {other:?}", path.display()),
            }
        }
    }
    assert_eq!((old, current), (2, 15));
}
