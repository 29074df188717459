//! The folder that holds what one client needs.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::folder;
use crate::serve::files::write_private;

/// Says that a folder was made here; one without it is somebody else's.
const MARK: &str = "made-by-trainyard";
const TOKEN: &str = "token";

/// A folder of our own.
pub struct Place(PathBuf);

impl Place {
    /// Opens the folder, made if it is missing, for its owner only.
    ///
    /// # Errors
    /// When something of somebody else's is in it, such as the user's own profile of az.
    pub fn open(path: &Path) -> anyhow::Result<Place> {
        let is_ours = path.join(MARK).exists();
        let is_empty = std::fs::read_dir(path).map_or(true, |mut entries| entries.next().is_none());
        if !is_ours && !is_empty {
            bail!(
                "{} holds files that were not made here, and they are left alone: name another folder with --folder",
                path.display()
            );
        }
        folder::make(path)?;
        let place = Place(path.to_owned());
        place.write(MARK, "This folder was made by `trainyard connect`.\n")?;
        Ok(place)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file of it, readable by its owner only.
    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        write_private(&self.0.join(name), text.as_bytes())
    }

    /// The token that was kept in it.
    pub fn token(&self) -> anyhow::Result<Option<String>> {
        let file = self.token_file();
        match std::fs::read_to_string(&file) {
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", file.display())),
        }
    }

    /// Keeps a token in it.
    pub fn keep(&self, token: &str) -> anyhow::Result<()> {
        self.write(TOKEN, &format!("{token}\n"))
    }

    /// Where the token is kept.
    pub fn token_file(&self) -> PathBuf {
        self.0.join(TOKEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let profile = home.path().join(".azure");
        std::fs::create_dir(&profile).unwrap();
        std::fs::write(profile.join("accessTokens.json"), "theirs").unwrap();
        let said = Place::open(&profile).err().unwrap().to_string();
        assert!(said.contains("--folder"), "{said}");
        assert_eq!(
            std::fs::read_to_string(profile.join("accessTokens.json")).unwrap(),
            "theirs"
        );
        let ours = home.path().join("ours");
        Place::open(&ours).unwrap().keep("t").unwrap();
        assert_eq!(Place::open(&ours).unwrap().token().unwrap().as_deref(), Some("t"));
    }
}
