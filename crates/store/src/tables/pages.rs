//! Pages of the file that hold nothing any more.

use super::{Snapshot, StoreError, Tx};

/// Most pages that are given back at once, so that the transaction stays short: 2 MiB.
const AT_ONCE: u32 = 512;
/// Free pages that stay for what comes next: 8 MiB.
const SPARE: u64 = 2048;

impl Snapshot<'_> {
    /// Bytes in free pages.
    pub fn free_page_bytes(&self) -> Result<u64, StoreError> {
        Ok(self.figure("freelist_count")? * self.figure("page_size")?)
    }

    /// Whether free pages can be given back while the file is in use.
    pub fn gives_pages_back(&self) -> Result<bool, StoreError> {
        const INCREMENTAL: u64 = 2;
        Ok(self.figure("auto_vacuum")? == INCREMENTAL)
    }

    fn figure(&self, name: &str) -> Result<u64, StoreError> {
        let figure = self
            .conn
            .query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0))?;
        Ok(u64::try_from(figure).unwrap_or(0))
    }
}

impl Tx<'_> {
    /// Gives some of the free pages back to the file system, if there are many and the file can.
    pub fn give_pages_back(&self) -> Result<(), StoreError> {
        if self.figure("freelist_count")? > SPARE && self.gives_pages_back()? {
            let mut give = self
                .conn
                .prepare_cached(&format!("PRAGMA incremental_vacuum({AT_ONCE})"))?;
            let mut rows = give.query([])?;
            // Each step gives one page back.
            while rows.next()?.is_some() {}
        }
        Ok(())
    }
}
