//! Folders of file servers that were deleted.

use trainyard_engine_local::litter::remove;
use trainyard_storage::FileServers;

use super::{How, Room, RoomError, Waste, paths};

/// Folders that were set aside: their file servers are gone, and so is the way to them.
pub struct Gone(pub FileServers);

impl Room for Gone {
    fn name(&self) -> &'static str {
        "deleted file servers"
    }

    fn visit(&self, how: How) -> Result<Vec<Waste>, RoomError> {
        let found = self.0.gone().map_err(|source| RoomError::List {
            place: "file_servers.directory".into(),
            source,
        })?;
        let why = "the file server was deleted and its folder is not yet";
        Ok(paths(found, why, how, |path| remove(path).map(|()| true)))
    }
}
