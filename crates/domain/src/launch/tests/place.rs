//! Where outputs lie.

use super::*;
use crate::launch::{locate, outputs};
use proptest::prelude::*;

fn place(prefix: &str, cluster: &MountVolumes, rest: &str) -> Option<String> {
    let job = file_share("https://acc.file.core.windows.net/joblogs", "logs");
    locate(prefix, Some(cluster), Some(&job), rest).map(|p| {
        format!(
            "{:?} {}/{}: {}",
            p.share.kind, p.share.account, p.share.name, p.path
        )
    })
}

fn volumes() -> MountVolumes {
    let shares = both(
        file_share("https://acc.file.core.windows.net/logs", "azfiles"),
        file_share(
            "https://acc.file.core.windows.net/deep/a//b/?x=1",
            "azfiles/deep/",
        ),
    );
    both(
        both(shares, container("data", "blobs")),
        file_server("azfiles/nfs"),
    )
}

#[test]
fn a_prefix_on_a_share_is_found_however_it_is_written() {
    for (prefix, rest, expected) in [
        ("$AZ_BATCHAI_MOUNT_ROOT/azfiles", "s/out", "File acc/logs: s/out"),
        (
            "$AZ_BATCHAI_MOUNT_ROOT//azfiles//x/",
            "s/out/",
            "File acc/logs: x/s/out",
        ),
        ("${AZ_BATCHAI_MOUNT_ROOT}/azfiles/./", "", "File acc/logs: "),
        (
            "/mnt/batch/tasks/shared/LS_root/mounts/blobs/a",
            "s",
            "Blob acc/data: a/s",
        ),
        ("$AZ_BATCHAI_JOB_MOUNT_ROOT/logs", "s", "File acc/joblogs: s"),
        ("${AZ_BATCHAI_JOB_MOUNT_ROOT}", "logs/s", "File acc/joblogs: s"),
        ("$AZ_BATCHAI_MOUNT_ROOT/azfiles/deep", "s", "File acc/deep: a/b/s"),
        (
            "$AZ_BATCHAI_MOUNT_ROOT/azfiles/deeper",
            "s",
            "File acc/logs: deeper/s",
        ),
    ] {
        let found = place(prefix, &volumes(), rest);
        assert_eq!(found.as_deref(), Some(expected), "{prefix} {rest}");
    }
}

#[test]
fn other_prefixes_lie_nowhere() {
    for prefix in [
        "$AZ_BATCHAI_JOB_TEMP",
        "/tmp/azfiles",
        "$AZ_BATCHAI_MOUNT_ROOT",
        "$AZ_BATCHAI_MOUNT_ROOT/other",
        "$AZ_BATCHAI_MOUNT_ROOT/azfilesx",
        "$AZ_BATCHAI_MOUNT_ROOTS/azfiles",
        "$AZ_BATCHAI_MOUNT_ROOT.x/azfiles",
        "$AZ_BATCHAI_JOB_MOUNT_ROOT/azfiles",
        // On a file server, though a share is mounted above it.
        "$AZ_BATCHAI_MOUNT_ROOT/azfiles/nfs/x",
        "$AZ_BATCHAI_MOUNT_ROOT/azfiles/../other",
        "$AZ_BATCHAI_MOUNT_ROOT/azfiles/$AZ_BATCHAI_JOB_TEMP",
        "",
    ] {
        assert_eq!(place(prefix, &volumes(), "s"), None, "{prefix}");
    }
    assert_eq!(locate("$AZ_BATCHAI_MOUNT_ROOT/azfiles", None, None, ""), None);
}

#[test]
fn a_share_is_never_a_path() {
    for url in [
        "https://acc.file.core.windows.net/..",
        "https://acc.file.core.windows.net/",
        "https://acc.file.core.windows.net",
        "https://acc.file.core.windows.net/a%2fb",
        "https://acc.file.core.windows.net/a/../../b",
        "",
    ] {
        assert_eq!(
            place("$AZ_BATCHAI_MOUNT_ROOT/x", &file_share(url, "x"), ""),
            None,
            "{url}"
        );
    }
    for name in ["..", "a/b", "/"] {
        assert_eq!(
            place("$AZ_BATCHAI_MOUNT_ROOT/x", &container(name, "x"), ""),
            None,
            "{name}"
        );
    }
}

#[test]
fn outputs_lie_beneath_the_segment() {
    let output = |id: &str, prefix: &str, suffix: Option<&str>| OutputDirectory {
        id: id.to_owned(),
        path_prefix: prefix.to_owned(),
        path_suffix: suffix.map(str::to_owned),
    };
    let mut spec = custom("true");
    spec.output_directories = vec![
        output("MODEL", "$AZ_BATCHAI_MOUNT_ROOT/blobs/", Some("Models/")),
        output("ALL", "$AZ_BATCHAI_MOUNT_ROOT/azfiles", None),
        output("LOCAL", "$AZ_BATCHAI_JOB_TEMP", None),
    ];
    let found: Vec<String> = outputs(&spec, Some(&volumes()), SEGMENT, OutputLayout::Usual)
        .iter()
        .map(|(id, place)| format!("{id}: {}", place.path))
        .collect();
    let expected = [
        format!("ALL: {SEGMENT}/outputs"),
        format!("MODEL: {SEGMENT}/outputs/Models"),
        format!("stdouterr: {SEGMENT}/stdouterr"),
    ];
    assert_eq!(found, expected);
    // In 2017-09-01-preview stdout had no folder of its own.
    let preview = outputs(&spec, Some(&volumes()), "s/rg/jobs/j", OutputLayout::Preview);
    assert_eq!(preview["stdouterr"].path, "s/rg/jobs/j");
    assert_eq!(preview["MODEL"].path, "s/rg/jobs/j/outputs/Models");
    // And a path could be taken as given.
    let given = FlatOutput {
        create_new: false,
        ..FlatOutput::default()
    };
    spec.flat.outputs.insert("MODEL".to_owned(), given);
    let found = outputs(&spec, Some(&volumes()), SEGMENT, OutputLayout::Usual);
    assert_eq!(found["MODEL"].path, "Models");
    let told = plans(&spec, 0).remove(0).processes.remove(0).environment["AZ_BATCHAI_OUTPUT_MODEL"].clone();
    assert!(told.ends_with("/blobs/Models"), "{told}");
}

proptest! {
    #[test]
    fn what_is_located_is_where_the_job_writes(
        root in prop::sample::select(vec![
            "$AZ_BATCHAI_MOUNT_ROOT", "${AZ_BATCHAI_MOUNT_ROOT}", "/mnt/batch/tasks/shared/LS_root/mounts",
            "$AZ_BATCHAI_JOB_MOUNT_ROOT", "$AZ_BATCHAI_JOB_TEMP", "/x", "",
        ]),
        path in "(/{0,2}(azfiles|deep|blobs|nfs|\\.|\\$X|a b)/{0,2}){0,4}",
    ) {
        // A prefix with `..` is refused when the job is made.
        prop_assume!(!path.contains(".."));
        let mut spec = custom("true");
        spec.mount_volumes = Some(container("jobdata", "azfiles"));
        spec.std_out_err_path_prefix = format!("{root}{path}");
        let found = outputs(&spec, Some(&volumes()), SEGMENT, OutputLayout::Usual).remove("stdouterr");

        let cluster_mounts =
            crate::launch::mounts::mounts(Some(&volumes()), "/n1/mounts", &shares, &file_servers);
        let plan = plans(&spec, 0).remove(0);
        let stdout = &plan.processes[0].stdout;
        // A `.` is the same directory for the file system.
        let stdout = stdout.replace("/./", "/").replace("/./", "/");
        let behind = cluster_mounts
            .iter()
            .chain(&plan.mounts)
            .filter_map(|mount| Some((mount, stdout.strip_prefix(&format!("{}/", mount.path))?)))
            .max_by_key(|(mount, _)| mount.path.len())
            .map(|(mount, rest)| format!("{}/{rest}", mount.behind))
            // What lies on a file server cannot be listed.
            .filter(|path| !path.starts_with("/file-servers/"));
        let told = found.map(|place| {
            format!("{}/{}/stdout.txt", shares(&place.share), place.path)
        });
        prop_assert_eq!(told, behind);
    }
}
