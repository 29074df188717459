//! Documents: their command lines, and the Python in their fences.

use crate::call::Call;
use crate::known::Known;
use crate::syntax::holds;
use crate::{compose, embedded, hosts, python};

/// Calls of a document.
pub fn calls(text: &str, known: &Known) -> Vec<Call> {
    let mut calls = hosts::markdown::calls(text, known);
    let folded: String = text
        .to_ascii_lowercase()
        .chars()
        .filter(|c| !"- _".contains(*c))
        .collect();
    if folded.contains("batchai") {
        for (start, block) in python_blocks(text) {
            for call in python::snippet(block, known) {
                let call = embedded::moved(call, start);
                if !calls
                    .iter()
                    .any(|found| holds(&found.span, &call.span) || holds(&call.span, &found.span))
                {
                    calls.push(call);
                }
            }
        }
        calls.sort_by_key(|call| (call.span.start, call.span.end));
        compose::settle(&mut calls);
    }
    calls
}

/// The insides of the fences that say python, and where they begin.
fn python_blocks(text: &str) -> Vec<(usize, &str)> {
    let mut blocks = Vec::new();
    let mut open: Option<usize> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim();
        let fence = bare.starts_with("```") || bare.starts_with("~~~");
        match open {
            Some(start) if fence => {
                blocks.extend(text.get(start..at).map(|block| (start, block)));
                open = None;
            }
            None if fence => {
                let word = bare
                    .trim_start_matches(['`', '~', ' ', '{', '.'])
                    .to_ascii_lowercase();
                let python = ["python", "py", "ipython"].iter().any(|name| {
                    word.split(|c: char| !c.is_alphanumeric())
                        .next()
                        .is_some_and(|first| first.trim_end_matches(['2', '3']) == *name)
                });
                // A fence of another language is passed over up to its end.
                open = Some(if python { at + line.len() } else { usize::MAX });
            }
            _ => {}
        }
        at += line.len();
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Verdict;

    #[test]
    fn python_in_fences_is_found_and_the_rest_is_not() {
        let text = "Batch AI: client.jobs.get(a, b)\n```bash\nx\n```\n```python\nclient.fileservers.get(g, 'migrated-<region>', \
                    n)\nclient.jobs.create(g, w, e, j p)\n```\nclient.jobs.get(a, b)\n";
        let calls = calls(text, &Known::default());
        assert_eq!(calls.len(), 2, "{calls:?}");
        assert!(matches!(calls[0].verdict, Verdict::Rewritten(_)));
        assert!(matches!(calls[1].verdict, Verdict::Undecided(_)));
        assert!(text[calls[1].span.clone()].starts_with("client.jobs.create"));
    }
}
