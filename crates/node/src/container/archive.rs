//! Images in files and folders of the machine.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::call::World;
use crate::cgroup::fnv;

/// Ends of the names of archives.
const ENDS: [&str; 6] = [".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar.zst"];

/// An image in a file or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// Where.
    pub path: PathBuf,
    /// In which form.
    pub form: Form,
}

/// The forms of images in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As `docker save` and `podman save` write it.
    DockerArchive,
    /// An OCI layout in an archive.
    OciArchive,
    /// An OCI layout.
    OciFolder,
    /// A folder as `skopeo copy … dir:` writes it.
    Folder,
    /// The files of a root directory.
    Root,
}

impl Archive {
    /// The image by the name that its user wrote, if it is in the folder `images`: a file or folder of that name, with
    /// `_` in the place of `/` and `:`, or in folders as the name has them.
    pub fn find(
        images: &Path,
        image: &str,
        reference: &str,
        world: &World,
    ) -> Result<Option<Archive>, String> {
        let Some(path) = [image, reference].iter().find_map(|name| path_of(images, name)) else {
            return Ok(None);
        };
        let form = if path.is_dir() {
            form_of_folder(&path)
        } else {
            form_of_file(&path, world)
        }?;
        Ok(Some(Archive { path, form }))
    }

    /// A name for the image as it is now: another when the file has changed.
    pub fn name(&self) -> String {
        let stamp = |path: &Path| {
            fs::metadata(path).map_or_else(
                |_| String::new(),
                |found| {
                    format!(
                        "{}.{} {} {}",
                        found.mtime(),
                        found.mtime_nsec(),
                        found.len(),
                        found.ino()
                    )
                },
            )
        };
        let inner = self.path.join("index.json");
        let text = format!("{} {} {}", self.path.display(), stamp(&self.path), stamp(&inner));
        format!("localhost/trainyard/{:016x}:local", fnv(text.as_bytes()))
    }
}

/// The name has been checked (`launch::container`): none of its parts begins with a dot.
fn path_of(images: &Path, name: &str) -> Option<PathBuf> {
    let flat = name.replace(['/', ':'], "_");
    let names = [flat.as_str(), name].into_iter();
    names
        .flat_map(|name| {
            std::iter::once("")
                .chain(ENDS)
                .map(move |end| format!("{name}{end}"))
        })
        .map(|name| images.join(name))
        .find(|path| path.exists() && (path.is_file() || holds_image(path)))
}

fn holds_image(folder: &Path) -> bool {
    form_of_folder(folder).is_ok()
}

fn form_of_folder(folder: &Path) -> Result<Form, String> {
    if folder.join("oci-layout").is_file() {
        Ok(Form::OciFolder)
    } else if folder.join("manifest.json").is_file() {
        Ok(Form::Folder)
    } else {
        Err(format!(
            "{} holds no image: there is no oci-layout in it",
            folder.display()
        ))
    }
}

/// By the names in the archive.
fn form_of_file(file: &Path, world: &World) -> Result<Form, String> {
    let failed = |error: io::Error| format!("{} cannot be listed with tar: {error}", file.display());
    #[expect(
        clippy::disallowed_methods,
        reason = "lists an archive, compressed or not; awaited"
    )]
    let mut command = Command::new("tar");
    let mut tar = command
        .arg("-tf")
        .arg(file)
        .env_clear()
        .env("PATH", world.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let form = match tar.stdout.take() {
        Some(names) => form_of_names(BufReader::new(names)).map_err(failed)?,
        None => Form::Root,
    };
    // It may have been left before its end, which is no failure then.
    let listed = tar.wait().map_err(failed)?;
    if form == Form::Root && !listed.success() {
        return Err(format!("{} is no archive that tar can list", file.display()));
    }
    Ok(form)
}

/// Newer archives of docker are OCI layouts too.
fn form_of_names(names: impl BufRead) -> io::Result<Form> {
    let mut form = Form::Root;
    for name in names.split(b'\n') {
        let name = name?;
        match name.strip_prefix(b"./").unwrap_or(&name) {
            b"manifest.json" => return Ok(Form::DockerArchive),
            b"oci-layout" => form = Form::OciArchive,
            _ => {}
        }
    }
    Ok(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_known_by_the_names_in_it() {
        for (names, expected) in [
            ("bin/\nbin/bash\n", Form::Root),
            ("./\n./etc/manifest.json\n", Form::Root),
            ("aa/layer.tar\nmanifest.json\n", Form::DockerArchive),
            ("blobs/\noci-layout\nindex.json\n", Form::OciArchive),
            ("oci-layout\nmanifest.json\n", Form::DockerArchive),
        ] {
            assert_eq!(form_of_names(names.as_bytes()).unwrap(), expected, "{names:?}");
        }
    }

    #[test]
    fn an_image_is_found_by_its_name() {
        let images = tempfile::tempdir().unwrap();
        for file in ["ubuntu_16.04.tar", "docker.io_me_x_1.tgz", "plain"] {
            fs::write(images.path().join(file), "").unwrap();
        }
        fs::create_dir_all(images.path().join("reg/own:2")).unwrap();
        fs::write(images.path().join("reg/own:2/oci-layout"), "").unwrap();
        fs::create_dir_all(images.path().join("reg/empty")).unwrap();
        for (name, expected) in [
            ("ubuntu:16.04", Some("ubuntu_16.04.tar")),
            ("docker.io/me/x:1", Some("docker.io_me_x_1.tgz")),
            ("plain", Some("plain")),
            ("reg/own:2", Some("reg/own:2")),
            ("reg/empty", None),
            ("reg", None),
            ("ubuntu", None),
        ] {
            let found = path_of(images.path(), name);
            assert_eq!(found, expected.map(|file| images.path().join(file)), "{name}");
        }
    }
}
