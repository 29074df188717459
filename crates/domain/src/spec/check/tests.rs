use super::*;
use crate::spec::{MountVolumes, Scale, UnmanagedFileSystemReference};

fn mounts(paths: &[&str]) -> MountVolumes {
    let one = |path: &&str| UnmanagedFileSystemReference {
        mount_command: "mount -t nfs 10.0.0.4:/data".to_owned(),
        relative_mount_path: (*path).to_owned(),
    };
    MountVolumes {
        unmanaged_file_systems: paths.iter().map(one).collect(),
        ..MountVolumes::default()
    }
}

#[test]
fn mount_paths_stay_beneath_the_root() {
    for good in ["a", "a/b", "a b", "a..b", "..a"] {
        assert_eq!(mounts(&[good]).check(), Ok(()), "{good}");
    }
    for bad in [
        "", " ", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a\\b", "a\nb", "a\0", "a/ ..",
    ] {
        let target = mounts(&[bad]).check().unwrap_err().target;
        assert_eq!(target, "unmanagedFileSystems[0].relativeMountPath", "{bad:?}");
    }
}

#[test]
fn no_volume_lies_inside_another() {
    assert_eq!(mounts(&["a/b", "a/c", "ab", "a-b"]).check(), Ok(()));
    for (paths, at) in [
        (["a", "a"], 1),
        (["a", "a/b"], 1),
        (["a/b/c", "a/b"], 0),
        (["a/b", "a"], 0),
    ] {
        let target = mounts(&paths).check().unwrap_err().target;
        assert_eq!(
            target,
            format!("unmanagedFileSystems[{at}].relativeMountPath"),
            "{paths:?}"
        );
    }
    let far = mounts(&["x", "a-b", "x/y/z", "a"]).check().unwrap_err().target;
    assert_eq!(far, "unmanagedFileSystems[2].relativeMountPath");
}

#[test]
fn an_initial_count_below_the_minimum_is_what_clients_send() {
    let auto = |minimum_node_count, maximum_node_count, initial_node_count| Scale::Auto {
        minimum_node_count,
        maximum_node_count,
        initial_node_count,
    };
    assert_eq!(auto(1, 4, 0).check(), Ok(()));
    assert_eq!(auto(0, 100, 100).check(), Ok(()));
    let target = |scale: Scale| scale.check().unwrap_err().target;
    assert_eq!(target(auto(3, 2, 0)), "scaleSettings.autoScale.minimumNodeCount");
    assert_eq!(
        target(auto(0, 101, 0)),
        "scaleSettings.autoScale.maximumNodeCount"
    );
    assert_eq!(target(auto(0, 2, 3)), "scaleSettings.autoScale.initialNodeCount");
}

#[test]
fn tags_are_bounded() {
    let tags = |name: &str, value: &str| Tags::from([(name.to_owned(), value.to_owned())]);
    assert_eq!(check_tags(&tags("a", &"ä".repeat(256))), Ok(()));
    assert_eq!(
        check_tags(&tags("a", &"x".repeat(257))).unwrap_err().target,
        "tags.a"
    );
    assert_eq!(check_tags(&tags("", "x")).unwrap_err().target, "tags.");
    let many: Tags = (0..51).map(|i| (i.to_string(), String::new())).collect();
    assert_eq!(check_tags(&many).unwrap_err().target, "tags");
}

#[test]
fn an_environment_is_bounded_as_a_whole() {
    use crate::secret::Secret;
    use crate::spec::{EnvironmentVariable, SecretSource, SecretVariable};
    let plain = |bytes: usize| EnvironmentVariable {
        name: "A".to_owned(),
        value: "x".repeat(bytes),
    };
    let secret = SecretVariable {
        name: "B".to_owned(),
        value: SecretSource::Value(Secret::new("y".repeat(limits::ENVIRONMENT_BYTES / 2))),
    };
    let rest = limits::ENVIRONMENT_BYTES / 2 - 2;
    let check = |bytes| {
        words::environment(
            "environmentVariables",
            &[plain(bytes)],
            std::slice::from_ref(&secret),
        )
    };
    assert_eq!(check(rest), Ok(()));
    let refused = check(rest + 1).unwrap_err();
    assert_eq!(refused.target, "environmentVariables");
    assert!(!refused.message.contains("yy"), "{}", refused.message);
}
