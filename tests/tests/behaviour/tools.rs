//! Calls of tools, and their results on the way back.

use serde_json::{Value, json};

use crate::{
    house::Cell,
    provider::Speech,
    said::{Question, Stop, named},
};

const WEATHER: (&str, &[&str]) = ("weather", &["{\"ci", "ty\":\"Pa", "ris €\"}"]);

pub(crate) async fn one(cell: &Cell<'_>) {
    calls(
        cell,
        &[WEATHER],
        &[("weather", &json!({"city": "Paris €"}))],
    )
    .await;
}

pub(crate) async fn several(cell: &Cell<'_>) {
    let wanted = [
        ("weather", &json!({"city": "Paris €"})),
        ("time", &json!({})),
        ("weather", &json!({"city": "Rome"})),
    ];
    calls(
        cell,
        &[
            WEATHER,
            ("time", &["{}"]),
            ("weather", &["{\"city\":\"Rome\"}"]),
        ],
        &wanted,
    )
    .await;
}

async fn calls(
    cell: &Cell<'_>,
    scripted: &'static [(&'static str, &'static [&'static str])],
    wanted: &[(&str, &Value)],
) {
    for streamed in [false, true] {
        let question = Question {
            streamed,
            ..Question::new("How is the weather?").with_tools()
        };
        cell.says(Speech::calling(scripted));
        let said = cell.ask(&question).await;
        assert_eq!(named(&said.calls), wanted, "{cell}, streamed: {streamed}");
        assert_eq!(said.stop, Some(Stop::Calls), "{cell}, streamed: {streamed}");
        let sent = cell.sent()["tools"].to_string();
        for told in ["weather", "time", "city"] {
            assert!(sent.contains(told), "{cell}: {sent}");
        }

        cell.says(Speech::text(&["Sunny"]));
        let said = cell.ask(&question.and_results(&said)).await;
        assert_eq!(
            (said.text.as_str(), said.stop),
            ("Sunny", Some(Stop::End)),
            "{cell}"
        );
        let sent = cell.sent().to_string();
        for (name, _) in wanted {
            assert_eq!(
                sent.matches(&format!("result of {name}")).count(),
                wanted.iter().filter(|(other, _)| other == name).count(),
                "{cell}: {sent}"
            );
        }
    }
}
