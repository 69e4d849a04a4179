//! Commands sent one after the other over one stream, without waiting for the answers, which come in the same order.
//!
//! Who asks appends to what is yet to be sent; a task sends it and hands the answers out. That task lets those who are
//! ready to ask go first, so that under load many commands go in one packet. The time is asked for once for all records
//! of a packet.

mod driving;

use std::{io, sync::Arc, task::Waker};

use ::redis::Value;
use tokio::sync::oneshot;

use self::driving::Driving;
use super::resp::Command;
use crate::sync::{Mutex, MutexGuard};

/// The end of those who ask.
pub(super) struct Wire(Arc<Mutex<Line>>);

/// What is yet to be sent, and who waits for answers to it.
#[derive(Default)]
struct Line {
    unsent: Vec<u8>,
    waiting: Vec<Waiting>,
    /// Somebody wants to know the time.
    is_timed: bool,
    /// Wakes the task, once it has seen that there is nothing to send.
    waker: Option<Waker>,
    /// The server has said something since somebody last wanted to know.
    was_heard: bool,
    /// Nobody is left who could ask.
    is_closing: bool,
    /// Why nothing is sent any more.
    over: Option<Arc<str>>,
}

/// Who waits for what.
enum Waiting {
    One(oneshot::Sender<Value>),
    Several(Vec<Value>, usize, oneshot::Sender<Vec<Value>>),
    /// A record, and the time if there is one.
    Timed(oneshot::Sender<Value>),
    /// All before this one who want to know the time.
    Time,
}

impl Wire {
    /// Begins to speak over a stream, as long as what is returned is polled: it ends with the connection, or when nobody
    /// can ask any more and all is answered.
    pub(super) fn over<S>(stream: S) -> (Self, Driving<S>) {
        let line = Arc::new(Mutex::default());
        (Self(line.clone()), Driving::new(stream, line))
    }

    pub(super) fn is_open(&self) -> bool {
        self.0.lock().over.is_none()
    }

    /// Tells whether the server has said anything since this was last asked.
    pub(super) fn take_heard(&self) -> bool {
        std::mem::take(&mut self.0.lock().was_heard)
    }

    /// Asks something that has one answer.
    ///
    /// # Errors
    ///
    /// Of the kind `NotConnected` if nothing was sent, of another if it is not known what has become of it.
    pub(super) async fn ask(&self, command: &Command) -> io::Result<Value> {
        let (to, answer) = oneshot::channel();
        self.append([command], Waiting::One(to))?;
        answer.await.map_err(|_| self.lost())
    }

    /// Asks what is under a key: answers that and the time, or nothing.
    pub(super) async fn ask_timed(&self, command: &Command) -> io::Result<Value> {
        let (to, answer) = oneshot::channel();
        self.append([command], Waiting::Timed(to))?;
        answer.await.map_err(|_| self.lost())
    }

    /// Asks several things, with no other command in between.
    pub(super) async fn ask_all(&self, commands: &[Command]) -> io::Result<Vec<Value>> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let (to, answers) = oneshot::channel();
        self.append(commands, Waiting::Several(Vec::new(), commands.len(), to))?;
        answers.await.map_err(|_| self.lost())
    }

    fn append<'a>(
        &self,
        commands: impl IntoIterator<Item = &'a Command>,
        waiting: Waiting,
    ) -> io::Result<()> {
        let mut line = self.0.lock();
        if let Some(cause) = &line.over {
            return Err(io::Error::new(io::ErrorKind::NotConnected, &**cause));
        }
        if line.unsent.len() > MOST_UNSENT {
            let text = "the server takes commands more slowly than they are sent";
            return Err(io::Error::new(io::ErrorKind::NotConnected, text));
        }
        for command in commands {
            command.write(&mut line.unsent);
        }
        line.is_timed |= matches!(waiting, Waiting::Timed(_));
        line.waiting.push(waiting);
        wake(line);
        Ok(())
    }

    fn lost(&self) -> io::Error {
        let over = self.0.lock().over.clone();
        let cause = over.unwrap_or_else(|| "the connection was given up".into());
        io::Error::new(io::ErrorKind::BrokenPipe, &*cause)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let mut line = self.0.lock();
        line.is_closing = true;
        wake(line);
    }
}

/// Wakes the task that sends, unless it is awake.
fn wake(mut line: MutexGuard<'_, Line>) {
    let waker = line.waker.take();
    drop(line);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// From how many bytes on no more is taken: a server that does not read must not fill this process.
const MOST_UNSENT: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::task::Context as Task;

    use ::redis::from_redis_value;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
        join,
        task::JoinHandle,
    };

    use super::{super::connection::with_time, driving::MOST_KEPT, *};

    fn connected() -> (Wire, JoinHandle<()>, Server) {
        let (stream, server) = duplex(MOST_KEPT);
        let (wire, driving) = Wire::over(stream);
        (wire, tokio::spawn(driving), Server(server))
    }

    struct Server(DuplexStream);

    impl Server {
        /// Reads one packet, as text with a space in place of each line's end.
        async fn packet(&mut self) -> String {
            let mut packet = vec![0; MOST_KEPT];
            let count = self.0.read(&mut packet).await.unwrap();
            let text = str::from_utf8(&packet[..count]).unwrap();
            let words = text
                .split("\r\n")
                .filter(|word| !word.starts_with(['*', '$']));
            words.collect::<Vec<_>>().join(" ").trim().to_owned()
        }

        async fn say(&mut self, answers: &str) {
            self.0.write_all(answers.as_bytes()).await.unwrap();
        }
    }

    fn get(key: &str) -> Command {
        Command::new("GET").arg(key)
    }

    fn text(value: io::Result<Value>) -> String {
        from_redis_value(value.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn each_gets_its_own_answer_however_they_come() {
        let (wire, _driver, mut server) = connected();
        let questions = [get("b"), get("c")];
        let serve = async {
            assert_eq!(server.packet().await, "GET a GET b GET c GET d");
            for piece in ["$1\r", "\nA\r\n$1\r\nB\r\n:", "3\r\n$1\r\nD\r\n"] {
                server.say(piece).await;
                tokio::task::yield_now().await;
            }
        };
        let (a, d) = (get("a"), get("d"));
        let (a, several, d, ()) =
            join!(wire.ask(&a), wire.ask_all(&questions), wire.ask(&d), serve);
        assert_eq!((text(a), text(d)), ("A".to_owned(), "D".to_owned()));
        let expected = [Value::BulkString(b"B".to_vec()), Value::Int(3)];
        assert_eq!(several.unwrap(), expected);
        assert_eq!(wire.ask_all(&[]).await.unwrap(), []);
    }

    #[tokio::test]
    async fn the_time_is_asked_for_once_for_all_records_of_a_packet() {
        let (wire, _driver, mut server) = connected();
        let serve = async {
            assert_eq!(server.packet().await, "GET a GET b GET c TIME");
            server
                .say("$1\r\nA\r\n$-1\r\n$1\r\nC\r\n*2\r\n$1\r\n7\r\n$4\r\n9999\r\n")
                .await;
        };
        let (a, b, c) = (get("a"), get("b"), get("c"));
        let (a, b, c, ()) = join!(wire.ask_timed(&a), wire.ask_timed(&b), wire.ask(&c), serve);
        let kept = Value::BulkString(b"A".to_vec());
        assert_eq!(a.unwrap(), with_time(kept, 7_009));
        assert_eq!(b.unwrap(), Value::Nil);
        assert_eq!(text(c), "C");
    }

    #[tokio::test]
    async fn a_time_that_is_refused_is_the_answer_and_none_at_all_ends_the_connection() {
        let (wire, _driver, mut server) = connected();
        let a = get("a");
        let serve = async {
            server.packet().await;
            server.say("$1\r\nA\r\n-NOPERM no\r\n").await;
            server.packet().await;
            server.say("$1\r\nA\r\n$-1\r\n").await;
        };
        let ask = async {
            let refused = wire.ask_timed(&a).await;
            assert!(matches!(refused, Ok(Value::ServerError(_))));
            wire.ask_timed(&a).await
        };
        let (lost, ()) = join!(ask, serve);
        assert!(
            lost.unwrap_err()
                .to_string()
                .contains("does not tell the time")
        );
        assert!(!wire.is_open());
    }

    #[tokio::test]
    async fn a_server_is_heard_when_it_answers_anybody() {
        let (wire, _driver, mut server) = connected();
        assert!(!wire.take_heard());
        let (a, b) = (get("a"), get("b"));
        let serve = async {
            server.packet().await;
            server.say("$1\r\nA\r\n").await;
        };
        let mut late = Box::pin(wire.ask(&b));
        let (answered, ()) = join!(wire.ask(&a), serve);
        assert_eq!(text(answered), "A");
        let waker = Waker::noop();
        assert!(
            late.as_mut()
                .poll(&mut Task::from_waker(waker))
                .is_pending()
        );
        assert!(wire.take_heard());
        assert!(!wire.take_heard(), "not since");
    }

    #[tokio::test]
    async fn who_does_not_wait_takes_nobody_elses_answer() {
        let (wire, _driver, mut server) = connected();
        let mut gone = Box::pin(async { wire.ask(&get("gone")).await });
        let waker = Waker::noop();
        assert!(
            gone.as_mut()
                .poll(&mut Task::from_waker(waker))
                .is_pending()
        );
        drop(gone);
        let serve = async {
            assert_eq!(server.packet().await, "GET gone GET a");
            server.say("$4\r\ngone\r\n$1\r\nA\r\n").await;
        };
        let a = get("a");
        let (a, ()) = join!(wire.ask(&a), serve);
        assert_eq!(text(a), "A");
    }

    #[tokio::test]
    async fn what_was_sent_is_lost_with_the_connection_and_what_comes_later_is_not_sent() {
        let (wire, driver, mut server) = connected();
        let a = get("a");
        let serve = async {
            server.packet().await;
            drop(server);
        };
        let (lost, ()) = join!(wire.ask(&a), serve);
        let lost = lost.unwrap_err();
        assert_eq!(lost.kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(lost.to_string(), "the server has closed the connection");
        driver.await.unwrap();
        let unsent = wire.ask(&a).await.unwrap_err();
        assert_eq!(unsent.kind(), io::ErrorKind::NotConnected);
        assert_eq!(unsent.to_string(), lost.to_string());
    }

    #[tokio::test]
    async fn a_connection_that_is_given_up_leaves_nobody_waiting() {
        let (wire, driver, mut server) = connected();
        let a = get("a");
        let give_up = async {
            server.packet().await;
            driver.abort();
        };
        let (lost, ()) = join!(wire.ask(&a), give_up);
        assert_eq!(lost.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert!(!wire.is_open());
    }

    #[tokio::test]
    async fn an_answer_to_no_question_ends_the_connection() {
        let (wire, driver, mut server) = connected();
        server.say("+OK\r\n").await;
        driver.await.unwrap();
        let error = wire.ask(&get("a")).await.unwrap_err();
        assert!(error.to_string().contains("nothing was asked"), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_lets_nobody_in_is_quoted() {
        let (wire, driver, mut server) = connected();
        server.say("-DENIED it runs in protected mode\r\n").await;
        driver.await.unwrap();
        let error = wire.ask(&get("a")).await.unwrap_err().to_string();
        assert!(error.contains("protected mode"), "{error}");
    }

    #[tokio::test]
    async fn it_ends_when_nobody_can_ask_and_all_is_answered() {
        let (wire, driver, mut server) = connected();
        let a = get("a");
        let mut asking = Box::pin(wire.ask(&a));
        assert!(
            asking
                .as_mut()
                .poll(&mut Task::from_waker(Waker::noop()))
                .is_pending()
        );
        drop(asking);
        drop(wire);
        assert_eq!(server.packet().await, "GET a");
        assert!(!driver.is_finished());
        server.say("$1\r\nA\r\n").await;
        driver.await.unwrap();
        assert_eq!(server.packet().await, "", "it has closed the connection");
    }

    #[tokio::test]
    async fn a_server_that_does_not_read_fills_no_memory() {
        let (wire, _driver, _server) = connected();
        let large = Command::new("SET").arg(vec![0; MOST_UNSENT]);
        let mut first = Box::pin(wire.ask(&large));
        assert!(
            first
                .as_mut()
                .poll(&mut Task::from_waker(Waker::noop()))
                .is_pending()
        );
        let refused = wire.ask(&get("a")).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::NotConnected);
    }

    #[tokio::test]
    async fn what_is_larger_than_any_buffer_comes_whole() {
        let (wire, _driver, mut server) = connected();
        let large = "x".repeat(3 * MOST_KEPT);
        let serve = async {
            server.packet().await;
            server
                .say(&format!("${}\r\n{large}\r\n:1\r\n", large.len()))
                .await;
        };
        let (a, b) = (get("a"), get("b"));
        let (first, second, ()) = join!(wire.ask(&a), wire.ask(&b), serve);
        assert!(text(first) == large);
        assert_eq!(second.unwrap(), Value::Int(1));
    }
}
