//! What several resources have: secrets, variables, accounts, errors, life-cycle members.

use serde_json::Value;
use trainyard_domain::secret::Secret;
use trainyard_domain::spec::{
    EnvironmentVariable, KeyVaultSecretReference, SecretSource, SecretVariable, UserAccountSettings,
};
use trainyard_domain::state::{BatchAiError, Meta};

use crate::body::{BadBody, Object, Read};
use crate::out::Out;
use crate::time;

/// Reads a secret: `name` in clear, or `{name}SecretReference`; exactly one of the two.
pub fn secret(parent: &Object<'_>, name: &str) -> Read<SecretSource> {
    let reference_name = format!("{name}SecretReference");
    match (parent.text(name)?, parent.object(&reference_name)?) {
        (Some(value), None) => Ok(SecretSource::Value(Secret::new(value))),
        (None, Some(reference)) => Ok(SecretSource::Vault(KeyVaultSecretReference {
            source_vault: reference.need_id("sourceVault")?,
            secret_url: reference.need_text("secretUrl")?,
        })),
        (None, None) => Err(BadBody::bad(
            parent.at(name),
            format!("The secret is missing. Write {name} or {reference_name}."),
        )),
        (Some(_), Some(_)) => Err(BadBody::bad(
            parent.at(&reference_name),
            format!("The secret is there twice. Write either {name} or {reference_name}."),
        )),
    }
}

/// Like [`secret`], and an empty text is no secret.
pub fn key(parent: &Object<'_>, name: &str) -> Read<SecretSource> {
    match secret(parent, name)? {
        SecretSource::Value(value) if value.reveal().is_empty() => Err(BadBody::bad(
            parent.at(name),
            "This secret is empty. Write its value.",
        )),
        source => Ok(source),
    }
}

/// Adds what may be shown of a secret: nothing of its value, a vault's reference whole.
pub fn with_secret(out: Out, name: &str, source: &SecretSource) -> Out {
    match source {
        SecretSource::Value(_) => out,
        SecretSource::Vault(reference) => out.with(
            &format!("{name}SecretReference"),
            Out::new()
                .id("sourceVault", &reference.source_vault)
                .with("secretUrl", reference.secret_url.as_str()),
        ),
    }
}

/// Reads the plain variables of a setup task or job.
pub fn variables(parent: &Object<'_>) -> Read<Vec<EnvironmentVariable>> {
    parent.list("environmentVariables", |variable| {
        Ok(EnvironmentVariable {
            name: variable.need_text("name")?,
            value: variable.need_text("value")?,
        })
    })
}

/// Reads the secret variables of a setup task or job.
pub fn secret_variables(parent: &Object<'_>) -> Read<Vec<SecretVariable>> {
    parent.list("secrets", |variable| {
        Ok(SecretVariable {
            name: variable.need_text("name")?,
            value: secret(&variable, "value")?,
        })
    })
}

/// Adds both kinds of variables; of secret ones only the names.
pub fn with_variables(out: Out, plain: &[EnvironmentVariable], secret: &[SecretVariable]) -> Out {
    out.list("environmentVariables", plain, |variable| {
        Out::new()
            .with("name", variable.name.as_str())
            .with("value", variable.value.as_str())
            .into()
    })
    .list("secrets", secret, |variable| {
        let out = Out::new().with("name", variable.name.as_str());
        with_secret(out, "value", &variable.value).into()
    })
}

/// Reads the admin account. The key's member has two spellings among the api-versions; both are read. An
/// empty key or password is none.
pub fn account(parent: &Object<'_>) -> Read<UserAccountSettings> {
    let account = parent.need_object("userAccountSettings")?;
    let key = account.text("adminUserSshPublicKey")?;
    let other = account.text("adminUserSSHPublicKey")?;
    Ok(UserAccountSettings {
        admin_user_name: account.need_text("adminUserName")?,
        admin_user_ssh_public_key: key.or(other).filter(|key| !key.is_empty()),
        admin_user_password: account
            .text("adminUserPassword")?
            .filter(|password| !password.is_empty())
            .map(Secret::new),
    })
}

/// Writes the admin account without its password.
pub fn account_out(account: &UserAccountSettings) -> Out {
    Out::new()
        .with("adminUserName", account.admin_user_name.as_str())
        .maybe(
            "adminUserSshPublicKey",
            account.admin_user_ssh_public_key.as_deref(),
        )
}

/// Writes an error of a job or node.
pub fn error(error: &BatchAiError) -> Value {
    Out::new()
        .with("code", error.code.as_str())
        .with("message", error.message.as_str())
        .list("details", &error.details, |(name, value)| {
            Out::new()
                .with("name", name.as_str())
                .with("value", value.as_str())
                .into()
        })
        .into()
}

/// Begins a resource: id, name, type.
pub fn resource(id: String, meta: &Meta, kind: &str) -> Out {
    Out::new()
        .with("id", id)
        .with("name", meta.name.as_str())
        .with("type", format!("Microsoft.BatchAI/{kind}"))
}

/// Adds creation time, life-cycle state and its time.
pub fn with_life_cycle(out: Out, meta: &Meta) -> Out {
    out.with("creationTime", time::timestamp(meta.created))
        .with("provisioningState", meta.provisioning.as_str())
        .with(
            "provisioningStateTransitionTime",
            time::timestamp(meta.provisioning_since),
        )
}
