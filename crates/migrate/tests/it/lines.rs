//! Single lines for which the rules of cli-dialects.md have one answer, found by review; `?` stands for a question.

use std::path::Path;

use trainyard_migrate::call::Verdict;
use trainyard_migrate::edit::{Edit, apply};
use trainyard_migrate::file;
use trainyard_migrate::known::Known;

fn becomes(name: &str, text: &str) -> String {
    let found = file::calls(Path::new(name), text, &Known::default()).unwrap();
    let mut edits: Vec<Edit> = Vec::new();
    for call in found {
        match call.verdict {
            Verdict::Rewritten(own) => edits.extend(own),
            Verdict::Undecided(_) => return "?".to_owned(),
            _ => {}
        }
    }
    apply(text, &edits).unwrap()
}

fn all(name: &str, cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        let expected = if *expected == "=" { text } else { expected };
        assert_eq!(&becomes(name, text), expected, "{text}");
    }
}

#[test]
fn a_group_of_its_own_does_not_vanish_from_a_mixed_call() {
    all(
        "a.sh",
        &[
            (
                "az batchai job create -g g -w w -e e -n j -f j.json -r c --cluster-resource-group g2",
                "?",
            ),
            (
                "az batchai cluster create -g g -w w -n c --nfs n --nfs-resource-group g2 -s S",
                "?",
            ),
            (
                "az batchai job create -g g -w w -e e -n j -f j.json -r c --cluster-resource-group G",
                "az batchai job create -g g -w w -e e -n j -f j.json -c c",
            ),
            (
                "az batchai cluster create -n c1 -g $RG -l eastus --nfs n1 --nfs-resource-group \"${RG}\"",
                "az batchai cluster create -n c1 -g $RG -w migrated-eastus --nfs n1",
            ),
        ],
    );
}

#[test]
fn a_config_file_is_no_name_of_a_cluster() {
    all(
        "a.sh",
        &[("az batchai cluster create -g g -w w -c cluster.json", "?")],
    );
}

#[test]
fn regions_are_short_and_never_empty() {
    all(
        "a.sh",
        &[
            (
                "az batchai cluster create -n c1 -l West\\ Europe -s S",
                "az batchai cluster create -n c1 -w migrated-westeurope -s S",
            ),
            ("az batchai cluster create -n c1 -l '' -s S", "?"),
        ],
    );
}

#[test]
fn what_means_a_thing_in_one_place_only_tells_nothing_of_others() {
    all(
        "a.sh",
        &[
            (
                "c() { az batchai cluster create -n $1 -l $2; }\ns() { az batchai cluster show -n $1; }\n",
                "c() { az batchai cluster create -n $1 -w migrated-$2; }\ns() { az batchai cluster show -n $1 -w \
                 migrated-REGION; }\n",
            ),
            (
                "az group create -n $1 -l $2\naz batchai cluster show -n c -g $1\n",
                "az group create -n $1 -l $2\naz batchai cluster show -n c -g $1 -w migrated-REGION\n",
            ),
            (
                "az batchai job create -n {} -c {} -r {} --cluster-resource-group {}",
                "?",
            ),
        ],
    );
}

#[test]
fn fields_of_templates_are_one_value() {
    all(
        "a.yml",
        &[(
            "- shell: az batchai cluster delete -n {{ c }} -g {{ rg }} -y\n",
            "- shell: az batchai cluster delete -n {{ c }} -g {{ rg }} -y -w migrated-REGION\n",
        )],
    );
}

#[test]
fn a_byte_order_mark_stays_before_the_first_call() {
    all(
        "a.ps1",
        &[(
            "\u{feff}az batchai cluster show -n c -g g\n",
            "\u{feff}az batchai cluster show -n c -g g -w migrated-REGION\n",
        )],
    );
}

/// Each took minutes once.
#[test]
fn what_has_no_end_is_asked_about_in_no_time() {
    let lines = "az batchai job show -n j -g g\n".repeat(2_000);
    assert_eq!(becomes("a.yml", &lines), "?");
    let brackets = format!("az batchai job show -n {}", "$(".repeat(5_000));
    assert!(becomes("a.ps1", &brackets).starts_with(&brackets));
    let line = "az batchai job show -n j -w w -e e; ".repeat(2_000);
    assert_eq!(becomes("a.ps1", &line), line);
}

/// `LOC` is defined elsewhere: the region of the other thing is not meant.
#[test]
fn parameters_with_a_hidden_region_take_no_other_one() {
    let text = "from azure.mgmt.batchai import BatchAIManagementClient, models\n\
                client = BatchAIManagementClient(c, s)\n\
                client.clusters.create('rg', 'a', models.ClusterCreateParameters(location='eastus'))\n\
                p = models.ClusterCreateParameters(location=LOC)\n\
                client.clusters.create('rg', 'b', p)\n";
    assert_eq!(becomes("a.py", text), "?");
}
