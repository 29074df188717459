//! What an expression of a program comes to, as far as the text tells it: models become the JSON that the SDK sends.

use std::cell::RefCell;
use std::ops::Range;

use serde_json::{Map, Value, json};
use tree_sitter::Node;

use super::models;
use super::module::{Module, arguments, function_of};
use crate::syntax::named;
use crate::verify::standin;

/// How far names are followed.
const DEPTH: u32 = 40;
/// Marks a value that the text does not tell; beside it stands a word made from the expression.
const UNKNOWN: &str = "$unknown";

/// Evaluates expressions of one program.
pub struct Evaluator<'m, 't> {
    module: &'m Module<'t>,
    seen: RefCell<Vec<Range<usize>>>,
}

impl<'m, 't> Evaluator<'m, 't> {
    /// Of this program.
    pub fn new(module: &'m Module<'t>) -> Self {
        Self {
            module,
            seen: RefCell::default(),
        }
    }

    /// The bytes that values were taken from since the last call of this.
    pub fn take_seen(&self) -> Vec<Range<usize>> {
        self.seen.take()
    }

    /// The value of an expression.
    pub fn value(&self, node: Node<'t>) -> Value {
        self.at_depth(node, DEPTH)
    }

    /// The value as a text.
    pub fn text(&self, node: Node<'t>) -> String {
        as_text(&self.value(node))
    }

    fn at_depth(&self, node: Node<'t>, depth: u32) -> Value {
        let Some(depth) = depth.checked_sub(1) else {
            return self.unknown(node);
        };
        let of = |node| self.at_depth(node, depth);
        let text = self.module.of(node);
        match node.kind() {
            "string" => self.string(node).into(),
            "concatenated_string" => {
                let parts: String = named(node).into_iter().map(|part| self.string(part)).collect();
                parts.into()
            }
            "integer" => text
                .parse::<i64>()
                .map_or_else(|_| self.unknown(node), Value::from),
            "float" => text
                .parse::<f64>()
                .map_or_else(|_| self.unknown(node), Value::from),
            "true" => true.into(),
            "false" => false.into(),
            "none" => Value::Null,
            "list" | "tuple" => named(node).into_iter().map(of).collect(),
            "parenthesized_expression" => named(node).into_iter().next().map_or(Value::Null, of),
            "unary_operator" => match node.child_by_field_name("argument").map(of) {
                Some(Value::Number(number)) if text.starts_with('-') => number
                    .as_i64()
                    .map_or_else(|| self.unknown(node), |number| (-number).into()),
                _ => self.unknown(node),
            },
            "binary_operator" => self.sum(node, depth),
            "call" => self.call(node, depth),
            "identifier" | "attribute" => self.name(node, depth),
            _ => self.unknown(node),
        }
    }

    fn unknown(&self, node: Node<'t>) -> Value {
        let letters = self
            .module
            .of(node)
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(20);
        let word: String = std::iter::once('x').chain(letters).collect();
        json!({ UNKNOWN: word.to_lowercase() })
    }

    /// A string; fields of one that is formatted get words made from their names.
    fn string(&self, node: Node<'t>) -> String {
        let mut out = String::new();
        for part in named(node) {
            match part.kind() {
                "string_content" => out.push_str(self.module.of(part)),
                "interpolation" => {
                    let inner = part
                        .child_by_field_name("expression")
                        .or_else(|| part.named_child(0));
                    out.push_str(&inner.map(|inner| self.text(inner)).unwrap_or_default());
                }
                _ => {}
            }
        }
        out.replace("\\n", "\n")
            .replace("\\'", "'")
            .replace("\\\"", "\"")
            .replace("\\\\", "\\")
    }

    fn sum(&self, node: Node<'t>, depth: u32) -> Value {
        let side = |name| {
            node.child_by_field_name(name)
                .map(|side| self.at_depth(side, depth))
        };
        let plus = node
            .child_by_field_name("operator")
            .is_some_and(|sign| self.module.of(sign) == "+");
        match (side("left"), side("right")) {
            (Some(left), Some(right)) if plus && is_textual(&left) && is_textual(&right) => {
                format!("{}{}", as_text(&left), as_text(&right)).into()
            }
            _ => self.unknown(node),
        }
    }

    fn call(&self, node: Node<'t>, depth: u32) -> Value {
        if let Some(class) = function_of(node).and_then(|function| models::class_name(self.module, function))
        {
            return self.model(node, &class, depth);
        }
        self.format(node, depth).unwrap_or_else(|| self.unknown(node))
    }

    /// `'…{}…'.format(a)`.
    fn format(&self, node: Node<'t>, depth: u32) -> Option<Value> {
        let function = function_of(node)?;
        let method = function.child_by_field_name("attribute")?;
        let object = function.child_by_field_name("object")?;
        if self.module.of(method) != "format" {
            return None;
        }
        let Value::String(mut text) = self.at_depth(object, depth) else {
            return None;
        };
        for (place, argument) in arguments(self.module, node).iter().enumerate() {
            let value = as_text(&self.at_depth(argument.value, depth));
            match argument.name {
                Some(name) => text = text.replace(&format!("{{{name}}}"), &value),
                None => {
                    text = text
                        .replacen("{}", &value, 1)
                        .replace(&format!("{{{place}}}"), &value)
                }
            }
        }
        Some(standin::resolve(&text).into())
    }

    fn model(&self, node: Node<'t>, class: &str, depth: u32) -> Value {
        self.seen.borrow_mut().push(node.byte_range());
        let order = models::constructed(self.module, node).map_or(&[][..], |model| model.order);
        let mut members = Map::new();
        for (place, argument) in arguments(self.module, node).iter().enumerate() {
            let name = match (argument.name, order.get(place)) {
                (Some(name), _) => name,
                (None, Some(name)) if !argument.is_star() => name,
                (None, _) => continue,
            };
            let name = json_name(name);
            if let Some(value) = settled(&name, self.at_depth(argument.value, depth)) {
                members.insert(name, value);
            }
        }
        let flattened = class.ends_with("CreateParameters") || class == "ClusterUpdateParameters";
        if !flattened {
            return Value::Object(members);
        }
        let mut body = Map::new();
        for outer in ["location", "tags"] {
            if let Some(value) = members.remove(outer) {
                body.insert(outer.to_owned(), value);
            }
        }
        body.insert("properties".to_owned(), Value::Object(members));
        Value::Object(body)
    }

    fn name(&self, node: Node<'t>, depth: u32) -> Value {
        if let Some(assignment) = self
            .module
            .value_of(self.module.of(node), node)
            .filter(|found| !found.piece)
        {
            self.seen.borrow_mut().push(assignment.value.byte_range());
            return self.at_depth(assignment.value, depth);
        }
        // A value of an enum: `models.VmPriority.lowpriority`.
        let enumeration = node
            .child_by_field_name("object")
            .filter(|object| models::class_name(self.module, *object).is_some());
        match (enumeration, node.child_by_field_name("attribute")) {
            (Some(_), Some(value)) => self.module.of(value).into(),
            _ => self.unknown(node),
        }
    }
}

/// Whether the text does not tell this value.
pub fn is_unknown(value: &Value) -> bool {
    value.get(UNKNOWN).is_some()
}

fn is_textual(value: &Value) -> bool {
    value.is_string() || is_unknown(value)
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => match other.get(UNKNOWN).and_then(Value::as_str) {
            Some(word) => word.to_owned(),
            None => other.to_string(),
        },
    }
}

/// A member's value; one that is not told gets one that fits, or the member goes. The SDK leaves out what is none.
fn settled(name: &str, value: Value) -> Option<Value> {
    if !is_unknown(&value) {
        return (!value.is_null()).then_some(value);
    }
    let word = as_text(&value);
    Some(match name {
        "nodeCount" | "targetNodeCount" | "diskCount" | "processCount" => 1.into(),
        "minimumNodeCount" | "initialNodeCount" => 0.into(),
        "maximumNodeCount" | "diskSizeInGB" => 10.into(),
        "workerCount" | "parameterServerCount" => 1.into(),
        "vmSize" => crate::verify::bodies::VM_SIZE.into(),
        "storageAccountType" => "Standard_LRS".into(),
        "scaleSettings" => json!({"manual": {"targetNodeCount": 1}}),
        "cluster" | "fileServer" => json!({ "id": UNKNOWN }),
        "userAccountSettings" => {
            json!({"adminUserName": word, "adminUserSshPublicKey": crate::verify::bodies::KEY})
        }
        "adminUserSshPublicKey" => crate::verify::bodies::KEY.into(),
        "stdOutErrPathPrefix" | "pathPrefix" => "$AZ_BATCHAI_MOUNT_ROOT/anymount".into(),
        "azureFileUrl" => format!("https://anyaccount.file.core.windows.net/{word}").into(),
        "accountName" => "anyaccount".into(),
        "accountKey" => "a2V5".into(),
        // Whose type is not that of a text.
        "priority"
        | "schedulingPriority"
        | "tags"
        | "nodeSetup"
        | "mountVolumes"
        | "virtualMachineConfiguration"
        | "imageReference"
        | "setupTask"
        | "credentials"
        | "environmentVariables"
        | "secrets"
        | "inputDirectories"
        | "outputDirectories"
        | "constraints"
        | "maxWallClockTime"
        | "containerSettings"
        | "imageSourceRegistry"
        | "jobPreparation"
        | "azureFileShares"
        | "azureBlobFileSystems"
        | "fileServers"
        | "subnet"
        | "runElevated"
        | "createNew"
        | "type"
        | "vmPriority"
        | "cachingType" => return None,

        "id" if word.ends_with("id") => UNKNOWN.into(),
        _ => word.into(),
    })
}

/// Puts `id` where an id is not told.
pub fn put_ids(value: &mut Value, name: &str, ids: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::Array(entries) => entries.iter_mut().for_each(|entry| put_ids(entry, name, ids)),
        Value::Object(members) => {
            if members.get("id").and_then(Value::as_str) == Some(UNKNOWN) {
                let id = ids(name).unwrap_or_else(|| "anyid".to_owned());
                members.insert("id".to_owned(), id.into());
            }
            for (name, member) in members.iter_mut() {
                put_ids(member, name, ids);
            }
        }
        _ => {}
    }
}

/// `std_out_err_path_prefix` as JSON has it.
fn json_name(name: &str) -> String {
    match name {
        "disk_size_in_gb" => return "diskSizeInGB".to_owned(),
        "public_ips_to_allow" => return "publicIPsToAllow".to_owned(),
        _ => {}
    }
    let mut out = String::with_capacity(name.len());
    for (place, word) in name.split('_').enumerate() {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if place > 0 => {
                out.extend(first.to_uppercase());
                out.push_str(letters.as_str());
            }
            _ => out.push_str(word),
        }
    }
    out
}
