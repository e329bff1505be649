//! Streams that fail before anything was said in them.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use aisix_wire::sse;
use bytes::Bytes;
use http_body::{Body as _, Frame};
use tokio::time::{Instant, Sleep, sleep_until};
use tower_service::Service;

use super::course::Course;
use crate::{
    BoxError,
    body::Body,
    call::Attempt,
    error::{Error, ErrorKind},
    reply::{Behind, Ending, Progress, Reply, SharedProgress},
};

/// The body of a reply that has begun with heartbeats: a stream, and what is left of the course.
///
/// While nothing but comments has gone out, the client cannot tell one attempt from another: when a stream fails, the
/// course goes on in here, and the stream of the next attempt takes its place. Heartbeats go on meanwhile. When no attempt
/// is left, an error event ends it. Nothing is spawned: the client's polling drives it, and dropping it drops what is under way.
pub(super) struct Takeover<S> {
    now: Now<S>,
    /// What is left; `None` while it is under way, and when nothing is.
    rest: Option<Course<S>>,
    /// What the streams together have come to.
    whole: SharedProgress,
    ending: Ending,
    /// The longest silence.
    heartbeat: Option<Duration>,
    /// When something was last handed over.
    spoke: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

enum Now<S> {
    /// An attempt has answered.
    Stream(Body),
    /// The course goes on.
    Course(Pin<Box<dyn Future<Output = Went<S>> + Send>>),
    /// No attempt is left: what is told of it.
    Told(Option<Bytes>),
}

/// Where a course has got to.
type Went<S> = (Course<S>, Result<Reply, Error>);

// === impl Takeover ===

impl<S> Takeover<S>
where
    S: Service<Attempt, Response = Reply, Error = Error> + Send + 'static,
    S::Future: Send,
{
    /// The same reply, with the rest of the course behind it if it is a stream in which nothing was said yet.
    pub(super) fn of(reply: Reply, course: Course<S>) -> Reply {
        if !reply.is_silent() {
            return reply;
        }
        let whole = Progress::shared();
        let dialect = course.call.inbound.operation.dialect;
        reply.stand(Behind::UntilContent);
        let (head, stream) = reply.into_part(&whole, course.call.trail().started());
        let body = Self {
            now: Now::Stream(stream),
            whole: whole.clone(),
            ending: Ending::new(dialect, whole.clone()),
            heartbeat: course.route.heartbeat,
            rest: Some(course),
            spoke: Instant::now(),
            timer: None,
        };
        Reply::with_progress(head, Body::stream(body), whole)
    }

    fn failed(&mut self, error: Error) {
        // Whether the whole has failed is not known yet.
        self.whole.update(|whole| whole.failure = None);
        match self.rest.take() {
            Some(rest) => self.now = Now::Course(Box::pin(go_on(rest, error))),
            None => self.tell(error),
        }
    }

    fn went(&mut self, (course, answer): Went<S>) {
        match answer {
            Ok(reply) => {
                reply.stand(Behind::UntilContent);
                let began = course.call.trail().started();
                self.now = Now::Stream(reply.into_part(&self.whole, began).1);
                self.rest = Some(course);
            }
            Err(error) => self.tell(error),
        }
    }

    fn tell(&mut self, error: Error) {
        self.now = Now::Told(self.ending.fail(error).map(|event| event.raw));
    }

    /// The next heartbeat while the course goes on.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        let Some(every) = self.heartbeat else {
            return Poll::Pending;
        };
        let next = self.spoke + every;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(next)));
        if timer.deadline() != next {
            timer.as_mut().reset(next);
        }
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Bytes::from_static(sse::HEARTBEAT))
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            match &mut self.now {
                Now::Stream(stream) => match ready!(Pin::new(stream).poll_frame(cx)) {
                    Some(Ok(frame)) => {
                        if let Ok(data) = frame.into_data() {
                            return Poll::Ready(Some(data));
                        }
                    }
                    Some(Err(error)) => self.failed(Error::from_boxed(error)),
                    None => return Poll::Ready(None),
                },
                Now::Course(course) => match course.as_mut().poll(cx) {
                    Poll::Ready(went) => self.went(went),
                    Poll::Pending => return self.poll_silence(cx).map(Some),
                },
                Now::Told(event) => return Poll::Ready(event.take()),
            }
        }
    }
}

/// The course after a stream has failed.
async fn go_on<S>(mut course: Course<S>, mut error: Error) -> Went<S>
where
    S: Service<Attempt, Response = Reply, Error = Error>,
{
    loop {
        let answer = match course.go_on(error).await {
            Ok(()) => course.run().await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(reply) if !reply.is_event_stream() => {
                error = Error::new(ErrorKind::Decode, "the upstream has not sent a stream");
                reply.fail(&error);
            }
            answer => return (course, answer),
        }
    }
}

// Nothing in it is pinned in place.
impl<S> Unpin for Takeover<S> {}

impl<S> http_body::Body for Takeover<S>
where
    S: Service<Attempt, Response = Reply, Error = Error> + Send + 'static,
    S::Future: Send,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let data = ready!(this.poll_data(cx));
        this.spoke = Instant::now();
        Poll::Ready(data.map(|data| Ok(Frame::data(data))))
    }
}
