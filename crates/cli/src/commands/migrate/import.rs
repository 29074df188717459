//! `trainyard migrate import`.

use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde_json::Value;
use trainyard_client::{Client, ClientError, Endpoint};
use trainyard_migrate::import::{
    Answer, Answers, Batch, Export, Plan, Report, Scale, Wishes, batches, plan, plan_text, read, read_value,
};

use crate::config::layers::{Surroundings, data_folder};
use crate::{connect, out};

/// The api-version in which a live old endpoint is asked.
const OLD_VERSION: &str = "2018-03-01";
/// Largest file of an export, in bytes.
const FILE_BYTES: u64 = 1 << 30;

/// Import what an old deployment exports. The plan is shown first. Run again, it goes on where it was.
#[derive(Debug, Args)]
pub struct Import {
    /// JSON of `az batchai cluster|file-server|job list`, or of the service's lists.
    #[arg(value_name = "FILE", required_unless_present = "from")]
    files: Vec<PathBuf>,
    /// Live endpoint of the older api-versions to read, http://HOST:PORT.
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// Token for that endpoint.
    #[arg(
        long,
        value_name = "TOKEN",
        env = "TRAINYARD_OLD_TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
    /// Subscription of that endpoint [default: its only one].
    #[arg(long, value_name = "ID", requires = "from")]
    from_subscription: Option<String>,
    /// Resource group for everything [default: each resource's own].
    #[arg(long, value_name = "NAME")]
    resource_group: Option<String>,
    /// Region of what names none.
    #[arg(long, value_name = "REGION")]
    location: Option<String>,
    /// Subscription of this server [default: its only one, or that of the export].
    #[arg(long, value_name = "ID")]
    subscription: Option<String>,
    /// How many nodes imported clusters want: none, or as many as before.
    #[arg(long, value_enum, default_value = "zero")]
    scale: ScaleWish,
    /// Id of the import [default: made from what is imported].
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Show the plan and do nothing.
    #[arg(long)]
    plan: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Write all that was done and left out to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Data folder of the server [default: trainyard in your data home].
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ScaleWish {
    Zero,
    Keep,
}

impl Import {
    pub async fn run(self, surroundings: &Surroundings) -> anyhow::Result<()> {
        let data = data_folder(surroundings, self.data.as_deref())?;
        let client = connect::admin(&data)?;
        let export = self.export(surroundings).await?;
        let wishes = Wishes {
            subscription: self.target_subscription(&data, &client, &export).await?,
            group: self.resource_group.clone(),
            location: self.location.clone(),
            scale: match self.scale {
                ScaleWish::Zero => Scale::Zero,
                ScaleWish::Keep => Scale::Keep,
            },
        };
        let mut plan = plan(&export, &wishes);
        if let Some(id) = &self.id {
            plan.id.clone_from(id);
        }
        let server = Target {
            data: &data,
            client: &client,
            subscription: &wishes.subscription,
        };
        let foreseen = server.send(&plan, true).await?;
        out::print(plan_text(&plan, &foreseen))?;
        if self.plan || !self.agreed()? {
            return Ok(());
        }
        let done = server.send(&plan, false).await?;
        let report = Report::new(&plan, &done);
        out::print(format_args!("\n{}", report.text()))?;
        if let Some(file) = &self.report {
            let text = serde_json::to_vec_pretty(&report)?;
            std::fs::write(surroundings.folder.join(file), text)
                .with_context(|| format!("the report {} cannot be written", file.display()))?;
        }
        Ok(())
    }

    async fn export(&self, surroundings: &Surroundings) -> anyhow::Result<Export> {
        let mut export = Export::default();
        for file in &self.files {
            let path = surroundings.folder.join(file);
            let size = std::fs::metadata(&path).map_or(0, |found| found.len());
            ensure!(
                size <= FILE_BYTES,
                "{} has {size} bytes: cut it, at most {FILE_BYTES} are read",
                file.display()
            );
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("{} cannot be read: check the name", file.display()))?;
            export.extend(read(&file.display().to_string(), &text)?);
        }
        if let Some(url) = &self.from {
            export.extend(self.live(url).await?);
        }
        Ok(export)
    }

    /// The flat lists of a live old endpoint.
    async fn live(&self, url: &str) -> anyhow::Result<Export> {
        let token = self.token.as_deref().context(
            "the old endpoint wants a token: give it with --token or in the variable TRAINYARD_OLD_TOKEN",
        )?;
        let client = Client::new(Endpoint::from_url(url)?, token)?;
        let subscription = match &self.from_subscription {
            Some(id) => id.clone(),
            None => only(subscriptions(&client).await?, url, "--from-subscription")?,
        };
        let mut export = Export::default();
        for kind in ["fileServers", "clusters", "jobs"] {
            let path = format!(
                "/subscriptions/{subscription}/providers/Microsoft.BatchAI/{kind}?api-version={OLD_VERSION}"
            );
            let entries = client.list(&path).await?;
            say!("{} {kind} at {url}", entries.len());
            export.extend(read_value(url, &Value::Array(entries)));
        }
        Ok(export)
    }

    /// The one that is asked for, else that of the export if the server has it, else the server's only one.
    async fn target_subscription(
        &self,
        data: &Path,
        client: &Client,
        export: &Export,
    ) -> anyhow::Result<String> {
        let known = connect::explain(data, subscriptions(client).await)?;
        let find = |wanted: &str| known.iter().find(|id| id.eq_ignore_ascii_case(wanted)).cloned();
        if let Some(wanted) = &self.subscription {
            return find(wanted).with_context(|| {
                format!(
                    "the server has no subscription {wanted}: it has {}",
                    known.join(", ")
                )
            });
        }
        let mut named = export
            .resources
            .iter()
            .map(|resource| resource.id.subscription.as_str());
        match named.next().and_then(find) {
            Some(found) => Ok(found),
            None => only(known, "the server", "--subscription"),
        }
    }

    /// Whether the person wants it. Nobody is asked where nobody can answer.
    fn agreed(&self) -> anyhow::Result<bool> {
        if self.yes {
            return Ok(true);
        }
        let stdin = std::io::stdin();
        ensure!(
            stdin.is_terminal(),
            "nothing is imported yet: say --yes to do what the plan says, or --plan to see it only"
        );
        say!("Import? Type yes:");
        let mut answer = String::new();
        stdin.lock().read_line(&mut answer)?;
        Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }
}

#[derive(Deserialize)]
struct Subscriptions {
    value: Vec<Subscription>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscription {
    subscription_id: String,
}

async fn subscriptions(client: &Client) -> Result<Vec<String>, ClientError> {
    let page: Subscriptions = client.get("/subscriptions").await?.json()?;
    Ok(page.value.into_iter().map(|s| s.subscription_id).collect())
}

fn only(mut known: Vec<String>, whose: &str, option: &str) -> anyhow::Result<String> {
    match known.pop() {
        Some(one) if known.is_empty() => Ok(one),
        Some(last) => {
            known.push(last);
            bail!(
                "{whose} has {} subscriptions: name one with {option}",
                known.len()
            )
        }
        None => bail!("{whose} has no subscription: name one with {option}"),
    }
}

/// The server that is imported into.
struct Target<'a> {
    data: &'a Path,
    client: &'a Client,
    subscription: &'a str,
}

#[derive(Deserialize)]
struct Answered {
    items: Vec<Answer>,
}

impl Target<'_> {
    /// Sends every batch of a plan, and says how far it is while it makes them.
    async fn send(&self, plan: &Plan, check: bool) -> anyhow::Result<Answers> {
        let mut answers = Answers::default();
        for batch in batches(&plan.steps) {
            let answered = self.batch(plan, batch, check).await?;
            ensure!(
                answered.len() == batch.steps.len(),
                "the server answered {} of {} items: is it of another version?",
                answered.len(),
                batch.steps.len()
            );
            for (i, answer) in answered.into_iter().enumerate() {
                answers.take(plan, batch.first + i, answer);
            }
            if !check {
                say!("{} of {} done", batch.first + batch.steps.len(), plan.steps.len());
            }
        }
        Ok(answers)
    }

    async fn batch(&self, plan: &Plan, batch: Batch<'_>, check: bool) -> anyhow::Result<Vec<Answer>> {
        let items: Vec<&Value> = batch.steps.iter().map(|step| &step.item).collect();
        let sent = self
            .client
            .import(&plan.id, self.subscription, check, &items)
            .await;
        match sent {
            Err(ClientError::Service { status, message, .. })
                if status.as_u16() == 413 && batch.steps.len() == 1 =>
            {
                Ok(vec![Answer::LeftOut { reason: message }])
            }
            Err(error) => connect::explain(self.data, Err(error))
                .context("the import broke off; the same command goes on where it was"),
            Ok(answer) => Ok(answer.json::<Answered>()?.items),
        }
    }
}
