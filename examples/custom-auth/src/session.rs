//! The login of the app, as it may have been there before the gateway.

use axum::{extract::Request, http::header::COOKIE, middleware::Next, response::Response};

/// A user of the app.
#[derive(Clone)]
pub struct User {
    pub name: &'static str,
    pub is_guest: bool,
}

/// Finds the user by the session's cookie.
pub async fn session(mut request: Request, next: Next) -> Response {
    let cookie = request
        .headers()
        .get(COOKIE)
        .and_then(|value| value.to_str().ok());
    let token = cookie.and_then(|cookie| {
        cookie
            .split(';')
            .find_map(|pair| pair.trim().strip_prefix("session="))
    });
    // A real app looks the token up among its sessions.
    let user = match token {
        Some("alice-token") => Some(User {
            name: "alice",
            is_guest: false,
        }),
        Some("guest-token") => Some(User {
            name: "guest",
            is_guest: true,
        }),
        _ => None,
    };
    if let Some(user) = user {
        request.extensions_mut().insert(user);
    }
    next.run(request).await
}
