//! The known word that a mistyped one was probably meant to be.

/// The candidate with the fewest edits from `word`, if they are few for its length; else one with the same last segment.
pub(crate) fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let measured = candidates.iter().map(|candidate| (distance(word, candidate), *candidate));
    let few = |(edits, candidate): &(usize, &str)| *edits <= 1 + word.len().max(candidate.len()) / 4;
    let same_end =
        || candidates.iter().copied().find(|candidate| last_segment(candidate) == last_segment(word));
    measured.min().filter(few).map(|(_, candidate)| candidate).or_else(same_end)
}

fn last_segment(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// How many characters must be put in, taken out or replaced (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, c) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], above + 1);
        for (at, d) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(c != *d);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (one, other, edits) in
            [("", "abc", 3), ("abc", "abc", 0), ("kitten", "sitting", 3), ("ab", "ba", 2)]
        {
            assert_eq!(distance(one, other), edits);
            assert_eq!(distance(other, one), edits);
        }
    }

    #[test]
    fn only_what_is_near_is_offered() {
        let known = ["stream.heartbeat", "stream.lifetime", "listen"];
        assert_eq!(nearest("stream.hartbeat", &known), Some("stream.heartbeat"));
        assert_eq!(nearest("heartbeats", &known), None);
        assert_eq!(nearest("limits.heartbeat", &known), Some("stream.heartbeat"));
        assert_eq!(nearest("listne", &known), Some("listen"));
        assert_eq!(nearest("x", &[]), None);
    }
}
