//! Opening paths that cannot leave a directory.

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::{Errno, Result};

use crate::RelativePath;

/// How often a resolution is tried again that the kernel gave up because of a rename beside it.
const TRIES: usize = 64;

/// Opens `path` beneath `root`, wherever symbolic links and renames of the moment lead.
///
/// Links that stay beneath `root` are followed; those that leave it answer `EXDEV`, also absolute ones that
/// would come back in. On a kernel (or in a sandbox) without `openat2` no link is followed at all.
pub(crate) fn open(root: impl AsFd, path: &RelativePath, flags: OFlags) -> Result<OwnedFd> {
    let root = root.as_fd();
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let flags = flags | OFlags::CLOEXEC;
    for _ in 0..TRIES {
        match openat2(root, path.for_open(), flags, Mode::empty(), resolve) {
            // A `..` of a link could not be checked because something was renamed meanwhile.
            Err(Errno::AGAIN) => {}
            // EPERM is what older container sandboxes answer for calls that they do not know.
            Err(Errno::NOSYS | Errno::PERM) => return open_by_steps(root, path, flags),
            other => return other,
        }
    }
    Err(Errno::AGAIN)
}

/// The same without `openat2`: one component after the other, none of which may be a link.
fn open_by_steps(root: impl AsFd, path: &RelativePath, flags: OFlags) -> Result<OwnedFd> {
    let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut at = openat(root.as_fd(), ".", step, Mode::empty())?;
    let mut segments = path.segments().peekable();
    while let Some(segment) = segments.next() {
        if segments.peek().is_none() {
            return openat(&at, segment, flags | OFlags::NOFOLLOW, Mode::empty());
        }
        at = openat(&at, segment, step, Mode::empty())?;
    }
    openat(&at, ".", flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read as _;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    type Opener = fn(&fs::File, &RelativePath, OFlags) -> Result<OwnedFd>;

    const OPENERS: [Opener; 2] = [
        |root, path, flags| open(root, path, flags),
        |root, path, flags| open_by_steps(root, path, flags),
    ];

    fn path(text: &str) -> RelativePath {
        RelativePath::parse(text).unwrap()
    }

    /// `root/` with links of every kind beside `secret`, which must never be read.
    fn tree(folder: &Path) -> fs::File {
        let root = folder.join("root");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::create_dir(folder.join("outside")).unwrap();
        fs::write(folder.join("outside/f"), "secret").unwrap();
        fs::write(root.join("f"), "inside").unwrap();
        fs::write(root.join("a/b/f"), "inside").unwrap();
        symlink("../../outside", root.join("a/out")).unwrap();
        symlink(folder.join("outside"), root.join("abs")).unwrap();
        symlink("../outside/f", root.join("file")).unwrap();
        symlink(&root, root.join("self")).unwrap();
        symlink("../a/b", root.join("a/in")).unwrap();
        symlink("circle", root.join("circle")).unwrap();
        fs::File::open(root).unwrap()
    }

    fn read(file: OwnedFd) -> String {
        let mut text = String::new();
        fs::File::from(file).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn plain_paths_open_either_way() {
        let folder = tempfile::tempdir().unwrap();
        let root = tree(folder.path());
        for open in OPENERS {
            assert_eq!(read(open(&root, &path("f"), OFlags::RDONLY).unwrap()), "inside");
            assert_eq!(
                read(open(&root, &path("a/b/f"), OFlags::RDONLY).unwrap()),
                "inside"
            );
            assert!(open(&root, &RelativePath::root(), OFlags::RDONLY | OFlags::DIRECTORY).is_ok());
            assert_eq!(
                open(&root, &path("none/f"), OFlags::RDONLY).unwrap_err(),
                Errno::NOENT
            );
            assert_eq!(
                open(&root, &path("f/f"), OFlags::RDONLY).unwrap_err(),
                Errno::NOTDIR
            );
        }
    }

    #[test]
    fn links_that_stay_inside_are_followed_only_where_the_kernel_can_tell() {
        let folder = tempfile::tempdir().unwrap();
        let root = tree(folder.path());
        assert_eq!(
            read(open(&root, &path("a/in/f"), OFlags::RDONLY).unwrap()),
            "inside"
        );
        assert_eq!(
            open(&root, &path("self/f"), OFlags::RDONLY).unwrap_err(),
            Errno::XDEV
        );
        assert_eq!(
            open(&root, &path("a/out/f"), OFlags::RDONLY).unwrap_err(),
            Errno::XDEV
        );
        assert_eq!(
            open(&root, &path("circle"), OFlags::RDONLY).unwrap_err(),
            Errno::LOOP
        );
        for link in ["a/in/f", "a/out/f", "abs/f", "self/f"] {
            assert_eq!(
                open_by_steps(&root, &path(link), OFlags::RDONLY).unwrap_err(),
                Errno::NOTDIR
            );
        }
        assert_eq!(
            open_by_steps(&root, &path("file"), OFlags::RDONLY).unwrap_err(),
            Errno::LOOP
        );
    }

    proptest! {
        #[test]
        fn no_path_reads_outside(segments in prop::collection::vec("a|b|f|out|abs|file|self|in|circle|\\.\\.|\\.|", 1..7)) {
            let folder = tempfile::tempdir().unwrap();
            let root = tree(folder.path());
            let text = segments.join("/");
            // The kernel has to hold `..` back by itself; the walk by steps relies on the path's own check.
            let mut attempts = vec![open(&root, &RelativePath::trusted(text.clone()), OFlags::RDONLY)];
            if let Ok(checked) = RelativePath::parse(&text) {
                attempts.extend(OPENERS.map(|open| open(&root, &checked, OFlags::RDONLY)));
            }
            for file in attempts.into_iter().flatten() {
                let mut text = String::new();
                if fs::File::from(file).read_to_string(&mut text).is_ok() {
                    prop_assert_eq!(text, "inside");
                }
            }
        }
    }
}
