//! This program in any image: it brings its own loader and libraries along, since those of the image may be older, or of
//! another kind.

use std::path::{Path, PathBuf};

use super::call::{Call, World};

/// Where this program and its libraries are in a container.
const PROGRAM: &str = "/.trainyard/bin/trainyard";
const LIBRARIES: &str = "/.trainyard/lib";

/// This program's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loader {
    program: PathBuf,
    /// Path of each library, by the name that it is looked for; the loader is one of them.
    libraries: Vec<(String, PathBuf)>,
    loader: Option<String>,
}

impl Loader {
    /// Finds them: the loader itself says what it loads.
    pub fn of(program: &Path, world: &World) -> Result<Loader, String> {
        let mut call = Call::new(&["contained"]);
        call.variables
            .push(("LD_TRACE_LOADED_OBJECTS".to_owned(), "1".to_owned()));
        // A program without libraries runs instead, and says that it was asked wrongly.
        let said = world.call(program, &call).unwrap_or_default();
        Ok(Loader::read(program, &said))
    }

    fn read(program: &Path, said: &str) -> Loader {
        let mut found = Loader {
            program: program.to_owned(),
            libraries: Vec::new(),
            loader: None,
        };
        for line in said.lines() {
            let (name, path) = match line.trim().split_once(" => ") {
                Some((name, rest)) => (name, rest),
                None => ("", line.trim()),
            };
            let Some((path, _)) = path.rsplit_once(" (") else {
                continue;
            };
            if !path.starts_with('/') {
                continue;
            }
            let own = path.rsplit('/').next().unwrap_or_default();
            if name.is_empty() || name.starts_with('/') {
                found.loader = Some(own.to_owned());
            }
            let name = name
                .rsplit('/')
                .next()
                .filter(|name| !name.is_empty())
                .unwrap_or(own);
            found.libraries.push((name.to_owned(), PathBuf::from(path)));
        }
        found
    }

    /// What has to appear in a container, source and path.
    pub fn files(&self) -> Vec<(String, String)> {
        let libraries = self.libraries.iter();
        let libraries =
            libraries.map(|(name, path)| (path.display().to_string(), format!("{LIBRARIES}/{name}")));
        std::iter::once((self.program.display().to_string(), PROGRAM.to_owned()))
            .chain(libraries)
            .collect()
    }

    /// Words that call it in a container, before its arguments.
    pub fn words(&self) -> Vec<String> {
        let loader = self.loader.as_ref();
        let loader = loader.map_or_else(Vec::new, |loader| {
            vec![
                format!("{LIBRARIES}/{loader}"),
                "--library-path".to_owned(),
                LIBRARIES.to_owned(),
            ]
        });
        loader.into_iter().chain([PROGRAM.to_owned()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_loader_says_is_read() {
        let said = "\tlinux-vdso.so.1 (0x00007f5d6bf8d000)\n\
            \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f5d6913e000)\n\
            \t/lib64/ld-linux-x86-64.so.2 (0x00007f5d6bf8f000)\n";
        let loader = Loader::read(Path::new("/opt/trainyard"), said);
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            loader.files(),
            [
                pair("/opt/trainyard", "/.trainyard/bin/trainyard"),
                pair("/lib/x86_64-linux-gnu/libc.so.6", "/.trainyard/lib/libc.so.6"),
                pair(
                    "/lib64/ld-linux-x86-64.so.2",
                    "/.trainyard/lib/ld-linux-x86-64.so.2"
                ),
            ]
        );
        assert_eq!(loader.words()[0], "/.trainyard/lib/ld-linux-x86-64.so.2");
        let alone = Loader::read(Path::new("/opt/trainyard"), "call it otherwise\n");
        assert_eq!(alone.words(), ["/.trainyard/bin/trainyard"]);
    }
}
