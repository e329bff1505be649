//! Places in a document.

/// A place in a document, as a path of names and indexes (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pointer(pub(super) Vec<String>);

// === impl Pointer ===

impl Pointer {
    /// Reads a pointer such as `/messages/0/content`; `None` when it is none. `~1` stands for a slash and `~0` for
    /// a tilde.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self(Vec::new()));
        }
        let steps = text.strip_prefix('/')?.split('/').map(unescape);
        steps.collect::<Option<_>>().map(Self)
    }

    /// Reads a path with dots between its steps, such as `metadata.user_id`. It cannot lead through a name with
    /// a dot; `None` when a step is empty.
    pub fn dotted(text: &str) -> Option<Self> {
        let steps: Vec<_> = text.split('.').map(str::to_owned).collect();
        let is_whole = steps.iter().all(|step| !step.is_empty());
        is_whole.then_some(Self(steps))
    }

    /// The names and indexes; none for the whole document.
    pub fn steps(&self) -> &[String] {
        &self.0
    }

    /// Whether it leads to this place or through it.
    pub fn is_within(&self, outer: &Self) -> bool {
        self.0.starts_with(&outer.0)
    }
}

fn unescape(step: &str) -> Option<String> {
    let mut rest = step.split('~');
    let mut text = rest.next()?.to_owned();
    for part in rest {
        text.push(match part.as_bytes().first()? {
            b'0' => '~',
            b'1' => '/',
            _ => return None,
        });
        text.push_str(&part[1..]);
    }
    Some(text)
}
