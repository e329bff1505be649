//! Where a reply's body ends: by its length, or chunk by chunk.

use anyhow::{Context, Result, bail, ensure};
use httparse::Header;

/// How a body is framed, and how far it has been read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// This many bytes are left.
    Length(usize),
    /// Chunked; what comes next.
    Chunked(Next),
}

/// What comes next in a chunked body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A line with a size, of which this much has been read.
    Size(usize),
    /// The rest of a size line, which has no meaning here.
    SizeEnd(usize),
    /// This many bytes of data.
    Data(usize),
    /// The line end after data.
    DataEnd,
    /// A trailer line; true while it is empty, for an empty one ends the body.
    Trailer(bool),
    /// Nothing.
    End,
}

impl Framing {
    /// Reads the framing from a head; a body that ends with the connection is an error, for keep-alive needs another.
    pub(crate) fn read(headers: &[Header<'_>]) -> Result<Self> {
        let value = |name: &str| {
            let found = headers.iter().find(|h| h.name.eq_ignore_ascii_case(name));
            found.map(|h| h.value)
        };
        if let Some(coding) = value("transfer-encoding") {
            ensure!(
                coding.eq_ignore_ascii_case(b"chunked"),
                "unknown transfer coding"
            );
            return Ok(Self::Chunked(Next::Size(0)));
        }
        let length = value("content-length").context("the reply has no framing")?;
        Ok(Self::Length(std::str::from_utf8(length)?.trim().parse()?))
    }

    /// Appends the data among the bytes to the body; true when the body is complete.
    ///
    /// Bytes after the end are an error: nobody asked for them.
    pub(crate) fn feed(&mut self, bytes: &[u8], body: &mut Vec<u8>) -> Result<bool> {
        match self {
            Self::Length(left) => {
                ensure!(bytes.len() <= *left, "the body is longer than its length");
                body.extend_from_slice(bytes);
                *left -= bytes.len();
                Ok(*left == 0)
            }
            Self::Chunked(next) => next.feed(bytes, body),
        }
    }
}

impl Next {
    fn feed(&mut self, mut bytes: &[u8], body: &mut Vec<u8>) -> Result<bool> {
        while let Some((&byte, rest)) = bytes.split_first() {
            if let Self::Data(left) = *self {
                let (data, rest) = bytes.split_at(left.min(bytes.len()));
                body.extend_from_slice(data);
                bytes = rest;
                *self = match left - data.len() {
                    0 => Self::DataEnd,
                    left => Self::Data(left),
                };
            } else {
                *self = self.step(byte)?;
                bytes = rest;
            }
        }
        Ok(*self == Self::End)
    }

    /// What comes after one byte that is no data.
    fn step(&self, byte: u8) -> Result<Self> {
        Ok(match (self, byte) {
            (Self::Size(0) | Self::SizeEnd(0), b'\n') => Self::Trailer(true),
            (Self::Size(size) | Self::SizeEnd(size), b'\n') => Self::Data(*size),
            (Self::Size(size), b';' | b'\r') | (Self::SizeEnd(size), _) => Self::SizeEnd(*size),
            (Self::Size(size), digit) => {
                let digit = char::from(digit).to_digit(16).context("bad chunk size")?;
                ensure!(*size < 1 << 30, "the chunk is too large");
                Self::Size(size * 16 + digit as usize)
            }
            (Self::DataEnd, b'\n') => Self::Size(0),
            (Self::DataEnd, b'\r') => Self::DataEnd,
            (Self::Trailer(true), b'\n') => Self::End,
            (Self::Trailer(_), b'\n') => Self::Trailer(true),
            (Self::Trailer(empty), b'\r') => Self::Trailer(*empty),
            (Self::Trailer(_), _) => Self::Trailer(false),
            (Self::DataEnd | Self::Data(_) | Self::End, _) => bail!("the body is badly framed"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_body_reads_the_same_however_it_is_split() {
        let bytes = b"5;ext=1\r\nhello\r\n1A\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nx: y\r\n\r\n";
        for split in 0..bytes.len() {
            let mut framing = Framing::Chunked(Next::Size(0));
            let mut body = Vec::new();
            assert!(!framing.feed(&bytes[..split], &mut body).unwrap());
            assert!(framing.feed(&bytes[split..], &mut body).unwrap());
            assert_eq!(body, b"helloabcdefghijklmnopqrstuvwxyz");
        }
    }

    #[test]
    fn bytes_after_the_end_are_an_error() {
        let mut body = Vec::new();
        assert!(Framing::Length(2).feed(b"abc", &mut body).is_err());
        let mut chunked = Framing::Chunked(Next::Size(0));
        assert!(chunked.feed(b"0\r\n\r\nHTTP/1.1", &mut body).is_err());
    }

    #[test]
    fn a_reply_without_framing_is_an_error() {
        assert!(Framing::read(&[]).is_err());
    }

    #[test]
    fn an_empty_body_is_complete_at_once() {
        assert!(Framing::Length(0).feed(b"", &mut Vec::new()).unwrap());
    }
}
