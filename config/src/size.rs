//! Sizes in files and on command lines: `"16M"`, `"64k"`, `"1G"`, or bytes.
//!
//! Locking: none.

/// Bytes from a number and an optional `K`, `M` or `G`, in either case (powers of 1024).
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a size such as \"16M\"");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text.get(digits.len()..) {
        Some("") => 0,
        Some("K" | "k") => 10,
        Some("M" | "m") => 20,
        Some("G" | "g") => 30,
        _ => return Err(wrong()),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let number: Option<u64> = digits.parse().ok();
    let bytes = number.and_then(|number| number.checked_mul(1 << shift));
    bytes.ok_or_else(|| format!("{text:?} is more than 64 bits hold"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("64K"), Ok(65_536));
        assert_eq!(size("16M"), Ok(16 << 20));
        assert_eq!(size("2G"), Ok(2 << 30));
        assert_eq!([size("64k"), size("16m"), size("2g")], [size("64K"), size("16M"), size("2G")]);
        for wrong in
            ["", "M", "16 M", "16MB", "16mb", "m", "1kM", "16t", "+1", "-1", "1.5G", "1KK", "é"]
        {
            assert_eq!(size(wrong), Err(format!("{wrong:?} is not a size such as \"16M\"")));
        }
        assert_eq!(
            size("99999999999G"),
            Err("\"99999999999G\" is more than 64 bits hold".to_string())
        );
    }
}
