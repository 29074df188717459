//! Planted secrets are in no answer (every answer is searched), not in the files of the store, not in logs.

use serde_json::json;
use trainyard_domain::state::Verdict;
use trainyard_store::db::InlineHandle;

use crate::house::{ADMIN, House, SECRET, cluster, job, job_path, log, settings};

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|w| w == text.as_bytes())
}

#[test]
fn planted_secrets_are_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.db");
    let made = {
        let house = House::with(settings(), InlineHandle::file(&file).unwrap()).furnish(1);
        let mut body = job("true");
        body["properties"]["environmentVariables"] = json!([{"name": "OPEN", "value": "plainly-seen"}]);
        house.put(&job_path("j"), body).expect(200);
        house.pump();
        house.engine.end("j", &Verdict::Exited(1));
        house.pump();
        let mut wrong = cluster(1);
        wrong["properties"]["vmSize"] = json!("NO_SIZE");
        house.put("~/clusters/x", wrong).error(400, "BadRequest");
        wrong = cluster(1);
        wrong["properties"]["userAccountSettings"]["adminUserPassword"] = json!([SECRET]);
        house
            .put("~/clusters/x", wrong)
            .error(400, "InvalidRequestContent");
        let made = house.send(
            axum::http::Method::POST,
            "/trainyard/tokens",
            &[],
            json!({"name": "t", "role": "Reader"}),
        );
        let token = made.expect(201).json()["token"].as_str().unwrap().to_owned();
        for path in [
            "~/clusters/c",
            &job_path("j"),
            "~/clusters",
            "~/experiments/e/jobs",
            "/trainyard/tokens",
        ] {
            assert!(!house.get(path).expect(200).text().contains(&token));
        }
        let shown = house.get("~/clusters/c").json()["properties"]["nodeSetup"]["mountVolumes"].clone();
        assert_eq!(shown["azureFileShares"][0]["credentials"], json!({}));
        assert_eq!(house.job("j")["secrets"], json!([{"name": "S"}]));
        // The plan has the secret: else this test would look for what was never there.
        let launched = format!("{:?}", house.engine.state().launches);
        assert!(launched.contains(SECRET));
        token
    };
    let mut stored = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        stored.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    assert!(holds(&stored, "plainly-seen"), "the store is not in these files");
    let log = log();
    assert!(log.contains("answered"), "nothing was logged");
    for secret in [SECRET, ADMIN, made.as_str()] {
        assert!(!holds(&stored, secret), "{secret} is stored in clear");
        assert!(!log.contains(secret), "{secret} is logged");
    }
}
