//! Markdown as links, anchors and code spans.
//!
//! Line by line, as the house writes it: fenced blocks are skipped, a code span does not cross a line. What a fence
//! or a span holds is never a link.

use std::collections::{HashMap, HashSet};

/// A link's target and the line it stands on, from 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) line: usize,
    pub(crate) target: String,
}

/// Every target: inline links and images, reference definitions, `href` and `src` of HTML.
pub(crate) fn links(text: &str) -> Vec<Link> {
    let mut found = Vec::new();
    for (line, prose) in prose_lines(text) {
        let prose = blank_spans(prose);
        let targets = inline_targets(&prose).into_iter().chain(definition(&prose));
        let targets = targets.chain(attributes(&prose, &["href", "src"]));
        found.extend(targets.map(|target| Link { line, target }));
    }
    found
}

/// The anchors that a reader can link to: headings as GitHub names them, and HTML's `id` and `name`.
pub(crate) fn anchors(text: &str) -> HashSet<String> {
    let mut used: HashMap<String, usize> = HashMap::new();
    let mut anchors = HashSet::new();
    let mut previous = "";
    for (_, line) in prose_lines(text) {
        if let Some(heading) = atx_heading(line).or_else(|| underlined_heading(previous, line)) {
            let slug = slug(heading);
            let count = used.entry(slug.clone()).or_default();
            anchors.insert(if *count == 0 { slug } else { format!("{slug}-{count}") });
            *count += 1;
        }
        anchors.extend(attributes(line, &["id", "name"]));
        previous = line;
    }
    anchors
}

/// Every word (letters, digits, `_`, `$`) that stands in a code span outside fenced blocks.
pub(crate) fn code_words(text: &str) -> HashSet<&str> {
    prose_lines(text)
        .flat_map(|(_, line)| spans(line))
        .flat_map(|span| span.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '$')))
        .filter(|word| !word.is_empty())
        .collect()
}

/// The lines outside fenced blocks, numbered from 1.
fn prose_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fence: Option<&str> = None;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let trimmed = line.trim_start().trim_start_matches("> ");
        match fence {
            Some(open)
                if trimmed.starts_with(open) && trimmed.trim_start_matches(&open[..1]).trim().is_empty() =>
            {
                fence = None;
                None
            }
            Some(_) => None,
            None => {
                fence = fence_mark(trimmed);
                fence.is_none().then_some((index + 1, line))
            }
        }
    })
}

/// The run of backticks or tildes that opens a fenced block. Backticks with another after them are a code span.
fn fence_mark(line: &str) -> Option<&str> {
    let first = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = line.chars().take_while(|c| *c == first).count();
    (length >= 3 && !(first == '`' && line[length..].contains('`'))).then_some(&line[..length])
}

/// Where each code span's content begins and ends.
fn span_ranges(line: &str) -> Vec<std::ops::Range<usize>> {
    let mut ranges = Vec::new();
    let mut at = 0;
    while let Some(start) = line[at..].find('`').map(|found| at + found) {
        let width = line[start..].bytes().take_while(|byte| *byte == b'`').count();
        let content = start + width;
        at = match closing_run(line, content, width) {
            Some(end) => {
                ranges.push(content..end);
                end + width
            }
            None => content,
        };
    }
    ranges
}

/// Where the run of exactly `width` backticks begins that closes a span.
fn closing_run(line: &str, from: usize, width: usize) -> Option<usize> {
    let mut at = from;
    while let Some(start) = line[at..].find('`').map(|found| at + found) {
        let run = line[start..].bytes().take_while(|byte| *byte == b'`').count();
        if run == width {
            return Some(start);
        }
        at = start + run;
    }
    None
}

fn spans(line: &str) -> impl Iterator<Item = &str> {
    span_ranges(line).into_iter().map(|range| &line[range])
}

fn blank_spans(line: &str) -> String {
    let mut blanked = line.to_owned();
    for range in span_ranges(line) {
        let blank = " ".repeat(range.len());
        blanked.replace_range(range, &blank);
    }
    blanked
}

fn inline_targets(line: &str) -> Vec<String> {
    let starts = line.match_indices("](").map(|(index, found)| index + found.len());
    starts.filter_map(|start| target_at(&line[start..])).collect()
}

/// The target after `](`: up to its closing bracket or the title before it.
fn target_at(rest: &str) -> Option<String> {
    let rest = rest.trim_start();
    if let Some(rest) = rest.strip_prefix('<') {
        return rest.split_once('>').map(|(target, _)| target.to_owned());
    }
    let mut depth = 0;
    let end = rest.find(|c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth < 0 || c.is_whitespace()
    })?;
    Some(rest[..end].to_owned())
}

/// The target of `[label]: target`; a footnote has none.
fn definition(line: &str) -> Option<String> {
    let (label, rest) = line.trim_start().strip_prefix('[')?.split_once("]:")?;
    let target = rest.split_whitespace().next()?;
    (!label.starts_with('^') && !label.contains(']'))
        .then(|| target.trim_start_matches('<').trim_end_matches('>').to_owned())
}

/// The values of HTML attributes in double quotes.
fn attributes(line: &str, names: &[&str]) -> Vec<String> {
    let value = |name: &&str| {
        let needle = format!(" {name}=\"");
        let starts: Vec<usize> = line.match_indices(&needle).map(|(index, _)| index + needle.len()).collect();
        starts
            .into_iter()
            .filter_map(|start| line[start..].split_once('"').map(|(value, _)| value.to_owned()))
    };
    names.iter().flat_map(value).collect()
}

fn atx_heading(line: &str) -> Option<&str> {
    let level = line.bytes().take_while(|byte| *byte == b'#').count();
    let rest = line.get(level..).filter(|_| (1..=6).contains(&level))?;
    rest.starts_with(' ').then(|| rest.trim().trim_end_matches('#').trim_end())
}

fn underlined_heading<'a>(previous: &'a str, line: &str) -> Option<&'a str> {
    let line = line.trim_end();
    let is_underline =
        line.len() >= 2 && (line.bytes().all(|byte| byte == b'=') || line.bytes().all(|byte| byte == b'-'));
    let is_paragraph = !previous.trim().is_empty() && !previous.starts_with(['#', '|', '>', '-', '=']);
    (is_underline && is_paragraph).then(|| previous.trim())
}

/// A heading's anchor as GitHub makes it: lower case, spaces to hyphens, other punctuation gone.
fn slug(heading: &str) -> String {
    let kept = link_texts(heading).to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | ' '));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The heading with each `[text](target)` replaced by its text.
fn link_texts(heading: &str) -> String {
    let mut out = String::new();
    let mut rest = heading;
    while let Some((before, after)) = rest.split_once("](") {
        out.push_str(before);
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(text: &str) -> Vec<String> {
        links(text).into_iter().map(|link| link.target).collect()
    }

    #[test]
    fn every_kind_of_link_is_found() {
        let text = "[a](x.md) ![b](y.png \"title\") [`c`](z.md#a_(b))\n[d]: w.md\n<img alt=\"\" src=\"v.svg\"> [e](<u v.md>)";
        assert_eq!(targets(text), ["x.md", "y.png", "z.md#a_(b)", "w.md", "u v.md", "v.svg"]);
    }

    #[test]
    fn code_and_footnotes_hold_no_links() {
        assert_eq!(
            targets(
                "`[a](x)` ``[b](`y)``\n```md\n[c](z)\n```\n[^1]: note.md\n~~~~\n[d](w)\n~~~\n[e](v)\n~~~~\n"
            ),
            [""; 0]
        );
    }

    #[test]
    fn links_know_their_line() {
        assert_eq!(links("\n```\n\n```\n[a](b)"), [Link { line: 5, target: "b".into() }]);
    }

    #[test]
    fn headings_become_anchors_as_on_github() {
        let text = "# Tidings: the `log`, at [rest](x.md)!\n## A_b c-d\n## A_b c-d\nUnder\n---\n<a id=\"by-hand\"></a>\n";
        let mut anchors: Vec<String> = anchors(text).into_iter().collect();
        anchors.sort();
        assert_eq!(anchors, ["a_b-c-d", "a_b-c-d-1", "by-hand", "tidings-the-log-at-rest", "under"]);
    }

    #[test]
    fn words_of_code_spans_are_collected() {
        let words = code_words("`$end {reason}` and `401 ticket_spent`, not gone\n```\nfenced\n```\n");
        let mut words: Vec<&str> = words.into_iter().collect();
        words.sort_unstable();
        assert_eq!(words, ["$end", "401", "reason", "ticket_spent"]);
    }
}
