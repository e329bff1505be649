//! One form of JSON for all ways to write the same.
//!
//! Two values have the same canonical form when they differ in white space, in the order of members, in
//! escapes of strings (`\u0041` is `A`), or in how a number is written (`1`, `1.0` and `10e-1`), and in nothing
//! else. Order counts for repeated members, and for members more than [`MAX_SORTED`] levels deep, so that
//! sorting cannot be made to cost more than a few copies of the document.
//!
//! The form is made to be hashed and not to be read. It is written in one pass, without a tree.

use std::ops::Range;

use smallvec::SmallVec;

/// Down to which level members are put in order.
const MAX_SORTED: usize = 16;

/// Appends the canonical form of a value that has been validated. What comes after it is not looked at.
pub(super) fn write(value: &[u8], out: &mut Vec<u8>) {
    let mut reader = Reader {
        bytes: value,
        at: 0,
    };
    reader.value(out, 0);
}

/// Appends a text, so that no other text has the same beginning.
pub(super) fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(text.len() as u64).to_le_bytes());
    out.extend_from_slice(text);
}

/// Reads a document that has been validated. What is not JSON gives some form, and no panic.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A member as it was written: its name's text, and all of it.
struct Member {
    name: Range<usize>,
    whole: Range<usize>,
}

// === impl Reader ===

impl Reader<'_> {
    fn value(&mut self, out: &mut Vec<u8>, depth: usize) {
        match self.next_token() {
            Some(b'{') => self.object(out, depth),
            Some(b'[') => self.array(out, depth),
            Some(b'"') => {
                out.push(b'"');
                self.string(out);
            }
            Some(word @ (b't' | b'f' | b'n')) => {
                out.push(word);
                self.skip_while(u8::is_ascii_alphabetic);
            }
            Some(_) => self.number(out),
            None => {}
        }
    }

    fn array(&mut self, out: &mut Vec<u8>, depth: usize) {
        out.push(b'[');
        self.at += 1;
        while !matches!(self.next_token(), Some(b']') | None) {
            self.value(out, depth + 1);
            self.comma();
        }
        self.at += 1;
        out.push(b']');
    }

    fn object(&mut self, out: &mut Vec<u8>, depth: usize) {
        out.push(b'{');
        self.at += 1;
        let mut members: SmallVec<[Member; 8]> = SmallVec::new();
        let mut is_sorted = true;
        while self.next_token() == Some(b'"') {
            let start = out.len();
            self.string(out);
            let name = start + size_of::<u64>()..out.len();
            if self.next_token() == Some(b':') {
                self.at += 1;
            }
            self.value(out, depth + 1);
            let before = members.last();
            is_sorted &= before.is_none_or(|last| out[last.name.clone()] <= out[name.clone()]);
            let whole = start..out.len();
            members.push(Member { name, whole });
            self.comma();
        }
        self.at += 1;
        if !is_sorted && depth < MAX_SORTED {
            sort(&mut members, out);
        }
        out.push(b'}');
    }

    /// Appends the text of the string that begins here. One that stands for no text, since it has half of a surrogate
    /// pair, is taken as it is written, and is like no text.
    fn string(&mut self, out: &mut Vec<u8>) {
        let place = out.len()..out.len() + size_of::<u64>();
        out.extend_from_slice(&[0; size_of::<u64>()]);
        self.at += 1;
        let start = self.at;
        let mut is_text = true;
        while let Some(found) = memchr::memchr2(b'"', b'\\', self.rest()) {
            out.extend_from_slice(&self.rest()[..found]);
            self.at += found + 1;
            if self.bytes[self.at - 1] == b'"' {
                break;
            }
            is_text &= self.escape(out);
        }
        let mut mark = 0;
        if !is_text {
            out.truncate(place.end);
            out.extend_from_slice(self.bytes.get(start..self.at).unwrap_or_default());
            mark = 1 << 63;
        }
        let length = mark | (out.len() - place.end) as u64;
        out[place].copy_from_slice(&length.to_le_bytes());
    }

    /// Appends what an escape stands for, behind its backslash; whether it stands for anything.
    fn escape(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(&byte) = self.bytes.get(self.at) else {
            return false;
        };
        self.at += 1;
        out.push(match byte {
            b'u' => return self.unicode(out),
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            other => other,
        });
        matches!(byte, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')
    }

    fn unicode(&mut self, out: &mut Vec<u8>) -> bool {
        let first = self.unit();
        let second = match first {
            Some(0xD800..=0xDBFF) if self.rest().starts_with(b"\\u") => {
                self.at += 2;
                self.unit()
            }
            _ => None,
        };
        let units = first.into_iter().chain(second);
        let mut is_text = first.is_some();
        for decoded in char::decode_utf16(units) {
            match decoded {
                Ok(decoded) => {
                    out.extend_from_slice(decoded.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Err(_) => is_text = false,
            }
        }
        is_text
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Option<u16> {
        let digits = std::str::from_utf8(self.rest().get(..4)?).ok()?;
        let unit = u16::from_str_radix(digits, 16).ok()?;
        self.at += 4;
        Some(unit)
    }

    fn number(&mut self, out: &mut Vec<u8>) {
        let start = self.at;
        self.skip_while(|byte| !matches!(byte, b',' | b']' | b'}') && !byte.is_ascii_whitespace());
        // Never stays where it is.
        self.at = self.at.max(start + 1);
        let text = self.bytes.get(start..self.at).unwrap_or_default();
        match Decimal::read(text) {
            Some(decimal) => decimal.write(out),
            None => {
                out.push(b'?');
                write_text(text, out);
            }
        }
    }

    /// The next byte that is no white space.
    fn next_token(&mut self) -> Option<u8> {
        self.skip_while(u8::is_ascii_whitespace);
        self.bytes.get(self.at).copied()
    }

    fn comma(&mut self) {
        if self.next_token() == Some(b',') {
            self.at += 1;
        }
    }

    fn skip_while(&mut self, belongs: impl Fn(&u8) -> bool) {
        let rest = self.rest();
        let length = rest.iter().position(|byte| !belongs(byte));
        self.at += length.unwrap_or(rest.len());
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }
}

/// Puts members, which stand at the end of `out`, in the order of their names.
fn sort(members: &mut [Member], out: &mut Vec<u8>) {
    let Some(start) = members.first().map(|first| first.whole.start) else {
        return;
    };
    members.sort_by(|a, b| out[a.name.clone()].cmp(&out[b.name.clone()]));
    let unsorted = out.split_off(start);
    for Member { whole, .. } in members {
        out.extend_from_slice(&unsorted[whole.start - start..whole.end - start]);
    }
}

/// A number: its digits without zeros around them, and where the point stands.
struct Decimal {
    is_negative: bool,
    digits: SmallVec<[u8; 24]>,
    exponent: i64,
}

// === impl Decimal ===

impl Decimal {
    /// `None` when the exponent is beyond all measure.
    fn read(text: &[u8]) -> Option<Self> {
        let (is_negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            _ => (false, text),
        };
        let end = text.iter().position(|byte| matches!(byte, b'e' | b'E'));
        let (mantissa, exponent) = match end {
            Some(end) => (&text[..end], std::str::from_utf8(&text[end + 1..]).ok()?),
            None => (text, "0"),
        };
        let point = mantissa.iter().position(|byte| *byte == b'.');
        let (whole, fraction) = match point {
            Some(point) => (&mantissa[..point], &mantissa[point + 1..]),
            None => (mantissa, &[][..]),
        };
        let mut digits: SmallVec<[u8; 24]> = whole.iter().chain(fraction).copied().collect();
        let mut exponent: i64 = exponent.parse().ok()?;
        exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        while digits.last() == Some(&b'0') {
            digits.pop();
            exponent = exponent.checked_add(1)?;
        }
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        digits.drain(..zeros);
        let is_zero = digits.is_empty();
        Some(Self {
            is_negative: is_negative && !is_zero,
            digits,
            exponent: if is_zero { 0 } else { exponent },
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(if self.is_negative { b'-' } else { b'+' });
        write_text(&self.digits, out);
        out.extend_from_slice(&self.exponent.to_le_bytes());
    }
}

#[cfg(test)]
mod tests;
