//! Output files: listed and downloaded while a job runs, after it, and when job and cluster are gone.

use std::fs;

use axum::http::Method;
use serde_json::{Value, json};
use trainyard_domain::state::Verdict;

use crate::house::{Answer, House, job, job_path, local};

/// A house with a job `j` whose stdout is `0123456789`, and one output directory `MODEL`.
fn with_output() -> House {
    let house = House::furnished(1);
    let mut wish = job("true");
    wish["properties"]["outputDirectories"] =
        json!([{"id": "MODEL", "pathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs", "pathSuffix": "m"}]);
    house.put(&job_path("j"), wish).expect(200);
    house.pump();
    house
}

fn write(house: &House, below: &str, text: &str) {
    let segment = house.job("j")["jobOutputDirectoryPathSegment"]
        .as_str()
        .unwrap()
        .to_owned();
    let file = house.storage().join("acct/files/share").join(segment).join(below);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

fn list(house: &House, query: &str) -> Answer {
    house.post(&format!("{}/listOutputFiles?{query}", job_path("j")))
}

fn link(house: &House) -> String {
    let files = list(house, "outputdirectoryid=stdouterr").expect(200).json();
    local(files["value"][0]["downloadUrl"].as_str().unwrap()).to_owned()
}

fn fetch(house: &House, link: &str, range: &str) -> Answer {
    house.token.replace(String::new());
    let headers = if range.is_empty() {
        vec![]
    } else {
        vec![("range", range)]
    };
    let answer = house.raw(Method::GET, link, &headers, vec![]);
    house.token.replace(crate::house::ADMIN.to_owned());
    answer
}

#[test]
fn files_are_listed_from_before_the_first_to_after_the_end() {
    let house = with_output();
    assert_eq!(
        list(&house, "outputdirectoryid=stdouterr").expect(200).json(),
        json!({"value": []})
    );
    write(&house, "stdouterr/stdout.txt", "0123456789");
    write(&house, "stdouterr/a/deep.txt", "x");
    write(&house, "outputs/m/model.bin", "abc");
    let files = list(&house, "outputdirectoryid=stdouterr").expect(200).json()["value"].clone();
    assert_eq!(files[0], json!({"name": "a", "fileType": "directory"}));
    assert_eq!(
        (files[1]["name"].as_str(), files[1]["fileType"].as_str()),
        (Some("stdout.txt"), Some("file"))
    );
    assert_eq!(files[1]["properties"]["contentLength"], 10);
    assert!(
        files[1]["properties"]["lastModified"]
            .as_str()
            .unwrap()
            .ends_with('Z')
    );
    assert_eq!(
        list(&house, "outputdirectoryid=StdOutErr&directory=a")
            .expect(200)
            .names(),
        ["deep.txt"]
    );
    assert_eq!(
        list(&house, "outputdirectoryid=MODEL").expect(200).names(),
        ["model.bin"]
    );
    let page = list(&house, "outputdirectoryid=stdouterr&maxresults=1").expect(200);
    assert_eq!(page.names(), ["a"]);
    let next = page.json()["nextLink"].as_str().unwrap().to_owned();
    let page = house.raw(Method::POST, local(&next), &[], vec![]).expect(200);
    assert_eq!(page.names(), ["stdout.txt"]);
    house.engine.end("j", &Verdict::Exited(0));
    house.pump();
    house.delete("~/clusters/c").expect(202);
    house.pump();
    house.get("~/clusters/c").expect(404);
    assert_eq!(
        list(&house, "outputdirectoryid=MODEL").expect(200).names(),
        ["model.bin"]
    );
    let files = list(&house, "outputdirectoryid=MODEL").json();
    let link = local(files["value"][0]["downloadUrl"].as_str().unwrap()).to_owned();
    house.delete(&job_path("j")).expect(200);
    assert_eq!(fetch(&house, &link, "").expect(200).text(), "abc");
}

#[test]
fn what_cannot_be_listed_says_why() {
    let house = with_output();
    write(&house, "stdouterr/stdout.txt", "x");
    for (query, target) in [
        ("", "outputdirectoryid"),
        ("outputdirectoryid=", "outputdirectoryid"),
        ("outputdirectoryid=NONE", "outputdirectoryid"),
        (
            "outputdirectoryid=stdouterr&linkexpiryinminutes=4",
            "linkexpiryinminutes",
        ),
        (
            "outputdirectoryid=stdouterr&linkexpiryinminutes=601",
            "linkexpiryinminutes",
        ),
        ("outputdirectoryid=stdouterr&maxresults=0", "maxresults"),
        ("outputdirectoryid=stdouterr&directory=..", "directory"),
        ("outputdirectoryid=stdouterr&directory=/etc", "directory"),
        ("outputdirectoryid=stdouterr&directory=a%00b", "directory"),
        ("outputdirectoryid=stdouterr&directory=stdout.txt", "directory"),
        ("outputdirectoryid=stdouterr&$skiptoken=*", "$skiptoken"),
    ] {
        assert_eq!(
            list(&house, query).error(400, "BadRequest")["target"],
            target,
            "{query}"
        );
    }
    let long = format!("outputdirectoryid=stdouterr&directory={}", "x".repeat(300));
    assert!([200, 400].contains(&list(&house, &long).status));
    let long = format!("outputdirectoryid=stdouterr&directory={}", "x/".repeat(3000));
    assert!([200, 400].contains(&list(&house, &long).status));
    let mut wish = job("true");
    wish["properties"]["stdOutErrPathPrefix"] = json!("$AZ_BATCHAI_JOB_TEMP");
    house.put(&job_path("local"), wish).expect(200);
    let path = format!(
        "{}/listOutputFiles?outputdirectoryid=stdouterr",
        job_path("local")
    );
    let error = house.post(&path).expect(400).json();
    assert_eq!(
        error["error"]["message"],
        "The specified outputDirectoryId stdouterr is not present on a mount root"
    );
    house
        .post(&format!(
            "{}/listOutputFiles?outputdirectoryid=stdouterr",
            job_path("none")
        ))
        .error(404, "JobNotFound");
}

#[test]
fn links_serve_ranges_without_a_token() {
    let house = with_output();
    write(&house, "stdouterr/stdout.txt", "0123456789");
    let link = link(&house);
    let whole = fetch(&house, &link, "").expect(200);
    assert_eq!(
        (whole.text().as_str(), whole.header("content-length")),
        ("0123456789", "10")
    );
    assert_eq!(
        (whole.header("accept-ranges"), whole.header("content-type")),
        ("bytes", "application/octet-stream")
    );
    let tail = fetch(&house, &link, "bytes=4-").expect(206);
    assert_eq!(
        (tail.text().as_str(), tail.header("content-range")),
        ("456789", "bytes 4-9/10")
    );
    assert_eq!(fetch(&house, &link, "bytes=0-0").expect(206).text(), "0");
    assert_eq!(fetch(&house, &link, "bytes=-3").expect(206).text(), "789");
    let beyond = fetch(&house, &link, "bytes=10-").expect(416);
    assert_eq!(beyond.header("content-range"), "bytes */10");
    write(&house, "stdouterr/stdout.txt", "0123456789ab");
    assert_eq!(fetch(&house, &link, "bytes=10-").expect(206).text(), "ab");
    let head = house.raw(Method::HEAD, &link, &[], vec![]).expect(200);
    assert_eq!((head.body.len(), head.header("content-length")), (0, "12"));
    house
        .raw(Method::PUT, &link, &[], vec![])
        .error(405, "MethodNotAllowed");
}

#[test]
fn links_expire_and_cannot_be_bent() {
    let house = with_output();
    write(&house, "stdouterr/stdout.txt", "0123456789");
    write(&house, "stdouterr/other.txt", "secret");
    let good = list(&house, "outputdirectoryid=stdouterr&linkexpiryinminutes=5")
        .expect(200)
        .json();
    let good = local(good["value"][1]["downloadUrl"].as_str().unwrap()).to_owned();
    fetch(&house, &good, "").expect(200);
    for bent in [
        good.replace("stdout.txt", "other.txt"),
        good.replace("stdout.txt", "../stdouterr/other.txt"),
        good.replace("2026", "2027"),
        good.replace("acct", "other"),
        good.split('?').next().unwrap().to_owned(),
        format!("{}x", good.trim_end_matches(|c: char| c.is_alphanumeric())),
        "/files/".to_owned(),
    ] {
        assert_ne!(bent, good);
        let error = fetch(&house, &bent, "").error(403, "AuthenticationFailed");
        assert_eq!(
            error["message"], "The link is not valid. List the output files again for a new one.",
            "{bent}"
        );
    }
    house.seconds(299);
    fetch(&house, &good, "").expect(200);
    house.seconds(1);
    let error = fetch(&house, &good, "").error(403, "AuthenticationFailed");
    assert_eq!(
        error["message"],
        "The link has expired. List the output files again for a new one."
    );
    let fresh = link(&house);
    let file = fs::read_dir(house.storage().join("acct/files/share"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    fs::remove_dir_all(file).unwrap();
    fetch(&house, &fresh, "").error(404, "FileNotFound");
    house.post(&format!("{}/terminate", job_path("j"))).expect(202);
    assert_eq!(
        list(&house, "outputdirectoryid=stdouterr").expect(200).json()["value"],
        Value::Array(vec![])
    );
}
