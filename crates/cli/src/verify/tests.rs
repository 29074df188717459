use std::path::Path;

use trainyard_migrate::call::{Call, Verdict};
use trainyard_migrate::edit::Edit;
use trainyard_migrate::file;
use trainyard_migrate::known::Known;

use super::{Asked, Finding, Verifier};

/// A folder with files, and what becomes of one of them.
struct Desk {
    folder: tempfile::TempDir,
    known: Known,
}

impl Desk {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            known: Known::default(),
        }
    }

    fn with(self, name: &str, text: &str) -> Self {
        std::fs::write(self.folder.path().join(name), text).unwrap();
        self
    }

    fn calls(&self, name: &str, text: &str) -> Vec<Call> {
        file::calls(Path::new(name), text, &self.known).unwrap()
    }

    fn verify(&self, name: &str, text: &str, calls: &[Call]) -> Vec<Finding> {
        let path = self.folder.path().join(name);
        let asked = Asked {
            path: &path,
            text,
            calls,
            known: &self.known,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(Verifier::new().unwrap().file(asked)).unwrap()
    }

    fn findings(&self, name: &str, text: &str) -> Vec<Finding> {
        self.verify(name, text, &self.calls(name, text))
    }
}

const SCRIPT: &str = "#!/bin/bash
set -e
LOC=eastus
az batchai file-server create -n nfs -g $RG -l eastus -s STANDARD_DS2_V2 --disk-count 2 --disk-size 10 \\
  --storage-sku Premium_LRS -u me -k ~/.ssh/id_rsa.pub
az batchai cluster create -n nc6 -g $RG -l eastus -s STANDARD_NC6 -i UbuntuDSVM --min 0 --max 2 --nfs nfs \\
  --afs-name files --afs-mount-path afs --storage-account-name acct -u me -p secret
az batchai job create -n j -g $RG -l eastus -r nc6 -c job.json
az batchai job stream-file -j j -g $RG -d stdouterr -n stdout.txt
az batchai job list -g $RG -o table
az batchai cluster resize -n nc6 -g $RG -t 0
az batchai job delete -n j -g $RG -y
az batchai cluster delete -n nc6 -g $RG -y
touch /ran
";

const JOB: &str = r#"{"location": "eastus", "tags": {"a": "b"}, "properties": {
  "experimentName": "label", "priority": 3, "nodeCount": 1,
  "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/anymount",
  "outputDirectories": [{"id": "MODEL", "pathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/anymount", "createNew": true}],
  "customToolkitSettings": {"commandLine": "python train.py"}}}"#;

fn words(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(Finding::word).collect()
}

#[test]
fn a_whole_script_does_the_same_in_both_forms() {
    let desk = Desk::new().with("job.json", JOB);
    let findings = desk.findings("run.sh", SCRIPT);
    assert_eq!(words(&findings), ["same"; 8], "{findings:#?}");
    // The job file was read, and both forms of it were taken.
    assert_eq!(findings[2].notes(), [] as [String; 0]);
}

/// Each wrong rewrite of a call of the script, by what is replaced in the new form.
#[test]
fn wrong_rewrites_are_found() {
    let desk = Desk::new().with("job.json", JOB);
    let calls = desk.calls("run.sh", SCRIPT);
    for (call, right, wrong, said) in [
        (0, "migrated-eastus", "migrated-westus", "WorkspaceNotFound"),
        (0, "--disk-count 2", "--disk-count 3", "diskCount"),
        (1, "--max 2", "--max 3", "maximumNodeCount"),
        (1, "UbuntuDSVM", "UbuntuLTS", "imageReference"),
        (1, "--nfs nfs", "", "mountVolumes"),
        (1, "--storage-account-name acct", "", "accountName"),
        (2, "-e migrated", "-e other", "ExperimentNotFound"),
        (2, "-c nc6", "-f job.json", "no call of the new version"),
        (3, "-f stdout.txt", "-f stderr.txt", "--file-name"),
        (3, "-j j", "-j stdout", "JobNotFound"),
        (4, "-o table", "", "--output"),
        (5, "-t 0", "-t 1", "targetNodeCount"),
        (6, "-y", "", "--yes"),
        (7, "-n nc6", "-n nc7", "clusters/nc6 is there after the new form"),
    ] {
        let mut one = calls[call].clone();
        let Verdict::Rewritten(edits) = &one.verdict else {
            panic!("{one:?}")
        };
        let span = one.span.clone();
        let old = &SCRIPT[span.clone()];
        let within: Vec<Edit> = edits
            .iter()
            .filter(|edit| edit.span.start >= span.start)
            .map(|edit| Edit {
                span: edit.span.start - span.start..edit.span.end - span.start,
                text: edit.text.clone(),
            })
            .collect();
        let new = trainyard_migrate::edit::apply(old, &within).unwrap();
        assert!(new.contains(right), "{new} has no {right}");
        one.verdict = Verdict::Rewritten(vec![Edit {
            span,
            text: new.replace(right, wrong),
        }]);
        let mut calls = calls.clone();
        calls[call] = one;
        let findings = desk.verify("run.sh", SCRIPT, &calls);
        let Finding::Differs(why) = &findings[call] else {
            panic!("{right} -> {wrong}: {:?}", findings[call])
        };
        assert!(why.contains(said), "{right} -> {wrong}: {why}");
        assert!(!why.contains("secret"), "{why}");
    }
}

#[test]
fn job_files_do_the_same_in_both_forms_and_a_wrong_one_is_found() {
    let desk = Desk::new();
    let findings = desk.findings("job.json", JOB);
    assert_eq!(words(&findings), ["same"], "{findings:#?}");
    let mut calls = desk.calls("job.json", JOB);
    let Verdict::Rewritten(edits) = &mut calls[0].verdict else {
        panic!("{calls:?}")
    };
    let node_count = JOB.find("\"nodeCount\": 1").unwrap() + "\"nodeCount\": ".len();
    edits.push(Edit {
        span: node_count..node_count + 1,
        text: "2".to_owned(),
    });
    let findings = desk.verify("job.json", JOB, &calls);
    assert!(
        findings[0].why().is_some_and(|why| why.contains("nodeCount")),
        "{findings:?}"
    );
}

#[test]
fn a_config_file_whose_image_goes_over_the_old_default_is_told() {
    let cluster = r#"{"properties": {"vmSize": "STANDARD_NC6", "virtualMachineConfiguration": {"imageReference":
        {"publisher": "p", "offer": "o", "sku": "s"}}}}"#;
    let desk = Desk::new().with("cluster.json", cluster);
    let script = "az batchai cluster create -n c -g g -l eastus -c cluster.json --max 2 -u me -p secret\n";
    let findings = desk.findings("run.sh", script);
    // 0.1 wrote UbuntuLTS over the file's image, if the new form does not say so.
    let new_says = desk.calls("run.sh", script).iter().any(|call| {
        matches!(&call.verdict, Verdict::Rewritten(edits) if edits.iter().any(|edit| edit.text.contains("UbuntuLTS")))
    });
    assert_eq!(findings[0].is_bad(), !new_says, "{findings:?}");
}

#[test]
fn what_is_new_already_is_tried_and_what_is_undecided_is_said() {
    let desk = Desk::new();
    let text = "az batchai workspace create -g g -n w -l eastus\n\
                az batchai job show -g g -w w -e e -n j\n\
                az batchai cluster create -g g -w w -n c -s NO_SUCH_SIZE -t 1\n\
                az batchai cluster create -g g -w w -n c -s STANDARD_D1\n\
                az batchai cluster list\n\
                az batchai job create -h\n";
    let findings = desk.findings("run.sh", text);
    let expected = [
        "accepted",
        "accepted",
        "refused",
        "refused",
        "not replayed",
        "not replayed",
    ];
    assert_eq!(words(&findings), expected, "{findings:#?}");
}

#[test]
fn a_notebook_s_command_lines_are_replayed() {
    let notebook = r#"{"cells": [{"cell_type": "code", "source": [
        "!az batchai cluster show \\\n", "  -n \"nc6\" -g {rg}"]}],
        "metadata": {"kernelspec": {"language": "python"}}, "nbformat": 4, "nbformat_minor": 2}"#;
    let findings = Desk::new().findings("a.ipynb", notebook);
    assert_eq!(words(&findings), ["same"], "{findings:#?}");
}

const PROGRAM: &str = "import azure.mgmt.batchai.models as models
from azure.mgmt.batchai import BatchAIManagementClient

LOCATION = 'eastus'
RG = 'mnist'
client = BatchAIManagementClient(creds, os.environ['SUB'])
parameters = models.ClusterCreateParameters(
    location=LOCATION, vm_size='STANDARD_NC6', tags={'team': 'vision'},
    scale_settings=models.ScaleSettings(manual=models.ManualScaleSettings(2)),
    user_account_settings=models.UserAccountSettings('admin', admin_user_password=os.environ['PW']))
cluster = client.clusters.create(RG, 'nc6', parameters).result()
job = client.jobs.create(RG, 'j', models.JobCreateParameters(
    location=LOCATION, cluster=models.ResourceId(cluster.id), node_count=1, priority=10, experiment_name='first',
    std_out_err_path_prefix='$AZ_BATCHAI_MOUNT_ROOT/anymount',
    environment_variables=[models.EnvironmentSetting('A', '1')],
    output_directories=[models.OutputDirectory(id='MODEL', path_prefix='$AZ_BATCHAI_MOUNT_ROOT/anymount', create_new=True)],
    custom_toolkit_settings=models.CustomToolkitSettings('python x.py'))).result()
client.jobs.get(RG, 'j')
client.jobs.list_output_files(RG, 'j', models.JobsListOutputFilesOptions('stdouterr', 30))
client.clusters.update(RG, 'nc6', None, models.ScaleSettings(None, models.AutoScaleSettings(0, 4)))
client.clusters.list_by_resource_group(RG)
client.jobs.terminate(RG, 'j')
client.clusters.delete(RG, 'nc6').wait()
";

/// What came of the operations of a program, by their names.
fn operations<'a>(calls: &'a [Call], findings: &'a [Finding]) -> Vec<(&'a str, &'a Finding)> {
    let all = calls.iter().zip(findings);
    all.filter(|(call, _)| call.what.starts_with("clusters.") || call.what.starts_with("jobs."))
        .map(|(call, finding)| (call.what.as_str(), finding))
        .collect()
}

#[test]
fn a_program_s_operations_do_the_same_in_both_forms() {
    let desk = Desk::new();
    let calls = desk.calls("train.py", PROGRAM);
    let findings = desk.findings("train.py", PROGRAM);
    let operations = operations(&calls, &findings);
    assert_eq!(operations.len(), 8, "{operations:#?}");
    assert!(
        operations.iter().all(|(_, finding)| finding.word() == "same"),
        "{operations:#?}"
    );
    assert!(findings.iter().all(|finding| !finding.is_bad()), "{findings:#?}");
    let seen = findings
        .iter()
        .filter(|finding| finding.notes().iter().any(|note| note.starts_with("seen with")));
    assert!(seen.count() >= 5, "{findings:#?}");
}

#[test]
fn wrong_rewrites_of_a_program_are_found() {
    let desk = Desk::new();
    let calls = desk.calls("train.py", PROGRAM);
    let all: Vec<Edit> = calls
        .iter()
        .filter_map(|call| match &call.verdict {
            Verdict::Rewritten(edits) => Some(edits.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    let new = trainyard_migrate::edit::apply(PROGRAM, &all).unwrap();
    for (right, wrong, what) in [
        (
            "vm_size='STANDARD_NC6'",
            "vm_size='STANDARD_NC12'",
            "clusters.create",
        ),
        ("target_node_count=2", "target_node_count=3", "clusters.create"),
        (
            "scheduling_priority='high'",
            "scheduling_priority='low'",
            "jobs.create",
        ),
        ("python x.py", "python y.py", "jobs.create"),
        ("name='A'", "name='B'", "jobs.create"),
        ("maximum_node_count=4", "maximum_node_count=5", "clusters.update"),
        (
            "outputdirectoryid='stdouterr'",
            "outputdirectoryid='MODEL'",
            "jobs.list_output_files",
        ),
        (
            "linkexpiryinminutes=30",
            "linkexpiryinminutes=31",
            "jobs.list_output_files",
        ),
    ] {
        assert!(new.contains(right), "no {right} in {new}");
        let mut calls = calls.clone();
        for call in &mut calls {
            if let Verdict::Rewritten(edits) = &mut call.verdict {
                edits.clear();
            }
        }
        let Some(Verdict::Rewritten(edits)) = calls
            .iter_mut()
            .map(|call| &mut call.verdict)
            .find(|verdict| matches!(verdict, Verdict::Rewritten(_)))
        else {
            panic!("{calls:?}")
        };
        edits.push(Edit {
            span: 0..PROGRAM.len(),
            text: new.replace(right, wrong),
        });
        let findings = desk.verify("train.py", PROGRAM, &calls);
        let bad: Vec<_> = operations(&calls, &findings)
            .into_iter()
            .filter(|(_, finding)| finding.is_bad())
            .collect();
        assert!(
            bad.iter().any(|(found, _)| *found == what),
            "{right} -> {wrong}: {bad:#?}"
        );
        assert!(bad.len() <= 2, "{right} -> {wrong}: {bad:#?}");
    }
}
