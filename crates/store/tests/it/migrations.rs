use std::path::Path;

use rusqlite::Connection;
use trainyard_store::db::{self, Db, Migration, OpenError};

use crate::support::{Folder, insert, numbers, settings};

const ONE: Migration = crate::support::MIGRATIONS[0];
const TWO: Migration = Migration {
    number: 2,
    name: "colour",
    sql: "ALTER TABLE numbers ADD COLUMN colour TEXT; CREATE INDEX by_colour ON numbers (colour);",
};
const THREE: Migration = Migration {
    number: 3,
    name: "rebuilt",
    sql: "CREATE TABLE rebuilt (number INTEGER PRIMARY KEY, colour TEXT) STRICT;
          INSERT INTO rebuilt SELECT number, colour FROM numbers;
          DROP TABLE numbers;
          ALTER TABLE rebuilt RENAME TO numbers;",
};

fn open(path: &Path, migrations: &[Migration]) -> Result<Db, OpenError> {
    Db::open(path, &settings(), migrations)
}

fn schema(path: &Path) -> Vec<(String, Option<String>)> {
    let conn = Connection::open(path).expect("opens");
    let mut rows = conn
        .prepare("SELECT name, sql FROM sqlite_schema ORDER BY name")
        .expect("schema");
    rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("schema")
        .collect::<rusqlite::Result<_>>()
        .expect("schema")
}

#[test]
fn fresh_equals_stepped() {
    let folder = Folder::new();
    let (fresh, stepped) = (folder.path().join("fresh.db"), folder.path().join("stepped.db"));
    drop(open(&fresh, &[ONE, TWO, THREE]).expect("fresh"));
    let db = open(&stepped, &[ONE]).expect("first version");
    db.write_blocking(|write| insert(write, 1)).expect("written");
    db.write_blocking(|write| write.execute("INSERT INTO doubles VALUES (1)", []))
        .expect("written");
    drop(db);
    drop(open(&stepped, &[ONE, TWO]).expect("second version"));
    let db = open(&stepped, &[ONE, TWO, THREE]).expect("third version");
    assert_eq!(numbers(&db), [1]);
    drop(db);
    assert_eq!(schema(&fresh), schema(&stepped));
    assert_eq!(db::check(&stepped).expect("sound").version, 3);
}

#[test]
fn an_existing_database_is_copied_first() {
    let folder = Folder::new();
    let path = folder.database();
    let copy = |number| folder.path().join(format!("store.db.before-{number}"));
    let db = open(&path, &[ONE]).expect("first version");
    db.write_blocking(|write| insert(write, 1)).expect("written");
    drop(db);
    assert!(!copy(1).exists(), "a new database needs no copy");

    let db = open(&path, &[ONE, TWO, THREE]).expect("stepped twice");
    db.write_blocking(|write| write.execute("DELETE FROM numbers", []))
        .expect("written");
    drop(db);
    assert_eq!(db::check(&copy(2)).expect("sound").version, 1);
    assert_eq!(numbers(&open(&copy(2), &[ONE]).expect("usable")), [1]);
    assert!(!copy(3).exists(), "one copy for all steps");

    drop(open(&path, &[ONE, TWO, THREE]).expect("nothing to do"));
}

#[test]
fn a_newer_database_is_refused_and_left_alone() {
    let folder = Folder::new();
    let path = folder.database();
    drop(open(&path, &[ONE, TWO]).expect("second version"));
    let refused = open(&path, &[ONE]).expect_err("newer than the list");
    assert_eq!(
        refused.to_string(),
        "the database has version 2, this Trainyard knows versions up to 1; \
         install a newer Trainyard or restore the backup made before the upgrade"
    );
    assert_eq!(db::check(&path).expect("as before").version, 2);
}

#[test]
fn a_failing_step_is_undone_and_named() {
    const BAD: Migration = Migration {
        number: 2,
        name: "bad",
        sql: "CREATE TABLE half (a TEXT); INSERT INTO nowhere VALUES (1);",
    };
    let folder = Folder::new();
    let path = folder.database();
    drop(open(&path, &[ONE]).expect("first version"));
    let refused = open(&path, &[ONE, BAD]).expect_err("bad SQL");
    assert!(
        matches!(
            refused,
            OpenError::Migration {
                number: 2,
                name: "bad",
                ..
            }
        ),
        "{refused:?}"
    );
    assert!(schema(&path).iter().all(|(name, _)| name != "half"));
    drop(open(&path, &[ONE, TWO]).expect("still at the first version"));
}

#[test]
fn a_step_that_orphans_rows_is_undone() {
    const ORPHANS: Migration = Migration {
        number: 2,
        name: "orphans",
        sql: "DELETE FROM numbers;",
    };
    let folder = Folder::new();
    let path = folder.database();
    let db = open(&path, &[ONE]).expect("first version");
    db.write_blocking(|write| insert(write, 1)).expect("written");
    db.write_blocking(|write| write.execute("INSERT INTO doubles VALUES (1)", []))
        .expect("written");
    drop(db);
    let refused = open(&path, &[ONE, ORPHANS]).expect_err("orphans");
    assert!(
        matches!(&refused, OpenError::ForeignKeys { number: 2, table, rows: 1, .. } if table == "doubles")
    );
    assert_eq!(numbers(&open(&path, &[ONE]).expect("as before")), [1]);
}

#[test]
fn strangers_and_gaps_are_refused() {
    let folder = Folder::new();
    let path = folder.database();
    Connection::open(&path)
        .expect("opens")
        .execute_batch("CREATE TABLE theirs (a TEXT)")
        .expect("made");
    assert!(matches!(open(&path, &[ONE]), Err(OpenError::NotOurs)));
    assert!(matches!(db::check(&path), Err(db::CheckError::NotOurs { .. })));
    let other = folder.path().join("other.db");
    assert!(matches!(
        open(&other, &[ONE, THREE]),
        Err(OpenError::Misnumbered { place: 2, number: 3 })
    ));
}
