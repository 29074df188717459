//! Service principals and what they sign in with: hashes, never the secrets themselves.

use jiff::Timestamp;
use rusqlite::{Row, params};

use super::access::Role;
use super::rows::time;
use super::{Snapshot, StoreError, Tx};

/// Somebody, most often a program, that signs in for short-lived tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Its application id, a GUID in lower case: what clients call the client id.
    pub app_id: String,
    /// Its name, shown as the caller in events.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Where: the id of a subscription, group or workspace, lower-cased; `/` is everywhere.
    pub scope: String,
    /// When it was made.
    pub created: Timestamp,
}

/// How a principal signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialKind {
    /// With a client secret.
    Secret,
    /// By the path of a managed identity.
    Identity,
}

impl CredentialKind {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            CredentialKind::Secret => "secret",
            CredentialKind::Identity => "identity",
        }
    }

    fn parse(text: &str) -> Option<CredentialKind> {
        [CredentialKind::Secret, CredentialKind::Identity]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// One thing that a principal signs in with. Tokens that it gave end with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Its id, which is no secret.
    pub id: String,
    /// Whose it is.
    pub app_id: String,
    /// What it is.
    pub kind: CredentialKind,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// When it was made.
    pub created: Timestamp,
    /// From when on it is worth nothing; `None` is never.
    pub expires: Option<Timestamp>,
}

impl Credential {
    /// Whether it still holds.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

const PRINCIPAL: &str = "p.app_id, p.name, p.role, p.scope, p.created";
const CREDENTIAL: &str = "c.id, c.app_id, c.kind, c.hash, c.created, c.expires";
const BOTH: &str = "FROM principals p JOIN credentials c ON c.app_id = p.app_id";

fn principal(row: &Row<'_>, at: usize) -> Result<Principal, StoreError> {
    let damaged = || StoreError::Damaged { what: "a principal" };
    Ok(Principal {
        app_id: row.get(at)?,
        name: row.get(at + 1)?,
        role: Role::parse(&row.get::<_, String>(at + 2)?).ok_or_else(damaged)?,
        scope: row.get(at + 3)?,
        created: time(row.get(at + 4)?)?,
    })
}

fn credential(row: &Row<'_>) -> Result<Credential, StoreError> {
    let damaged = || StoreError::Damaged { what: "a credential" };
    Ok(Credential {
        id: row.get(0)?,
        app_id: row.get(1)?,
        kind: CredentialKind::parse(&row.get::<_, String>(2)?).ok_or_else(damaged)?,
        hash: row.get(3)?,
        created: time(row.get(4)?)?,
        expires: row.get::<_, Option<i64>>(5)?.map(time).transpose()?,
    })
}

fn both(row: &Row<'_>) -> Result<(Credential, Principal), StoreError> {
    Ok((credential(row)?, principal(row, 6)?))
}

impl Snapshot<'_> {
    /// The credential of this kind with this hash, and whose it is. It may have expired.
    pub fn credential_by_hash(
        &self,
        kind: CredentialKind,
        hash: &[u8; 32],
    ) -> Result<Option<(Credential, Principal)>, StoreError> {
        self.row(
            &format!("SELECT {CREDENTIAL}, {PRINCIPAL} {BOTH} WHERE c.hash = ?1 AND c.kind = ?2"),
            params![hash, kind.as_str()],
            both,
        )
    }

    /// The credential with this id, and whose it is. It may have expired.
    pub fn credential(&self, id: &str) -> Result<Option<(Credential, Principal)>, StoreError> {
        self.row(
            &format!("SELECT {CREDENTIAL}, {PRINCIPAL} {BOTH} WHERE c.id = ?1"),
            [id],
            both,
        )
    }

    /// The principal with this application id, in any case.
    pub fn principal(&self, app_id: &str) -> Result<Option<Principal>, StoreError> {
        self.row(
            &format!("SELECT {PRINCIPAL} FROM principals p WHERE p.app_id = ?1"),
            [app_id.to_ascii_lowercase()],
            |row| principal(row, 0),
        )
    }

    /// All principals, by name.
    pub fn principals(&self) -> Result<Vec<Principal>, StoreError> {
        self.rows(
            &format!("SELECT {PRINCIPAL} FROM principals p ORDER BY p.name, p.app_id"),
            [],
            |row| principal(row, 0),
        )
    }

    /// What a principal signs in with, the oldest first.
    pub fn credentials(&self, app_id: &str) -> Result<Vec<Credential>, StoreError> {
        self.rows(
            &format!("SELECT {CREDENTIAL} FROM credentials c WHERE c.app_id = ?1 ORDER BY c.created, c.id"),
            [app_id],
            credential,
        )
    }
}

impl Tx<'_> {
    /// A new principal.
    pub fn insert_principal(&self, new: &Principal) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO principals VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                new.app_id,
                new.name,
                new.role.as_str(),
                new.scope,
                new.created.as_millisecond()
            ],
        )?;
        Ok(())
    }

    /// Something more that a principal signs in with.
    pub fn insert_credential(&self, new: &Credential) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO credentials VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                new.id,
                new.app_id,
                new.kind.as_str(),
                new.hash,
                new.created.as_millisecond(),
                new.expires.map(Timestamp::as_millisecond)
            ],
        )?;
        Ok(())
    }

    /// Removes a principal with all that it signs in with; whether there was one.
    pub fn remove_principal(&self, app_id: &str) -> Result<bool, StoreError> {
        Ok(self.run("DELETE FROM principals WHERE app_id = ?1", [app_id])? > 0)
    }

    /// Removes one thing that a principal signs in with; whether there was one.
    pub fn remove_credential(&self, app_id: &str, id: &str) -> Result<bool, StoreError> {
        Ok(self.run(
            "DELETE FROM credentials WHERE app_id = ?1 AND id = ?2",
            [app_id, id],
        )? > 0)
    }

    /// Removes everything of one kind that a principal signs in with.
    pub fn remove_credentials(&self, app_id: &str, kind: CredentialKind) -> Result<(), StoreError> {
        self.run(
            "DELETE FROM credentials WHERE app_id = ?1 AND kind = ?2",
            [app_id, kind.as_str()],
        )?;
        Ok(())
    }

    /// Removes what is worth nothing any more.
    pub fn remove_expired_credentials(&self, app_id: &str, now: Timestamp) -> Result<(), StoreError> {
        self.run(
            "DELETE FROM credentials WHERE app_id = ?1 AND expires <= ?2",
            params![app_id, now.as_millisecond()],
        )?;
        Ok(())
    }
}
