//! Plays a scripted reply on a hyper connection and reports how it ended.

use std::{io, pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, stream};
use http::Response;
use http_body_util::StreamBody;
use hyper::body::Frame;

use super::{
    exchange::{Ending, Tail},
    reply::{Reply, Step},
};

type Frames = Pin<Box<dyn Stream<Item = io::Result<Frame<Bytes>>> + Send>>;

/// Gives the head when the script allows it. An error makes hyper close without an answer.
pub(super) async fn play(reply: Reply, tail: Tail) -> io::Result<Response<StreamBody<Frames>>> {
    for step in &reply.before {
        match step {
            Step::Wait(gate) => gate.pass().await,
            Step::Stall => std::future::pending().await,
            Step::Cut => return Err(cut(&tail)),
            Step::Send(_) => return Err(io::Error::other("nothing can be sent before the head")),
        }
    }
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(name, value);
    }
    let body = StreamBody::new(frames(reply.steps, tail));
    Ok(response.body(body).expect("the script's head is valid"))
}

fn frames(steps: Vec<Step>, tail: Tail) -> Frames {
    let steps = Arc::new(steps);
    Box::pin(stream::unfold((0, tail), move |(mut next, tail)| {
        let steps = Arc::clone(&steps);
        async move {
            // Pending once lets hyper write out what it has, so that each piece travels alone.
            tokio::task::yield_now().await;
            loop {
                match steps.get(next) {
                    Some(Step::Send(bytes)) => {
                        return Some((Ok(Frame::data(bytes.clone())), (next + 1, tail)));
                    }
                    Some(Step::Wait(gate)) => gate.pass().await,
                    Some(Step::Stall) => std::future::pending().await,
                    Some(Step::Cut) => return Some((Err(cut(&tail)), (steps.len(), tail))),
                    None => {
                        tail.end(Ending::Complete);
                        return None;
                    }
                }
                next += 1;
            }
        }
    }))
}

fn cut(tail: &Tail) -> io::Error {
    tail.end(Ending::Cut);
    io::Error::other("cut by the script")
}
