//! Calls made up from the grammars, and texts made up from pieces of scripts.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use trainyard_migrate::az::grammar::{Command, Dialect, Need, Opt, Role, Takes};
use trainyard_migrate::az::parse;
use trainyard_migrate::az::words::Syntax;
use trainyard_migrate::call::{Call, Verdict};
use trainyard_migrate::edit::{Edit, apply};
use trainyard_migrate::file;
use trainyard_migrate::known::Known;
use trainyard_migrate::shell;

fn known(dialect: Dialect) -> Known {
    Known {
        location: Some("region".to_owned()),
        resource_group: Some("group".to_owned()),
        dialect: Some(dialect),
        ..Known::default()
    }
}

fn edits(calls: &[Call]) -> Vec<Edit> {
    let own = |call: &Call| match &call.verdict {
        Verdict::Rewritten(edits) => edits.clone(),
        _ => Vec::new(),
    };
    calls.iter().flat_map(own).collect()
}

/// One option as it may be written, with its value.
fn written(option: &'static Opt) -> impl Strategy<Value = String> {
    let value = match option.role {
        Role::Min | Role::Max | Role::DiskCount | Role::DiskSize => prop_oneof![Just("3".to_owned())].boxed(),
        Role::Sku => Just("Standard_LRS".to_owned()).boxed(),
        Role::Caching => Just("readonly".to_owned()).boxed(),
        Role::VmPriority => Just("dedicated".to_owned()).boxed(),
        _ => prop_oneof![
            "[a-z]{1,4}",
            "\"[$][A-Z]{1,3}\"",
            "'[a-z] [|;#>]'",
            "\"[a-z] [0-9]\""
        ]
        .boxed(),
    };
    let name = prop::sample::select(option.names);
    (name, value, 0..3_u8).prop_map(move |(name, value, attach)| match (option.takes, attach) {
        (Takes::Flag, _) => name.to_owned(),
        (_, 1) => format!("{name}={value}"),
        (_, 2) if !name.starts_with("--") => format!("{name}{value}"),
        _ => format!("{name} {value}"),
    })
}

/// A call that `dialect` takes.
fn call_of(dialect: Dialect) -> impl Strategy<Value = String> {
    let all: Vec<&'static Command> = dialect.commands().iter().collect();
    let separator = prop::sample::select(vec![" ", "  ", " \\\n    ", "\t"]);
    (prop::sample::select(all), separator).prop_flat_map(|(command, gap)| {
        let each: Vec<_> = command
            .own()
            .map(|option| {
                let there = option.need != Need::Free;
                (written(option), any::<bool>()).prop_map(move |(text, take)| (there || take).then_some(text))
            })
            .collect();
        each.prop_shuffle_later(gap, command.path)
    })
}

trait Later {
    fn prop_shuffle_later(self, gap: &'static str, path: &'static str) -> BoxedStrategy<String>;
}

impl<S: Strategy<Value = Option<String>> + 'static> Later for Vec<S> {
    fn prop_shuffle_later(self, gap: &'static str, path: &'static str) -> BoxedStrategy<String> {
        self.prop_map(|options| options.into_iter().flatten().collect::<Vec<_>>())
            .prop_shuffle()
            .prop_map(move |options| format!("az batchai {path} {}", options.join(gap)))
            .boxed()
    }
}

/// Each role and the value that counts for it.
fn roles(dialect: Dialect, text: &str) -> Result<BTreeMap<Role, Option<String>>, String> {
    let sites = shell::sites(text, Syntax::Posix);
    let site = sites.first().ok_or("no call")?;
    if site.span().end != text.trim_end().len() {
        return Err(format!("the call ends early: {:?}", &text[..site.span().end]));
    }
    let parsed = parse::call(dialect, &site.words[2..]).map_err(|misfit| misfit.to_string())?;
    let pair = |given: &parse::Given<'_>| (given.option.role, given.value.as_ref().map(parse::Value::plain));
    Ok(parsed.given.iter().map(pair).collect())
}

/// Roles that are not simply carried over.
const CHANGED: &[Role] = &[
    Role::Location,
    Role::Nfs,
    Role::NfsGroup,
    Role::Cluster,
    Role::ClusterGroup,
    Role::Min,
    Role::Max,
    Role::Target,
    Role::Workspace,
    Role::Experiment,
    Role::Yes,
    Role::Sku,
    Role::NoWait,
    Role::Group,
];

fn carried_over(dialect: Dialect, text: &str) -> Result<(), TestCaseError> {
    let calls = shell::calls(text, &known(dialect));
    prop_assert_eq!(calls.len(), 1, "{}", text);
    if let Verdict::Undecided(_) = calls[0].verdict {
        return Ok(());
    }
    let done = apply(text, &edits(&calls)).unwrap();
    let old = roles(dialect, text).map_err(TestCaseError::fail)?;
    let new = roles(Dialect::V03, &done)
        .map_err(|why| TestCaseError::fail(format!("{why}: {text} became {done}")))?;
    for (role, value) in old.iter().filter(|(role, _)| !CHANGED.contains(role)) {
        prop_assert_eq!(
            new.get(role),
            Some(value),
            "{:?}: {} became {}",
            role,
            text,
            &done
        );
    }
    for role in new.keys().filter(|role| !CHANGED.contains(role)) {
        prop_assert!(old.contains_key(role), "{role:?} came: {text} became {done}");
    }
    if !old.contains_key(&Role::NfsGroup) {
        prop_assert_eq!(
            new.get(&Role::Nfs),
            old.get(&Role::Nfs),
            "{} became {}",
            text,
            &done
        );
    }
    if !old.contains_key(&Role::ClusterGroup) {
        prop_assert_eq!(
            new.get(&Role::Cluster),
            old.get(&Role::Cluster),
            "{} became {}",
            text,
            &done
        );
    }
    let again = shell::calls(&done, &known(dialect));
    prop_assert!(edits(&again).is_empty(), "{} became {:?}", done, again);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn every_option_of_0_1_keeps_its_meaning(text in call_of(Dialect::V01)) {
        carried_over(Dialect::V01, &text)?;
    }

    #[test]
    fn every_option_of_0_2_keeps_its_meaning(text in call_of(Dialect::V02)) {
        carried_over(Dialect::V02, &text)?;
    }

    #[test]
    fn calls_of_0_3_stay(text in call_of(Dialect::V03)) {
        prop_assert!(edits(&shell::calls(&text, &Known::default())).is_empty(), "{}", text);
    }

    /// Whatever a file holds: no panic, edits that can be done, nothing more to do afterwards.
    #[test]
    fn any_text_can_be_rewritten_and_then_stays(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40), ending in prop::sample::select(ENDINGS)) {
        let text = pieces.concat();
        let path = format!("x.{ending}");
        let known = Known { dialect: Some(Dialect::V02), ..Known::default() };
        let calls = file::calls(Path::new(&path), &text, &known).unwrap();
        let after = apply(&text, &edits(&calls)).unwrap();
        let again = file::calls(Path::new(&path), &after, &known).unwrap();
        prop_assert!(edits(&again).is_empty(), "{:?} became {:?}, then {:?}", text, after, again);
    }
}

const ENDINGS: &[&str] = &["sh", "yml", "md", "ps1", "cmd", "mk", "txt"];
const PIECES: &[&str] = &[
    "az batchai ",
    "az batchai job show",
    "az batchai job create -c j.json -r c",
    "az file-server create",
    "job ",
    "cluster ",
    "list-nodes ",
    " -n x",
    " -g g",
    " -l eastus",
    " -l \"$L\"",
    " -w w",
    " -e 5",
    " --no-wait",
    " -y",
    "\n",
    "\\\n",
    " ^\n",
    " `\n",
    "\r\n",
    "\"",
    "'",
    "`",
    "$(",
    ")",
    "|",
    "; ",
    " # ",
    "<a b>",
    "é",
    "{{ x }}",
    "```\n",
    "run: |\n  ",
    "- ",
    "> ",
    "\\\"",
    "$",
    "}",
    "&& ",
];
