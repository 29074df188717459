//! Makes the calls of one text fit together: what lies inside something that goes, goes with it.

use crate::call::{Call, Verdict};
use crate::edit::Edit;
use crate::syntax::holds;

/// Drops edits inside a piece that another call takes out or replaces, and the calls that have nothing left.
/// Where two edits still cross, the later call becomes a question.
pub fn settle(calls: &mut Vec<Call>) {
    let all: Vec<Edit> = calls.iter().flat_map(edits).cloned().collect();
    let swallowed = |edit: &Edit| {
        all.iter().any(|other| {
            holds(&other.span, &edit.span) && other.span.len() > edit.span.len() && inside(other, edit)
        })
    };
    calls.retain_mut(|call| match &mut call.verdict {
        Verdict::Rewritten(edits) => {
            let had = edits.len();
            edits.retain(|edit| !swallowed(edit));
            !(had > 0 && edits.is_empty())
        }
        Verdict::Undecided(_) | Verdict::Current | Verdict::Reported(_) => !all
            .iter()
            .any(|edit| holds(&edit.span, &call.span) && edit.span.len() > call.span.len()),
    });
    ask_where_they_cross(calls);
}

fn edits(call: &Call) -> &[Edit] {
    match &call.verdict {
        Verdict::Rewritten(edits) => edits,
        _ => &[],
    }
}

/// An insertion at the edge of a piece is not inside it.
fn inside(outer: &Edit, inner: &Edit) -> bool {
    !inner.span.is_empty() || (outer.span.start < inner.span.start && inner.span.start < outer.span.end)
}

fn ask_where_they_cross(calls: &mut [Call]) {
    let mut taken: Vec<Edit> = Vec::new();
    for call in calls {
        let mine = edits(call).to_vec();
        let crosses = mine.iter().any(|edit| {
            taken
                .iter()
                .any(|other| edit.span.start < other.span.end && other.span.start < edit.span.end)
        });
        if crosses {
            call.verdict = Verdict::Undecided(
                "The change of this piece and that of one around it touch each other. Rewrite once more after the first \
                 change, or by hand."
                    .to_owned(),
            );
        } else {
            taken.extend(mine);
        }
    }
}
