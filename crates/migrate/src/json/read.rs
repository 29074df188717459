//! A JSON reader that keeps where everything stands. Comments and a comma too many are let pass, as editors and
//! ARM do.

use std::ops::Range;

/// How deep values may be nested.
const DEPTH: usize = 200;

/// A value and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// From the first to behind the last byte, quotes and brackets included.
    pub span: Range<usize>,
    /// What it is.
    pub kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Members in their order.
    Object(Vec<Member>),
    /// Items in their order.
    Array(Vec<Value>),
    /// A text, escapes resolved.
    String(String),
    /// A number, `true`, `false` or `null`, as written.
    Plain(String),
}

/// A member of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name, escapes resolved.
    pub name: String,
    /// Where the name stands, quotes included.
    pub name_span: Range<usize>,
    /// What it holds.
    pub value: Value,
}

impl Member {
    /// From the name to the end of the value.
    pub fn span(&self) -> Range<usize> {
        self.name_span.start..self.value.span.end
    }
}

impl Value {
    /// The members; none for anything but an object.
    pub fn members(&self) -> &[Member] {
        match &self.kind {
            Kind::Object(members) => members,
            _ => &[],
        }
    }

    /// The items; none for anything but an array.
    pub fn items(&self) -> &[Value] {
        match &self.kind {
            Kind::Array(items) => items,
            _ => &[],
        }
    }

    /// The member of that name, in whatever case.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members()
            .iter()
            .find(|member| member.name.eq_ignore_ascii_case(name))
    }

    /// The value of the member of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.member(name).map(|member| &member.value)
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    /// What stands there, if it is no text and holds nothing.
    pub fn plain(&self) -> Option<&str> {
        match &self.kind {
            Kind::Plain(text) => Some(text),
            _ => None,
        }
    }

    /// This value and all inside it.
    pub fn all(&self) -> Vec<&Value> {
        let mut found = vec![self];
        for member in self.members() {
            found.extend(member.value.all());
        }
        for item in self.items() {
            found.extend(item.all());
        }
        found
    }
}

/// The value that `text` holds; the byte where reading stopped if it holds none.
///
/// # Errors
///
/// The place of the first byte that is no JSON.
pub fn read(text: &str) -> Result<Value, usize> {
    let mut reader = Reader {
        text,
        at: text.len() - text.trim_start_matches('\u{feff}').len(),
    };
    reader.blanks();
    let value = reader.value(DEPTH)?;
    reader.blanks();
    if reader.at == text.len() {
        Ok(value)
    } else {
        Err(reader.at)
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn next(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.next() == Some(byte);
        self.at += usize::from(there);
        there
    }

    /// Blanks and comments.
    fn blanks(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start().len();
            let rest = &rest[blank..];
            let comment = if rest.starts_with("//") {
                rest.find('\n').unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                rest.find("*/").map_or(rest.len(), |end| end + 2)
            } else {
                0
            };
            self.at += blank + comment;
            if blank + comment == 0 {
                return;
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, usize> {
        let start = self.at;
        let deeper = depth.checked_sub(1).ok_or(start)?;
        let kind = match self.next() {
            Some(b'{') => Kind::Object(self.members(deeper)?),
            Some(b'[') => Kind::Array(self.items(deeper)?),
            Some(b'"') => Kind::String(self.string()?),
            _ => Kind::Plain(self.plain()?),
        };
        Ok(Value {
            span: start..self.at,
            kind,
        })
    }

    fn members(&mut self, depth: usize) -> Result<Vec<Member>, usize> {
        let mut members = Vec::new();
        self.at += 1;
        loop {
            self.blanks();
            if self.take(b'}') {
                return Ok(members);
            }
            let start = self.at;
            if self.next() != Some(b'"') {
                return Err(start);
            }
            let name = self.string()?;
            let name_span = start..self.at;
            self.blanks();
            if !self.take(b':') {
                return Err(self.at);
            }
            self.blanks();
            let value = self.value(depth)?;
            members.push(Member {
                name,
                name_span,
                value,
            });
            self.blanks();
            if !self.take(b',') && self.next() != Some(b'}') {
                return Err(self.at);
            }
        }
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Value>, usize> {
        let mut items = Vec::new();
        self.at += 1;
        loop {
            self.blanks();
            if self.take(b']') {
                return Ok(items);
            }
            items.push(self.value(depth)?);
            self.blanks();
            if !self.take(b',') && self.next() != Some(b']') {
                return Err(self.at);
            }
        }
    }

    fn string(&mut self) -> Result<String, usize> {
        let start = self.at;
        let end = string_end(self.text, start).ok_or(start)?;
        self.at = end;
        let raw = self.text.get(start + 1..end - 1).ok_or(start)?;
        Ok(unescaped(raw).into_iter().map(|(letter, _)| letter).collect())
    }

    fn plain(&mut self) -> Result<String, usize> {
        let rest = self.rest();
        let length = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c))
            .unwrap_or(rest.len());
        let word = rest.get(..length).unwrap_or_default().to_owned();
        let good = matches!(word.as_str(), "true" | "false" | "null")
            || (word.starts_with(|c: char| c.is_ascii_digit() || c == '-') && word.parse::<f64>().is_ok());
        if !good {
            return Err(self.at);
        }
        self.at += length;
        Ok(word)
    }
}

/// Behind the closing quote of the string that begins at `start`.
fn string_end(text: &str, start: usize) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(start + 1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            b'\n' => return None,
            _ => {}
        }
    }
    None
}

/// Each letter of a string's inside and the byte of `raw` that it begins at.
pub fn unescaped(raw: &str) -> Vec<(char, usize)> {
    let mut letters = Vec::new();
    let mut rest = raw.char_indices().peekable();
    while let Some((at, letter)) = rest.next() {
        if letter != '\\' {
            letters.push((letter, at));
            continue;
        }
        let Some((_, kind)) = rest.next() else { break };
        let plain = match kind {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => {
                let first = hex(&mut rest);
                let code = if (0xd800..0xdc00).contains(&first) && raw.get(at + 6..at + 8) == Some("\\u") {
                    rest.next();
                    rest.next();
                    let second = hex(&mut rest);
                    0x10000 + ((first - 0xd800) << 10) + (second.wrapping_sub(0xdc00) & 0x3ff)
                } else {
                    first
                };
                char::from_u32(code).unwrap_or('\u{fffd}')
            }
            other => other,
        };
        letters.push((plain, at));
    }
    letters
}

fn hex(rest: &mut std::iter::Peekable<std::str::CharIndices<'_>>) -> u32 {
    let mut code = 0;
    for _ in 0..4 {
        if let Some(digit) = rest.peek().and_then(|(_, letter)| letter.to_digit(16)) {
            code = code * 16 + digit;
            rest.next();
        }
    }
    code
}

/// `text` as it stands inside a JSON string, without the quotes.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            plain => out.push(plain),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_keeps_its_place() {
        let text = "\u{feff}{ \"a\": [1, \"b\\n\\u00e9\\ud83d\\ude00\"], // why\n \"c\": {\"d\": null,}, }\n";
        let value = read(text).unwrap();
        let items = value.get("a").unwrap().items();
        assert_eq!(&text[items[0].span.clone()], "1");
        assert_eq!(items[1].text(), Some("b\né😀"));
        assert_eq!(
            &text[value.get("c").unwrap().member("D").unwrap().span()],
            "\"d\": null"
        );
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "",
            "{",
            "{\"a\" 1}",
            "[1 2]",
            "{\"a\": b}",
            "\"a\nb\"",
            "{} x",
            "{'a': 1}",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read(&"[".repeat(5000)).is_err());
    }

    #[test]
    fn letters_know_their_bytes() {
        assert_eq!(
            unescaped("a\\n\\u0041é"),
            [('a', 0), ('\n', 1), ('A', 3), ('é', 9)]
        );
        assert_eq!(escaped("a\"\\\n\u{1}é"), "a\\\"\\\\\\n\\u0001é");
    }
}
