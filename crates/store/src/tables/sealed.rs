//! All that is sealed, wherever it stands: counted by key, and sealed anew.

use std::collections::BTreeMap;

use rusqlite::params;
use rusqlite::types::Value;

use super::{Snapshot, StoreError, Tx};

/// Where sealed values stand.
struct Column {
    table: &'static str,
    key: &'static str,
    sealed: &'static str,
    /// What their context is before the key.
    context: &'static str,
}

const COLUMNS: &[Column] = &[
    column("meta", "key", "value", "meta"),
    column("clusters", "uid", "sealed", "cluster"),
    column("file_servers", "uid", "sealed", "file server"),
    column("jobs", "uid", "sealed", "job"),
];

/// Whose keys are names; all others have uids.
const META: usize = 0;

const fn column(
    table: &'static str,
    key: &'static str,
    sealed: &'static str,
    context: &'static str,
) -> Column {
    Column {
        table,
        key,
        sealed,
        context,
    }
}

/// Most values that one batch moves, and most of their bytes, but for one that is larger.
const BATCH: usize = 100;
const BATCH_BYTES: usize = 4 << 20;

/// Where a look for values begins: in this column, after this key.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct SealedPlace {
    column: usize,
    after: Option<Value>,
}

impl SealedPlace {
    /// A key before all that are looked for.
    fn after(&self) -> Value {
        let first = match self.column {
            META => Value::Text(String::new()),
            _ => Value::Integer(i64::MIN),
        };
        self.after.clone().unwrap_or(first)
    }
}

/// A sealed value's place.
pub(crate) struct SealedValue {
    column: usize,
    key: Value,
}

impl Snapshot<'_> {
    /// How many values each key has sealed, by its id.
    pub(crate) fn sealed_by(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let mut found = BTreeMap::new();
        for Column { table, sealed, .. } in COLUMNS {
            let sql = format!(
                "SELECT lower(hex(substr({sealed}, 2, 8))), count(*) FROM {table} \
                 WHERE typeof({sealed}) = 'blob' GROUP BY 1"
            );
            let rows = self.rows(&sql, [], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
            })?;
            for (id, count) in rows {
                *found.entry(id).or_default() += count.unsigned_abs();
            }
        }
        Ok(found)
    }

    /// The next values that the first key has not sealed, and where to go on; `None` there when all have been looked at.
    pub(crate) fn sealed_by_others(
        &self,
        from: &SealedPlace,
    ) -> Result<(Vec<SealedValue>, Option<SealedPlace>), StoreError> {
        let Some(Column {
            table, key, sealed, ..
        }) = COLUMNS.get(from.column)
        else {
            return Ok((Vec::new(), None));
        };
        let sql = format!(
            "SELECT {key}, {sealed} FROM {table} \
             WHERE {key} > ?1 AND typeof({sealed}) = 'blob' ORDER BY {key}"
        );
        let mut statement = self.conn.prepare_cached(&sql)?;
        let mut rows = statement.query(params![from.after()])?;
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let found: &[u8] = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            if self.key.is_sealed_by_first(found) {
                continue;
            }
            bytes += found.len();
            let key: Value = row.get(0)?;
            let column = from.column;
            batch.push(SealedValue {
                column,
                key: key.clone(),
            });
            if batch.len() >= BATCH || bytes >= BATCH_BYTES {
                let after = Some(key);
                return Ok((batch, Some(SealedPlace { column, after })));
            }
        }
        let next = SealedPlace {
            column: from.column + 1,
            after: None,
        };
        Ok((batch, Some(next)))
    }
}

impl Tx<'_> {
    /// Seals values anew, by the first key; how many there were. One that is gone by now is passed over.
    pub(crate) fn seal_anew(&self, batch: &[SealedValue]) -> Result<u64, StoreError> {
        let mut moved = 0;
        for value in batch {
            let Some(Column {
                table,
                key,
                sealed,
                context,
            }) = COLUMNS.get(value.column)
            else {
                continue;
            };
            let sql = format!("SELECT {sealed} FROM {table} WHERE {key} = ?1");
            let found = self.row(&sql, params![value.key], |row| {
                Ok(row.get::<_, Option<Vec<u8>>>(0)?)
            })?;
            let Some(old) = found.flatten().filter(|old| !self.key.is_sealed_by_first(old)) else {
                continue;
            };
            let context = match &value.key {
                Value::Integer(uid) => format!("{context} {uid}"),
                Value::Text(name) => format!("{context} {name}"),
                Value::Null | Value::Real(_) | Value::Blob(_) => continue,
            };
            let plain = self.key.open(context.as_bytes(), &old)?;
            let new = self.key.seal(context.as_bytes(), &plain)?;
            let sql = format!("UPDATE {table} SET {sealed} = ?2 WHERE {key} = ?1");
            self.run(&sql, params![value.key, new])?;
            moved += 1;
        }
        Ok(moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::InlineHandle;
    use crate::seal::{SealKey, system_random};
    use crate::store::Store;

    /// A column that is forgotten here would be unreadable after the first rotation.
    #[test]
    fn every_sealed_column_of_the_schema_is_here() {
        let disk = InlineHandle::memory().expect("memory");
        Store::inline(disk.clone(), SealKey::from_bytes(&[7; 32], system_random())).expect("opens");
        let schema: Vec<String> = disk.with_connection(|conn| {
            let sql = "SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c \
                       WHERE m.type = 'table' AND c.name LIKE '%sealed%' ORDER BY 1";
            let mut statement = conn.prepare(sql).expect("sound");
            let names = statement.query_map([], |row| row.get(0)).expect("read");
            names.collect::<Result<_, _>>().expect("names")
        });
        let known = COLUMNS.iter().map(|c| format!("{}.{}", c.table, c.sealed));
        let known: Vec<String> = known.filter(|name| name != "meta.value").collect();
        assert_eq!(schema, known);
    }
}
