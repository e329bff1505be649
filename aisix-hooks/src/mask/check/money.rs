//! Cards, accounts and banks.

use super::{digits, longest, luhn, modulo, values, weighted};

/// The countries of ISO 3166.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR \
    BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI \
    FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS \
    IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO \
    MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA \
    RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT \
    TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

/// A card number: 13 to 19 digits, in one of the ways in which cards are written.
pub(crate) fn card(text: &str) -> Option<usize> {
    longest(text, |text| {
        let groups: Vec<usize> = text.split([' ', '-']).map(str::len).collect();
        let is_written = match groups.as_slice() {
            [_] | [4, 6, 4 | 5] | [6, 13] => true,
            [fours @ .., 1..=4] => fours.iter().all(|group| *group == 4),
            _ => false,
        };
        let count = digits(text).count();
        let first = digits(text).next();
        let varies = digits(text).any(|digit| Some(digit) != first);
        is_written && (13..=19).contains(&count) && varies && luhn(digits(text))
    })
}

/// An international bank account number.
pub(crate) fn iban(text: &str) -> Option<usize> {
    longest(text, |text| {
        let length = values(text).count();
        if !(15..=34).contains(&length) {
            return false;
        }
        let moved = values(text).skip(4).chain(values(text).take(4));
        moved.fold(0, |rest, value| {
            let shift = if value > 9 { 100 } else { 10 };
            (rest * shift + value) % 97
        }) == 1
    })
}

/// The code of a bank: letters of a country stand in it.
pub(crate) fn bank_code(text: &str) -> bool {
    let country = text.get(4..6);
    country.is_some_and(|country| COUNTRIES.contains(country))
}

/// The number of an American bank.
pub(crate) fn routing_number(text: &str) -> bool {
    let sum = weighted(digits(text), &[3, 7, 1]);
    sum > 0 && sum.is_multiple_of(10)
}

/// The number of a security.
pub(crate) fn security(text: &str) -> bool {
    let country = text.get(..2);
    let is_known = country
        .is_some_and(|country| matches!(country, "XS" | "EU") || COUNTRIES.contains(country));
    let digits = values(text).flat_map(|value| match value {
        0..=9 => vec![value],
        _ => vec![value / 10, value % 10],
    });
    is_known && luhn(digits.collect::<Vec<_>>().into_iter())
}

/// A tax number of a Brazilian company.
pub(crate) fn brazilian_company(text: &str) -> bool {
    let digits: Vec<u32> = digits(text).collect();
    let check = |count: usize| {
        let weights = [2, 3, 4, 5, 6, 7, 8, 9];
        let rest = weighted(digits[..count].iter().rev().copied(), &weights) % 11;
        if rest < 2 { 0 } else { 11 - rest }
    };
    digits.len() == 14
        && digits.iter().any(|digit| *digit != digits[0])
        && digits[12] == check(12)
        && digits[13] == check(13)
}

/// A Spanish account number.
pub(crate) fn spanish_iban(text: &str) -> Option<usize> {
    iban(text).filter(|len| values(&text[..*len]).count() == 24)
}

/// A tax number of a Spanish company.
pub(crate) fn spanish_company(text: &str) -> bool {
    let digits: Vec<u32> = digits(text.get(1..8).unwrap_or_default()).collect();
    let odd = digits
        .iter()
        .step_by(2)
        .map(|digit| digit * 2 / 10 + digit * 2 % 10);
    let even = digits.iter().skip(1).step_by(2).copied();
    let check = (10 - (odd.sum::<u32>() + even.sum::<u32>()) % 10) % 10;
    let letter = "JABCDEFGHI".chars().nth(check as usize);
    let last = text.chars().next_back();
    digits.len() == 7 && (last == letter || last == char::from_digit(check, 10))
}

/// A Spanish social security number: province, number, and the remainder of both. A zero between them does not count.
pub(crate) fn spanish_social_security(text: &str) -> bool {
    let mut digits: Vec<u32> = digits(text).collect();
    if digits.get(2) == Some(&0) {
        digits.remove(2);
    }
    let (number, check) = digits.split_at(digits.len().saturating_sub(2));
    modulo(number.iter().copied(), 97) == modulo(check.iter().copied(), 100)
}
