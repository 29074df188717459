//! Where in storage a path lies.

use std::collections::BTreeMap;

use crate::spec::{JobSpec, MountVolumes, OutputDirectory};
use crate::state::{OutputLayout, OutputPlace};

use super::mounts::{Behind, volumes};
use super::path::{Root, join, parts, split_root, tidy};

/// Key of stdout's directory among the outputs, and the last part of its path.
pub const STDOUTERR: &str = "stdouterr";

/// Where stdout lies, for a job with this output segment.
pub(super) fn stdouterr(layout: OutputLayout, segment: &str) -> String {
    match layout {
        OutputLayout::Usual => format!("{segment}/{STDOUTERR}"),
        OutputLayout::Preview => segment.to_owned(),
    }
}

/// What follows the prefix of an output directory: the segment, `outputs` and its suffix; the suffix alone where an
/// older api-version said `createNew: false`, which takes the path as given.
pub(super) fn output(spec: &JobSpec, directory: &OutputDirectory, segment: &str) -> String {
    let suffix = directory.path_suffix.as_deref().unwrap_or_default();
    match spec.flat.outputs.get(&directory.id) {
        Some(flat) if !flat.create_new => suffix.to_owned(),
        Some(_) | None => format!("{segment}/outputs/{suffix}"),
    }
}

/// The share, and the path on it, of `{prefix}/{rest}`; `None` when that is not on a share.
///
/// A prefix lies on a share when it begins with `$AZ_BATCHAI_MOUNT_ROOT` (or the path that this is on
/// nodes of the original service) or `$AZ_BATCHAI_JOB_MOUNT_ROOT` and the volume with the longest matching
/// `relativeMountPath` is a file share or a blob container. A path with `..`, or with an AZ_BATCHAI variable
/// further in, lies nowhere.
pub fn locate(
    prefix: &str,
    cluster_mounts: Option<&MountVolumes>,
    job_mounts: Option<&MountVolumes>,
    rest: &str,
) -> Option<OutputPlace> {
    let prefix = tidy(prefix);
    let (root, beneath) = split_root(&prefix)?;
    let mounts = match root {
        Root::Cluster => cluster_mounts?,
        Root::Job => job_mounts?,
    };
    let path = format!("{beneath}/{rest}");
    if path.contains("$AZ_BATCHAI_") || path.contains("${AZ_BATCHAI_") {
        return None;
    }
    let path = parts(&path)?;
    let volumes = volumes(mounts);
    let (depth, volume) = volumes
        .iter()
        .map(|volume| (parts(&volume.relative).unwrap_or_default(), volume))
        .filter(|(relative, _)| path.starts_with(relative))
        .map(|(relative, volume)| (relative.len(), volume))
        .max_by_key(|(depth, _)| *depth)?;
    let behind = match volume.behind.as_ref()? {
        Behind::Share(behind) => behind,
        Behind::FileServer(_) | Behind::Command(_) => return None,
    };
    let inside = join(&behind.path, &path[depth..].join("/"));
    Some(OutputPlace {
        share: behind.share.clone(),
        path: inside.trim_matches('/').to_owned(),
    })
}

/// Where the files of a job lie: [`STDOUTERR`] and each output directory by its id, without those that
/// are not on a share (behaviour.md section 7). `segment` is the job's output segment and `layout` how they lie in it.
pub fn outputs(
    spec: &JobSpec,
    cluster_mounts: Option<&MountVolumes>,
    segment: &str,
    layout: OutputLayout,
) -> BTreeMap<String, OutputPlace> {
    let job_mounts = spec.mount_volumes.as_ref();
    let directories = spec.output_directories.iter().map(|output| {
        let rest = self::output(spec, output, segment);
        (output.id.as_str(), &output.path_prefix, rest)
    });
    let standard = (
        STDOUTERR,
        &spec.std_out_err_path_prefix,
        stdouterr(layout, segment),
    );
    directories
        .chain([standard])
        .filter_map(|(id, prefix, rest)| {
            let place = locate(prefix, cluster_mounts, job_mounts, &rest)?;
            Some((id.to_owned(), place))
        })
        .collect()
}
