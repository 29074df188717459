//! Where log lines go.

use std::path::Path;

use anyhow::Context;
use tracing::Level;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{Log, LogFormat, LogLevel};

/// Starts logging for the whole process: to the file of `log.file`, a new one each day, or to stderr.
///
/// # Errors
/// When the file cannot be made, or logging has been started before.
pub fn start(log: &Log) -> anyhow::Result<()> {
    let subscriber: Box<dyn tracing::Subscriber + Send + Sync> = match &log.file {
        None => subscriber(log, std::io::stderr),
        Some(file) => subscriber(log, daily(file, log.keep)?),
    };
    tracing::subscriber::set_global_default(subscriber).context("logging runs already")
}

fn daily(file: &Path, keep: u32) -> anyhow::Result<RollingFileAppender> {
    let failed = || {
        format!(
            "the log file {} cannot be made: set another with --log-file",
            file.display()
        )
    };
    let folder = file.parent().with_context(failed)?;
    let name = file
        .file_stem()
        .and_then(|name| name.to_str())
        .with_context(failed)?;
    let suffix = file
        .extension()
        .and_then(|suffix| suffix.to_str())
        .unwrap_or("log");
    std::fs::create_dir_all(folder).with_context(failed)?;
    RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix(name)
        .filename_suffix(suffix)
        .max_log_files(usize::try_from(keep).unwrap_or(usize::MAX))
        .build(folder)
        .with_context(failed)
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
        let file = daily(&folder.path().join("logs/server.log"), 2).unwrap();
        tracing::subscriber::with_default(subscriber(log, file), || {
            tracing::info!(job = "j", "started");
            tracing::debug!("unseen");
        });
        let files: Vec<_> = std::fs::read_dir(folder.path().join("logs"))
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        assert_eq!(files.len(), 1, "{files:?}");
        assert_eq!(files[0].extension().unwrap(), "log");
        std::fs::read_to_string(&files[0]).unwrap()
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
