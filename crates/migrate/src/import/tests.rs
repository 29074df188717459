use serde_json::{Value, json};

use super::*;

const OLD: &str = "/subscriptions/s-old/resourceGroups/lab/providers/Microsoft.BatchAI";

fn wishes() -> Wishes {
    Wishes {
        subscription: "s-new".to_owned(),
        group: None,
        location: None,
        scale: Scale::Zero,
    }
}

fn resource(path: &str, properties: Value) -> Value {
    json!({"id": format!("{OLD}/{path}"), "name": "x", "properties": properties})
}

fn at(location: &str, mut resource: Value) -> Value {
    resource["location"] = location.into();
    resource
}

fn job(path: &str, cluster: &str) -> Value {
    resource(
        path,
        json!({"cluster": {"id": format!("{OLD}/{cluster}")}, "executionState": "succeeded",
            "creationTime": "2018-03-01T00:00:00Z"}),
    )
}

fn planned_with(resources: &[Value], wishes: &Wishes) -> Plan {
    plan(&read_value("test", &Value::Array(resources.to_vec())), wishes)
}

fn planned(resources: &[Value]) -> Plan {
    planned_with(resources, &wishes())
}

fn news(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.new.as_str()).collect()
}

fn reason(resources: &[Value]) -> String {
    let plan = planned(resources);
    assert_eq!(plan.left_out.len(), 1, "{plan:?}");
    plan.left_out[0].reason.clone()
}

fn member<'a>(step: &'a Step, pointer: &str) -> &'a Value {
    step.item.pointer(pointer).unwrap_or(&Value::Null)
}

#[test]
fn flat_resources_go_into_the_workspace_of_their_region_parents_first() {
    let plan = planned(&[
        job("jobs/j", "clusters/c"),
        at("West Europe", resource("clusters/c", json!({}))),
        at("eastus", resource("fileServers/f", json!({}))),
    ]);
    assert_eq!(
        news(&plan),
        [
            "lab/migrated-eastus/f",
            "lab/migrated-westeurope/c",
            "lab/migrated-westeurope/migrated/j"
        ]
    );
    let new =
        "/subscriptions/s-new/resourceGroups/lab/providers/Microsoft.BatchAI/workspaces/migrated-westeurope";
    let job = &plan.steps[2];
    assert_eq!(
        member(job, "/body/properties/cluster/id"),
        &json!(format!("{new}/clusters/c"))
    );
    assert_eq!(member(job, "/version"), "2018-03-01");
    assert_eq!(member(job, "/body/location"), "westeurope");
}

#[test]
fn resources_of_a_workspace_stay_in_it() {
    let plan = planned(&[
        job("workspaces/w/experiments/e/jobs/j", "workspaces/w/clusters/c"),
        resource("workspaces/w/clusters/c", json!({})),
        resource("workspaces/w/experiments/e", json!({})),
        at("eastus", resource("workspaces/w", json!({}))),
    ]);
    assert_eq!(news(&plan), ["lab/w", "lab/w/e", "lab/w/c", "lab/w/e/j"]);
    assert_eq!(member(&plan.steps[3], "/location"), "eastus");
    assert_eq!(member(&plan.steps[3], "/version"), "2018-05-01");
    let told = Wishes {
        location: Some("East US".to_owned()),
        group: Some("all".to_owned()),
        ..wishes()
    };
    let plan = planned_with(&[resource("workspaces/w/clusters/c", json!({}))], &told);
    assert_eq!(
        (news(&plan), member(&plan.steps[0], "/location")),
        (vec!["all/w/c"], &json!("eastus"))
    );
}

#[test]
fn file_servers_are_named_where_they_will_be() {
    let volumes = |id: &str| json!({"fileServers": [{"fileServer": {"id": format!("{OLD}/{id}")}}]});
    let cluster = json!({"nodeSetup": {"mountVolumes": volumes("fileservers/f")}});
    let mut mounting = job("jobs/j", "clusters/c");
    mounting["properties"]["mountVolumes"] = volumes("fileservers/elsewhere");
    let plan = planned(&[
        at("eastus", resource("clusters/c", cluster)),
        at("westus", resource("fileservers/f", json!({}))),
        mounting,
    ]);
    let id = |step: usize, place: &str| {
        let pointer = format!("/body/properties/{place}/fileServers/0/fileServer/id");
        member(&plan.steps[step], &pointer)
            .as_str()
            .unwrap()
            .rsplit_once("workspaces/")
            .unwrap()
            .1
            .to_owned()
    };
    assert_eq!(id(1, "nodeSetup/mountVolumes"), "migrated-westus/fileservers/f");
    // One that is not in the export is where its user is.
    assert_eq!(id(2, "mountVolumes"), "migrated-eastus/fileservers/elsewhere");
}

#[test]
fn clusters_come_without_nodes_unless_they_are_wanted() {
    let manual =
        json!({"scaleSettings": {"manual": {"targetNodeCount": 5, "nodeDeallocationOption": "terminate"}}});
    let auto = json!({"scaleSettings": {"autoScale": {"minimumNodeCount": 2, "maximumNodeCount": 9}}});
    let all = [
        at("eastus", resource("clusters/a", auto)),
        at("eastus", resource("clusters/m", manual)),
    ];
    let plan = planned(&all);
    assert_eq!(
        member(&plan.steps[0], "/body/properties/scaleSettings"),
        &json!({"autoScale": {"minimumNodeCount": 0, "maximumNodeCount": 9, "initialNodeCount": 0}})
    );
    assert_eq!(
        member(&plan.steps[1], "/body/properties/scaleSettings"),
        &json!({"manual": {"targetNodeCount": 0, "nodeDeallocationOption": "terminate"}})
    );
    assert_eq!(plan.steps[1].notes, ["no nodes; the old one wanted 5"]);
    let keep = Wishes {
        scale: Scale::Keep,
        ..wishes()
    };
    let kept = planned_with(&all, &keep);
    assert_eq!(
        member(
            &kept.steps[1],
            "/body/properties/scaleSettings/manual/targetNodeCount"
        ),
        5
    );
    assert_eq!(kept.steps[1].notes, ["5 nodes, which start at once"]);
    // The id is of what is imported, not of how many nodes it has.
    assert_eq!(kept.id, plan.id);
}

#[test]
fn a_job_of_the_preview_has_its_outputs_where_they_were() {
    let mut later = job("jobs/l", "clusters/c");
    later["properties"]["jobOutputDirectoryPathSegment"] = "s/lab/jobs/l/uuid".into();
    let mut first = job("jobs/P", "clusters/c");
    first["properties"]["environmentVariables"] = json!([{"name": "EMPTY"}]);
    first["id"] = first["id"].as_str().unwrap().replace("/lab/", "/Lab/").into();
    let told = Wishes {
        location: Some("eastus".to_owned()),
        ..wishes()
    };
    let plan = planned_with(&[first, later], &told);
    let at = |step: usize, name: &str| member(&plan.steps[step], &format!("/body/{name}")).clone();
    let segment = "properties/jobOutputDirectoryPathSegment";
    assert_eq!(
        (at(0, "previewLayout"), at(0, segment)),
        (json!(true), json!("s-old/lab/jobs/P"))
    );
    assert_eq!(
        (at(1, "previewLayout"), at(1, segment)),
        (Value::Null, json!("s/lab/jobs/l/uuid"))
    );
    assert_eq!(
        at(0, "properties/environmentVariables"),
        json!([{"name": "EMPTY", "value": ""}])
    );
}

#[test]
fn what_cannot_be_imported_says_why() {
    let c = at("eastus", resource("clusters/c", json!({})));
    let mut running = job("jobs/r", "clusters/c");
    running["properties"]["executionState"] = "Running".into();
    assert!(reason(&[c.clone(), running]).starts_with("it was running when the export was made"));
    let mut unsaid = job("jobs/u", "clusters/c");
    unsaid["properties"]["executionState"] = Value::Null;
    assert!(reason(&[c.clone(), unsaid]).contains("executionState"));
    let going = at(
        "eastus",
        resource("clusters/d", json!({"provisioningState": "deleting"})),
    );
    assert_eq!(reason(&[going]), "it was being deleted");
    assert!(reason(&[job("jobs/j", "clusters/gone")]).contains("/clusters/gone is not in the export"));
    assert!(reason(&[resource("clusters/c", json!({}))]).contains("--location"));
    assert!(reason(&[resource("workspaces/w/clusters/c", json!({}))]).contains("az batchai workspace list"));
    assert!(
        reason(&[json!({"id": "/subscriptions/s/resourceGroups/g/providers/Other/x/y"})])
            .contains("none of Batch AI")
    );
    assert!(reason(&[json!(7)]).contains("no JSON object"));
    let other_region = at("westus", resource("clusters/C", json!({})));
    let both = planned(&[c.clone(), other_region]);
    // The same id but for its case: it is there twice.
    assert_eq!((both.steps.len(), both.warnings.len()), (1, 1));
    let moved = Wishes {
        group: Some("all".to_owned()),
        ..wishes()
    };
    let mut elsewhere = at("westus", c);
    let twin = elsewhere.clone();
    elsewhere["id"] = format!("{OLD}/clusters/c").replace("/lab/", "/zoo/").into();
    let both = planned_with(&[twin, elsewhere], &moved);
    assert!(both.left_out[0].reason.contains("takes its place"), "{both:?}");
}

#[test]
fn pages_documents_and_single_resources_are_read_and_more_pages_are_missed() {
    let text = format!(
        "\u{feff}{}\n{}{}",
        json!({"value": [resource("clusters/a", json!({}))], "nextLink": "http://x"}),
        json!([resource("jobs/b", json!({}))]),
        resource("fileServers/c", json!({}))
    );
    let export = read("file", &text).unwrap();
    let kinds: Vec<Kind> = export.resources.iter().map(|resource| resource.kind).collect();
    assert_eq!(kinds, [Kind::Cluster, Kind::Job, Kind::FileServer]);
    assert!(
        export.warnings[0].contains("one page of a longer list"),
        "{export:?}"
    );
    assert!(read("file", "Name  Location").is_err());
    assert!(read("file", "[]").unwrap().warnings[0].contains("nothing in file"));
}

#[test]
fn the_id_is_of_the_content_and_not_of_the_order_or_the_form() {
    let (a, b) = (
        at("eastus", resource("clusters/a", json!({"x": 1, "y": 2}))),
        job("jobs/b", "clusters/a"),
    );
    let flat = json!({"id": a["id"], "name": "x", "location": "eastus", "y": 2, "x": 1, "tags": null});
    let one = planned(&[a.clone(), b.clone()]).id;
    assert_eq!(planned(&[b.clone(), a.clone()]).id, one);
    assert_eq!(planned(&[b.clone(), flat, a.clone()]).id, one);
    assert_ne!(planned(&[a]).id, one);
    assert_eq!(one.len(), 16);
}

#[test]
fn jobs_are_made_in_the_order_in_which_they_were() {
    let made = |name: &str, time: &str| {
        let mut job = job(&format!("jobs/{name}"), "clusters/c");
        job["location"] = "eastus".into();
        job["properties"]["creationTime"] = time.into();
        job
    };
    let plan = planned(&[
        made("late", "2018-03-01T00:00:01Z"),
        made("early", "2018-03-01T00:00:00.9Z"),
    ]);
    assert_eq!(
        news(&plan),
        [
            "lab/migrated-eastus/migrated/early",
            "lab/migrated-eastus/migrated/late"
        ]
    );
}

#[test]
fn batches_are_bounded_by_number_and_size_and_lose_nothing() {
    let step = |bytes: usize| Step {
        kind: Kind::Job,
        old: String::new(),
        new: String::new(),
        item: Value::String("x".repeat(bytes)),
        notes: Vec::new(),
    };
    let sizes = |steps: &[Step]| {
        batches(steps)
            .iter()
            .map(|batch| batch.steps.len())
            .collect::<Vec<_>>()
    };
    assert_eq!(sizes(&vec![step(10); 250]), [100, 100, 50]);
    assert_eq!(sizes(&vec![step(80_000); 5]), [2, 2, 1]);
    assert_eq!(sizes(&[step(1), step(900_000), step(1)]), [1, 1, 1]);
    assert!(batches(&[]).is_empty());
    assert_eq!(batches(&vec![step(10); 101])[1].first, 100);
}

#[test]
fn answers_add_up_in_the_report() {
    let plan = planned(&[
        at(
            "eastus",
            resource(
                "clusters/c",
                json!({"scaleSettings": {"manual": {"targetNodeCount": 1}}}),
            ),
        ),
        at("eastus", resource("clusters/d", json!({}))),
        job("jobs/j", "clusters/c"),
        job("jobs/k", "clusters/c"),
    ]);
    let mut answers = Answers::default();
    let note = vec!["its key is missing".to_owned()];
    for (place, answer) in [
        Answer::Made { notes: note },
        Answer::Found,
        Answer::Already,
        Answer::LeftOut {
            reason: "because".to_owned(),
        },
    ]
    .into_iter()
    .enumerate()
    {
        answers.take(&plan, place, answer);
    }
    let report = Report::new(&plan, &answers);
    for line in [
        "clusters:     1 made, 1 there already, the same",
        "jobs:         1 made before by this import, 1 left out",
        "lab/migrated-eastus/c: no nodes; the old one wanted 1",
        "lab/migrated-eastus/c: its key is missing",
        &format!("{OLD}/jobs/k: because"),
        &format!("trainyard migrate undo {}", plan.id),
    ] {
        assert!(report.text().contains(line), "{line}: {}", report.text());
    }
    let shown = serde_json::to_value(&report).unwrap();
    assert_eq!(
        shown["counts"]["jobs"],
        json!({"made": 0, "already": 1, "found": 0, "leftOut": 1})
    );
    assert_eq!(shown["leftOut"][0]["reason"], "because");
    assert!(plan_text(&plan, &answers).contains("lab/migrated-eastus/migrated: 2"));
}

#[test]
fn every_published_list_is_understood() {
    let examples =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference/spec/examples");
    if !examples.is_dir() {
        println!("left out: ../shared is not here (examples)");
        return;
    }
    let mut seen = 0;
    for version in ["2017-09-01-preview", "2018-03-01", "2018-05-01"] {
        for kind in ["Cluster", "FileServer", "Job"] {
            let text =
                std::fs::read_to_string(examples.join(version).join(format!("Get{kind}.json"))).unwrap();
            let example: Value = serde_json::from_str(&text).unwrap();
            let body = &example["responses"]["200"]["body"];
            let export = read_value("example", body);
            assert_eq!(export.left_out, [], "{version} {kind}");
            assert_eq!(export.resources.len(), 1, "{version} {kind}");
            seen += 1;
        }
    }
    assert_eq!(seen, 9);
}

#[test]
fn exports_of_any_shape_break_nothing() {
    let odd = [
        json!("x"),
        json!(5),
        json!([]),
        json!([[]]),
        json!({"setupTask": "x"}),
        json!({"setupTask": ["x"], "mountVolumes": "x"}),
        json!({"autoScale": "x", "manual": "x", "id": 5}),
        json!({"autoScale": [], "manual": [], "id": []}),
        json!({"autoScale": {"minimumNodeCount": -1, "maximumNodeCount": 1e300}}),
        json!({"manual": {"targetNodeCount": -1}}),
        json!({"manual": {"targetNodeCount": 1e300}}),
        json!({"maxWallClockTime": "0:00:9223372036854775807.5"}),
        json!({"maxWallClockTime": "4294967295 days, 4294967295:4294967295:9223372036854775807"}),
        json!({"maxWallClockTime": "99:-1:-9223372036854775808"}),
    ];
    for value in odd {
        for kind in ["clusters", "fileServers", "jobs"] {
            let mut properties = json!({"executionState": "failed"});
            for name in [
                "scaleSettings",
                "nodeSetup",
                "mountVolumes",
                "environmentVariables",
                "cluster",
                "constraints",
                "tags",
                "creationTime",
            ] {
                properties[name] = value.clone();
            }
            let mut sdk = properties.clone();
            sdk["id"] = format!("{OLD}/{kind}/b").into();
            sdk["location"] = "eastus".into();
            let rest = at("eastus", resource(&format!("{kind}/a"), properties));
            let plan = planned(&[rest, sdk]);
            assert_eq!(plan.steps.len() + plan.left_out.len(), 2, "{value} {kind}");
        }
    }
}

#[test]
fn a_resource_that_is_too_deep_is_left_out_alone() {
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let text = json!([
        at("eastus", resource("clusters/a", json!({"x": deep}))),
        at("eastus", resource("clusters/b", json!({})))
    ]);
    let plan = plan(&read("f", &text.to_string()).unwrap(), &wishes());
    assert_eq!(news(&plan), ["lab/migrated-eastus/b"]);
    assert!(plan.left_out[0].what.ends_with("clusters/a"));
}

#[test]
fn what_an_export_says_moves_no_cursor() {
    let odd = "\u{1b}[2J\r\n\u{9b}x";
    let plan = planned(&[
        at(
            odd,
            resource(
                "clusters/a",
                json!({"scaleSettings": {"manual": {"targetNodeCount": 1}}}),
            ),
        ),
        json!({"id": odd}),
    ]);
    let mut answers = Answers::default();
    answers.take(
        &plan,
        0,
        Answer::Made {
            notes: vec![odd.to_owned()],
        },
    );
    for text in [
        plan_text(&plan, &answers),
        Report::new(&plan, &answers).text().to_owned(),
    ] {
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
        assert!(!text.contains("\nx") && !text.contains("\n\u{fffd}"), "{text:?}");
    }
}
