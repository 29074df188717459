//! An image made on the spot, of bash and busybox, so that nothing comes from the internet.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// The name of the image.
pub const IMAGE: &str = "stand/in:1";
/// The same without bash.
pub const WITHOUT_BASH: &str = "stand/in:sh";
/// One in which nothing can be started.
pub const EMPTY: &str = "stand/in:empty";
const BUSYBOX: &str = "/bin/busybox";

/// A folder of images, or what is missing here to make it; `programs` must be there too.
pub fn folder(programs: &[&str]) -> Result<TempDir, String> {
    for program in [BUSYBOX, "/bin/bash"].iter().chain(programs) {
        if !Path::new(program).exists() {
            return Err(format!("left out: {program} is not here"));
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    for directory in ["bin", "etc", "tmp", "root", "proc", "sys", "dev"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
    archive(&root, &folder.path().join("stand_in_empty.tar"));
    fs::copy(BUSYBOX, root.join("bin/busybox")).unwrap();
    for name in run(BUSYBOX, &["--list"]).lines() {
        symlink("busybox", root.join("bin").join(name)).ok();
    }
    archive(&root, &folder.path().join("stand_in_sh.tar"));
    copy(Path::new("/bin/bash"), &root);
    for word in run("ldd", &["/bin/bash"]).split_whitespace() {
        if word.starts_with('/') {
            copy(Path::new(word), &root);
        }
    }
    archive(&root, &folder.path().join("stand_in_1.tar"));
    Ok(folder)
}

fn copy(file: &Path, root: &Path) {
    let target = root.join(file.strip_prefix("/").unwrap());
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    fs::copy(file, target).unwrap();
}

fn archive(root: &Path, file: &Path) {
    let (root, file) = (root.display().to_string(), file.display().to_string());
    run("tar", &["-C", &root, "-cf", &file, "."]);
}

#[expect(clippy::disallowed_methods, reason = "makes an image; awaited")]
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}
