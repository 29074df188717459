//! IPython's own lines. They are blanked, byte by byte, so that the rest parses as Python.

use std::ops::Range;

use crate::syntax::line_start;

/// A cell, or a line of one, that is no Python.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Other {
    /// Lines that a shell reads.
    Shell(Range<usize>),
    /// `%%writefile NAME`: a file's text.
    File {
        /// The file's name.
        name: String,
        /// Its text.
        text: Range<usize>,
    },
}

const SHELLS: [&str; 5] = ["bash", "sh", "script", "system", "sx"];
/// Cell magics whose cell is Python all the same.
const PYTHON: [&str; 6] = ["time", "timeit", "capture", "prun", "python", "python3"];

/// Blanks what is no Python in `cell` of `text`, and gives it.
pub fn blank(text: &mut String, cell: Range<usize>) -> Vec<Other> {
    let source = text.get(cell.clone()).unwrap_or_default().to_owned();
    let first = source.split('\n').next().unwrap_or_default();
    if let Some(magic) = first.trim_start().strip_prefix("%%") {
        let body = cell.start + (first.len() + 1).min(source.len())..cell.end;
        let mut words = magic.split_whitespace();
        let kind = words.next().unwrap_or_default();
        if !PYTHON.contains(&kind) {
            let other = whole(kind, words.next_back(), body);
            wipe(text, cell, false);
            return other.into_iter().collect();
        }
        wipe(text, cell.start..cell.start + first.len(), false);
        return lines(text, body);
    }
    lines(text, cell)
}

fn whole(kind: &str, name: Option<&str>, body: Range<usize>) -> Option<Other> {
    if SHELLS.contains(&kind) {
        return Some(Other::Shell(body));
    }
    (kind == "writefile").then(|| Other::File {
        name: name.unwrap_or_default().to_owned(),
        text: body,
    })
}

fn lines(text: &mut String, body: Range<usize>) -> Vec<Other> {
    let mut found = Vec::new();
    let mut at = body.start;
    while at < body.end {
        let end = statement_end(text, at, body.end);
        let line = text.get(at..end).unwrap_or_default().to_owned();
        let indent = line.len() - line.trim_start().len();
        let trimmed = line.get(indent..).unwrap_or_default();
        let start = at + indent;
        if let Some(command) = shell_command(trimmed) {
            found.push(Other::Shell(start + command..end));
            wipe(text, start..end, true);
        } else if let Some(magic) = trimmed.strip_prefix('%') {
            let word = magic.find(char::is_whitespace).unwrap_or(magic.len());
            let name = magic.get(..word).unwrap_or_default();
            if matches!(name, "time" | "timeit" | "prun") {
                // The statement behind it is Python; it moves nowhere, so a bracket keeps its depth.
                wipe(text, start..start + 1 + word, false);
                let behind = line_start(text, start);
                shift_left(text, behind..end);
            } else {
                wipe(text, start..end, true);
            }
        } else if is_help(trimmed) {
            wipe(text, start..end, true);
        } else if let Some(bang) = assigned_command(trimmed) {
            found.push(Other::Shell(start + bang + 1..end));
            wipe(text, start + bang..end, true);
        }
        at = end + 1;
    }
    found
}

/// `!command`, `!!command`, `%sx command`: where the command begins.
fn shell_command(line: &str) -> Option<usize> {
    if let Some(rest) = line.strip_prefix("!!").or_else(|| line.strip_prefix('!')) {
        return Some(line.len() - rest.len());
    }
    ["%sx ", "%system ", "%%bash "]
        .iter()
        .find(|magic| line.starts_with(**magic))
        .map(|magic| magic.len())
}

/// `x = !command`: the place of the mark.
fn assigned_command(line: &str) -> Option<usize> {
    let equals = line.find('=')?;
    let name = line.get(..equals)?.trim();
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_.,[] ".contains(c));
    let rest = line.get(equals + 1..)?;
    let blanks = rest.len() - rest.trim_start().len();
    (is_name && rest.trim_start().starts_with('!') && !rest.trim_start().starts_with("!="))
        .then_some(equals + 1 + blanks)
}

/// `?name`, `name?`.
fn is_help(line: &str) -> bool {
    let line = line.trim_end();
    (line.starts_with('?') || (line.ends_with('?') && !line.contains('#'))) && !line.contains(['"', '\''])
}

/// The end of the line at `at`; of the last one where back-slashes join several of IPython's.
fn statement_end(text: &str, at: usize, limit: usize) -> usize {
    let rest = text.get(at..limit).unwrap_or_default();
    let joined = rest.trim_start().starts_with(['!', '%']) || assigned_command(rest.trim_start()).is_some();
    let mut end = 0;
    for line in rest.split('\n') {
        end += line.len();
        if !joined || !line.trim_end_matches('\r').ends_with('\\') {
            break;
        }
        end += 1;
    }
    (at + end).min(limit)
}

/// Blanks for all but line ends; `0` first where a statement has to stand.
fn wipe(text: &mut String, span: Range<usize>, statement: bool) {
    let Some(old) = text.get(span.clone()) else { return };
    let mut new: Vec<u8> = old
        .bytes()
        .map(|byte| if byte == b'\n' { b'\n' } else { b' ' })
        .collect();
    if statement && let Some(first) = new.first_mut() {
        *first = b'0';
    }
    if let Ok(new) = String::from_utf8(new) {
        text.replace_range(span, &new);
    }
}

/// A statement behind `%time` would stand too far right: the blanks before it become `0;`.
fn shift_left(text: &mut String, line: Range<usize>) {
    let Some(old) = text.get(line.clone()) else { return };
    let indent = old.len() - old.trim_start().len();
    if indent >= 2 {
        text.replace_range(line.start..line.start + 2, "0;");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blanked(cell: &str) -> (String, Vec<String>) {
        let mut text = cell.to_owned();
        let found = blank(&mut text, 0..cell.len());
        assert_eq!(text.len(), cell.len());
        let shell = found
            .into_iter()
            .map(|other| match other {
                Other::Shell(span) => cell[span].to_owned(),
                Other::File { name, text } => format!("{name}: {}", &cell[text]),
            })
            .collect();
        (text, shell)
    }

    #[test]
    fn shell_lines_become_a_statement() {
        let (text, shell) = blanked("if x:\n    !az batchai job list \\\n      -g é\ny = 1");
        assert_eq!(shell, ["az batchai job list \\\n      -g é"]);
        assert!(text.starts_with("if x:\n    0   "));
        assert!(text.ends_with("\ny = 1"));
        let (text, shell) = blanked("out = !az batchai job list\nz = 2");
        assert_eq!(shell, ["az batchai job list"]);
        assert!(text.starts_with("out = 0  "));
    }

    #[test]
    fn cell_magics_take_the_cell() {
        let (text, shell) = blanked("%%bash\naz batchai x\n");
        assert_eq!(shell, ["az batchai x\n"]);
        assert!(text.trim().is_empty());
        let (_, shell) = blanked("%%writefile -a job.json\n{}");
        assert_eq!(shell, ["job.json: {}"]);
        let (text, _) = blanked("%%time\nclient.jobs.get(a, b)");
        assert_eq!(text, "      \nclient.jobs.get(a, b)");
    }

    #[test]
    fn line_magics_go_and_python_stays() {
        let (text, _) = blanked("%matplotlib inline\n%time client.jobs.get(a, b)\nclient?\nx = a % b");
        assert!(text.contains("0;    client.jobs.get(a, b)"), "{text}");
        assert!(text.ends_with("\nx = a % b"));
        assert!(!text.contains("client?"));
    }
}
