//! `$filter` and `$select` of the flat lists. Neither was ever recorded, nor has the specification a grammar
//! (api.md section 4): the common forms of OData are taken, anything else is a clear 400.

use serde_json::{Map, Value};
use trainyard_domain::name::excerpt;

use crate::arm_error::ApiError;

/// Longest text of either, in bytes.
const LONGEST: usize = 2_000;
/// How deep brackets may go.
const DEEPEST: usize = 16;

/// A condition on a resource as it is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Both hold.
    And(Box<Filter>, Box<Filter>),
    /// One of them holds.
    Or(Box<Filter>, Box<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// A member compares so with a value.
    Compare(Path, Comparison, Value),
    /// A text begins so.
    StartsWith(Path, String),
}

/// A member by the names on its way, such as `properties/executionState`.
pub type Path = Vec<String>;

/// How two values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `eq`
    Equal,
    /// `ne`
    NotEqual,
    /// `gt`
    Greater,
    /// `ge`
    GreaterOrEqual,
    /// `lt`
    Less,
    /// `le`
    LessOrEqual,
}

impl Filter {
    /// Reads a filter: comparisons and `startswith`, joined by `and`, `or`, `not` and brackets.
    pub fn parse(text: &str) -> Result<Filter, ApiError> {
        let words = words(text)?;
        let mut reader = Reader {
            words: &words,
            depth: 0,
        };
        let filter = reader.or()?;
        match reader.words.first() {
            None => Ok(filter),
            Some(word) => Err(unclear(&format!("'{}' is not expected there", word.shown()))),
        }
    }

    /// Whether a resource fits.
    pub fn fits(&self, resource: &Value) -> bool {
        match self {
            Filter::And(left, right) => left.fits(resource) && right.fits(resource),
            Filter::Or(left, right) => left.fits(resource) || right.fits(resource),
            Filter::Not(inner) => !inner.fits(resource),
            Filter::Compare(path, comparison, value) => compare(member(resource, path), *comparison, value),
            Filter::StartsWith(path, start) => member(resource, path)
                .and_then(Value::as_str)
                .is_some_and(|text| text.starts_with(start.as_str())),
        }
    }
}

/// Names compare without case, as clients wrote them in both ways.
fn member<'a>(resource: &'a Value, path: &Path) -> Option<&'a Value> {
    path.iter().try_fold(resource, |value, name| {
        let members = value.as_object()?;
        members
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })
}

/// A member that is not there equals `null` and nothing else. Values of different kinds are not equal and not in order.
fn compare(found: Option<&Value>, comparison: Comparison, value: &Value) -> bool {
    let found = found.unwrap_or(&Value::Null);
    let order = match (found, value) {
        (Value::String(found), Value::String(value)) => Some(found.cmp(value)),
        (Value::Number(found), Value::Number(value)) => found
            .as_f64()
            .zip(value.as_f64())
            .and_then(|(found, value)| found.partial_cmp(&value)),
        (found, value) => (found == value).then_some(std::cmp::Ordering::Equal),
    };
    match comparison {
        Comparison::Equal => order.is_some_and(|order| order.is_eq()),
        Comparison::NotEqual => !order.is_some_and(|order| order.is_eq()),
        Comparison::Greater => order.is_some_and(|order| order.is_gt()),
        Comparison::GreaterOrEqual => order.is_some_and(|order| order.is_ge()),
        Comparison::Less => order.is_some_and(|order| order.is_lt()),
        Comparison::LessOrEqual => order.is_some_and(|order| order.is_le()),
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Word {
    Open,
    Close,
    Comma,
    Text(String),
    Name(String),
}

impl Word {
    fn shown(&self) -> String {
        match self {
            Word::Open => "(".to_owned(),
            Word::Close => ")".to_owned(),
            Word::Comma => ",".to_owned(),
            Word::Text(text) | Word::Name(text) => excerpt(text),
        }
    }
}

fn unclear(why: &str) -> ApiError {
    ApiError::invalid(
        "$filter",
        format!(
            "The filter cannot be read: {why}. Write it such as name eq 'job' and properties/executionState ne 'failed', or \
             startswith(name,'a')."
        ),
    )
}

/// Cuts a filter into words. A quote inside a text is doubled.
fn words(text: &str) -> Result<Vec<Word>, ApiError> {
    if text.len() > LONGEST {
        return Err(unclear(&format!("it is longer than {LONGEST} bytes")));
    }
    let mut words = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '(' => words.push(Word::Open),
            ')' => words.push(Word::Close),
            ',' => words.push(Word::Comma),
            '\'' => {
                let mut quoted = String::new();
                loop {
                    match rest.next() {
                        Some('\'') if rest.next_if_eq(&'\'').is_some() => quoted.push('\''),
                        Some('\'') => break,
                        Some(c) => quoted.push(c),
                        None => return Err(unclear("a quote is not closed")),
                    }
                }
                words.push(Word::Text(quoted));
            }
            c if c.is_whitespace() => {}
            c => {
                let mut name = c.to_string();
                while let Some(c) = rest.next_if(|c| !c.is_whitespace() && !"(),'".contains(*c)) {
                    name.push(c);
                }
                words.push(Word::Name(name));
            }
        }
    }
    Ok(words)
}

struct Reader<'a> {
    words: &'a [Word],
    depth: usize,
}

impl Reader<'_> {
    fn or(&mut self) -> Result<Filter, ApiError> {
        let mut filter = self.and()?;
        while self.takes("or") {
            filter = Filter::Or(Box::new(filter), Box::new(self.and()?));
        }
        Ok(filter)
    }

    fn and(&mut self) -> Result<Filter, ApiError> {
        let mut filter = self.not()?;
        while self.takes("and") {
            filter = Filter::And(Box::new(filter), Box::new(self.not()?));
        }
        Ok(filter)
    }

    fn not(&mut self) -> Result<Filter, ApiError> {
        let negated = self.takes("not");
        let filter = self.one()?;
        Ok(if negated {
            Filter::Not(Box::new(filter))
        } else {
            filter
        })
    }

    fn one(&mut self) -> Result<Filter, ApiError> {
        match self.next("a condition")? {
            Word::Open => {
                self.depth += 1;
                if self.depth > DEEPEST {
                    return Err(unclear("it has too many brackets"));
                }
                let inner = self.or()?;
                self.depth -= 1;
                self.expect(&Word::Close)?;
                Ok(inner)
            }
            Word::Name(name) if name.eq_ignore_ascii_case("startswith") => {
                self.expect(&Word::Open)?;
                let path = self.path()?;
                self.expect(&Word::Comma)?;
                let Word::Text(start) = self.next("a text")? else {
                    return Err(unclear("startswith needs a text in quotes"));
                };
                self.expect(&Word::Close)?;
                Ok(Filter::StartsWith(path, start))
            }
            Word::Name(name) => {
                let comparison = self.comparison()?;
                Ok(Filter::Compare(path(&name)?, comparison, self.value()?))
            }
            word => Err(unclear(&format!(
                "'{}' is not the name of a member",
                word.shown()
            ))),
        }
    }

    fn takes(&mut self, keyword: &str) -> bool {
        match self.words.split_first() {
            Some((Word::Name(name), rest)) if name.eq_ignore_ascii_case(keyword) => {
                self.words = rest;
                true
            }
            Some(_) | None => false,
        }
    }

    fn next(&mut self, wanted: &str) -> Result<Word, ApiError> {
        let (word, rest) = self
            .words
            .split_first()
            .ok_or_else(|| unclear(&format!("{wanted} is missing")))?;
        self.words = rest;
        Ok(word.clone())
    }

    fn expect(&mut self, wanted: &Word) -> Result<(), ApiError> {
        let found = self.next(&format!("'{}'", wanted.shown()))?;
        if found == *wanted {
            return Ok(());
        }
        Err(unclear(&format!(
            "'{}' stands where '{}' should",
            found.shown(),
            wanted.shown()
        )))
    }

    fn path(&mut self) -> Result<Path, ApiError> {
        match self.next("a member")? {
            Word::Name(name) => path(&name),
            word => Err(unclear(&format!(
                "'{}' is not the name of a member",
                word.shown()
            ))),
        }
    }

    fn comparison(&mut self) -> Result<Comparison, ApiError> {
        let word = self.next("a comparison")?;
        Ok(match word.shown().to_ascii_lowercase().as_str() {
            "eq" => Comparison::Equal,
            "ne" => Comparison::NotEqual,
            "gt" => Comparison::Greater,
            "ge" => Comparison::GreaterOrEqual,
            "lt" => Comparison::Less,
            "le" => Comparison::LessOrEqual,
            other => {
                return Err(unclear(&format!(
                    "'{other}' is not a comparison; there are eq, ne, gt, ge, lt and le"
                )));
            }
        })
    }

    fn value(&mut self) -> Result<Value, ApiError> {
        match self.next("a value")? {
            Word::Text(text) => Ok(text.into()),
            Word::Name(word) => match serde_json::from_str(&word) {
                Ok(value @ (Value::Null | Value::Bool(_) | Value::Number(_))) => Ok(value),
                _ => Err(unclear(&format!(
                    "'{}' is not a value; texts stand in single quotes",
                    excerpt(&word)
                ))),
            },
            word => Err(unclear(&format!("'{}' is not a value", word.shown()))),
        }
    }
}

/// Reads `properties/executionState`; a dot separates too, as some clients wrote.
fn path(text: &str) -> Result<Path, ApiError> {
    let names: Path = text.split(['/', '.']).map(str::to_owned).collect();
    let legal =
        |name: &String| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if names.iter().all(legal) {
        return Ok(names);
    }
    Err(unclear(&format!(
        "'{}' is not the name of a member",
        excerpt(text)
    )))
}

/// The members that a list is to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select(Vec<Path>);

impl Select {
    /// Reads names and paths between commas; `*` is everything.
    pub fn parse(text: &str) -> Result<Option<Select>, ApiError> {
        let unclear = |_| {
            ApiError::invalid(
                "$select",
                format!(
                    "'{}' cannot be read. Write members between commas, such as name,properties/executionState.",
                    excerpt(text)
                ),
            )
        };
        if text.len() > LONGEST {
            return Err(unclear(()));
        }
        let names = text.split(',').map(str::trim);
        if names.clone().any(|name| name == "*") {
            return Ok(None);
        }
        let paths = names
            .map(|name| path(name).map_err(|_| unclear(())))
            .collect::<Result<_, _>>()?;
        Ok(Some(Select(paths)))
    }

    /// A resource with the selected members only, in their own order.
    pub fn of(&self, resource: &Value) -> Value {
        let paths: Vec<&[String]> = self.0.iter().map(Vec::as_slice).collect();
        selected(resource, &paths)
    }
}

fn selected(value: &Value, paths: &[&[String]]) -> Value {
    let Value::Object(members) = value else {
        return value.clone();
    };
    let mut shown = Map::new();
    for (key, value) in members {
        let beneath: Vec<&[String]> = paths
            .iter()
            .filter_map(|path| path.split_first())
            .filter(|(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, rest)| rest)
            .collect();
        if beneath.iter().any(|rest| rest.is_empty()) {
            shown.insert(key.clone(), value.clone());
        } else if !beneath.is_empty() {
            shown.insert(key.clone(), selected(value, &beneath));
        }
    }
    Value::Object(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn job() -> Value {
        json!({"name": "it's", "properties": {"priority": 5, "executionState": "failed", "executionInfo": {"exitCode": 1}}})
    }

    fn fits(filter: &str) -> bool {
        Filter::parse(filter).unwrap().fits(&job())
    }

    #[test]
    fn common_filters_are_understood() {
        for yes in [
            "name eq 'it''s'",
            "properties/executionState eq 'failed' and Properties/Priority gt 4",
            "properties.priority le 5",
            "name eq 'x' or not (properties/priority lt 5)",
            "startswith(name,'it')",
            "properties/executionInfo/exitCode ne 0",
            "tags eq null",
            "properties/executionState ne 'queued' and (name eq 'x' or name eq 'it''s')",
        ] {
            assert!(fits(yes), "{yes}");
        }
        for no in [
            "name eq 'its'",
            "properties/priority eq '5'",
            "tags ne null",
            "name gt 5",
            "a/b/c eq 'd'",
        ] {
            assert!(!fits(no), "{no}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let deep = format!("{}name eq 'x'{}", "(".repeat(20), ")".repeat(20));
        for bad in [
            "",
            "name",
            "name eq",
            "name eq x",
            "name is 'x'",
            "name eq 'x",
            "(name eq 'x'",
            "name eq 'x')",
            "name eq 'x' name",
            "startswith(name)",
            "endswith(name,'x')",
            "a//b eq 1",
            "'x' eq name",
            &deep,
        ] {
            let error = Filter::parse(bad).unwrap_err().show();
            assert_eq!(
                (error.code.as_str(), error.target.as_deref()),
                ("BadRequest", Some("$filter")),
                "{bad}"
            );
        }
        assert_eq!(
            Select::parse("a,,b").unwrap_err().show().target.as_deref(),
            Some("$select")
        );
    }

    #[test]
    fn selected_members_are_shown_and_nothing_else() {
        let select = Select::parse("name, properties/executionInfo/exitCode,properties/priority")
            .unwrap()
            .unwrap();
        assert_eq!(
            select.of(&job()),
            json!({"name": "it's", "properties": {"priority": 5, "executionInfo": {"exitCode": 1}}})
        );
        assert_eq!(Select::parse("*").unwrap(), None);
    }
}
