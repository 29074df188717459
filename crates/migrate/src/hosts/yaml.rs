//! YAML: every scalar may be a script, as `run:`, `script:` or `- bash:` of a pipeline are. Comments are read too.

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::lists;
use super::piece::{Piece, Write, calls as of};
use crate::az::words::Syntax;
use crate::call::Call;
use crate::known::Known;

/// The calls in a YAML file.
pub fn calls(text: &str, known: &Known) -> Vec<Call> {
    let mut calls = of(&pieces(text), known);
    lists::add(text, &mut calls);
    calls
}

/// Its scalars, and what stands between them. What the parser does not take is read as it stands.
fn pieces(text: &str) -> Vec<Piece> {
    let bytes: Vec<usize> = text
        .char_indices()
        .map(|(at, _)| at)
        .chain([text.len()])
        .collect();
    let byte = |index: usize| bytes.get(index).copied().unwrap_or(text.len());
    let mut pieces = Vec::new();
    let mut done = 0;
    let mut shell = Syntax::Posix;
    for event in Parser::new_from_str(text) {
        let Ok((event, span)) = event else { break };
        let Event::Scalar(value, style, ..) = event else {
            continue;
        };
        let (start, end) = (byte(span.start.index()), byte(span.end.index()));
        let start = match style {
            ScalarStyle::Literal | ScalarStyle::Folded => with_indent(text, start),
            _ => start,
        };
        if start < done || !value.contains("az") {
            // `pwsh: |` and `powershell: |` say what comes next.
            shell = next_shell(&value, shell);
            continue;
        }
        if let Some(raw) = text.get(start..end) {
            pieces.push(Piece::straight(
                text.get(done..start).unwrap_or_default(),
                done,
                Syntax::Posix,
            ));
            pieces.push(scalar(raw, start, style, shell));
            done = end;
        }
    }
    pieces.push(Piece::straight(
        text.get(done..).unwrap_or_default(),
        done,
        Syntax::Posix,
    ));
    pieces
}

/// The parser says that a block begins at its first letter, or at its sign; its lines begin with the indent.
fn with_indent(text: &str, start: usize) -> usize {
    let before = text.get(..start).unwrap_or_default();
    let indent = before.len() - before.trim_end_matches(' ').len();
    let alone = before.trim_end_matches(' ').ends_with('\n');
    if alone { start - indent } else { start }
}

fn next_shell(key: &str, before: Syntax) -> Syntax {
    match key {
        "pwsh" | "powershell" | "inlinePowershell" => Syntax::PowerShell,
        "run" | "bash" | "script" | "inlineScript" | "command" => Syntax::Posix,
        _ => before,
    }
}

fn scalar(raw: &str, start: usize, style: ScalarStyle, syntax: Syntax) -> Piece {
    match style {
        ScalarStyle::Literal => block(raw, start, syntax, false),
        ScalarStyle::Folded => block(raw, start, syntax, true),
        ScalarStyle::Plain => flow(raw, start, syntax, Write::OneLine),
        ScalarStyle::SingleQuoted => flow(raw, start, syntax, Write::SingleQuoted),
        ScalarStyle::DoubleQuoted => flow(raw, start, syntax, Write::DoubleQuoted),
    }
}

/// `|` and `>`: the lines without their indent. In folded ones an end of a line is a blank.
fn block(raw: &str, start: usize, syntax: Syntax, folded: bool) -> Piece {
    let header = if raw.starts_with(['|', '>']) {
        raw.find('\n').map_or(raw.len(), |at| at + 1)
    } else {
        0
    };
    let body = raw.get(header..).unwrap_or_default();
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let first = body
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(indent)
        .min()
        .unwrap_or_default();
    let mut text = String::new();
    let mut places = Vec::new();
    let mut at = start + header;
    for line in body.split_inclusive('\n') {
        let skipped = indent(line).min(first);
        for (offset, c) in line.char_indices().skip_while(|(offset, _)| *offset < skipped) {
            places.extend(at + offset..at + offset + c.len_utf8());
            text.push(if folded && matches!(c, '\n' | '\r') {
                ' '
            } else {
                c
            });
        }
        at += line.len();
    }
    places.push(at);
    let write = if folded {
        Write::OneLine
    } else {
        Write::Indented(" ".repeat(first))
    };
    Piece {
        text,
        places,
        syntax,
        write,
    }
}

/// Plain and quoted scalars: ends of lines are blanks, quotes and escapes come off.
fn flow(raw: &str, start: usize, syntax: Syntax, write: Write) -> Piece {
    let mut text = String::new();
    let mut places = Vec::new();
    let mut chars = raw.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let shown = match (&write, c) {
            (Write::SingleQuoted, '\'') => match chars.next_if(|(_, next)| *next == '\'') {
                Some(_) => '\'',
                None => continue,
            },
            (Write::DoubleQuoted, '"') => continue,
            (Write::DoubleQuoted, '\\') => match chars.next() {
                Some((_, 'n')) => '\n',
                Some((_, 't')) => '\t',
                Some((_, '\n' | '\r')) => ' ',
                Some((_, other)) => other,
                None => continue,
            },
            (_, '\n' | '\r') => ' ',
            (_, c) => c,
        };
        places.extend(std::iter::repeat_n(start + at, shown.len_utf8()));
        text.push(shown);
    }
    let quoted = raw.ends_with(['"', '\'']) && write != Write::OneLine;
    places.push(start + raw.len() - usize::from(quoted));
    Piece {
        text,
        places,
        syntax,
        write,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Verdict;
    use crate::edit::apply;

    fn rewritten(text: &str) -> String {
        let mut edits = Vec::new();
        for call in calls(text, &Known::default()) {
            match call.verdict {
                Verdict::Rewritten(own) => edits.extend(own),
                other => panic!("{other:?}"),
            }
        }
        apply(text, &edits).unwrap()
    }

    #[test]
    fn a_block_is_read_without_its_indent() {
        let text = "a:\n  run: |\n    cat <<X\n      b\n    X\n    az batchai job list\n";
        let pieces = pieces(text);
        let block = pieces.iter().find(|piece| piece.text.contains("az")).unwrap();
        assert_eq!(block.text, "cat <<X\n  b\nX\naz batchai job list\n");
        assert_eq!(
            block.places[block.text.find("az").unwrap()],
            text.find("az").unwrap()
        );
        assert_eq!(calls(text, &Known::default()).len(), 1);
    }

    #[test]
    fn each_kind_of_scalar_is_written_back_as_it_was() {
        for (before, after) in [
            (
                "é: 1\nrun: |\n    az batchai job show -n x -g g \\\n      -o table\n    ls\n",
                "é: 1\nrun: |\n    az batchai job show -n x -g g \\\n      -o table \\\n      -w migrated-REGION \\\n      -e migrated\n    ls\n",
            ),
            (
                "run: >\n  az batchai\n  cluster show\n  -n x\n\n  -g g\n",
                "run: >\n  az batchai\n  cluster show\n  -n x\n\n  -g g -w migrated-REGION\n",
            ),
            (
                "- az batchai cluster show -n x -g g # c\n",
                "- az batchai cluster show -n x -g g -w migrated-REGION # c\n",
            ),
            (
                "a: \"az batchai cluster create -n \\\"x\\\" -g g -l \\\"$L\\\"\"\n",
                "a: \"az batchai cluster create -n \\\"x\\\" -g g -w \\\"migrated-$L\\\"\"\n",
            ),
            (
                "a: 'az batchai cluster show -n ''x'' -g g'\n",
                "a: 'az batchai cluster show -n ''x'' -g g -w migrated-REGION'\n",
            ),
            (
                "# az batchai cluster show -n x -g g\na: {{ broken\n- az batchai cluster delete -n x -g g\n",
                "# az batchai cluster show -n x -g g -w migrated-REGION\na: {{ broken\n- az batchai cluster delete -n x -g g -w migrated-REGION\n",
            ),
        ] {
            assert_eq!(rewritten(before), after);
            assert!(
                calls(after, &Known::default())
                    .iter()
                    .all(|call| call.verdict == Verdict::Current)
            );
        }
    }
}
