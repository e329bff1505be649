//! What kind of media something is, where nobody said.

/// The media type of data in base64, by how it begins.
pub(super) fn guess_from_data(base64: &str) -> Option<&'static str> {
    const BEGINNINGS: &[(&str, &str)] = &[
        ("iVBORw0KGgo", "image/png"),
        ("/9j/", "image/jpeg"),
        ("R0lGOD", "image/gif"),
        ("UklGR", "image/webp"),
        ("JVBERi", "application/pdf"),
    ];
    BEGINNINGS
        .iter()
        .find(|(beginning, _)| base64.starts_with(beginning))
        .map(|(_, media_type)| *media_type)
}

/// The media type of a file, by how its name or address ends.
pub(crate) fn guess_from_name(name: &str) -> Option<&'static str> {
    const ENDS: &[(&str, &str)] = &[
        ("png", "image/png"),
        ("jpg", "image/jpeg"),
        ("jpeg", "image/jpeg"),
        ("gif", "image/gif"),
        ("webp", "image/webp"),
        ("heic", "image/heic"),
        ("heif", "image/heif"),
        ("pdf", "application/pdf"),
        ("txt", "text/plain"),
        ("md", "text/markdown"),
        ("html", "text/html"),
        ("csv", "text/csv"),
        ("json", "application/json"),
    ];
    let path = name.split(['?', '#']).next()?;
    let end = path.rsplit('/').next()?.rsplit_once('.')?.1;
    ENDS.iter()
        .find(|(known, _)| end.eq_ignore_ascii_case(known))
        .map(|(_, media_type)| *media_type)
}
