//! Rules about words that must not stand in certain files. The words are written in pieces here, so that the rules
//! do not find themselves.

use super::Finding;
use super::tree::{TextFile, Tree};

const CODE: &[&str] = &["rs", "py", "sh", "js", "css", "html", "sql", "toml"];

/// Words that mark unfinished work.
const UNFINISHED: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];
const UNFINISHED_MACROS: &[&str] = &[concat!("to", "do!"), concat!("unimpl", "emented!")];
const ALLOWS: &[&str] = &[concat!("#[al", "low("), concat!("#![al", "low(")];
const SLEEPS: &[&str] = &[concat!("thread::", "sleep"), concat!("time::", "sleep")];
/// First folders of developers' machines.
const MACHINE_PATHS: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/fa", "rm/"),
    concat!("/Use", "rs/"),
];
const REGISTRY_HOSTS: &[&str] = &[
    concat!("cra", "tes.io"),
    concat!("pypi", ".org"),
    concat!("python", "hosted.org"),
    concat!("npm", "js.org"),
    concat!("npm", "js.com"),
];
/// A statement of SQL: a verb and the word that follows somewhere after it.
const STATEMENTS: &[(&str, &str)] = &[
    (concat!("SEL", "ECT "), " FROM "),
    (concat!("INS", "ERT "), "INTO "),
    (concat!("UPD", "ATE "), " SET "),
    (concat!("DEL", "ETE "), "FROM "),
    (concat!("CRE", "ATE "), "TABLE "),
];
const WITHOUT_SQL: &[&str] = &[
    "cli", "client", "domain", "migrate", "node", "portal", "sched", "server", "wire",
];

/// One finding for each line of these files for which `bad` says what to do.
fn lines<'a>(
    files: impl Iterator<Item = &'a TextFile>,
    rule: &'static str,
    bad: impl Fn(&TextFile, usize, &str) -> Option<String>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in files {
        for (number, line) in file.lines() {
            if let Some(what) = bad(file, number, line) {
                found.push(Finding {
                    path: file.path.clone(),
                    line: number,
                    rule,
                    what,
                });
            }
        }
    }
    found
}

fn code(tree: &Tree) -> impl Iterator<Item = &TextFile> {
    tree.files
        .iter()
        .filter(|file| file.has_extension(CODE) || file.path == ".ci/run")
}

fn rust(tree: &Tree) -> impl Iterator<Item = &TextFile> {
    tree.files.iter().filter(|file| file.has_extension(&["rs"]))
}

/// All that we wrote ourselves.
fn ours(tree: &Tree) -> impl Iterator<Item = &TextFile> {
    tree.files
        .iter()
        .filter(|file| file.path != "Cargo.lock" && !file.path.starts_with("LICENSE"))
}

/// Code holds no notes of unfinished work and no `allow`.
pub fn markers(tree: &Tree) -> Vec<Finding> {
    lines(code(tree), "markers", |_, _, line| {
        if let Some(word) = UNFINISHED.iter().find(|word| holds_word(line, word)) {
            return Some(format!("`{word}`: do it now or open an issue"));
        }
        if let Some(name) = UNFINISHED_MACROS.iter().find(|name| line.contains(**name)) {
            return Some(format!("`{name}`: write it, or refuse with an error"));
        }
        ALLOWS
            .iter()
            .find(|allow| line.contains(**allow))
            .map(|_| "use #[expect(lint, reason = \"...\")]".into())
    })
}

/// A test waits for what happens, not for time to pass; only a function named after polling may pause.
pub fn sleeps(tree: &Tree) -> Vec<Finding> {
    lines(rust(tree), "sleeps", |file, number, line| {
        let sleeps = SLEEPS.iter().any(|sleep| line.contains(sleep));
        let found = sleeps && is_test(file, number) && !function_around(file, number).contains("poll");
        found.then(|| "await an event, or poll a condition with a bound in a function named poll...".into())
    })
}

/// Whether a line is part of a test: by its folder, or behind the file's `#[cfg(test)]`.
fn is_test(file: &TextFile, number: usize) -> bool {
    file.path.contains("/tests/")
        || file.path.starts_with("tests/")
        || file.path.ends_with("/tests.rs")
        || file
            .text
            .lines()
            .take(number)
            .any(|line| line.trim() == "#[cfg(test)]")
}

/// The nearest line above that begins a function, or nothing.
fn function_around(file: &TextFile, number: usize) -> &str {
    let above: Vec<&str> = file.text.lines().take(number).collect();
    above
        .into_iter()
        .rev()
        .find(|line| holds_word(line, "fn"))
        .unwrap_or("")
}

/// No path of one developer's machine.
pub fn machine_paths(tree: &Tree) -> Vec<Finding> {
    lines(ours(tree), "machine_paths", |_, _, line| {
        let path = MACHINE_PATHS.iter().find(|path| {
            line.match_indices(**path)
                .any(|(at, _)| !line[..at].ends_with(is_inside_a_path))
        })?;
        Some(format!("`{path}` is a path of one machine: make it relative"))
    })
}

fn is_inside_a_path(c: char) -> bool {
    c.is_alphanumeric() || "_-.}$>*".contains(c)
}

/// No address of a package registry: which one is used is the user's choice.
pub fn registry_hosts(tree: &Tree) -> Vec<Finding> {
    lines(ours(tree), "registry_hosts", |_, _, line| {
        let host = REGISTRY_HOSTS.iter().find(|host| line.contains(**host))?;
        Some(format!("`{host}`: leave the registry to the tool's own settings"))
    })
}

/// Only the store speaks SQL.
pub fn sql(tree: &Tree) -> Vec<Finding> {
    let files = rust(tree).filter(|file| file.crate_name().is_some_and(|name| WITHOUT_SQL.contains(&name)));
    lines(files, "sql", |_, _, line| {
        let statement = STATEMENTS.iter().any(|(verb, then)| {
            line.find(verb)
                .is_some_and(|at| format!("{} ", &line[at + verb.len() - 1..]).contains(then))
        });
        statement.then(|| "move the statement into the store".into())
    })
}

/// Whether the line holds this word standing alone.
fn holds_word(line: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(part_of_word) && !line[at + word.len()..].starts_with(part_of_word)
    })
}

#[cfg(test)]
mod tests {
    use super::super::tree::samples;
    use super::*;

    const NONE: [usize; 0] = [];

    fn found(rule: fn(&Tree) -> Vec<Finding>, path: &str, text: &str) -> Vec<usize> {
        rule(&samples::files(&[(path, text)]))
            .iter()
            .map(|finding| finding.line)
            .collect()
    }

    #[test]
    fn markers_are_found_as_words_in_code() {
        let unfinished = UNFINISHED[0];
        assert_eq!(
            found(markers, "a.rs", &format!("ok\n// {unfinished}: later")),
            [2]
        );
        assert_eq!(
            found(markers, "a.rs", &format!("{}{unfinished}", UNFINISHED[2])),
            NONE
        );
        assert_eq!(found(markers, "a.md", &format!("never {unfinished}")), NONE);
        assert_eq!(
            found(markers, "a.rs", &format!("{}()", UNFINISHED_MACROS[0])),
            [1]
        );
        assert_eq!(found(markers, "a.rs", &format!("{}dead_code)]", ALLOWS[0])), [1]);
        assert_eq!(
            found(markers, "a.rs", "#[expect(dead_code, reason = \"x\")]"),
            NONE
        );
        assert_eq!(found(markers, ".ci/run", &format!("# {unfinished}")), [1]);
    }

    #[test]
    fn sleeps_are_found_in_tests_but_not_in_a_poll() {
        let sleep = format!("    {}(second);", SLEEPS[0]);
        assert_eq!(found(sleeps, "crates/x/src/lib.rs", &sleep), NONE);
        assert_eq!(found(sleeps, "crates/x/tests/it/main.rs", &sleep), [1]);
        let below = format!("{sleep}\n#[cfg(test)]\nmod tests {{\nfn waits() {{\n{sleep}\n}}\n}}");
        assert_eq!(found(sleeps, "crates/x/src/lib.rs", &below), [5]);
        assert_eq!(
            found(sleeps, "tests/a.rs", &format!("fn poll_until() {{\n{sleep}\n}}")),
            NONE
        );
        assert_eq!(
            found(
                sleeps,
                "tests/a.rs",
                &format!("fn poll() {{}}\nfn other() {{\n{sleep}\n}}")
            ),
            [3]
        );
    }

    #[test]
    fn machine_paths_are_found_only_where_a_path_begins() {
        let path = MACHINE_PATHS[0];
        assert_eq!(found(machine_paths, "a.md", &format!("see `{path}x`")), [1]);
        assert_eq!(
            found(
                machine_paths,
                "a.md",
                &format!("see /mnt{path}x and $ROOT{path}x")
            ),
            NONE
        );
        assert_eq!(found(machine_paths, "Cargo.lock", path), NONE);
    }

    #[test]
    fn registry_hosts_are_found() {
        assert_eq!(
            found(
                registry_hosts,
                "x.toml",
                &format!("url = \"https://{}/\"", REGISTRY_HOSTS[1])
            ),
            [1]
        );
        assert_eq!(found(registry_hosts, "Cargo.lock", REGISTRY_HOSTS[0]), NONE);
    }

    #[test]
    fn sql_is_found_outside_the_store() {
        let read = format!("\"{}a FROM b\"", STATEMENTS[0].0);
        let write = format!("\"{}INTO b\"", STATEMENTS[1].0);
        assert_eq!(
            found(sql, "crates/server/src/x.rs", &format!("{read}\n{write}")),
            [1, 2]
        );
        assert_eq!(
            found(
                sql,
                "crates/server/src/x.rs",
                "// DELETE answers 202; select from a list"
            ),
            NONE
        );
        assert_eq!(found(sql, "crates/store/src/x.rs", &read), NONE);
    }
}
