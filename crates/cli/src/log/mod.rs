//! Where log lines go.

mod rotating;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use signal_hook::consts::SIGHUP;
use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;

use rotating::Rotating;

use crate::config::{Log, LogFormat, LogLevel};

/// Starts logging for the whole process: to the file of `log.file`, which SIGHUP opens anew, or to stderr.
///
/// # Errors
/// When the file cannot be made, or logging has been started before.
pub fn start(log: &Log) -> anyhow::Result<()> {
    let subscriber: Box<dyn tracing::Subscriber + Send + Sync> = match &log.file {
        None => subscriber(log, std::io::stderr),
        Some(file) => {
            let anew = Arc::new(AtomicBool::new(false));
            signal_hook::flag::register(SIGHUP, Arc::clone(&anew))
                .context("the server cannot listen for SIGHUP")?;
            subscriber(log, rotating(file, log, anew)?)
        }
    };
    tracing::subscriber::set_global_default(subscriber).context("logging runs already")
}

fn rotating(file: &Path, log: &Log, anew: Arc<AtomicBool>) -> anyhow::Result<Rotating> {
    Rotating::open(file, log.file_bytes.0, log.keep, anew).with_context(|| {
        format!(
            "the log file {} cannot be made: set another with --log-file",
            file.display()
        )
    })
}

fn subscriber<W>(log: &Log, writer: W) -> Box<dyn tracing::Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt()
        .with_max_level(level(log.level))
        .with_ansi(false)
        // A line that cannot be written is lost. The notice of it would go to stderr, which may lie on the same
        // full disk, and end the thread.
        .log_internal_errors(false)
        .with_writer(writer);
    match log.format {
        LogFormat::Text => Box::new(lines.finish()),
        LogFormat::Json => Box::new(lines.json().flatten_event(true).finish()),
    }
}

fn level(level: LogLevel) -> Level {
    match level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Trace => Level::TRACE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn lines(log: &Log) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/server.log");
        let file = rotating(&path, log, Arc::default()).unwrap();
        tracing::subscriber::with_default(subscriber(log, file), || {
            tracing::info!(job = "j", "started");
            tracing::debug!("unseen");
        });
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn writes_text_and_json_of_the_level() {
        let log = Config::default().log;
        let text = lines(&log);
        assert!(
            text.contains("INFO") && text.contains("started job=\"j\""),
            "{text}"
        );
        assert!(!text.contains("unseen"), "{text}");
        let json = lines(&Log {
            format: LogFormat::Json,
            ..log
        });
        let line: serde_json::Value = serde_json::from_str(json.trim()).unwrap();
        assert_eq!((&line["job"], &line["message"]), (&"j".into(), &"started".into()));
    }
}
