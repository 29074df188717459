//! The body of a create call: members that are gone go, those that changed change (cli-dialects.md section 3).

use super::kind::Kind;
use super::members::{add, remove, rename, replace};
use super::read::Value;
use crate::call::{Call, Verdict};
use crate::edit::Edit;

/// The changes of one body.
#[derive(Debug, Default)]
pub struct Changes {
    /// What changes.
    pub edits: Vec<Edit>,
    /// What to know.
    pub remarks: Vec<String>,
    /// What has to be asked.
    pub asked: Vec<Call>,
}

/// What becomes of the body `root`; `what` names it in questions.
pub fn changes(text: &str, root: &Value, kind: Kind, what: &str) -> Changes {
    let mut work = Work {
        text,
        what,
        done: Changes::default(),
    };
    work.top(root);
    if let Some(properties) = root.get("properties") {
        work.properties(properties, kind);
    }
    work.done
}

struct Work<'t> {
    text: &'t str,
    what: &'t str,
    done: Changes,
}

impl Work<'_> {
    fn take(&mut self, object: &Value, names: &[&str]) {
        let out: Vec<usize> = object
            .members()
            .iter()
            .enumerate()
            .filter(|(_, member)| names.iter().any(|name| member.name.eq_ignore_ascii_case(name)))
            .map(|(place, _)| place)
            .collect();
        self.done.edits.extend(remove(self.text, object, &out));
    }

    fn remark(&mut self, remark: &str) {
        self.done.remarks.push(remark.to_owned());
    }

    fn top(&mut self, root: &Value) {
        if let Some(location) = root.get("location").and_then(Value::text) {
            let remark = if location.starts_with('[') {
                format!("The region {location} is the workspace's now.")
            } else {
                format!(
                    "The region {location} is the workspace's now: `migrated-{}`.",
                    region(location)
                )
            };
            self.done.remarks.push(remark);
        }
        if root.get("tags").is_some() {
            self.remark("Tags live on the workspace only; these were taken out.");
        }
        self.take(root, &["location", "tags"]);
        self.schema(root);
    }

    fn schema(&mut self, root: &Value) {
        let Some(schema) = root.get("$schema") else { return };
        let raw = self.text.get(schema.span.clone()).unwrap_or_default();
        if !raw.to_ascii_lowercase().contains("batchai/") {
            return;
        }
        for old in ["2017-09-01-preview", "2018-03-01"] {
            if let Some(at) = raw.find(old) {
                let start = schema.span.start + at;
                self.done.edits.push(Edit {
                    span: start..start + old.len(),
                    text: "2018-05-01".to_owned(),
                });
            }
        }
    }

    fn properties(&mut self, properties: &Value, kind: Kind) {
        match kind {
            Kind::Job => self.job(properties),
            Kind::Cluster => {
                self.take(properties, &["location", "tags"]);
                if let Some(setup) = properties.get("nodeSetup") {
                    self.setup(setup);
                }
            }
            Kind::FileServer => {
                self.take(properties, &["location", "tags"]);
                if let Some(settings) = properties.get("mountSettings") {
                    self.take(settings, &["fileServerType"]);
                }
            }
        }
    }

    fn job(&mut self, properties: &Value) {
        let mut gone = vec!["location", "tags", "experimentName"];
        if let Some(label) = properties.get("experimentName").and_then(Value::text) {
            self.done.remarks.push(format!(
                "The label {label} was taken out: jobs lie in an experiment, which the call names."
            ));
        }
        if self.priority(properties) {
            gone.push("priority");
        }
        self.take(properties, &gone);
        for directory in properties
            .get("outputDirectories")
            .map(Value::items)
            .unwrap_or_default()
        {
            self.output(directory);
        }
        for variable in properties
            .get("environmentVariables")
            .map(Value::items)
            .unwrap_or_default()
        {
            self.variable(variable);
        }
        if let Some(constraints) = properties.get("constraints") {
            self.take(constraints, &["maxTaskRetryCount"]);
        }
        if let Some(volumes) = properties.get("mountVolumes") {
            self.volumes(volumes);
        }
    }

    /// Does the member go? 0 was the default.
    fn priority(&mut self, properties: &Value) -> bool {
        let Some(member) = properties.member("priority") else {
            return false;
        };
        let number = member.value.plain().and_then(|text| text.parse::<i64>().ok());
        let word = match number {
            Some(0) => return true,
            Some(i64::MIN..=-1) => "low",
            Some(_) => "high",
            None => {
                self.done.asked.push(Call {
                    span: member.span(),
                    what: format!("{} priority", self.what),
                    verdict: Verdict::Undecided(
                        "Which of low (below 0), normal (0), high (above 0) is this priority? Write \
                         \"schedulingPriority\"."
                            .to_owned(),
                    ),
                    remarks: Vec::new(),
                });
                return false;
            }
        };
        self.done.edits.push(rename(member, "schedulingPriority"));
        self.done
            .edits
            .push(replace(&member.value, &format!("\"{word}\"")));
        self.done.remarks.push(format!(
            "The priority {} became {word}: there are only low, normal and high.",
            number.unwrap_or_default()
        ));
        false
    }

    fn output(&mut self, directory: &Value) {
        if directory
            .get("createNew")
            .is_some_and(|value| value.plain() == Some("false"))
        {
            self.remark("`createNew: false` was taken out: the directory is always made by the service now.");
        }
        self.take(directory, &["type", "createNew"]);
    }

    fn variable(&mut self, variable: &Value) {
        if variable.get("name").is_some() && variable.get("value").is_none() {
            self.done
                .edits
                .extend(add(self.text, variable, "\"value\": \"\""));
            self.remark("A variable had no value; it is an empty one now, since one is required.");
        }
    }

    fn setup(&mut self, setup: &Value) {
        if let Some(task) = setup.get("setupTask") {
            if task
                .get("runElevated")
                .is_some_and(|value| value.plain() == Some("false"))
            {
                self.remark("`runElevated: false` was taken out: the setup task always runs as root now.");
            }
            self.take(task, &["runElevated"]);
            for variable in task
                .get("environmentVariables")
                .map(Value::items)
                .unwrap_or_default()
            {
                self.variable(variable);
            }
        }
        if let Some(volumes) = setup.get("mountVolumes") {
            self.volumes(volumes);
        }
    }

    fn volumes(&mut self, volumes: &Value) {
        for list in ["azureFileShares", "azureBlobFileSystems"] {
            for item in volumes.get(list).map(Value::items).unwrap_or_default() {
                if let Some(member) = item.member("credentialsInfo") {
                    self.done.edits.push(rename(member, "credentials"));
                }
            }
        }
    }
}

/// `East US` and `eastus` are one.
pub fn region(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace())
        .collect::<String>()
        .to_ascii_lowercase()
}
