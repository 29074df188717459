//! `trainyard quickstart`.

use clap::Args;
use trainyard_client::{Client, Endpoint};

use super::options::Options;
use crate::config::Config;
use crate::config::layers::Surroundings;
use crate::quickstart::{ACCOUNT, SHARE, Show, show};
use crate::serve::{Ending, Running, share_directory, start, stop_signal};
use crate::{clock, connect, folder, log};

/// Run the server, run one job of two ranks, go on serving until Ctrl-C, which ends everything.
#[derive(Debug, Args)]
pub struct Quickstart {
    #[command(flatten)]
    options: Options,
    /// End everything once the job is done.
    #[arg(long)]
    exit: bool,
}

impl Quickstart {
    pub async fn run(self, surroundings: &Surroundings) -> anyhow::Result<()> {
        let mut config = self.options.load(surroundings)?;
        folder::make(config.data())?;
        // The terminal belongs to the show.
        let own_file = config.data().join("logs/server.log");
        config.log.file.get_or_insert(own_file);
        log::start(&config.log)?;
        let signal = stop_signal()?;
        let mut running = start(&config, surroundings).await?;
        let show = prepare(&config, &running)?;
        let work = async {
            show_it(&config, show).await?;
            if !self.exit {
                say!("serving until Ctrl-C, which ends the server, its nodes and their jobs");
                std::future::pending::<()>().await;
            }
            anyhow::Ok(())
        };
        let outcome = tokio::select! {
            end = &mut running.serving => return end,
            outcome = work => outcome,
            () = signal => Ok(()),
        };
        let ended = running.end(Ending::NodesToo).await;
        outcome.and(ended)
    }
}

fn prepare(config: &Config, running: &Running) -> anyhow::Result<Show> {
    let token = connect::token(config.data())?;
    Ok(Show {
        client: Client::new(Endpoint::from_url(&running.url)?, &token)?,
        share: share_directory(config, ACCOUNT, SHARE)?,
        stamp: clock::stamp(),
        password: clock::random_hex()?,
    })
}

async fn show_it(config: &Config, what: Show) -> anyhow::Result<()> {
    let done = show(&what).await?;
    let token_file = config.data().join(connect::TOKEN_FILE);
    say!(
        "{}",
        crate::quickstart::next_steps(&what.client.endpoint().to_string(), &token_file, &done).trim_end()
    );
    Ok(())
}
