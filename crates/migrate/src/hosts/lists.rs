//! Calls that are written as lists of words: `["az", "batchai", "job", "show"]`.

use crate::call::{Call, Verdict};

/// Adds the lists of `text` to `calls`; they are left to the person.
pub fn add(text: &str, calls: &mut Vec<Call>) {
    for (at, _) in text.match_indices("batchai") {
        let before = text.get(..at).unwrap_or_default();
        let Some(start) = start(before) else { continue };
        let rest = text.get(at..).unwrap_or_default();
        let end = at + rest.find([']', '\n']).unwrap_or(rest.len());
        calls.push(Call {
            span: start..end,
            what: "az batchai".to_owned(),
            verdict: Verdict::Undecided(
                "it is written as a list of words: write it as one line, run this again, and cut it in words"
                    .to_owned(),
            ),
            remarks: Vec::new(),
        });
    }
    calls.sort_by_key(|call| call.span.start);
}

/// Where `az` begins, if that is the word before in a list.
fn start(before: &str) -> Option<usize> {
    let rest = before
        .strip_suffix(['"', '\''])?
        .trim_end()
        .strip_suffix(',')?
        .trim_end();
    let rest = rest.strip_suffix(['"', '\''])?;
    let word = rest.strip_suffix("az")?;
    word.ends_with(['"', '\'', '/']).then_some(word.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_words_is_asked_about() {
        let text = "CMD [\"az\", \"batchai\", \"job\"]\n# az, batchai";
        let mut calls = Vec::new();
        add(text, &mut calls);
        assert_eq!(calls.len(), 1);
        assert_eq!(&text[calls[0].span.clone()], "az\", \"batchai\", \"job\"");
    }
}
