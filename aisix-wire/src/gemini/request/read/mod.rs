//! Reading requests, as callers of `generateContent` send them.

mod config;
mod contents;
mod names;
mod tools;

use crate::chat::{Extra, Raw, Request};
use crate::json::{Object, Path};
use crate::{Dialect, Invalid};

use self::names::Names;

/// Reads a request. Whether it streams is told by the path, so `stream` is false; usage is always told.
pub(crate) fn read(body: &[u8]) -> Result<Request, Invalid> {
    let not_json = |_| Invalid::new("", "the body is not a JSON object".to_owned());
    let object = Object::scan(body).map_err(not_json)?;
    let object = Names::new(object, Path::Root);
    let mut request = Request::new(Dialect::Gemini);
    request.include_usage = true;
    contents::instructions(&object, &mut request)?;
    contents::read(&object, &mut request)?;
    tools::read(&object, &mut request)?;
    tools::config(&object, &mut request)?;
    config::read(&object, &mut request)?;
    for (name, value) in object.others() {
        let shapes = name == "cachedContent";
        request.rest.push(extra(name, value, shapes));
    }
    Ok(request)
}

fn extra(name: String, value: Raw, shapes: bool) -> Extra {
    Extra {
        name,
        value,
        shapes,
    }
}
