//! A certificate authority of this server's own, for TLS without anybody else's: clients are told to trust it.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

use super::files::write_private;
use crate::clock;
use crate::config::Config;
use crate::folder;

/// Where it lies in the data folder.
const FOLDER: &str = "tls";
/// The authority's certificate, which clients are to trust.
const AUTHORITY: &str = "authority.pem";
const AUTHORITY_KEY: &str = "authority-key.pem";
const CERTIFICATE: &str = "server.pem";
const KEY: &str = "server-key.pem";
/// How long the authority holds; it is made once.
const AUTHORITY_YEARS: i32 = 20;
/// How long a server's certificate holds; each start makes a new one.
const CERTIFICATE_YEARS: i32 = 2;

/// The files of a server's certificate.
pub struct Files {
    /// The certificate, then the authority's.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// The authority's certificate of a data folder, if it was ever made.
pub fn found(data: &Path) -> Option<PathBuf> {
    let file = data.join(FOLDER).join(AUTHORITY);
    file.is_file().then_some(file)
}

/// What clients may call this server: this machine's names, and what the configuration says.
pub fn names(config: &Config) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    if !config.listen.ip().is_unspecified() {
        names.push(config.listen.ip().to_string());
    }
    names.extend(
        rustix::system::uname()
            .nodename()
            .to_str()
            .ok()
            .map(str::to_owned),
    );
    names.extend(config.public_url.as_deref().and_then(host_of));
    names.retain(|name| !name.is_empty());
    names.sort();
    names.dedup();
    names
}

fn host_of(url: &str) -> Option<String> {
    let uri: axum::http::Uri = url.parse().ok()?;
    Some(uri.host()?.trim_matches(['[', ']']).to_owned())
}

/// A new certificate for a server of these names, from the authority of the data folder, which is made if it is not
/// there.
///
/// # Errors
/// When a file cannot be read or written, or what is there is no authority.
pub fn certify(data: &Path, names: &[String]) -> anyhow::Result<Files> {
    let place = data.join(FOLDER);
    folder::make(&place)?;
    let (authority, pem) = authority(&place)?;
    let key = KeyPair::generate().context("no key can be made")?;
    let certificate = server(names)?
        .signed_by(&key, &authority)
        .context("the certificate cannot be made")?;
    let files = Files {
        certificate: place.join(CERTIFICATE),
        key: place.join(KEY),
    };
    write_private(&files.key, key.serialize_pem().as_bytes())?;
    write_private(
        &files.certificate,
        format!("{}{pem}", certificate.pem()).as_bytes(),
    )?;
    Ok(files)
}

/// The authority and its certificate as PEM. The key is written first: a certificate that is there has one. What signs
/// is the key and a name that never changes, so the certificate need not be read for it.
fn authority(place: &Path) -> anyhow::Result<(Issuer<'static, KeyPair>, String)> {
    let (file, key_file) = (place.join(AUTHORITY), place.join(AUTHORITY_KEY));
    let mut wish = params(Vec::new(), "Trainyard authority of this server", AUTHORITY_YEARS)?;
    wish.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    wish.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    if file.exists() {
        let read = |file: &Path| {
            std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
        };
        let (pem, key) = (read(&file)?, read(&key_file)?);
        let key = KeyPair::from_pem(&key).with_context(|| {
            format!(
                "{} holds no key: move {} away and start again",
                key_file.display(),
                place.display()
            )
        })?;
        return Ok((Issuer::new(wish, key), pem));
    }
    let key = KeyPair::generate().context("no key can be made")?;
    let pem = wish
        .self_signed(&key)
        .context("the authority cannot be made")?
        .pem();
    write_private(&key_file, key.serialize_pem().as_bytes())?;
    write_private(&file, pem.as_bytes())?;
    Ok((Issuer::new(wish, key), pem))
}

fn server(names: &[String]) -> anyhow::Result<CertificateParams> {
    let mut wish = params(names.to_vec(), "Trainyard", CERTIFICATE_YEARS)?;
    wish.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    wish.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    wish.use_authority_key_identifier_extension = true;
    Ok(wish)
}

/// What both have. It holds from yesterday on, for clocks that are a little behind.
fn params(names: Vec<String>, common_name: &str, years: i32) -> anyhow::Result<CertificateParams> {
    let legal = |name: &String| name.parse::<IpAddr>().is_ok() || name.is_ascii();
    let names = names.into_iter().filter(legal).collect::<Vec<_>>();
    let mut wish =
        CertificateParams::new(names).context("a name of this server cannot stand in a certificate")?;
    let (year, month, day) = clock::today();
    // The 28th is in every month of every year.
    let start =
        date_time_ymd(i32::from(year), month, day.min(28)) - std::time::Duration::from_secs(24 * 60 * 60);
    wish.not_before = start;
    wish.not_after = date_time_ymd(i32::from(year) + years, month, day.min(28));
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    wish.distinguished_name = name;
    Ok(wish)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_authority_is_made_once_and_the_certificate_at_each_start() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(found(data.path()), None);
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let files = certify(data.path(), &names).unwrap();
        let authority = std::fs::read_to_string(found(data.path()).unwrap()).unwrap();
        let first = std::fs::read_to_string(&files.certificate).unwrap();
        assert!(first.ends_with(&authority));
        let again = certify(data.path(), &names).unwrap();
        let second = std::fs::read_to_string(&again.certificate).unwrap();
        assert!(second.ends_with(&authority) && second != first);
        for file in [&files.key, &data.path().join(FOLDER).join(AUTHORITY_KEY)] {
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn what_is_no_authority_is_named() {
        let data = tempfile::tempdir().unwrap();
        certify(data.path(), &[]).unwrap();
        std::fs::write(data.path().join(FOLDER).join(AUTHORITY_KEY), "x").unwrap();
        let said = format!("{:#}", certify(data.path(), &[]).err().unwrap());
        assert!(said.contains("holds no key: move"), "{said}");
    }

    #[test]
    fn the_names_are_those_that_clients_may_use() {
        let config = Config {
            public_url: Some("https://[::2]:8443/x".to_owned()),
            listen: "10.1.2.3:1".parse().unwrap(),
            ..Config::default()
        };
        let names = names(&config);
        for name in ["localhost", "127.0.0.1", "::1", "::2", "10.1.2.3"] {
            assert!(names.iter().any(|n| n == name), "{names:?}");
        }
    }
}
