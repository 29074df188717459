//! Volumes: what is behind each, and where it appears.

use crate::spec::{AzureFileShareReference, KeysOfRequests, MountVolumes, SecretSource};
use crate::state::{OutputPlace, Share, ShareKind};

use super::asked::Asked;
use super::behind;
use super::path::{join, parts};
use super::plan::Mount;

/// A volume of a cluster or a job.
pub(super) struct Volume {
    /// The member that asks for it and is at fault if it cannot be had, such as
    /// `azureFileShares[0].azureFileUrl`.
    pub member: String,
    /// Where it appears beneath the mount root, without a slash at either end.
    pub relative: String,
    /// What is behind it; `None` when that cannot be mounted.
    pub behind: Option<Behind>,
    /// The modes of files and directories, octal, where the request names them.
    pub modes: Option<(String, String)>,
    /// How it is asked for.
    pub asked: Asked,
    /// Options of the mount.
    pub options: Option<String>,
}

/// What can be behind a volume.
pub(super) enum Behind {
    /// A share, or a directory of one.
    Share(OutputPlace),
    /// The file server of this entry of `fileServers`.
    FileServer(usize),
    /// A command of the user's.
    Command(String),
}

/// All volumes, in the order of the members and their entries.
pub(super) fn volumes(all: &MountVolumes) -> Vec<Volume> {
    let shares = all.azure_file_shares.iter().enumerate().map(|(i, share)| {
        let member = format!("azureFileShares[{i}].azureFileUrl");
        Volume {
            modes: Some((share.file_mode.clone(), share.directory_mode.clone())),
            ..volume(
                member,
                &share.relative_mount_path,
                file_share(share).map(Behind::Share),
            )
        }
    });
    let blobs = all.azure_blob_file_systems.iter().enumerate().map(|(i, blob)| {
        let member = format!("azureBlobFileSystems[{i}].containerName");
        let behind = place(&blob.account_name, ShareKind::Blob, &blob.container_name, "");
        Volume {
            options: blob.mount_options.clone(),
            ..volume(member, &blob.relative_mount_path, behind.map(Behind::Share))
        }
    });
    let servers = all.file_servers.iter().enumerate().map(|(i, server)| {
        let member = format!("fileServers[{i}].relativeMountPath");
        Volume {
            asked: Asked::FileServer(server.file_server.as_str().to_owned()),
            options: server.mount_options.clone(),
            ..volume(member, &server.relative_mount_path, Some(Behind::FileServer(i)))
        }
    });
    let unmanaged = all.unmanaged_file_systems.iter().enumerate().map(|(i, other)| {
        let member = format!("unmanagedFileSystems[{i}].relativeMountPath");
        let behind = Behind::Command(other.mount_command.clone());
        Volume {
            asked: Asked::Unmanaged,
            ..volume(member, &other.relative_mount_path, Some(behind))
        }
    });
    shares.chain(blobs).chain(servers).chain(unmanaged).collect()
}

/// The mounts of all volumes beneath `root`: a volume inside another comes after it. `shares` tells what is behind
/// a share, `file_servers` the real directory of an entry of `fileServers`.
pub(super) fn mounts(
    all: Option<&MountVolumes>,
    root: &str,
    shares: &dyn Fn(&Share) -> behind::Behind,
    file_servers: &dyn Fn(usize) -> String,
) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = all
        .map(volumes)
        .unwrap_or_default()
        .iter()
        .filter_map(|volume| {
            let behind = match volume.behind.as_ref()? {
                Behind::Share(place) => shares(&place.share).beneath(&place.path),
                Behind::FileServer(entry) => behind::Behind::Source(file_servers(*entry)),
                Behind::Command(command) => behind::Behind::Command(command.clone()),
            };
            let behind = match &volume.modes {
                Some((file, directory)) => behind.with_modes(file, directory),
                None => behind,
            };
            Some(Mount {
                path: join(root, &volume.relative),
                behind,
                asked: volume.asked.clone(),
                options: volume.options.clone(),
            })
        })
        .collect();
    mounts.sort_by_key(|mount| mount.path.split('/').count());
    mounts
}

/// The key that comes with a share or container; the first, where it is asked for twice.
pub fn key_of<'a>(all: &'a MountVolumes, wanted: &Share) -> Option<&'a SecretSource> {
    let is_it = |place: Option<OutputPlace>| place.is_some_and(|place| place.share == *wanted);
    let shares = all.azure_file_shares.iter();
    let shares = shares.map(|share| (file_share(share), &share.credentials));
    let blobs = all.azure_blob_file_systems.iter().map(|blob| {
        let place = place(&blob.account_name, ShareKind::Blob, &blob.container_name, "");
        (place, &blob.credentials)
    });
    let mut all = shares.chain(blobs);
    all.find_map(|(place, credentials)| is_it(place).then_some(credentials))
}

/// Shows each key of an account that has none of its own, with the member that would hold a reference. `at` is the
/// member that holds the volumes.
pub(crate) fn visit_keys(
    all: &mut MountVolumes,
    at: &str,
    keys: &KeysOfRequests,
    visit: &mut dyn FnMut(String, &mut SecretSource),
) {
    for (i, share) in all.azure_file_shares.iter_mut().enumerate() {
        if file_share(share).is_some_and(|place| keys.contains(&place.share.account)) {
            let member = format!("{at}.azureFileShares[{i}].credentials.accountKeySecretReference");
            visit(member, &mut share.credentials);
        }
    }
    for (i, blob) in all.azure_blob_file_systems.iter_mut().enumerate() {
        if keys.contains(&blob.account_name) {
            let member = format!("{at}.azureBlobFileSystems[{i}].credentials.accountKeySecretReference");
            visit(member, &mut blob.credentials);
        }
    }
}

fn volume(member: String, relative: &str, behind: Option<Behind>) -> Volume {
    // A path with `..` is refused when it is sent; if one came here, its volume could not be mounted.
    let clean = parts(relative);
    let asked = match &behind {
        Some(Behind::Share(place)) => asked_share(&place.share),
        Some(Behind::FileServer(_) | Behind::Command(_)) | None => Asked::Unsaid,
    };
    Volume {
        member,
        relative: clean.as_ref().map_or_else(String::new, |parts| parts.join("/")),
        behind: clean.and(behind),
        modes: None,
        asked,
        options: None,
    }
}

fn asked_share(share: &Share) -> Asked {
    let (account, name) = (share.account.clone(), share.name.clone());
    match share.kind {
        ShareKind::File => Asked::FileShare { account, share: name },
        ShareKind::Blob => Asked::Container {
            account,
            container: name,
        },
    }
}

/// The share that a URL names, and the directory of it if it goes on.
fn file_share(reference: &AzureFileShareReference) -> Option<OutputPlace> {
    let url = &reference.azure_file_url;
    let address = url.split_once("://").map_or(url.as_str(), |(_, address)| address);
    let address = address.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = address.trim_start_matches('/').split_once('/')?;
    let (share, directory) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
    let account = match reference.account_name.as_str() {
        "" => host.split('.').next().unwrap_or_default(),
        name => name,
    };
    place(account, ShareKind::File, share, directory)
}

fn place(account: &str, kind: ShareKind, name: &str, directory: &str) -> Option<OutputPlace> {
    let share = Share {
        account: account.to_ascii_lowercase(),
        kind,
        name: name.trim_matches('/').to_owned(),
    };
    let legal = is_name(&share.account) && is_name(&share.name);
    let directory = parts(directory)?.join("/");
    legal.then_some(OutputPlace {
        share,
        path: directory,
    })
}

/// Whether an account or a share can have this name: it must never be a path.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && name.chars().any(|c| c != '.')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '$'))
}
