//! The task of a connection: sends, reads, and hands the answers out.

use std::{
    collections::VecDeque,
    io, mem,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll, ready},
};

use ::redis::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
};

use super::{
    super::{
        connection::{time_of, with_time},
        resp::{self, Command, no_answer},
    },
    Line, Waiting,
};
use crate::sync::Mutex;

/// The end of the stream.
pub(in super::super) struct Driving<S> {
    stream: S,
    line: Arc<Mutex<Line>>,
    /// Who waits for an answer to what is sent.
    waiting: VecDeque<Waiting>,
    /// Records that wait for the time.
    timed: Vec<(oneshot::Sender<Value>, Value)>,
    sending: Vec<u8>,
    sent: usize,
    is_flushed: bool,
    /// Those who are ready to ask were let go first.
    has_waited: bool,
    reading: Vec<u8>,
    filled: usize,
}

impl<S> Driving<S> {
    pub(super) fn new(stream: S, line: Arc<Mutex<Line>>) -> Self {
        Self {
            stream,
            line,
            waiting: VecDeque::new(),
            timed: Vec::new(),
            sending: Vec::new(),
            sent: 0,
            is_flushed: true,
            has_waited: false,
            reading: vec![0; ROOM],
            filled: 0,
        }
    }

    fn end(&mut self, cause: &str) {
        let mut line = self.line.lock();
        if line.over.is_none() {
            line.over = Some(cause.into());
        }
        let waiting = mem::take(&mut line.waiting);
        line.unsent = Vec::new();
        drop(line);
        drop(waiting);
        self.waiting.clear();
        self.timed.clear();
    }

    /// Takes what is to be sent next, once all before it is.
    fn take(&mut self, task: &Task<'_>) -> bool {
        let mut line = self.line.lock();
        if line.unsent.is_empty() {
            line.waker = Some(task.waker().clone());
            return false;
        }
        if !mem::replace(&mut self.has_waited, true) {
            drop(line);
            task.waker().wake_by_ref();
            return false;
        }
        self.has_waited = false;
        self.sending.clear();
        self.sending.shrink_to(ROOM);
        self.sent = 0;
        mem::swap(&mut self.sending, &mut line.unsent);
        self.waiting.extend(line.waiting.drain(..));
        if mem::take(&mut line.is_timed) {
            drop(line);
            Command::new("TIME").write(&mut self.sending);
            self.waiting.push_back(Waiting::Time);
        }
        true
    }

    /// Tells whether nobody is left, neither one who waits nor one who could ask.
    fn is_done(&self) -> bool {
        let line = self.line.lock();
        line.is_closing && line.waiting.is_empty() && self.waiting.is_empty()
    }

    /// Hands out what has come.
    fn hand_out(&mut self) -> io::Result<()> {
        let mut begin = 0;
        while let Some((answer, length)) = resp::read(&self.reading[begin..self.filled])? {
            begin += length;
            self.answer(answer)?;
        }
        if begin > 0 {
            self.reading.copy_within(begin..self.filled, 0);
            self.filled -= begin;
        }
        if self.filled > MOST_READ {
            return Err(no_answer("it is too long"));
        }
        if self.filled == 0 && self.reading.len() > MOST_KEPT {
            self.reading = vec![0; ROOM];
        }
        Ok(())
    }

    /// Hands an answer out to whom it is for; who does not wait any more does not miss it.
    fn answer(&mut self, answer: Value) -> io::Result<()> {
        match self.waiting.pop_front() {
            None => return Err(unasked(&answer)),
            Some(Waiting::One(to)) => drop(to.send(answer)),
            // Or what nobody waits for would be kept until the time has come.
            Some(Waiting::Timed(to)) if to.is_closed() => {}
            Some(Waiting::Timed(to)) => match answer {
                Value::Nil | Value::ServerError(_) => drop(to.send(answer)),
                kept => self.timed.push((to, kept)),
            },
            Some(Waiting::Time) => self.tell_time(&answer)?,
            Some(Waiting::Several(mut answers, missing, to)) => {
                answers.push(answer);
                match missing - 1 {
                    0 => drop(to.send(answers)),
                    missing => self
                        .waiting
                        .push_front(Waiting::Several(answers, missing, to)),
                }
            }
        }
        Ok(())
    }

    /// Tells the time to those who want to know it, or why the server does not tell it.
    fn tell_time(&mut self, time: &Value) -> io::Result<()> {
        let now = time_of(time);
        if now.is_none() && !matches!(time, Value::ServerError(_)) {
            return Err(no_answer("it does not tell the time"));
        }
        for (to, kept) in self.timed.drain(..) {
            let answer = now.map_or_else(|| time.clone(), |now| with_time(kept, now));
            drop(to.send(answer));
        }
        Ok(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driving<S> {
    /// Goes on until nothing can be read and nothing can be sent.
    fn poll_line(&mut self, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        loop {
            while self.poll_read(task)?.is_ready() {}
            if self.poll_send(task)?.is_pending() {
                return match self.is_done() {
                    true => Poll::Ready(Ok(())),
                    false => Poll::Pending,
                };
            }
        }
    }

    fn poll_read(&mut self, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        if self.filled == self.reading.len() {
            self.reading.resize(self.filled * 2, 0);
        }
        let mut room = ReadBuf::new(&mut self.reading[self.filled..]);
        ready!(Pin::new(&mut self.stream).poll_read(task, &mut room))?;
        let count = room.filled().len();
        if count == 0 {
            let text = "the server has closed the connection";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, text)));
        }
        self.filled += count;
        self.line.lock().was_heard = true;
        Poll::Ready(self.hand_out())
    }

    fn poll_send(&mut self, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        if self.sent == self.sending.len() {
            if !self.is_flushed {
                ready!(Pin::new(&mut self.stream).poll_flush(task))?;
                self.is_flushed = true;
            }
            if !self.take(task) {
                return Poll::Pending;
            }
        }
        let unsent = &self.sending[self.sent..];
        let count = ready!(Pin::new(&mut self.stream).poll_write(task, unsent))?;
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.sent += count;
        self.is_flushed = false;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Driving<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<()> {
        match ready!(self.poll_line(task)) {
            Ok(()) => self.end("nobody was left who could ask"),
            Err(error) => self.end(&error.to_string()),
        }
        Poll::Ready(())
    }
}

impl<S> Drop for Driving<S> {
    fn drop(&mut self) {
        self.end("the connection was given up");
    }
}

/// What a server says that was not asked: why it lets nobody in, perhaps.
fn unasked(answer: &Value) -> io::Error {
    match answer {
        Value::ServerError(error) => io::Error::other(error.to_string()),
        _ => no_answer("nothing was asked"),
    }
}

/// What is read and sent at once without more room.
const ROOM: usize = 64 * 1024;
/// From how much room on it is given back.
pub(super) const MOST_KEPT: usize = 1024 * 1024;
/// From how many bytes on an answer is none: as many as a server stores under a key, and some.
const MOST_READ: usize = 513 * 1024 * 1024;
