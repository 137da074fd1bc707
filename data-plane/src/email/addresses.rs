//! E-mail addresses as clients' own validation takes them.

/// One `@`, no leading, trailing or double dot before it, and a domain whose last label is letters only.
pub(crate) fn valid_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let local_char = |c: char| c.is_ascii_alphanumeric() || "_'+-.".contains(c);
    let local_valid = !local.is_empty()
        && local.chars().all(local_char)
        && !local.starts_with('.')
        && !local.ends_with(['.', '\''])
        && !text.contains("..");
    let labels: Vec<&str> = domain.split('.').collect();
    let label_valid = |label: &&str| {
        label.starts_with(|c: char| c.is_ascii_alphanumeric())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let top_valid = labels.last().is_some_and(|top| top.len() >= 2 && top.chars().all(|c| c.is_ascii_alphabetic()));
    local_valid && labels.len() >= 2 && labels.iter().all(label_valid) && top_valid
}

#[cfg(test)]
mod tests {
    use super::valid_email;

    #[test]
    fn addresses() {
        for good in ["a@b.co", "first.last+tag@sub.example.com", "O'b_x@ex-ample.org"] {
            assert!(valid_email(good), "{good}");
        }
        for bad in
            ["", "a", "a@b", " a@b.co", "a@b.co ", ".a@b.co", "a..b@c.de", "a@-b.co", "a@b.c", "a@b.c0", "a@b@c.de"]
        {
            assert!(!valid_email(bad), "{bad}");
        }
    }
}
