use super::*;
use crate::edit::Edit;

fn finder(expressions: &[&str]) -> Finder {
    let entities = expressions
        .iter()
        .map(|expression| Entity::read((*expression).to_owned(), Check::None).unwrap());
    Finder::compile(entities.collect()).unwrap()
}

fn masked(finder: &Finder, text: &str) -> String {
    let seen = finder.look(text, 0, text.len(), true, |entity, _| {
        Some(format!("<{entity}>"))
    });
    let mut out = text.to_owned();
    for Edit { place, text } in seen.edits.into_iter().rev() {
        out.replace_range(place, &text);
    }
    out
}

fn known_as(name: &str) -> Finder {
    let known = known::ALL.iter().find(|known| known.name == name).unwrap();
    Finder::compile(vec![known.entity()]).unwrap()
}

#[test]
fn the_leftmost_counts_then_the_longest_then_the_first_declared() {
    let finder = finder(&["b+", "ab", "abc", "[a]bc", "x(y)z"]);
    assert_eq!(masked(&finder, "bb ab abc abcb"), "<0> <1> <2> <2><0>");
    assert_eq!(masked(&finder, "xyz xz"), "x<4>z xz");
}

#[test]
fn beside_a_group_there_may_be_other_entities() {
    let finder = finder(&["k:[^ ]*=([0-9]*)[^ ]*", "m+", "a([0-9])?"]);
    assert_eq!(masked(&finder, "k:mm=12mm mm"), "k:<1>=<0><1> <1>");
    // Nothing is nothing to hide, and a group that takes no part hides all.
    assert_eq!(masked(&finder, "k:= a1 a"), "k:= a<2> <2>");
}

#[test]
fn every_known_entity_is_found_in_the_middle_of_a_text_and_not_in_others() {
    let samples: &[(&str, &[&str], &[&str])] = &[
        (
            "credit_card",
            &[
                "4111 1111 1111 1111",
                "5500005555555559",
                "6228-4800-1234-5671",
            ],
            &["4111 1111 1111 1112", "1699999999999"],
        ),
        (
            "spanish_iban",
            &["ES91 2100 0418 4502 0005 1332"],
            &["ES91 2100 0418 4502 0005 1333"],
        ),
        (
            "iban",
            &["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432"],
            &["DE89 3704 0044 0532 0130 01"],
        ),
        (
            "email",
            &["first.last+tag@mail.example.co.uk", "a@b.io"],
            &["a@b", "@b.io"],
        ),
        (
            "ssn",
            &["078-05-1120"],
            &["000-05-1120", "666-05-1120", "078-00-1120", "978-05-1120"],
        ),
        (
            "us_medicare",
            &["1EG4-TE5-MK73", "123-45-6789A"],
            &["0EG4-TE5-MK73"],
        ),
        ("cvv", &["CVV: 123", "cvc 1234"], &["cv 123"]),
        (
            "jwt_token",
            &["eyJhbGciOi.eyJzdWIiOi.abc_-9"],
            &["eyJhbGciOi.abc"],
        ),
        (
            "stripe_key",
            &["sk_live_0123456789abcdef01234567"],
            &["sk_live_0123"],
        ),
        (
            "password",
            &["password: hunter2", "PASSWD=x"],
            &["password please"],
        ),
        (
            "api_key",
            &["api_key=abc123", "Access-Key: q"],
            &["api key"],
        ),
        (
            "access_token",
            &["access_token=abcdefgh", "Bearer abcdefgh.1"],
            &["the bearer of news"],
        ),
        (
            "ip_address",
            &["192.168.0.255"],
            &["192.168.0.256", "1.2.3"],
        ),
        ("mac_address", &["00:1a:2B:3c:4d:5e"], &["00:1a:2b:3c:4d"]),
        ("device_mac", &["00-1a-2B-3c-4d-5e"], &["00-1a-2b-3c-4d"]),
        (
            "ip6_address",
            &[
                "2001:db8::ff00:42:8329",
                "fe80::1",
                "2001:db8::",
                "::ffff:192.0.2.1",
            ],
            &["12:34:56", "bad::cafe", "std::fs"],
        ),
        (
            "uuid",
            &["123e4567-e89b-12d3-a456-426614174000"],
            &["123e4567-e89b-12d3-a456"],
        ),
        (
            "crypto_wallet",
            &[
                "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
                "0x52908400098527886E0F7030069857D2E4169EE7",
            ],
            &["0x5290"],
        ),
        ("isin", &["US0378331005"], &["US0378331006"]),
        ("italian_cf", &["RSSMRA85T10A562S"], &["RSSMRA85T10A562T"]),
        (
            "mexican_curp",
            &["HEGG560427MVZRRL04"],
            &["HEGG560427MVZRRL05"],
        ),
        ("mexican_rfc", &["GODE561231GR8"], &["GOD"]),
        ("spanish_dni", &["12345678Z"], &["12345678A"]),
        ("spanish_nie", &["X1234567L"], &["X1234567A"]),
        ("spanish_cif", &["A58818501"], &["A58818502"]),
        ("german_id", &["T220001293"], &["T220001294"]),
        (
            "vehicle_vin",
            &["1HGCM82633A004352"],
            &["ABCDEFGHJKLMNPRST"],
        ),
        ("swift_bic", &["DEUTDEFF", "DEUTDEFF500"], &["PASSWORD"]),
        (
            "french_nir",
            &["1 84 12 76 451 089 46"],
            &["1 84 12 76 451 089 47"],
        ),
        (
            "device_imei",
            &["490154203237518", "49-015420-323751-8"],
            &["490154203237519"],
        ),
        (
            "brazilian_cnpj",
            &["11.222.333/0001-81"],
            &["11.222.333/0001-82"],
        ),
        (
            "brazilian_cpf",
            &["529.982.247-25"],
            &["529.982.247-26", "111.111.111-11"],
        ),
        ("spanish_nss", &["28 12345678 40"], &["28 12345678 41"]),
        ("chilean_rut", &["12.345.678-5"], &["12.345.678-6"]),
        (
            "spanish_phone",
            &["+34 612 345 678", "612345678"],
            &["512345678"],
        ),
        (
            "phone_number",
            &["+1 (555) 123-4567", "(555) 123-4567", "13812345678"],
            &["12-34"],
        ),
        ("routing_number", &["021000021"], &["021000022"]),
        ("tax_id", &["12-3456789"], &["12-345678"]),
        ("passport", &["X1234567"], &["X12345"]),
        ("drivers_license", &["D1234567"], &["D12"]),
        (
            "address",
            &["12 Main St, Springfield, IL 62701"],
            &["12 Main St"],
        ),
        (
            "date",
            &[
                "2024-02-29",
                "29/02/2024",
                "29 February 2024",
                "3 de mayo de 2024",
                "May 3rd, 2024",
            ],
            &["12:30"],
        ),
        ("peruvian_dni", &["12345678"], &["1234567"]),
        ("argentine_dni", &["12.345.678"], &["12345"]),
        ("colombian_cc", &["1234567890"], &["1234567"]),
        ("bank_account", &["12345678901234567890"], &["1234567"]),
        ("zip_code", &["62701-1234"], &["6270"]),
    ];
    let known: Vec<&str> = samples.iter().map(|(name, ..)| *name).collect();
    assert_eq!(known, known::names());
    for (name, right, wrong) in samples {
        let finder = known_as(name);
        for text in *right {
            let said = masked(&finder, &format!("是{text} 。"));
            assert_eq!(said, "是<0> 。", "{name}: {text}");
        }
        for text in *wrong {
            let text = format!("a {text} b");
            assert_eq!(masked(&finder, &text), text, "{name}");
        }
    }
}

#[test]
fn what_looks_as_if_it_belonged_to_a_card_is_no_part_of_it() {
    let finder = known_as("credit_card");
    assert_eq!(masked(&finder, "12 4111 1111 1111 1111 123"), "12 <0> 123");
    // By chance, the checksum of all these digits is right.
    assert_eq!(masked(&finder, "4111111111111111 078"), "<0> 078");
}

#[test]
fn keywords_are_found_with_few_mistakes_and_as_words() {
    let keyword = |keyword: &str, distance, similarity| {
        Finder::compile(near(keyword, distance, similarity).unwrap()).unwrap()
    };
    let finder = keyword("Project  Falcon", 2, 0.8);
    let text = "project falcon, Projekt Falcon, PROJECT\nFALCN, projekt fulkon, subproject falcons";
    assert_eq!(
        masked(&finder, text),
        "<0>, <1>, <1>, projekt fulkon, subproject falcons"
    );
    assert_eq!(masked(&keyword("id", 1, 0.8), "id ID is"), "<0> <0> is");
    assert_eq!(masked(&keyword("id", 1, 0.5), "is"), "<1>");
    assert_eq!(
        masked(&keyword("机密", 1, 0.8), "这是机密文件"),
        "这是<0>文件"
    );
    assert_eq!(masked(&keyword(r"\b(", 1, 0.8), r"a \b( c"), "a <0> c");
    let finder = keyword("Übergröße", 1, 0.8);
    let text = "übergröße, Ubergröße, Übergrösse, XÜbergröß, 是Übergröß";
    assert_eq!(
        masked(&finder, text),
        "<0>, <1>, Übergrösse, XÜbergröß, 是<1>"
    );
    assert_eq!(masked(&keyword("机密文件", 1, 0.7), "(机密文)"), "(<1>)");
    assert!(near(" ", 1, 0.8).is_err());
}

#[test]
fn a_long_keyword_is_found_with_mistakes() {
    let keyword = "Ünïcode ".repeat(30);
    let finder = Finder::compile(near(&keyword, 16, 0.5).unwrap()).unwrap();
    let wrong = |mistakes: usize| {
        let (start, end) = keyword.trim_end().split_at("Ünïcode ".len() * mistakes);
        start.replace("code", "cde") + end
    };
    assert_eq!(masked(&finder, &wrong(16)), "<1>");
    assert_eq!(masked(&finder, &wrong(17)), wrong(17));
}
