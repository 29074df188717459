//! A locally made authority, for TLS without a certificate of one's own: in the folder `tls` of the data folder.
//!
//! Clients are told to trust `authority.pem`. It vouches for the server's certificate, which is made anew before it
//! ends, or when the server has another name; the authority itself stays, so clients need not be told again.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::folder;

/// Its folder in the data folder.
const FOLDER: &str = "tls";
const AUTHORITY: &str = "authority.pem";
const AUTHORITY_KEY: &str = "authority-key.pem";
const CERTIFICATE: &str = "server.pem";
const KEY: &str = "server-key.pem";
/// What was made, and for how long: nothing here reads a certificate.
const MADE: &str = "made.json";

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// How long an authority is trusted.
const AUTHORITY_DAYS: i32 = 3650;
/// How long a certificate of the server holds; some clients take none that holds longer.
const SERVER_DAYS: i32 = 397;
/// How long before its end something is made anew.
const EARLY_DAYS: i32 = 30;

/// What TLS needs.
pub struct Files {
    /// What clients trust.
    pub authority: PathBuf,
    /// The server's certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// The note beside the files.
#[derive(Serialize, Deserialize)]
struct Made {
    /// The authority's name.
    name: String,
    /// When the authority ends.
    authority_until: Timestamp,
    /// For what the server's certificate is.
    names: BTreeSet<String>,
    /// When it ends.
    server_until: Timestamp,
}

/// The names that this machine has for itself.
pub fn own_names() -> BTreeSet<String> {
    let mut names: BTreeSet<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    names.extend(host_name(host.trim()));
    names
}

/// The names that a server of this configuration has.
pub fn names(config: &Config) -> BTreeSet<String> {
    let mut names = own_names();
    if !config.listen.ip().is_unspecified() {
        names.insert(config.listen.ip().to_string());
    }
    let public = config.public_url.as_deref().and_then(|url| {
        let rest = url.split_once("://")?.1;
        let host = rest.split('/').next()?;
        // Behind the last colon stands the port, unless that is within the brackets of an address.
        let host = host
            .rsplit_once(':')
            .filter(|(_, port)| !port.ends_with(']'))
            .map_or(host, |(host, _)| host);
        Some(host.trim_matches(['[', ']']))
    });
    names.extend(public.and_then(host_name));
    names
}

/// A name as it can stand in a certificate.
fn host_name(text: &str) -> Option<String> {
    let good = !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b));
    good.then(|| text.to_ascii_lowercase())
}

/// The files, made where they are missing, soon over, or for other names than `names`.
///
/// # Errors
/// When they cannot be read or written, or the folder holds what is not of our making.
pub fn ensure(data: &Path, names: BTreeSet<String>, now: Timestamp) -> anyhow::Result<Files> {
    let folder = data.join(FOLDER);
    let soon = now + DAY * EARLY_DAYS;
    match made(&folder)? {
        None => begin(&folder, names, now)?,
        Some(made) if made.authority_until <= soon => {
            let old = folder.with_extension(format!("old-{}", now.as_second()));
            fs::rename(&folder, &old)
                .with_context(|| format!("{} cannot be moved away", folder.display()))?;
            say!(
                "the old authority has ended and is kept in {}: have your clients trust the new one",
                old.display()
            );
            begin(&folder, names, now)?;
        }
        Some(made) if made.server_until <= soon || !names.is_subset(&made.names) => {
            let key = fs::read_to_string(folder.join(AUTHORITY_KEY)).with_context(|| unreadable(&folder))?;
            let key = KeyPair::from_pem(&key).with_context(|| unreadable(&folder))?;
            let names = made.names.union(&names).cloned().collect();
            vouch(&folder, &key, Made { names, ..made }, now)?;
        }
        Some(_) => {}
    }
    Ok(Files {
        authority: folder.join(AUTHORITY),
        certificate: folder.join(CERTIFICATE),
        key: folder.join(KEY),
    })
}

fn unreadable(folder: &Path) -> String {
    format!(
        "the authority in {} cannot be used: move the folder away for a new one, which clients must be told of",
        folder.display()
    )
}

/// What was made before, if anything was.
fn made(folder: &Path) -> anyhow::Result<Option<Made>> {
    if !folder.exists() {
        return Ok(None);
    }
    let Ok(text) = fs::read(folder.join(MADE)) else {
        bail!(
            "{} holds files that trainyard did not make: move them away, or name them by --tls-certificate and \
             --tls-key",
            folder.display()
        );
    };
    let made: Made = serde_json::from_slice(&text).with_context(|| unreadable(folder))?;
    for file in [AUTHORITY, AUTHORITY_KEY, CERTIFICATE, KEY] {
        ensure!(
            folder.join(file).is_file(),
            "{}; {file} is missing",
            unreadable(folder)
        );
    }
    Ok(Some(made))
}

/// A new authority with a certificate, whole or not at all.
fn begin(folder: &Path, names: BTreeSet<String>, now: Timestamp) -> anyhow::Result<()> {
    let failed = || format!("{} cannot be made", folder.display());
    let draft = folder.with_extension("new");
    let _ = fs::remove_dir_all(&draft);
    folder::make_private(&draft)?;
    let key = KeyPair::generate().with_context(failed)?;
    let made = Made {
        // Browsers and key stores list authorities by name: two of one machine are told apart.
        name: format!("Trainyard {}", now.strftime("%Y-%m-%d %H:%M:%S")),
        authority_until: now + DAY * AUTHORITY_DAYS,
        names,
        server_until: now,
    };
    let params = authority(&made, now)?;
    let certificate = params.self_signed(&key).with_context(failed)?;
    folder::write_private(&draft.join(AUTHORITY), certificate.pem().as_bytes())?;
    folder::write_private(&draft.join(AUTHORITY_KEY), key.serialize_pem().as_bytes())?;
    vouch(&draft, &key, made, now)?;
    fs::rename(&draft, folder).with_context(failed)
}

/// A new certificate of the server. The note goes last: until then the next start does it again.
fn vouch(folder: &Path, authority_key: &KeyPair, made: Made, now: Timestamp) -> anyhow::Result<()> {
    let failed = || format!("a certificate cannot be made in {}", folder.display());
    let made = Made {
        server_until: made.authority_until.min(now + DAY * SERVER_DAYS),
        ..made
    };
    let names: Vec<String> = made.names.iter().cloned().collect();
    let mut params = CertificateParams::new(names).with_context(failed)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "Trainyard server");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    set_days(&mut params, now, made.server_until);
    let key = KeyPair::generate().with_context(failed)?;
    let issuer = Issuer::new(authority(&made, now)?, authority_key);
    let certificate = params.signed_by(&key, &issuer).with_context(failed)?;
    folder::write_private(&folder.join(KEY), key.serialize_pem().as_bytes())?;
    folder::write_private(&folder.join(CERTIFICATE), certificate.pem().as_bytes())?;
    let note = serde_json::to_vec(&made).with_context(failed)?;
    folder::write_private(&folder.join(MADE), &note)
}

fn authority(made: &Made, now: Timestamp) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new()).context("an authority cannot be described")?;
    params
        .distinguished_name
        .push(DnType::CommonName, made.name.as_str());
    // It vouches for servers alone, never for another authority.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_days(&mut params, now, made.authority_until);
    Ok(params)
}

/// From which day to which a certificate holds.
fn set_days(params: &mut CertificateParams, now: Timestamp, until: Timestamp) {
    let day = |time: Timestamp| {
        let day = time.to_zoned(TimeZone::UTC).date();
        let small = |number: i8| u8::try_from(number).unwrap_or(1);
        rcgen::date_time_ymd(i32::from(day.year()), small(day.month()), small(day.day()))
    };
    // Clocks differ: it holds since yesterday.
    params.not_before = day(now - DAY);
    params.not_after = day(until);
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn read(files: &Files) -> [Vec<u8>; 3] {
        [&files.authority, &files.certificate, &files.key].map(|path| fs::read(path).unwrap())
    }

    #[test]
    fn is_made_once_and_its_certificate_again_when_it_must() {
        let place = tempfile::tempdir().unwrap();
        let make = |names: &[&str], now: &str| read(&ensure(place.path(), set(names), at(now)).unwrap());
        let first = make(&["localhost", "yard"], "2026-01-01T00:00:00Z");
        assert_eq!(
            make(&["localhost"], "2026-06-01T00:00:00Z"),
            first,
            "nothing changes"
        );
        let other_name = make(&["other"], "2026-06-01T00:00:00Z");
        assert_eq!(other_name[0], first[0], "the authority stays");
        assert_ne!(other_name[1..], first[1..]);
        assert_eq!(
            make(&["yard", "other"], "2026-06-01T00:00:00Z"),
            other_name,
            "it has both names"
        );
        let renewed = make(&["yard"], "2027-06-20T00:00:00Z");
        assert_eq!(renewed[0], first[0]);
        assert_ne!(renewed[1], other_name[1]);
        let late = make(&["yard"], "2035-12-20T00:00:00Z");
        assert_ne!(late[0], first[0], "an authority that ends is made anew");
        for entry in fs::read_dir(place.path().join(FOLDER)).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{:?}", entry.path());
        }
    }

    #[test]
    fn files_of_others_stay() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join(FOLDER);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(CERTIFICATE), "mine").unwrap();
        let said = ensure(place.path(), set(&["a"]), at("2026-01-01T00:00:00Z"))
            .err()
            .unwrap()
            .to_string();
        assert!(
            said.contains("did not make") && said.contains("--tls-certificate"),
            "{said}"
        );
        assert_eq!(fs::read_to_string(folder.join(CERTIFICATE)).unwrap(), "mine");
    }

    #[test]
    fn names_are_those_of_the_configuration_and_the_machine() {
        let with = |url: &str| {
            let config = Config {
                listen: "10.0.0.7:1".parse().unwrap(),
                public_url: Some(url.to_owned()),
                ..Config::default()
            };
            names(&config)
        };
        for (url, name) in [
            ("https://Trains.example.org", "trains.example.org"),
            ("https://trains.example.org:8443/x", "trains.example.org"),
            ("https://[fe80::1]:8443", "fe80::1"),
            ("https://[fe80::1]", "fe80::1"),
        ] {
            let names = with(url);
            assert!(
                names.contains(name) && names.contains("10.0.0.7") && names.contains("localhost"),
                "{url}: {names:?}"
            );
        }
        assert!(
            !names(&Config {
                listen: "0.0.0.0:1".parse().unwrap(),
                ..Config::default()
            })
            .contains("0.0.0.0")
        );
    }
}
