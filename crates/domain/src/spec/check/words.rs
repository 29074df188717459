//! Checks of single texts, numbers and paths.

use crate::invalid::Invalid;
use crate::limits;
use crate::name::excerpt;
use crate::secret::Secret;
use crate::spec::{EnvironmentVariable, KeyVaultSecretReference, SecretSource, SecretVariable};

use super::Checked;

/// Longest segment of a path, in bytes: file systems take no more.
const SEGMENT_BYTES: usize = 255;

/// Any text: not too long, no NUL.
pub fn text(at: &str, text: &str) -> Checked {
    if text.len() > limits::TEXT_BYTES {
        let message = format!(
            "This text has {} bytes. Use at most {}.",
            text.len(),
            limits::TEXT_BYTES
        );
        return Err(Invalid::new(at, message));
    }
    if text.contains('\0') {
        return Err(Invalid::new(
            at,
            "This text holds a NUL character. Write it without.",
        ));
    }
    Ok(())
}

/// A text that may be left out.
pub fn optional(at: &str, value: Option<&str>) -> Checked {
    value.map_or(Ok(()), |value| text(at, value))
}

/// A text that says something.
pub fn required(at: &str, value: &str) -> Checked {
    text(at, value)?;
    if value.trim().is_empty() {
        return Err(Invalid::new(at, "This member is empty. Write a value."));
    }
    Ok(())
}

/// A secret given in clear.
pub fn secret(at: &str, value: &Secret) -> Checked {
    text(at, value.reveal())
}

/// A secret given in clear under `member` of the object `parent`, or by reference to a vault.
pub fn source(parent: &str, member: &str, value: &SecretSource) -> Checked {
    match value {
        SecretSource::Value(value) => secret(&format!("{parent}.{member}"), value),
        SecretSource::Vault(reference) => {
            vault(&format!("{parent}.{member}SecretReference.secretUrl"), reference)
        }
    }
}

/// The place of a secret in a key vault.
fn vault(at: &str, reference: &KeyVaultSecretReference) -> Checked {
    required(at, &reference.secret_url)?;
    if reference.secret().is_some() {
        return Ok(());
    }
    // It is not repeated: somebody may have put the secret itself there.
    let message = "This is not the URL of a secret. Write https://VAULT.vault.azure.net/secrets/NAME or …/NAME/VERSION.";
    Err(Invalid::new(at, message))
}

/// A number within bounds.
pub fn range(at: &str, value: impl Into<i64>, least: impl Into<i64>, most: impl Into<i64>) -> Checked {
    let (value, least, most) = (value.into(), least.into(), most.into());
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let message = format!("{value} is out of range. Use {least} to {most}.");
    Err(Invalid::new(at, message))
}

/// A list: not too long, and each entry checked with its own path.
pub fn list<T>(at: &str, entries: &[T], check: impl Fn(&str, &T) -> Checked) -> Checked {
    if entries.len() > limits::LIST_ENTRIES {
        let message = format!(
            "This list has {} entries. Use at most {}.",
            entries.len(),
            limits::LIST_ENTRIES
        );
        return Err(Invalid::new(at, message));
    }
    entries
        .iter()
        .enumerate()
        .try_for_each(|(i, entry)| check(&format!("{at}[{i}]"), entry))
}

/// Where output goes: absolute, or beginning with a variable, and without `..`.
pub fn output_prefix(at: &str, path: &str) -> Checked {
    required(at, path)?;
    if !path.starts_with(['/', '$']) {
        let message = format!(
            "'{}' is not absolute. Begin with '/' or a variable such as $AZ_BATCHAI_MOUNT_ROOT.",
            excerpt(path)
        );
        return Err(Invalid::new(at, message));
    }
    inside(at, path)
}

/// A path beneath another: not absolute, without `..`.
pub fn beneath(at: &str, path: &str) -> Checked {
    text(at, path)?;
    if path.starts_with('/') {
        let message = format!("'{}' begins with a slash. Write a relative path.", excerpt(path));
        return Err(Invalid::new(at, message));
    }
    inside(at, path)
}

/// A path without `..`.
pub fn inside(at: &str, path: &str) -> Checked {
    text(at, path)?;
    if path.split(['/', '\\']).any(|segment| segment.trim() == "..") {
        let message = format!("'{}' contains '..'. Write the path without it.", excerpt(path));
        return Err(Invalid::new(at, message));
    }
    Ok(())
}

/// A mount path: relative, and every segment a plain name.
pub fn mount_path(at: &str, path: &str) -> Checked {
    required(at, path)?;
    let plain = |segment: &str| {
        !matches!(segment.trim(), "" | "." | "..")
            && segment.len() <= SEGMENT_BYTES
            && !segment.contains('\\')
            && !segment.chars().any(char::is_control)
    };
    if path.split('/').all(plain) {
        return Ok(());
    }
    let message = format!(
        "'{}' is not a relative path of plain names. Write one such as azfiles.",
        excerpt(path)
    );
    Err(Invalid::new(at, message))
}

/// The name of a share, container or account: it becomes a directory.
pub fn share_name(at: &str, name: &str) -> Checked {
    if is_share_name(name) {
        return Ok(());
    }
    let message = format!(
        "'{}' is not valid. Use 1 to 63 letters, digits, '-' and '_'.",
        excerpt(name)
    );
    Err(Invalid::new(at, message))
}

/// Whether it is the name of a share, container or account.
pub fn is_share_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=63).contains(&name.len()) && name.chars().all(legal)
}

/// Plain environment variables.
pub fn variables(at: &str, variables: &[EnvironmentVariable]) -> Checked {
    list(at, variables, |at, variable| {
        variable_name(at, &variable.name)?;
        text(&format!("{at}.value"), &variable.value)
    })
}

/// Secret environment variables.
pub fn secret_variables(at: &str, variables: &[SecretVariable]) -> Checked {
    list(at, variables, |at, variable| {
        variable_name(at, &variable.name)?;
        source(at, "value", &variable.value)
    })
}

/// Plain and secret variables together: their number is bounded apart, their size here.
pub fn environment(at: &str, variables: &[EnvironmentVariable], secrets: &[SecretVariable]) -> Checked {
    let plain = variables.iter().map(|v| v.name.len() + v.value.len());
    let secret = secrets.iter().map(|v| match &v.value {
        SecretSource::Value(secret) => v.name.len() + secret.reveal().len(),
        SecretSource::Vault(_) => v.name.len(),
    });
    let bytes: usize = plain.chain(secret).sum();
    let most = limits::ENVIRONMENT_BYTES;
    if bytes > most {
        let message = format!(
            "Variables and secrets have {bytes} bytes together. Use at most {most}, and files for more."
        );
        return Err(Invalid::new(at, message));
    }
    Ok(())
}

fn variable_name(parent: &str, name: &str) -> Checked {
    let at = format!("{parent}.name");
    text(&at, name)?;
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(legal) {
        let message = format!(
            "'{}' is no name of a variable. Use letters, digits and '_', not beginning with a digit.",
            excerpt(name)
        );
        return Err(Invalid::new(at, message));
    }
    if name.starts_with("AZ_BATCHAI_") {
        let message = format!(
            "{} is set by the service. Use a name without AZ_BATCHAI_.",
            excerpt(name)
        );
        return Err(Invalid::new(at, message));
    }
    Ok(())
}
