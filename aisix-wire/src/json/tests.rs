use bytes::BytesMut;

use super::{Object, Path, Writer};

#[test]
fn commas_stand_between_values_and_nowhere_else() {
    let mut out = BytesMut::from("data: ");
    Writer::new(&mut out).object(|w| {
        w.name("a").array(|w| {
            w.string("x:");
            w.number(1);
            w.object(|_| {});
            w.array(Writer::null);
        });
        w.name("b\n").bool(true);
        w.maybe_string("none", None);
        w.name("c").raw("0.30");
    });
    assert_eq!(out, r#"data: {"a":["x:",1,{},[null]],"b\n":true,"c":0.30}"#);
}

#[test]
fn texts_are_quoted_as_another_writer_quotes_them() {
    for odd in [
        "", "\"", "\\", "\u{0}", "\u{1f}", " ", "\u{7f}", "é", "🦀", "\u{2028}",
    ] {
        for before in [0, 1, 255, 256, 700] {
            let text = format!("{}{odd}{}", "a".repeat(before), "b".repeat(3));
            let mut out = BytesMut::new();
            Writer::new(&mut out).string(&text);
            assert_eq!(out, serde_json::to_string(&text).unwrap());
        }
    }
}

#[test]
fn what_has_the_wrong_type_is_blamed_by_its_path() {
    let body = br#"{"a":[{"b":7,"c":null}]}"#;
    let object = Object::scan(body).unwrap();
    let root = Path::Root;
    let list = root.member("a");
    let item = object.items(&root, "a").unwrap().next().unwrap();
    let path = list.index(0);
    let item = item.as_object().unwrap();
    let invalid = item.text(&path, "b").unwrap_err();
    assert_eq!(invalid.param, "a[0].b");
    assert_eq!(invalid.message, "\"a[0].b\" must be a string");
    assert_eq!(item.text(&path, "c"), Ok(None));
    assert_eq!(
        item.required_string(&path, "c").unwrap_err().param,
        "a[0].c"
    );
    assert_eq!(item.number(&path, "b").unwrap().unwrap().as_str(), "7");
}
