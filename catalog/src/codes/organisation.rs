//! 组织机构代码 (modelled on GB 11714): eight characters and a check. It lives on inside the unified social credit code.

/// The check character of eight characters; `None` if they are not eight of 0–9 and A–Z.
#[must_use]
pub fn organisation_check(body: &str) -> Option<char> {
    const WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];
    if body.len() != WEIGHTS.len() {
        return None;
    }
    let mut sum = 0;
    for (c, weight) in body.chars().zip(WEIGHTS) {
        let value = c.to_digit(36).filter(|_| !c.is_ascii_lowercase())?;
        sum += value * weight;
    }
    match (11 - sum % 11) % 11 {
        10 => Some('X'),
        check => char::from_digit(check, 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors() {
        for code in ["FAKE0001-3", "FAKE0003-X", "FAKE0008-0", "FAKE0007-2", "TEST0001-8", "00000000-0"] {
            let (body, check) = code.split_once('-').unwrap();
            assert_eq!(organisation_check(body).unwrap().to_string(), check, "{code}");
        }
        assert_ne!(organisation_check("FAKE0001"), Some('4'));
        for bad in ["", "FAKE001", "FAKE00001", "fake0001", "FAKE000-", "机构一二"] {
            assert_eq!(organisation_check(bad), None, "{bad}");
        }
    }
}
