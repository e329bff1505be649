//! The two messages of `grpc.health.v1`, each in the frame that gRPC gives it: too little for a library.
//!
//! `HealthCheckRequest { string service = 1; }` and `HealthCheckResponse { ServingStatus status = 1; }`, written as
//! <https://protobuf.dev/programming-guides/encoding/> says.

/// The frame's head: whether the message is compressed, and its length.
const HEAD: usize = 5;
/// `ServingStatus.SERVING`.
const SERVING: u64 = 1;

/// The question after a service; an empty name is the whole server.
pub(super) fn question(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(1 << 3 | 2);
        write_number(&mut message, service.len());
        message.extend_from_slice(service.as_bytes());
    }
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut frame = vec![0];
    frame.extend_from_slice(&length.to_be_bytes());
    frame.append(&mut message);
    frame
}

/// Whether an answer is a single frame that says so.
pub(super) fn says_serving(frame: &[u8]) -> bool {
    let Some((head, message)) = frame.split_first_chunk::<HEAD>() else {
        return false;
    };
    // Nothing compressed was asked for.
    let [0, length @ ..] = *head else {
        return false;
    };
    let is_whole = usize::try_from(u32::from_be_bytes(length)) == Ok(message.len());
    is_whole && status(message) == Some(SERVING)
}

/// The status of an answer, zero if it says none; `None` if it is no message. Fields that are unknown are passed over.
fn status(mut message: &[u8]) -> Option<u64> {
    let mut status = 0;
    while !message.is_empty() {
        let key = read_number(&mut message)?;
        match (key >> 3, key & 7) {
            (0, _) => return None,
            (1, 0) => status = read_number(&mut message)?,
            (_, 0) => drop(read_number(&mut message)?),
            (_, 1) => message = message.get(8..)?,
            (_, 2) => {
                let length = usize::try_from(read_number(&mut message)?).ok()?;
                message = message.get(length..)?;
            }
            (_, 5) => message = message.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

fn write_number(to: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        to.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

fn read_number(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
