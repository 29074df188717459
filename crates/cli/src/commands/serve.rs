//! `trainyard serve`.

use clap::Args;

use super::options::Options;
use crate::config::layers::Surroundings;
use crate::serve::{Ending, start, stop_signal};
use crate::{folder, log};

/// Run the server until SIGTERM or Ctrl-C; jobs go on without it.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    options: Options,
}

impl Serve {
    pub async fn run(self, surroundings: &Surroundings) -> anyhow::Result<()> {
        let config = self.options.load(surroundings)?;
        folder::make(config.data())?;
        log::start(&config.log)?;
        let signal = stop_signal()?;
        let mut running = start(&config, surroundings).await?;
        say!("listening on {}", running.url);
        tokio::select! {
            end = &mut running.serving => end,
            () = signal => running.end(Ending::JobsGoOn).await,
        }
    }
}
