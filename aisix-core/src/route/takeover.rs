//! Streams that fail before anything was said in them.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use aisix_wire::sse;
use bytes::Bytes;
use http::{
    HeaderValue,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use http_body::{Body as _, Frame};
use tokio::time::{Instant, Sleep, sleep_until};
use tower_service::Service;

use super::{course::Course, rules::Rules, thread::Thread};
use crate::{
    BoxError,
    body::Body,
    call::{Attempt, Call},
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
    /// Where the answer has got to, if another stream may go on with it.
    thread: Option<Thread>,
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
pub(super) type Went<S> = (Course<S>, Result<Reply, Error>);

// === impl Takeover ===

impl<S> Takeover<S>
where
    S: Service<Attempt, Response = Reply, Error = Error> + Send + 'static,
    S::Future: Send,
{
    /// The same reply, with the rest of the course behind it if it is a stream in which nothing was said yet.
    pub(super) fn of(reply: Reply, course: Course<S>) -> Reply {
        let is_stream = reply.is_event_stream();
        let thread = is_stream.then(|| thread(&course.call, &course.rules));
        let thread = thread.flatten();
        if !reply.is_silent() && thread.is_none() {
            return reply;
        }
        let whole = Progress::shared();
        let dialect = course.call.inbound.operation.dialect;
        reply.stand(behind(thread.as_ref()));
        let (head, stream) = reply.into_part(&whole, course.call.trail().started());
        let body = Self {
            now: Now::Stream(stream),
            whole: whole.clone(),
            ending: Ending::new(dialect, whole.clone()),
            thread,
            heartbeat: course.route.heartbeat,
            rest: Some(course),
            spoke: Instant::now(),
            timer: None,
        };
        Reply::with_progress(head, Body::stream(body), whole)
    }

    /// A reply to a call that begins with heartbeats, while the attempts of its course are under way since `began`.
    pub(super) fn before(
        course: Pin<Box<dyn Future<Output = Went<S>> + Send>>,
        call: &Arc<Call>,
        rules: &Rules,
        heartbeat: Option<Duration>,
        began: Instant,
    ) -> Reply {
        let whole = Progress::shared();
        let body = Self {
            now: Now::Course(Box::pin(async { as_stream(course.await).await })),
            whole: whole.clone(),
            ending: Ending::new(call.inbound.operation.dialect, whole.clone()),
            thread: thread(call, rules),
            heartbeat,
            rest: None,
            spoke: began,
            timer: None,
        };
        let (mut head, ()) = http::Response::new(()).into_parts();
        let headers = [
            (CONTENT_TYPE, "text/event-stream"),
            (CACHE_CONTROL, "no-cache"),
        ];
        let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
        head.headers.extend(headers);
        Reply::with_progress(head, Body::stream(body), whole)
    }

    fn failed(&mut self, error: Error) {
        // Whether the whole has failed is not known yet.
        self.whole.update(|whole| whole.failure = None);
        let Some(mut rest) = self.rest.take() else {
            return self.tell(error);
        };
        if let Some(thread) = self.thread.as_ref().filter(|it| it.has_begun()) {
            match thread.text() {
                Some(text) => rest.begin_with(text),
                None => return self.tell(error),
            }
        }
        self.now = Now::Course(Box::pin(go_on(rest, error)));
    }

    fn went(&mut self, (course, answer): Went<S>) {
        match answer {
            Ok(reply) => {
                if let Some(thread) = self.thread.as_mut().filter(|_| course.goes_on()) {
                    let name = course.progress.served_by.clone().unwrap_or_default();
                    thread.take_up(name, self.whole.so_far());
                }
                reply.stand(behind(self.thread.as_ref()));
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
                        let Ok(data) = frame.into_data() else {
                            continue;
                        };
                        match self.thread.as_mut().map(|it| it.pass(data.clone())) {
                            None => return Poll::Ready(Some(data)),
                            Some(Ok(data)) if data.is_empty() => {}
                            Some(Ok(data)) => return Poll::Ready(Some(data)),
                            Some(Err(error)) => self.tell(error),
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

/// Where the answer to a call gets to, if another stream may go on with it.
fn thread(call: &Arc<Call>, rules: &Rules) -> Option<Thread> {
    rules.continue_on_break.then(|| Thread::of(call)).flatten()
}

fn behind(thread: Option<&Thread>) -> Behind {
    match thread {
        Some(_) => Behind::Always,
        None => Behind::UntilContent,
    }
}

/// A course that has come to an end, once more if that was no stream.
async fn as_stream<S>((course, answer): Went<S>) -> Went<S>
where
    S: Service<Attempt, Response = Reply, Error = Error>,
{
    match answer {
        Ok(reply) if !reply.is_event_stream() => {
            let error = no_stream(reply);
            go_on(course, error).await
        }
        answer => (course, answer),
    }
}

fn no_stream(reply: Reply) -> Error {
    let error = Error::new(ErrorKind::Decode, "the upstream has not sent a stream");
    reply.fail(&error);
    error
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
                error = no_stream(reply);
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
