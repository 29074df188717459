//! Finds command lines in the text of a shell, and in texts that are like one.

mod bash;
mod mentions;
mod split;
mod surround;

use crate::az::decide;
use crate::az::words::{Place, Site, Syntax, Word};
use crate::call::Call;
use crate::known::Known;

use bash::{Around, Script};

/// Calls in the text of a Unix shell: a script, one line of one, a cell that begins with `!`.
pub fn calls(text: &str, known: &Known) -> Vec<Call> {
    let found = decide(&sites(text, Syntax::Posix), known);
    found.into_iter().map(|(_, call)| call).collect()
}

/// Command lines in a text of this syntax.
pub fn sites(text: &str, syntax: Syntax) -> Vec<Site<'_>> {
    let places = mentions::mentions(text, syntax);
    if places.is_empty() {
        return Vec::new();
    }
    let script = (syntax == Syntax::Posix).then(|| Script::read(text)).flatten();
    let mut sites: Vec<Site<'_>> = Vec::new();
    let mut endless = 0..0;
    for start in places {
        if surround::is_ours(text, start) || endless.contains(&start) {
            continue;
        }
        let around = script
            .as_ref()
            .map_or(Around::Unclear, |script| script.around(start));
        let (quote, place) = match around {
            Around::Quoted(quote) => surround::quoted(text, start, quote),
            Around::Plain => (None, Place::Text),
            Around::Command(_) if syntax == Syntax::Posix => (
                surround::of(text, start, syntax).0.filter(|quote| *quote == b'`'),
                Place::Code,
            ),
            Around::Command(_) | Around::Unclear => surround::of(text, start, syntax),
        };
        let own_line = surround::own_line(text, start);
        // In a document a call that begins its line was meant to be run; one within a sentence is talk.
        let talk = syntax == Syntax::Loose && !own_line;
        let place = if talk { Place::Text } else { place };
        let tolerant = split::words(text, start, syntax, quote, place);
        let words = match around {
            Around::Command(spans) => better(text, spans, tolerant),
            _ => tolerant,
        };
        let prose = place == Place::Text && quote != Some(b'`');
        let words = if prose { within_sentence(words) } else { words };
        // A call inside of another one's words is that one's value.
        if words.len() < 2
            || sites
                .last()
                .is_some_and(|last| start < last.span().end && place == Place::Text)
        {
            continue;
        }
        let cut = words.len() >= split::MOST_WORDS;
        if cut {
            endless = start..words.last().map_or(start, Word::end);
        }
        sites.push(Site {
            text,
            place,
            syntax,
            goes_on: cut || quote.is_some_and(|quote| surround::goes_on(text, words.last(), quote)),
            quoted: quote.is_some_and(|quote| quote != b'`'),
            own_line,
            words,
        });
    }
    sites
}

/// The words by the grammar, unless it took a placeholder for a redirection, cut the field of a template in
/// words, or took words for its target.
fn better<'a>(text: &'a str, spans: Vec<std::ops::Range<usize>>, tolerant: Vec<Word<'a>>) -> Vec<Word<'a>> {
    let exact: Vec<_> = spans.into_iter().map(|span| Word::at(text, span)).collect();
    let placeholder = |word: &Word<'_>| word.raw.starts_with('<') || word.raw.contains("{{");
    let placeholder = tolerant.iter().any(placeholder);
    let longer = tolerant.len() > exact.len() && tolerant.starts_with(&exact);
    if placeholder || longer || exact.len() < 2 {
        tolerant
    } else {
        exact
    }
}

/// In prose a comma or a full stop ends the call and is no part of it.
fn within_sentence(mut words: Vec<Word<'_>>) -> Vec<Word<'_>> {
    let ends = |word: &Word<'_>| word.raw.len() > 1 && word.raw.ends_with([',', '.', ':']);
    if let Some(at) = words.iter().position(ends) {
        words.truncate(at + 1);
        if let Some(last) = words.last_mut() {
            last.raw = last.raw.trim_end_matches([',', '.', ':']);
        }
    }
    words
}
