//! The image comes here: from a file of the machine, else from its registry.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::archive::{Archive, Form};
use super::call::{Call, World};
use super::docker;
use super::find::{Runtime, find};
use super::garbage::fetching;
use super::order::{self, Order};
use super::podman::Podman;
use super::registry::{LoginFile, without_secrets};
use super::settings::Pull;
use super::usage::Usage;
use crate::cgroup::fnv;

/// Gets the image of the order and notes its id; says where it came from.
pub fn pull(order: &Order, world: &World) -> Result<String, String> {
    let runtime = find(&order.settings, world.path()).map_err(|none| none.to_string())?;
    let images = Images::open(order, world, runtime)
        .map_err(|error| format!("the store of images cannot be used: {error}"))?;
    // Nodes that want the same image bring it here once, and no image goes meanwhile.
    let locked = fetching(&order.settings.store).and_then(|fetching| Ok((images.lock()?, fetching)));
    let _held = locked.map_err(|error| format!("the store of images cannot be locked: {error}"))?;
    let image = images.get()?;
    let noted = fs::write(order.image(), &image.id).and_then(|()| images.note(&image));
    noted.map_err(|error| format!("the image cannot be noted: {error}"))?;
    Ok(image.from)
}

/// An image that is here.
struct Here {
    id: String,
    /// Where it came from, in words.
    from: String,
    /// The names by which it is known to the runtime since it was brought here.
    names: Vec<String>,
    /// Whether it was here before.
    before: bool,
}

/// The images of the runtime.
struct Images<'a> {
    order: &'a Order,
    world: &'a World,
    runtime: Runtime,
    podman: Option<Podman>,
}

impl<'a> Images<'a> {
    fn open(order: &'a Order, world: &'a World, runtime: Runtime) -> io::Result<Images<'a>> {
        order::make_private(&order.settings.store)?;
        let podman = match runtime {
            Runtime::Podman(_) => Some(Podman::store(&order.settings, world)?),
            Runtime::Docker(_) => None,
        };
        Ok(Images {
            order,
            world,
            runtime,
            podman,
        })
    }

    /// Notes that it is used. Docker may have had it for somebody else before any job wanted it: that stays theirs.
    fn note(&self, image: &Here) -> io::Result<()> {
        let store = &self.order.settings.store;
        if self.podman.is_none() && image.before && !Usage::is_noted(store, &image.id) {
            return Ok(());
        }
        Usage::note(store, &image.id, &image.names)
    }

    fn lock(&self) -> io::Result<File> {
        let folder = self.order.settings.store.join("locks");
        order::make_private(&folder)?;
        let name = format!("{:016x}", fnv(self.order.container.reference.as_bytes()));
        let file = File::create(folder.join(name))?;
        flock(&file, FlockOperation::LockExclusive)?;
        Ok(file)
    }

    fn get(&self) -> Result<Here, String> {
        let container = &self.order.container;
        if let Some(folder) = &self.order.settings.images
            && let Some(archive) = Archive::find(folder, &container.image, &container.reference, self.world)?
        {
            let from = format!("from {}", archive.path.display());
            return self.load(&archive, &from);
        }
        let here = self.id_of(&container.reference);
        // What came with a login is for those only who have one: the registry says whether they may have it.
        let ask_again = self.order.settings.pull == Pull::Always || self.private().exists();
        match (here, self.order.settings.pull) {
            (Some(id), _) if !ask_again => Ok(Here {
                id,
                from: "here already".to_owned(),
                names: vec![container.reference.clone()],
                before: true,
            }),
            (_, Pull::Never) => Err(self.not_here()),
            (here, Pull::Missing | Pull::Always) => {
                let id = self.ask_registry()?;
                let server = container.reference.split('/').next().unwrap_or_default();
                Ok(Here {
                    before: here.as_ref() == Some(&id),
                    id,
                    from: format!("from {server}"),
                    names: vec![container.reference.clone()],
                })
            }
        }
    }

    fn not_here(&self) -> String {
        let folder = self.order.settings.images.as_ref();
        let files = folder.map_or_else(
            || "containers.images names no folder of images".to_owned(),
            |folder| format!("it is not in {}", folder.display()),
        );
        format!("the image is not on this machine, {files}, and containers.pull is never")
    }

    fn private(&self) -> PathBuf {
        let name = format!("{:016x}", fnv(self.order.container.reference.as_bytes()));
        self.order.settings.store.join("private").join(name)
    }

    fn ask_registry(&self) -> Result<String, String> {
        let login = self.order.container.login.as_ref();
        let folder = self.order.folder().join("login");
        let file = login.map(|login| LoginFile::write(folder, login)).transpose();
        let file = file.map_err(|error| format!("the login cannot be written: {error}"))?;
        if login.is_some() {
            let noted = order::make_private(&self.order.settings.store.join("private"))
                .and_then(|()| fs::write(self.private(), ""));
            noted.map_err(|error| format!("the image cannot be noted as private: {error}"))?;
        }
        let reference = self.order.container.reference.as_str();
        let call = match &self.podman {
            Some(podman) => {
                let path = file.as_ref().map(|file| file.path().display().to_string());
                let login = path
                    .as_ref()
                    .map_or_else(Vec::new, |path| vec!["--authfile", path]);
                podman.call(&["pull", "--quiet"]).and(&login).and(&[reference])
            }
            None => {
                let folder = file.as_ref().map(|file| file.folder().display().to_string());
                docker::call(folder.as_deref(), &["pull", "--quiet", reference])
            }
        };
        self.call(&call).map_err(|said| without_secrets(&said, login))?;
        drop(file);
        self.id_of(reference)
            .ok_or_else(|| format!("{reference} is not here although it was pulled"))
    }

    /// A name of ours says which file it came from; with docker it keeps that of the archive as well.
    fn load(&self, archive: &Archive, from: &str) -> Result<Here, String> {
        let name = archive.name();
        let here = |id: String, before: bool, names: Vec<String>| Here {
            id,
            from: from.to_owned(),
            names,
            before,
        };
        if let Some(id) = self.id_of(&name) {
            return Ok(here(id, true, vec![name]));
        }
        let path = archive.path.display().to_string();
        let said = match (&self.podman, archive.form) {
            (_, Form::Root) => self.call(&self.plain(&["import", &path, &name])),
            (Some(podman), form) => {
                self.call(&podman.call(&["pull", "--quiet", &format!("{}:{path}", transport(form))]))
            }
            (None, Form::DockerArchive) => self.call(&self.plain(&["load", "--quiet", "--input", &path])),
            (None, Form::OciArchive | Form::OciFolder | Form::Folder) => Err(format!(
                "docker cannot read {path}; install podman, or save the image with docker save"
            )),
        }?;
        let mut names = vec![name.clone()];
        if archive.form != Form::Root {
            let loaded = loaded(&said).ok_or_else(|| format!("{path} holds no image, or several: {said}"))?;
            self.call(&self.plain(&["tag", loaded, &name]))?;
            names.push(loaded.to_owned());
        }
        let id = self.id_of(&name);
        let id = id.ok_or_else(|| format!("the image of {path} is not here although it was read"))?;
        Ok(here(id, false, names))
    }

    fn id_of(&self, image: &str) -> Option<String> {
        let call = self.plain(&["image", "inspect", "--format", "{{.Id}}", image]);
        self.call(&call).ok().filter(|id| !id.is_empty())
    }

    fn plain(&self, arguments: &[&str]) -> Call {
        match &self.podman {
            Some(podman) => podman.call(arguments),
            None => docker::call(None, arguments),
        }
    }

    fn call(&self, call: &Call) -> Result<String, String> {
        self.world.call(self.runtime.program(), call)
    }
}

fn transport(form: Form) -> &'static str {
    match form {
        Form::DockerArchive => "docker-archive",
        Form::OciArchive => "oci-archive",
        Form::OciFolder => "oci",
        Form::Folder => "dir",
        Form::Root => "",
    }
}

/// What a runtime has loaded, as it says it: an id alone, or `Loaded image: NAME`. More than one is not what we want.
fn loaded(said: &str) -> Option<&str> {
    let mut lines = said.lines().filter(|line| !line.is_empty());
    let line = lines.next().filter(|_| lines.next().is_none())?;
    let name = line.rsplit_once(": ").map_or(line, |(_, name)| name);
    (!name.contains(' ')).then_some(name)
}

/// The image that an errand has noted.
pub fn noted(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("the image was not noted: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_loaded_image_is_known_by_what_is_said() {
        assert_eq!(loaded("4fa6\n"), Some("4fa6"));
        assert_eq!(loaded("Loaded image: me/x:1"), Some("me/x:1"));
        assert_eq!(loaded("Loaded image ID: sha256:aa"), Some("sha256:aa"));
        assert_eq!(loaded("Loaded image: a:1\nLoaded image: b:1"), None);
        assert_eq!(loaded(""), None);
    }
}
