//! An editor on whole bodies.

use aisix_core::{
    Error, ErrorKind,
    call::Call,
    reply::Reply,
    wire::{Dialect, Edits, json_string},
};
use bytes::Bytes;

use super::{Editor, Stop, texts};
use crate::{guard::Report, text};

/// Looks at a request, and edits it unless the guard only watches.
///
/// # Errors
///
/// The refusal, when the editor stops.
pub(crate) fn request(
    editor: &dyn Editor,
    report: Report<'_>,
    call: &mut Call,
) -> Result<(), Error> {
    let found = text::of_request(call.inbound.operation.dialect, call.bytes());
    let Ok(edited) = texts(editor, found) else {
        return report.block();
    };
    if edited.is_empty() {
        report.allow();
    } else if report.mask() {
        let mut edits = Edits::new();
        for (place, text) in edited {
            edits.replace(place, json_string(&text));
        }
        call.inbound.payload.edit(&edits).map_err(|error| {
            Error::new(ErrorKind::Internal, "a request cannot be edited").with_source(error)
        })?;
    }
    Ok(())
}

/// Looks at a whole answer, and edits it unless the guard only watches.
///
/// # Errors
///
/// The refusal, when the editor stops.
pub(crate) fn answer(
    editor: &dyn Editor,
    report: Report<'_>,
    reply: Reply,
    dialect: Dialect,
) -> Result<Reply, Error> {
    let Some(body) = reply.body_bytes() else {
        report.allow();
        return Ok(reply);
    };
    match edited(editor, body, dialect) {
        Err(_) => report.block().map(|()| reply),
        Ok(None) => {
            report.allow();
            Ok(reply)
        }
        Ok(Some(body)) if report.mask() => Ok(reply.map_body(|_| body.into())),
        Ok(Some(_)) => Ok(reply),
    }
}

/// Edits a whole answer without a word; what stops the editor leaves it as it is.
pub(crate) fn edit_answer(editor: &dyn Editor, reply: Reply, dialect: Dialect) -> Reply {
    let edited = reply.body_bytes().map(|body| edited(editor, body, dialect));
    match edited {
        Some(Ok(Some(body))) => reply.map_body(|_| body.into()),
        _ => reply,
    }
}

/// What becomes of the body of an answer, if it does not stay as it is.
fn edited(editor: &dyn Editor, body: &[u8], dialect: Dialect) -> Result<Option<Bytes>, Stop> {
    let edited = texts(editor, text::of_answer(dialect, body))?;
    if edited.is_empty() {
        return Ok(None);
    }
    let body = text::replace_said(dialect, &Bytes::copy_from_slice(body), edited);
    body.map(Some).map_err(|_| Stop::Untold)
}
