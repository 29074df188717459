//! Values for what a text does not tell: the same variable gets the same value, wherever it stands.

/// Characters of a stand-in at most.
const LONGEST: usize = 20;

/// `text` with every variable, command, field and placeholder replaced by a word made from its name: `$LOC` by
/// `xloc`, `<my cluster>` by `xmycluster`.
pub fn resolve(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match unknown(rest) {
            Some(length) if length > 0 => {
                out.push_str(&word(rest.get(..length).unwrap_or_default()));
                rest = rest.get(length..).unwrap_or_default();
            }
            _ => {
                out.push(first);
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
            }
        }
    }
    out
}

/// [`resolve`], then only characters that a name may have.
pub fn name(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let resolved = resolve(text.trim());
    resolved.chars().map(|c| if fits(c) { c } else { '-' }).collect()
}

/// Whether `text` has something that has to be stood in for.
pub fn is_unknown(text: &str) -> bool {
    resolve(text) != text
}

fn word(expression: &str) -> String {
    let letters = expression
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(LONGEST);
    std::iter::once('x')
        .chain(letters)
        .collect::<String>()
        .to_lowercase()
}

/// Bytes of the variable at the beginning of `text`.
fn unknown(text: &str) -> Option<usize> {
    // These are read by the nodes, as they are.
    if text.starts_with("$AZ_BATCHAI") || text.starts_with("${AZ_BATCHAI") {
        return None;
    }
    for (open, close) in [
        ("$(", ")"),
        ("${", "}"),
        ("{{", "}}"),
        ("{", "}"),
        ("<", ">"),
        ("`", "`"),
        ("%", "%"),
        ("!", "!"),
    ] {
        if let Some(inner) = text.strip_prefix(open) {
            let end = inner.find(close)?;
            return (end > 0 || open == "{").then_some(open.len() + end + close.len());
        }
    }
    let name = text.strip_prefix('$')?;
    let length = name
        .find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '.' | ':'))
        .unwrap_or(name.len());
    Some(1 + length.max(usize::from(name.starts_with(['$', '@', '*', '?']))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_variable_has_the_same_value_however_it_is_written() {
        for text in ["$LOC", "${LOC}", "%LOC%", "{LOC}", "<LOC>", "{{ LOC }}", "$(LOC)"] {
            assert_eq!(resolve(text), "xloc", "{text}");
        }
        assert_eq!(resolve("migrated-$LOC"), "migrated-xloc");
        assert_eq!(resolve("/a/$S/b/${G}x"), "/a/xs/b/xgx");
        assert_eq!(resolve("plain <b"), "plain <b");
        assert_eq!(name("<my cluster>-1 a"), "xmycluster-1-a");
        assert_eq!(resolve("100%"), "100%");
        assert_eq!(resolve("{}"), "x");
        assert_eq!(resolve("$AZ_BATCHAI_MOUNT_ROOT/$A"), "$AZ_BATCHAI_MOUNT_ROOT/xa");
    }
}
