//! Amounts with units, exactly or not at all.
//!
//! * [`time`]: `20ms`.  * [`rate`]: `100mbit`.  * [`share`]: `0.1%`.  * [`bytes`]: `64K`.
//!
//! Decimals are fine (`1.5ms`); signs, exponents and white space are not. Units may be in capitals.
//! Nothing is 0, with a unit or without. Errors are one sentence.
//!
//! Locking: none. Sources: Linux tc(8). DIFFERS: there a number without a unit has one that differs from
//! option to option; here it is refused.

/// Nanoseconds.
pub fn time(text: &str) -> Result<u64, String> {
    let units = [("ns", 1), ("us", 1000), ("ms", 1_000_000), ("s", 1_000_000_000)];
    amount(text, &units, "a time such as 20ms (ns, us, ms, s)")
}

/// Bits a second.
pub fn rate(text: &str) -> Result<u64, String> {
    let (kbit, mbit, gbit, tbit) = (1000, 1_000_000, 1_000_000_000, 1_000_000_000_000);
    let units = [("bit", 1), ("kbit", kbit), ("mbit", mbit), ("gbit", gbit), ("tbit", tbit)];
    amount(text, &units, "a rate such as 100mbit (bit, kbit, mbit, gbit, tbit)")
}

/// Billionths; at most all.
pub fn share(text: &str) -> Result<u64, String> {
    let share = amount(text, &[("%", 10_000_000)], "a share such as 1%")?;
    if share > crate::BILLION {
        return Err(format!("{text:?} is more than all of them, 100%"));
    }
    Ok(share)
}

/// Bytes: a number, or one with `K`, `M` or `G` (powers of 1024).
pub fn bytes(text: &str) -> Result<u64, String> {
    let units = [("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30), ("", 1)];
    amount(text, &units, "a size such as 64K (bytes, K, M, G)")
}

/// A whole number up to `most`.
pub fn count(text: &str, most: u64) -> Result<u64, String> {
    let number = amount(text, &[("", 1)], "a whole number")?;
    if number > most {
        return Err(format!("{text:?} is more than {most}"));
    }
    Ok(number)
}

/// `text` in these units, of which the first that fits is meant. `is` says what it should be.
fn amount(text: &str, units: &[(&str, u64)], is: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not {is}");
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let (number, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    // Neither `.5` nor `5.`, and at most one point.
    let is_number =
        !whole.is_empty() && !part.contains('.') && part.is_empty() != number.contains('.');
    if !is_number {
        return Err(wrong());
    }
    let known = units.iter().find(|(known, _)| known.eq_ignore_ascii_case(unit));
    let is_zero = number.bytes().all(|digit| matches!(digit, b'0' | b'.'));
    let size = match known {
        Some((_, size)) => *size,
        None if unit.is_empty() && is_zero => 1,
        None => return Err(wrong()),
    };
    let too_much = || format!("{text:?} is more than can be");
    let to_number = |digits: &str| match digits {
        "" => Some(0),
        digits if digits.len() > 20 => None,
        digits => digits.parse::<u128>().ok(),
    };
    let whole = to_number(whole).ok_or_else(too_much)?.checked_mul(size.into());
    // A part of a unit has to be a whole number of the smallest ones.
    let part = part.trim_end_matches('0');
    let fine = || format!("{text:?} has more decimals than count");
    let scale = 10_u128.checked_pow(part.len() as u32).filter(|_| part.len() <= 20);
    let scaled = to_number(part).ok_or_else(fine)? * u128::from(size);
    let scale = scale.filter(|scale| scaled % scale == 0).ok_or_else(fine)?;
    let sum = whole.and_then(|whole| whole.checked_add(scaled / scale));
    sum.and_then(|sum| u64::try_from(sum).ok()).ok_or_else(too_much)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts() {
        assert_eq!(time("20ms"), Ok(20_000_000));
        assert_eq!(time("1.5us"), Ok(1500));
        assert_eq!(time("0.000000001s"), Ok(1));
        assert_eq!(time("2.50S"), Ok(2_500_000_000));
        assert_eq!(time("0"), Ok(0));
        assert_eq!(rate("100mbit"), Ok(100_000_000));
        assert_eq!(rate("1.25Gbit"), Ok(1_250_000_000));
        assert_eq!((rate("9600bit"), rate("56kbit")), (Ok(9600), Ok(56_000)));
        assert_eq!(rate("1tbit"), Ok(1_000_000_000_000));
        assert_eq!(share("1%"), Ok(10_000_000));
        assert_eq!(share("0.0000001%"), Ok(1));
        assert_eq!((share("100%"), share("0.0%")), (Ok(1_000_000_000), Ok(0)));
        assert_eq!((bytes("64K"), bytes("1500"), bytes("1.5k")), (Ok(65_536), Ok(1500), Ok(1536)));
        assert_eq!(count("1000", 1000), Ok(1000));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for text in
            ["", "ms", "20", "-1ms", "+1ms", "1e3ms", " 1ms", "1 ms", "1msec", ".5ms", "5.ms"]
        {
            let says = format!("{text:?} is not a time such as 20ms (ns, us, ms, s)");
            assert_eq!(time(text), Err(says));
        }
        assert!(time("1.2.3ms").is_err() && time("1µs").is_err() && time(".").is_err());
        assert_eq!(time("0.5ns").unwrap_err(), "\"0.5ns\" has more decimals than count");
        assert_eq!(time("99999999999s").unwrap_err(), "\"99999999999s\" is more than can be");
        assert!(time(&format!("{}s", "9".repeat(60))).unwrap_err().contains("more than can be"));
        assert!(time(&format!("0.{}s", "1".repeat(60))).unwrap_err().contains("decimals"));
        assert!(rate("100").unwrap_err().contains("a rate such as 100mbit"));
        assert!(rate("100mbps").is_err());
        assert_eq!(share("101%").unwrap_err(), "\"101%\" is more than all of them, 100%");
        assert!(share("0.01").unwrap_err().contains("a share such as 1%"));
        assert!(bytes("64KB").is_err() && bytes("0.3").is_err());
        assert_eq!(count("1001", 1000).unwrap_err(), "\"1001\" is more than 1000");
        assert!(count("1.5", 1000).is_err() && count("x", 1).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[0-9.]{0,30}[a-zA-Z%]{0,4}|.{0,12}") {
            for read in [time, rate, share, bytes] {
                let _ = read(&text);
            }
        }

        #[test]
        fn whole_numbers_are_exact(n in any::<u64>()) {
            prop_assert_eq!(time(&format!("{n}ns")), Ok(n));
            prop_assert_eq!(bytes(&n.to_string()), Ok(n));
        }
    }
}
