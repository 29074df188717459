//! Variables in paths and values.

use std::collections::BTreeMap;

/// Puts the values of known variables in place of `$NAME` and `${NAME}`.
///
/// Names that are not known stay as they are written, and there is no other syntax: no escapes, no
/// quotes. A value that is put in is not looked at again.
pub fn expand(text: &str, known: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let from = &rest[at..];
        match reference(from).and_then(|(name, length)| Some((known.get(name)?, length))) {
            Some((value, length)) => {
                out.push_str(value);
                rest = &from[length..];
            }
            None => {
                out.push('$');
                rest = &from[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// The name in the reference with which `text` begins, and the length of the reference in bytes.
pub(super) fn reference(text: &str) -> Option<(&str, usize)> {
    let after = text.strip_prefix('$')?;
    if let Some(braced) = after.strip_prefix('{') {
        let end = braced.find('}')?;
        return Some((&braced[..end], end + "${}".len()));
    }
    let end = after
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(after.len());
    Some((&after[..end], end + "$".len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn known() -> BTreeMap<String, String> {
        [
            ("AZ_BATCHAI_MOUNT_ROOT", "/m"),
            ("AZ_BATCHAI_INPUT_a-b", "$AZ_BATCHAI_MOUNT_ROOT"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    #[test]
    fn known_names_are_replaced_and_all_else_stays() {
        for (text, expected) in [
            ("$AZ_BATCHAI_MOUNT_ROOT/x", "/m/x"),
            ("${AZ_BATCHAI_MOUNT_ROOT}x", "/mx"),
            ("a$AZ_BATCHAI_MOUNT_ROOT$AZ_BATCHAI_MOUNT_ROOT", "a/m/m"),
            ("$AZ_BATCHAI_MOUNT_ROOTS", "$AZ_BATCHAI_MOUNT_ROOTS"),
            ("$HOME ${HOME} $(pwd) $", "$HOME ${HOME} $(pwd) $"),
            ("$$AZ_BATCHAI_MOUNT_ROOT", "$/m"),
            ("${AZ_BATCHAI_MOUNT_ROOT", "${AZ_BATCHAI_MOUNT_ROOT"),
            ("${AZ_BATCHAI_INPUT_a-b}", "$AZ_BATCHAI_MOUNT_ROOT"),
            ("é$AZ_BATCHAI_MOUNT_ROOTé", "é/mé"),
        ] {
            assert_eq!(expand(text, &known()), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_and_text_without_dollars_stays(
            text in "(\\$|\\{|\\}|AZ_BATCHAI_MOUNT_ROOT|[a-z/]|\\PC){0,20}",
        ) {
            let expanded = expand(&text, &known());
            if !text.contains('$') {
                prop_assert_eq!(&expanded, &text);
            }
            prop_assert_eq!(expand(&text, &BTreeMap::new()), text);
        }
    }
}
