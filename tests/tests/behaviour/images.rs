//! Pictures in a question.

use aisix_tests::upstream::Flavour;

use crate::{
    house::Cell,
    provider::Speech,
    said::{Piece, Question, Turn},
};

/// A picture of one pixel.
pub(crate) const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const ADDRESS: &str = "https://example.com/cat.png";

pub(crate) async fn shown(cell: &Cell<'_>) {
    cell.says(Speech::text(&["A cat"]));
    let pictures = [
        (Piece::Picture("image/png", PIXEL.to_owned()), PIXEL),
        (Piece::PictureAt(ADDRESS), ADDRESS),
    ];
    for (picture, told) in pictures {
        let mut question = Question::new("");
        question.turns = vec![Turn::User(vec![
            Piece::Text("What is it?".to_owned()),
            picture,
        ])];
        if cell.provider.flavour == Flavour::DeepSeek {
            // Its models read nothing but text; it says so itself, at the member concerned.
            let refused = cell.refused(&question).await;
            assert_eq!(refused.status, 422, "{cell}");
            assert!(
                refused.told.message.contains("messages[0].content"),
                "{cell}: {:?}",
                refused.told
            );
            continue;
        }
        assert_eq!(cell.ask(&question).await.text, "A cat", "{cell}");
        let sent = cell.sent().to_string();
        assert!(
            sent.contains(told) && sent.contains("What is it?"),
            "{cell}: {sent}"
        );
    }
}
