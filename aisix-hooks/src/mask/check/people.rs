//! Numbers that states give to people.

use super::{digits, modulo, values, weighted};

/// A Chinese identity card.
pub(crate) fn chinese_card(text: &str) -> bool {
    let (number, check) = text.split_at(text.len() - 1);
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let rest = weighted(digits(number), &weights) % 11;
    let expected = "10X98765432".chars().nth(rest as usize);
    check.to_ascii_uppercase().chars().next() == expected
}

/// An American social security number: some groups are given to nobody.
pub(crate) fn social_security(text: &str) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let (area, rest) = digits.split_at(3);
    let (group, serial) = rest.split_at(2);
    !matches!(area, "000" | "666") && !area.starts_with('9') && group != "00" && serial != "0000"
}

/// The letter of a Spanish identity number; foreigners have a letter in front.
pub(crate) fn spanish(text: &str) -> bool {
    let (number, letter) = text.split_at(text.len() - 1);
    let number = number.replace('X', "0").replace('Y', "1").replace('Z', "2");
    let rest = modulo(digits(&number), 23);
    let expected = "TRWAGMYFPDXBNJZSQVHLCKE".chars().nth(rest as usize);
    letter.chars().next() == expected
}

/// A French social security number.
pub(crate) fn french(text: &str) -> bool {
    // Corsica's two departments have letters.
    let number = text.replace("2A", "19").replace("2B", "18");
    let digits: Vec<u32> = digits(&number).collect();
    let Some((number, check)) = digits.split_at_checked(13) else {
        return false;
    };
    97 - modulo(number.iter().copied(), 97) == modulo(check.iter().copied(), 100)
}

/// An Italian tax code.
pub(crate) fn italian(text: &str) -> bool {
    /// What a character counts in an odd place.
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let values: Vec<u32> = values(text)
        .map(|value| if value > 9 { value - 10 } else { value })
        .collect();
    let Some((check, code)) = values.split_last() else {
        return false;
    };
    let counted = code
        .iter()
        .enumerate()
        .map(|(place, value)| match place % 2 {
            0 => ODD.get(*value as usize).copied().unwrap_or_default(),
            _ => *value,
        });
    counted.sum::<u32>() % 26 == *check
}

/// A German identity card.
pub(crate) fn german(text: &str) -> bool {
    let values: Vec<u32> = values(text).collect();
    let Some((check, number)) = values.split_last() else {
        return false;
    };
    let has_letter = number.iter().any(|value| *value > 9);
    has_letter && weighted(number.iter().copied(), &[7, 3, 1]) % 10 == *check
}

/// A Brazilian tax number.
pub(crate) fn brazilian(text: &str) -> bool {
    let digits: Vec<u32> = digits(text).collect();
    let check = |count: u32| {
        let weighted = digits.iter().zip((2..=count + 1).rev());
        let sum: u32 = weighted.map(|(digit, weight)| digit * weight).sum();
        sum * 10 % 11 % 10
    };
    digits.len() == 11
        && digits.iter().any(|digit| *digit != digits[0])
        && digits[9] == check(9)
        && digits[10] == check(10)
}

/// A Mexican population number.
pub(crate) fn mexican(text: &str) -> bool {
    const ORDER: &str = "0123456789ABCDEFGHIJKLMN\u{d1}OPQRSTUVWXYZ";
    let value = |character: char| ORDER.chars().position(|known| known == character);
    let values = text.chars().take(17).filter_map(value).zip((2..=18).rev());
    let sum: usize = values.map(|(value, weight)| value * weight).sum();
    let check = (10 - sum % 10) % 10;
    text.chars().next_back().and_then(|last| last.to_digit(10)) == u32::try_from(check).ok()
}

/// A Chilean tax number.
pub(crate) fn chilean(text: &str) -> bool {
    let (number, check) = text.split_at(text.len() - 1);
    let sum = weighted(digits(number).rev(), &[2, 3, 4, 5, 6, 7]);
    let expected = match 11 - sum % 11 {
        11 => Some('0'),
        10 => Some('K'),
        digit => char::from_digit(digit, 10),
    };
    check.to_ascii_uppercase().chars().next() == expected
}
