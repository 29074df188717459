//! Files, folders and ports of this machine.

use std::fs;
use std::ops::RangeInclusive;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use trainyard_store::lock::FolderLock;

/// Those that mounts may need.
const FILE_SYSTEMS: [&str; 5] = ["nfs", "nfs4", "cifs", "fuse", "overlay"];

/// File systems of the kernel that are of use to mounts. One in a module that is not loaded yet is not seen.
pub fn file_systems() -> Vec<String> {
    let text = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let names = text.lines().filter_map(|line| line.split_whitespace().last());
    let known = names.filter(|name| FILE_SYSTEMS.contains(name));
    known.map(str::to_owned).collect()
}

/// How many ports of the range somebody listens on, and how many there are.
pub fn ports_taken(range: &RangeInclusive<u16>) -> (usize, usize) {
    let text: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .map(|path| fs::read_to_string(path).unwrap_or_default())
        .into();
    let mut taken: Vec<u16> = text
        .iter()
        .flat_map(|text| text.lines().filter_map(listening))
        .filter(|port| range.contains(port))
        .collect();
    taken.sort_unstable();
    taken.dedup();
    (taken.len(), range.len())
}

/// The port of a line of `/proc/net/tcp`, if somebody listens there.
fn listening(line: &str) -> Option<u16> {
    let mut fields = line.split_whitespace().skip(1);
    let local = fields.next()?;
    let state = fields.nth(1)?;
    let (_, port) = local.rsplit_once(':')?;
    (state == "0A").then(|| u16::from_str_radix(port, 16).ok())?
}

/// Whether a server holds the folder.
pub fn is_running(data: &Path) -> bool {
    data.join("lock").exists() && FolderLock::acquire(data).is_err()
}

/// Whether the data folder can be used, or made.
pub fn can_be_used(data: &Path) -> Result<(), String> {
    let existing = data.ancestors().find(|folder| folder.exists()).unwrap_or(data);
    let probe = tempfile::Builder::new()
        .prefix(".trainyard-doctor-")
        .tempfile_in(existing);
    match probe {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{}: {error}", existing.display())),
    }
}

/// Bytes free where the folder is or would be.
pub fn free_bytes(data: &Path) -> Option<u64> {
    let existing = data.ancestors().find(|folder| folder.exists())?;
    trainyard_engine_local::free_bytes(existing)
}

/// When the store last changed, in seconds since 1970.
pub fn changed(data: &Path) -> Option<i64> {
    fs::metadata(data.join("trainyard.db"))
        .ok()
        .map(|found| found.mtime())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_listens_takes_a_port() {
        let line = "   0: 0100007F:4E20 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1 1";
        assert_eq!(listening(line), Some(20_000));
        assert_eq!(listening(&line.replace(" 0A ", " 01 ")), None);
        assert_eq!(listening("  sl  local_address rem_address   st"), None);
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_judged_by_where_it_would_be() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(can_be_used(&folder.path().join("a/b")), Ok(()));
        assert!(free_bytes(&folder.path().join("a/b")).is_some());
        assert!(can_be_used(Path::new("/proc/nowhere")).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing stays");
    }
}
