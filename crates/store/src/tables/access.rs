//! Tokens with their roles. A token itself is never stored, only its hash.

use jiff::Timestamp;
use rusqlite::{Row, params};

use super::rows::time;
use super::{Snapshot, StoreError, Tx};

/// What the holder of a token may do within its scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Read.
    Reader,
    /// Read and change everything but access.
    Contributor,
    /// Everything.
    Owner,
}

impl Role {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Reader => "Reader",
            Role::Contributor => "Contributor",
            Role::Owner => "Owner",
        }
    }

    /// A role by name, in any case.
    pub fn parse(text: &str) -> Option<Role> {
        [Role::Reader, Role::Contributor, Role::Owner]
            .into_iter()
            .find(|role| role.as_str().eq_ignore_ascii_case(text))
    }
}

/// A token with its role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: String,
    /// Its name, shown as the caller in events.
    pub name: String,
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// What it may do.
    pub role: Role,
    /// Where: the id of a subscription, group or workspace, lower-cased; `/` is everywhere.
    pub scope: String,
    /// When it was made.
    pub created: Timestamp,
}

const COLUMNS: &str = "id, name, hash, role, scope, created";

fn token(row: &Row<'_>) -> Result<Token, StoreError> {
    let damaged = || StoreError::Damaged { what: "a token" };
    Ok(Token {
        id: row.get(0)?,
        name: row.get(1)?,
        hash: row.get(2)?,
        role: Role::parse(&row.get::<_, String>(3)?).ok_or_else(damaged)?,
        scope: row.get(4)?,
        created: time(row.get(5)?)?,
    })
}

impl Snapshot<'_> {
    /// The token with this hash.
    pub fn token(&self, hash: &[u8; 32]) -> Result<Option<Token>, StoreError> {
        self.row(
            &format!("SELECT {COLUMNS} FROM tokens WHERE hash = ?1"),
            params![hash],
            token,
        )
    }

    /// All tokens, by name.
    pub fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        self.rows(
            &format!("SELECT {COLUMNS} FROM tokens ORDER BY name, id"),
            [],
            token,
        )
    }
}

impl Tx<'_> {
    /// A new token.
    pub fn insert_token(&self, new: &Token) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO tokens VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                new.id,
                new.name,
                new.hash,
                new.role.as_str(),
                new.scope,
                new.created.as_millisecond()
            ],
        )?;
        Ok(())
    }

    /// Revokes a token; whether there was one.
    pub fn remove_token(&self, id: &str) -> Result<bool, StoreError> {
        Ok(self.run("DELETE FROM tokens WHERE id = ?1", [id])? > 0)
    }
}
