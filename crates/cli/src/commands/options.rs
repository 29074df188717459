//! The flags of a server, shared by `serve` and `quickstart`.

use std::path::PathBuf;

use clap::Args;

use crate::config::Config;
use crate::config::layers::{ConfigError, Flag, Surroundings, load};

/// Flags over the configuration; docs/configuration.md has the rest.
#[derive(Debug, Clone, Default, Args)]
pub struct Options {
    /// TOML file [default: trainyard.toml in the data folder, if there].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data folder [default: trainyard in your data home].
    #[arg(long, value_name = "FOLDER")]
    data: Option<String>,
    /// Address and port to listen on [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Listen to other machines without TLS.
    #[arg(long)]
    allow_insecure_listen: bool,
    /// What links in answers begin with.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// PEM file with the certificate.
    #[arg(long, value_name = "FILE")]
    tls_certificate: Option<String>,
    /// PEM file with the private key.
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,
    /// TLS by a certificate of a locally made authority.
    #[arg(long)]
    tls_local: bool,
    /// Log to this file, which never grows too long [default: stderr].
    #[arg(long, value_name = "FILE")]
    log_file: Option<String>,
    /// text or json.
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

impl Options {
    /// The whole configuration.
    ///
    /// # Errors
    /// As [`load`].
    pub fn load(&self, surroundings: &Surroundings) -> Result<Config, ConfigError> {
        load(surroundings, self.config.as_deref(), &self.flags())
    }

    fn flags(&self) -> Vec<Flag> {
        let insecure = self.allow_insecure_listen.then(|| "true".to_owned());
        let local = self.tls_local.then(|| "true".to_owned());
        [
            ("--data", "data", &self.data),
            ("--listen", "listen", &self.listen),
            ("--allow-insecure-listen", "allow_insecure_listen", &insecure),
            ("--public-url", "public_url", &self.public_url),
            ("--tls-certificate", "tls.certificate", &self.tls_certificate),
            ("--tls-key", "tls.key", &self.tls_key),
            ("--tls-local", "tls.local", &local),
            ("--log-file", "log.file", &self.log_file),
            ("--log-format", "log.format", &self.log_format),
            ("--log-level", "log.level", &self.log_level),
        ]
        .into_iter()
        .filter_map(|(flag, key, text)| {
            Some(Flag {
                flag,
                key,
                text: text.clone()?,
            })
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_reaches_its_key() {
        let place = tempfile::tempdir().unwrap();
        let surroundings = Surroundings {
            folder: place.path().to_owned(),
            ..Surroundings::default()
        };
        let some = |text: &str| Some(text.to_owned());
        let options = Options {
            config: None,
            data: some("d"),
            listen: some("0.0.0.0:7"),
            allow_insecure_listen: true,
            public_url: some("https://x"),
            tls_certificate: some("c"),
            tls_key: some("k"),
            tls_local: false,
            log_file: some("l"),
            log_format: some("json"),
            log_level: some("warn"),
        };
        let local = Options {
            data: some("d"),
            tls_local: true,
            ..Options::default()
        };
        assert!(local.load(&surroundings).unwrap().tls.local);
        let config = options.load(&surroundings).unwrap();
        assert_eq!(config.data(), place.path().join("d"));
        assert_eq!(config.listen.to_string(), "0.0.0.0:7");
        assert!(config.allow_insecure_listen);
        assert_eq!(config.public_url.as_deref(), Some("https://x"));
        assert!(config.tls.certificate.is_some() && config.tls.key.is_some() && config.log.file.is_some());
        assert_eq!(config.log.level, crate::config::LogLevel::Warn);
        assert_eq!(config.log.format, crate::config::LogFormat::Json);
    }
}
