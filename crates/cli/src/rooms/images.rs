//! Images that came here for the containers of jobs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use trainyard_node::container::{self, Spare, What, spare};

use super::{AT_ONCE, How, Room, RoomError, Waste, listed};
use crate::clock;

/// Images that no job has used for long, and what is left of fetching that was cut off. One that a container has is held
/// by it, and nothing goes while an image is fetched.
pub struct Images {
    /// How containers are run, with the store of images.
    pub settings: container::Settings,
    /// What programs find in their environment.
    pub variables: BTreeMap<String, String>,
    /// How long an image is kept that no job uses; `None` is for ever.
    pub kept: Option<Duration>,
}

impl Room for Images {
    fn name(&self) -> &'static str {
        "images"
    }

    fn visit(&self, how: How) -> Result<Vec<Waste>, RoomError> {
        let since = self
            .kept
            .and_then(|kept| SystemTime::from(clock::now()).checked_sub(kept));
        let found = spare(&self.settings, self.variables.clone(), since, how == How::Free);
        let found = listed(&self.settings.store, found)?;
        Ok(found.into_iter().take(AT_ONCE).map(waste).collect())
    }
}

fn waste(spare: Spare) -> Waste {
    let (place, why) = match spare.what {
        What::Unused(name) => (name, "no job has used it for longer than retention.image_days"),
        What::Unknown(id) => (id, "fetching the image was cut off at its end"),
        What::Part(path) => (path_text(path), "fetching an image was cut off"),
    };
    Waste {
        place,
        items: 1,
        bytes: spare.bytes,
        why: why.to_owned(),
        left: spare.left,
    }
}

fn path_text(path: PathBuf) -> String {
    path.display().to_string()
}
