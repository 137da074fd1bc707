//! Finds the known name that a mistyped one probably stands for, by shared pairs and triples of letters and then by edit distance.

use std::collections::HashMap;

/// Names that score less are not suggested.
const LEAST_SCORE: f64 = 0.33;

/// Names compared by edit distance after the first choice.
const COMPARED: usize = 50;

/// Names longer than this are not compared.
const MAX_LENGTH: usize = 256;

/// The best known name that is not the wanted one itself.
pub(crate) fn closest<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    closest_or_same(wanted, known).filter(|found| found.to_lowercase() != wanted.to_lowercase())
}

/// The best known name, which may be the wanted one.
pub(crate) fn closest_or_same<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    let mut known: Vec<&str> = known.filter(|name| name.len() <= MAX_LENGTH).collect();
    known.sort_unstable();
    known.dedup_by_key(|name| name.to_lowercase());
    if wanted.len() > MAX_LENGTH {
        return None;
    }
    let same = known.iter().find(|name| name.to_lowercase() == wanted).copied();
    same.or_else(|| [3, 2].into_iter().find_map(|size| best(&wanted, &known, size)))
}

fn best<'a>(wanted: &str, known: &[&'a str], size: usize) -> Option<&'a str> {
    let ours = grams(wanted, size);
    let mut near: Vec<(f64, &str)> = known
        .iter()
        .map(|name| (cosine(&ours, &grams(&name.to_lowercase(), size)), *name))
        .filter(|(score, _)| *score > 0.0)
        .collect();
    near.sort_by(|left, right| right.0.total_cmp(&left.0));
    near.truncate(COMPARED);
    for (score, name) in &mut near {
        *score = likeness(wanted, &name.to_lowercase());
    }
    near.sort_by(|left, right| right.0.total_cmp(&left.0));
    near.first().filter(|(score, _)| *score >= LEAST_SCORE).map(|(_, name)| *name)
}

/// How often each run of `size` letters occurs in a name between dashes; other signs do not count.
fn grams(name: &str, size: usize) -> HashMap<String, f64> {
    let counted = |letter: &char| letter.is_alphanumeric() || ", ".contains(*letter);
    let mut letters: Vec<char> = std::iter::once('-').chain(name.chars().filter(counted)).chain(['-']).collect();
    while letters.len() < size {
        letters.push('-');
    }
    let mut grams = HashMap::new();
    for run in letters.windows(size) {
        *grams.entry(run.iter().collect()).or_default() += 1.0;
    }
    grams
}

fn cosine(left: &HashMap<String, f64>, right: &HashMap<String, f64>) -> f64 {
    let length = |grams: &HashMap<String, f64>| grams.values().map(|count| count * count).sum::<f64>().sqrt();
    let shared: f64 = left.iter().filter_map(|(gram, count)| Some(count * right.get(gram)?)).sum();
    shared / (length(left) * length(right))
}

/// One for equal texts, zero for texts with nothing in common.
fn likeness(left: &str, right: &str) -> f64 {
    let longest = left.chars().count().max(right.chars().count()).max(1);
    #[expect(clippy::cast_precision_loss, reason = "names are short")]
    let share = distance(left, right) as f64 / longest as f64;
    1.0 - share
}

/// Number of insertions, deletions and replacements between two texts.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let known = || ["actors", "directors", "castings"].into_iter();
        assert_eq!(closest("actor", known()), Some("actors"));
        assert_eq!(closest("director", known()), Some("directors"));
        assert_eq!(closest("addresses", known()), Some("directors"));
        assert_eq!(closest("unknown", known()), None);
        assert_eq!(closest("actors", known()), None);
    }
}
