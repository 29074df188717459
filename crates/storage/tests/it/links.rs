use std::fs;

use jiff::Timestamp;
use proptest::prelude::*;
use trainyard_storage::{Kind, LINK_PREFIX, LinkError, LinkKey, Place, RelativePath};

use crate::{Ground, place};

fn key() -> LinkKey {
    LinkKey::new([7; 32])
}

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// 2018-06-06T22:20:02Z
const EXPIRES: i64 = 1_528_323_602;

fn verify(link: &str, now: i64) -> Result<Place, LinkError> {
    let (path, query) = link.split_once('?').ok_or(LinkError::Malformed)?;
    key().verify(path, query, time(now))
}

#[test]
fn a_link_looks_as_it_should_and_gives_its_file() {
    let file = place("job/outputs/a b%+?#&é.txt");
    let link = key().sign(&file, Timestamp::new(EXPIRES, 999_999_999).unwrap());
    let (plain, signature) = link.split_once("&sig=").unwrap();
    assert_eq!(
        plain,
        format!(
            "{LINK_PREFIX}/acc/files/share/job/outputs/a%20b%25%2B%3F%23%26%C3%A9.txt\
             ?se=2018-06-06T22%3A20%3A02Z&sp=rl&sr=f"
        )
    );
    assert_eq!(signature.len(), 43);
    assert_eq!(verify(&link, EXPIRES - 1), Ok(file.clone()));
    assert_eq!(verify(&link, EXPIRES), Err(LinkError::Expired));
    // Other spellings of the same, as HTTP clients make them, and another order.
    assert_eq!(
        verify(&link.replace("%C3%A9", "%c3%a9").replace("%3A", ":"), 0),
        Ok(file)
    );
    let (path, query) = link.split_once('?').unwrap();
    let turned: Vec<_> = query.split('&').rev().collect();
    assert!(key().verify(path, &turned.join("&"), time(0)).is_ok());
}

#[test]
fn the_signature_is_hmac_sha256_under_the_key() {
    let (file, link) = (place("f"), key().sign(&place("f"), time(EXPIRES)));
    assert_ne!(link, LinkKey::new([8; 32]).sign(&file, time(EXPIRES)));
    let (path, query) = link.split_once('?').unwrap();
    assert_eq!(
        LinkKey::new([8; 32]).verify(path, query, time(0)),
        Err(LinkError::BadSignature)
    );
    assert!(!format!("{:?}", key()).contains('7'));
}

#[test]
fn links_of_another_form_are_malformed() {
    let link = key().sign(&place("a/b"), time(EXPIRES));
    for (from, to) in [
        ("/files/acc", "/other/acc"),
        ("/files/acc", "files/acc"),
        ("/acc/files/", "/acc/tables/"),
        ("a/b", "a//b"),
        ("a/b", "a/./b"),
        ("a/b", "a/../a/b"),
        ("a/b", "a/%2e%2e/a/b"),
        ("a/b", "a%2Fb"),
        ("a/b", "a/b/"),
        ("a/b", "a/b%00"),
        ("a/b", "a/%FF"),
        ("/a/b", ""),
        ("sp=rl", "sp=rwdl"),
        ("&sr=f", ""),
        ("&sr=f", "&sr=f&sr=f"),
        ("&sr=f", "&sr=f&comp=list"),
        ("se=2018", "se=x018"),
        ("02Z", "02.5Z"),
        ("sig=", "sig=*"),
    ] {
        let changed = link.replacen(from, to, 1);
        assert_ne!(changed, link, "{from}");
        assert_eq!(verify(&changed, 0), Err(LinkError::Malformed), "{changed}");
    }
    for nothing in ["/files?", "/files/?", "/files/acc?", "/files/acc/files/share?se="] {
        assert_eq!(verify(nothing, 0), Err(LinkError::Malformed), "{nothing}");
    }
}

#[test]
fn parts_cannot_be_shifted_into_each_other() {
    let link = key().sign(&place("a/b"), time(EXPIRES));
    for (from, to) in [
        ("/share/a/b", "/share/a/b2"),
        ("/share/a/b", "/share/a"),
        ("/share/a/b", "/sharea/b"),
        ("/share/a/b", "/share/a/c"),
        ("/acc/files/", "/acc/blobs/"),
        ("/files/acc/", "/files/acc2/"),
        ("2018", "2019"),
    ] {
        assert_eq!(
            verify(&link.replacen(from, to, 1), 0),
            Err(LinkError::BadSignature),
            "{to}"
        );
    }
    // Without their lengths, these parts would be signed as the same bytes.
    let link = key()
        .sign(&place("xy"), time(EXPIRES))
        .replacen("/share/xy", "/sharex/y", 1);
    assert_eq!(verify(&link, 0), Err(LinkError::BadSignature));
}

#[test]
fn a_link_to_what_became_a_link_out_gives_nothing() {
    let ground = Ground::prepare();
    let file = ground.place.join("file").unwrap();
    let link = key().sign(&file, time(EXPIRES));
    std::os::unix::fs::symlink(ground.outside.join("secret"), ground.output.join("file")).unwrap();
    assert!(ground.accounts.open(&verify(&link, 0).unwrap()).is_err());
    fs::remove_file(ground.output.join("file")).unwrap();
    fs::write(ground.output.join("file"), "own").unwrap();
    assert_eq!(ground.accounts.open(&verify(&link, 0).unwrap()).unwrap().len, 3);
}

proptest! {
    #[test]
    fn every_name_survives_the_way_through_a_link(
        segments in prop::collection::vec("[^/\\x00]{1,20}", 1..5),
        account in "[A-Za-z0-9_-]{1,64}",
        share in "[A-Za-z0-9_$-]{1,63}",
        blobs: bool,
        expires in 0_i64..253_402_207_200,
    ) {
        let file = Place {
            account: account.to_string().try_into().unwrap(),
            kind: if blobs { Kind::BlobContainer } else { Kind::FileShare },
            share: share.try_into().unwrap(),
            path: match RelativePath::parse(&segments.join("/")) {
                Ok(path) if path != RelativePath::root() => path,
                _ => return Ok(()),
            },
        };
        let link = key().sign(&file, time(expires));
        prop_assert!(link.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/%?=&".contains(&b)), "{}", link);
        prop_assert_eq!(verify(&link, expires - 1), Ok(file));
        prop_assert_eq!(verify(&link, expires), Err(LinkError::Expired));
    }

    /// Each byte of a link changed by some bits: refused, or another spelling of the very same link.
    #[test]
    fn a_changed_byte_gives_nothing_else(flip in 1_u8..=255) {
        let file = place("job/a b/Stdout.txt");
        let link = key().sign(&file, time(EXPIRES));
        let signature_from = link.find("&sig=").unwrap() + "&sig=".len();
        for at in 0..link.len() {
            let mut bytes = link.clone().into_bytes();
            bytes[at] ^= flip;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            match verify(&changed, EXPIRES - 1) {
                Err(_) => {}
                Ok(found) => {
                    prop_assert!(at < signature_from, "{}", changed);
                    prop_assert_eq!(&found, &file, "{}", changed);
                    // It does not last longer either.
                    prop_assert_eq!(verify(&changed, EXPIRES), Err(LinkError::Expired), "{}", changed);
                }
            }
        }
    }
}
