//! Refusals of the provider, in the caller's dialect.

use crate::{house::Cell, said::Question};

pub(crate) async fn told(cell: &Cell<'_>) {
    // What the provider says, and what the caller hears: faults behind the gateway are a bad gateway.
    let table = [
        (400, 400),
        (401, 401),
        (403, 403),
        (404, 404),
        (413, 413),
        (429, 429),
        (500, 502),
        (529, 529),
    ];
    for (status, heard) in table {
        let text = format!("no, says {status}");
        let reply = (cell.provider.refusal)(status, &text);
        cell.replies(match status {
            429 if cell.provider.name == "anthropic" => reply.header("retry-after", "17"),
            _ => reply,
        });
        // Google has no 529 of its own, and says 503.
        let google = matches!(cell.provider.name, "gemini" | "front");
        let heard = if google && status == 529 { 502 } else { heard };
        for streamed in [false, true] {
            let refused = cell
                .refused(&Question {
                    streamed,
                    ..Question::new("hi")
                })
                .await;
            assert_eq!(refused.status, heard, "{cell}: {:?}", refused.told);
            let retry = (status == 429).then_some("17");
            assert_eq!(
                refused.retry_after.as_deref(),
                retry,
                "{cell}: {:?}",
                refused.told
            );
            // What went wrong inside of a provider is not the caller's to read.
            let open = (400..500).contains(&status);
            assert_eq!(
                refused.told.message.contains(&text),
                open,
                "{cell}: {:?}",
                refused.told
            );
        }
    }
}
