//! Streams and answers that do not come to their end.

use aisix_tests::upstream::{Reply, Script, Step};

use crate::{
    house::{Cell, HASTY},
    provider::Speech,
    said::Question,
};

fn story() -> Speech {
    Speech::text(&["Once ", "upon ", "a time"])
}

/// Who leaves is not answered any more, and the provider knows.
pub(crate) async fn cancelled(cell: &Cell<'_>) {
    cell.says(story().then(1, Step::Stall));
    let question = Question {
        streamed: true,
        ..Question::new("Tell a story")
    };
    let mut response = cell.send(&question).await;
    let mut heard = String::new();
    while !heard.contains("Once ") {
        let piece = response.piece().await.expect("alive").expect("more");
        heard += &String::from_utf8_lossy(&piece);
    }
    assert!(cell.exchange().going_on(), "{cell}");
    drop(response);
    cell.exchange().closed().await;

    let before = cell.upstream.exchanges().len();
    cell.replies(Reply::never());
    let question = Question::new("Tell a story");
    tokio::select! {
        response = cell.send(&question) => panic!("{cell}: {}", response.status),
        exchange = cell.upstream.exchange(before) => assert!(exchange.going_on(), "{cell}"),
    }
    cell.exchange().closed().await;
}

pub(crate) async fn cut(cell: &Cell<'_>) {
    cell.says(story().then(2, Step::Cut));
    let heard = cell.hear(&Question::new("Tell a story")).await;
    assert_eq!(heard.said.text, "Once upon ", "{cell}");
    assert!(
        heard.broken.is_some(),
        "{cell}: a cut stream looks complete"
    );

    cell.says(story().then(0, Step::Cut));
    let refused = cell.refused(&Question::new("Tell a story")).await;
    assert_eq!(refused.status, 502, "{cell}: {:?}", refused.told);
}

pub(crate) async fn stalled(cell: &Cell<'_>) {
    cell.says(story().then(2, Step::Stall));
    let question = Question {
        model: HASTY.to_owned(),
        ..Question::new("Tell a story")
    };
    let heard = cell.hear(&question).await;
    assert_eq!(heard.said.text, "Once upon ", "{cell}");
    assert!(
        heard.broken.is_some(),
        "{cell}: a stream that fell silent looks complete"
    );
    cell.exchange().closed().await;
}

pub(crate) async fn garbage(cell: &Cell<'_>) {
    for nonsense in ["<html>Bad gateway</html>", "{\"id\": \"half", ""] {
        cell.replies(Reply::bytes("application/json", nonsense));
        for streamed in [false, true] {
            let refused = cell
                .refused(&Question {
                    streamed,
                    ..Question::new("hi")
                })
                .await;
            assert_eq!(
                refused.status, 502,
                "{cell}: {nonsense}, {:?}",
                refused.told
            );
            assert!(
                !refused.told.message.contains("html"),
                "{cell}: {:?}",
                refused.told
            );
        }
    }
    let nonsense = Step::Send("data: {\"half\r\n\r\n".into());
    cell.replies(interrupted(cell, nonsense));
    let heard = cell.hear(&Question::new("Tell a story")).await;
    assert_eq!(heard.said.text, "Once upon ", "{cell}");
    assert!(heard.broken.is_some(), "{cell}: nonsense was passed over");
}

/// A story with this step after its second piece.
fn interrupted(cell: &Cell<'_>, step: Step) -> Script {
    (cell.provider.script)(story().then(2, step))
}
