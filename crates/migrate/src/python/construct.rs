//! Constructors of models: positional arguments get their names, what is gone goes, what was renamed is renamed.

use tree_sitter::Node;

use super::models::{self, Constructed};
use super::module::{Argument, Module, arguments, function_of, spans};
use super::region::{self, Regions};
use crate::arguments::remove;
use crate::call::{Call, Verdict};
use crate::edit::Edit;

/// What becomes of one argument.
enum Fate {
    Stays,
    Goes(Option<String>),
    Becomes { text: String, remark: Option<String> },
    Renamed(&'static str),
    Asked(String),
}

/// What becomes of a constructor; nothing where it is fine as it is.
pub fn calls<'t>(module: &Module<'t>, regions: &Regions<'t>, model: Constructed<'t>) -> Vec<Call> {
    let what = format!("models.{}", model.class);
    let span = model.call.byte_range();
    let undecided = |why: String| {
        vec![Call {
            span: span.clone(),
            what: what.clone(),
            verdict: Verdict::Undecided(why),
            remarks: Vec::new(),
        }]
    };
    if models::GONE.contains(&model.class) {
        return undecided(format!(
            "`{}` has no successor in 2.0.0. What should stand here?",
            model.class
        ));
    }
    let all = arguments(module, model.call);
    let Some(names) = names(&model, &all) else {
        return undecided(format!(
            "Which arguments are these? Positional ones are not taken any more; name them, in this order: {}.",
            model.order.join(", ")
        ));
    };
    if let Some(filter) = filtered(module, &model, &all, &names) {
        return undecided(filter);
    }
    let mut build = Build::default();
    for (place, argument) in all.iter().enumerate() {
        let Some(name) = names[place] else {
            build.remarks.push(format!(
                "`{}` may hold members that are gone; see docs/migrating-sdks.md.",
                module.of(argument.node)
            ));
            continue;
        };
        let fate = fate(module, regions, &model, argument, name);
        build.argument(&model, place, argument, name, fate);
    }
    build.edits.extend(remove(module.text, &spans(&all), &build.out));
    build.rename_class(module, &model);
    build.missing_value(module, &model, &all, &names);
    build.finish(span, what)
}

/// The name of each argument, `None` for `**`; `None` for all where they can't be told.
fn names<'t>(model: &Constructed<'t>, all: &[Argument<'t>]) -> Option<Vec<Option<&'t str>>> {
    all.iter()
        .enumerate()
        .map(|(place, argument)| match (argument.name, argument.node.kind()) {
            (Some(name), _) => Some(Some(name)),
            (None, "dictionary_splat") => Some(None),
            (None, "list_splat") => None,
            (None, _) => model.order.get(place).copied().map(Some),
        })
        .collect()
}

/// Lists were filtered by the service; nothing does that any more.
fn filtered<'t>(
    module: &Module<'t>,
    model: &Constructed<'t>,
    all: &[Argument<'t>],
    names: &[Option<&str>],
) -> Option<String> {
    model.class.ends_with("Options").then_some(())?;
    let place = names.iter().position(|name| *name == Some("filter"))?;
    let value = module.of(all.get(place)?.value);
    (value != "None").then(|| {
        format!("`filter` has no successor; filter the result instead. What does {value} mean for it?")
    })
}

#[derive(Default)]
struct Build {
    edits: Vec<Edit>,
    out: Vec<usize>,
    remarks: Vec<String>,
    asked: Vec<Call>,
}

impl Build {
    fn argument<'t>(
        &mut self,
        model: &Constructed<'t>,
        place: usize,
        argument: &Argument<'t>,
        name: &str,
        fate: Fate,
    ) {
        match fate {
            Fate::Stays if argument.name.is_none() => self.edits.push(Edit {
                span: argument.node.start_byte()..argument.node.start_byte(),
                text: format!("{name}="),
            }),
            Fate::Stays => {}
            Fate::Goes(remark) => {
                self.out.push(place);
                self.remarks.extend(remark);
            }
            Fate::Becomes { text, remark } => {
                self.edits.push(Edit {
                    span: argument.node.byte_range(),
                    text,
                });
                self.remarks.extend(remark);
            }
            Fate::Renamed(new) => {
                if let Some(old) = argument.node.child_by_field_name("name") {
                    self.edits.push(Edit {
                        span: old.byte_range(),
                        text: new.to_owned(),
                    });
                }
            }
            Fate::Asked(question) => {
                if argument.name.is_none() {
                    self.edits.push(Edit {
                        span: argument.node.start_byte()..argument.node.start_byte(),
                        text: format!("{name}="),
                    });
                }
                self.asked.push(Call {
                    span: argument.node.byte_range(),
                    what: format!("models.{} {name}", model.class),
                    verdict: Verdict::Undecided(question),
                    remarks: Vec::new(),
                });
            }
        }
    }

    fn rename_class<'t>(&mut self, module: &Module<'t>, model: &Constructed<'t>) {
        if let Some(function) = function_of(model.call) {
            self.edits.extend(renames(module, function));
        }
    }

    fn missing_value<'t>(
        &mut self,
        module: &Module<'t>,
        model: &Constructed<'t>,
        all: &[Argument<'t>],
        names: &[Option<&str>],
    ) {
        if model.class != "EnvironmentSetting" || names.contains(&Some("value")) || names.contains(&None) {
            return;
        }
        if let Some(last) = all.last() {
            let quote = region::quote(module, model.call);
            self.edits.push(Edit {
                span: last.node.end_byte()..last.node.end_byte(),
                text: format!(", value={quote}{quote}"),
            });
            self.remarks
                .push("The variable had no value; it is an empty one now, since one is required.".to_owned());
        }
    }

    fn finish(self, span: std::ops::Range<usize>, what: String) -> Vec<Call> {
        let mut calls = Vec::new();
        if !self.edits.is_empty() || !self.remarks.is_empty() {
            calls.push(Call {
                span,
                what,
                verdict: if self.edits.is_empty() {
                    Verdict::Current
                } else {
                    Verdict::Rewritten(self.edits)
                },
                remarks: self.remarks,
            });
        }
        calls.extend(self.asked);
        calls
    }
}

/// What becomes of the argument `name`.
fn fate<'t>(
    module: &Module<'t>,
    regions: &Regions<'t>,
    model: &Constructed<'t>,
    argument: &Argument<'t>,
    name: &str,
) -> Fate {
    let value = module.of(argument.value);
    match (model.class, name) {
        (class, "location") if models::has_location(class) => location(module, regions, argument),
        (class, "tags") if models::has_location(class) || class == "ClusterUpdateParameters" => {
            let remark = "Tags live on the workspace only; these were taken out.";
            Fate::Goes((value != "None").then(|| remark.to_owned()))
        }
        ("JobCreateParameters", "experiment_name") => Fate::Goes((value != "None").then(|| {
            format!("The label {value} was taken out: jobs lie in an experiment now, these in `migrated`.")
        })),
        ("JobCreateParameters", "priority") => priority(module, model, argument),
        ("OutputDirectory", "type") => Fate::Goes(None),
        ("OutputDirectory", "create_new") => Fate::Goes((value != "True").then(|| {
            format!("`create_new={value}` was taken out: the directory is always made by the service now.")
        })),
        ("SetupTask", "run_elevated") => Fate::Goes((value != "True").then(|| {
            format!("`run_elevated={value}` was taken out: the setup task always runs as root now.")
        })),
        ("MountSettings", "file_server_type") => Fate::Goes(None),
        ("AzureFileShareReference" | "AzureBlobFileSystemReference", "credentials_info") => {
            Fate::Renamed("credentials")
        }
        (class, "filter") if class.ends_with("Options") => Fate::Goes(None),
        (class, "select") if class.ends_with("Options") => {
            let remark = "`select` has no successor: whole resources come back.";
            Fate::Goes((value != "None").then(|| remark.to_owned()))
        }
        _ => Fate::Stays,
    }
}

/// The region is the workspace's: it must not get lost before a call has taken it over.
fn location<'t>(module: &Module<'t>, regions: &Regions<'t>, argument: &Argument<'t>) -> Fate {
    let value = module.of(argument.value);
    if regions.is_carried(module, argument.value) {
        Fate::Goes(None)
    } else if regions.was_asked() {
        Fate::Asked(format!(
            "Which calls belong to the region {value}? Give them the workspace `migrated-` and the region, then take \
             `location` out."
        ))
    } else {
        Fate::Goes(Some(format!(
            "The region {value} was taken out: the workspace has it. Calls that use this need the workspace \
             `migrated-` and the region."
        )))
    }
}

/// Numbers from -1000 to 1000 became three words.
fn priority<'t>(module: &Module<'t>, model: &Constructed<'t>, argument: &Argument<'t>) -> Fate {
    let written = module.of(argument.value);
    let number: String = written.chars().filter(|c| !c.is_whitespace()).collect();
    let Ok(number) = number.parse::<i64>() else {
        return Fate::Asked(format!(
            "The priority is `{written}`: which of low, normal, high is it? Write `scheduling_priority='low'` (below 0), \
             nothing (0) or `scheduling_priority='high'` (above 0)."
        ));
    };
    let word = match number {
        0 => return Fate::Goes(None),
        i64::MIN..=-1 => "low",
        _ => "high",
    };
    let quote = region::quote(module, model.call);
    Fate::Becomes {
        text: format!("scheduling_priority={quote}{word}{quote}"),
        remark: Some(format!(
            "The priority {number} became {word}: there are only low, normal and high."
        )),
    }
}

/// The edits that give the class, and the module it is reached through, its name of 2.0.0.
pub fn renames<'t>(module: &Module<'t>, node: Node<'t>) -> Vec<Edit> {
    let Some(class) = models::class_name(module, node) else {
        return Vec::new();
    };
    let Some(new) = models::renamed(&class) else {
        return Vec::new();
    };
    let token = node.child_by_field_name("attribute").unwrap_or(node);
    if module.of(token) != class {
        // An alias: `import EnvironmentSetting as Setting`.
        return Vec::new();
    }
    let mut edits = vec![Edit {
        span: token.byte_range(),
        text: new.to_owned(),
    }];
    let through = node
        .child_by_field_name("object")
        .and_then(|object| object.child_by_field_name("attribute"));
    if let Some(through) = through
        && let Some(name) = models::module_renamed(module.of(through))
    {
        edits.push(Edit {
            span: through.byte_range(),
            text: name.to_owned(),
        });
    }
    edits
}
