//! Byte sizes as operators write them: `50000`, `100mb`, `1 gb`.

/// Reads a size; units are powers of 1024.
pub(super) fn parse(text: &str) -> Result<u64, String> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().map_err(|_| format!("'{text}' is not a size"))?;
    let unit: u64 = match text[digits..].trim() {
        "" | "b" => 1,
        "kb" | "k" => 1 << 10,
        "mb" | "m" => 1 << 20,
        "gb" | "g" => 1 << 30,
        other => return Err(format!("'{other}' is not a unit of size")),
    };
    number.checked_mul(unit).ok_or_else(|| format!("'{text}' is too large"))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse("10485760"), Ok(10 << 20));
        assert_eq!(parse("100mb"), Ok(100 << 20));
        assert_eq!(parse("1 GB"), Ok(1 << 30));
        assert!(parse("many").is_err() && parse("5 apples").is_err() && parse("99999999999gb").is_err());
    }
}
