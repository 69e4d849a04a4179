//! One connection to a server: how it is made and let in, and what a verb is over it.

use std::{
    future, io,
    pin::pin,
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ::redis::{RedisConnectionInfo, RedisError, ServerError, Value};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    runtime,
    sync::Notify,
    task::AbortHandle,
    time::{sleep, timeout},
};

use super::{
    address::{Access, Address},
    failure::{self, Refusal},
    group::Member,
    replicas::Replicas,
    resp::Command,
    script::Request,
    sentinels::Asked,
    wire::Wire,
};
use crate::{
    id::Random,
    store::{
        StoreError,
        link::{Connected, Driver},
    },
};

/// A connection to one server.
pub(super) struct Connection {
    wire: Wire,
    driver: AbortHandle,
    expected: Expected,
    /// How long an answer to a question may take.
    patience: Duration,
    is_used: AtomicBool,
    is_unfit: Notify,
    member: Member,
    /// Who has named this server, and where it is.
    named: Option<(Arc<Asked>, Address)>,
    number: u64,
}

/// What a server is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// Any: it refuses by itself what it does not have.
    Node,
    /// A server that takes writes.
    Primary,
}

impl Connection {
    /// Connects, and is let in.
    pub(super) async fn open(
        address: &Address,
        access: &Access,
        expected: Expected,
        patience: Duration,
        member: Member,
    ) -> Result<(Self, Driver), RedisError> {
        match address {
            Address::Tcp(host, port) => {
                let stream = TcpStream::connect((&**host, *port)).await?;
                // Or an answer waits for an acknowledgement.
                stream.set_nodelay(true)?;
                match &access.tls {
                    None => Self::over(stream, access, expected, patience, member).await,
                    Some(tls) => {
                        let stream = tls.over(stream, host).await?;
                        Self::over(stream, access, expected, patience, member).await
                    }
                }
            }
            Address::Unix(path) => {
                let stream = UnixStream::connect(path).await?;
                Self::over(stream, access, expected, patience, member).await
            }
        }
    }

    async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        access: &Access,
        expected: Expected,
        patience: Duration,
        member: Member,
    ) -> Result<(Self, Driver), RedisError> {
        let number = Random::System.draw_number(process::id().into());
        let number = number.map_err(io::Error::other)?;
        let (wire, driving) = Wire::over(stream);
        let driver = tokio::spawn(driving);
        let connection = Self {
            wire,
            driver: driver.abort_handle(),
            expected,
            patience,
            is_used: AtomicBool::new(false),
            is_unfit: Notify::new(),
            member,
            named: None,
            number,
        };
        connection.enter(&access.settings).await?;
        Ok((connection, driver))
    }

    /// Is let in, and chooses the database.
    async fn enter(&self, settings: &RedisConnectionInfo) -> Result<(), RedisError> {
        if let Some(password) = settings.password() {
            let command = Command::new("AUTH");
            let command = match settings.username() {
                Some(username) => command.arg(username),
                None => command,
            };
            let entered = self.ask(&command.arg(password)).await;
            entered.map_err(without_arguments)?;
        }
        if settings.db() != 0 {
            let command = Command::new("SELECT").number(settings.db());
            self.ask(&command).await?;
        }
        Ok(())
    }

    /// Lets the connection be given up when another server than this one is named.
    pub(super) fn named_by(mut self, asked: Arc<Asked>, address: Address) -> Self {
        self.named = Some((asked, address));
        self
    }

    async fn another_is_named(&self) {
        match &self.named {
            Some((asked, address)) => asked.another_than(address).await,
            None => future::pending().await,
        }
    }

    /// Asks something beside the verbs.
    pub(super) async fn ask(&self, command: &Command) -> Result<Value, RedisError> {
        self.wire.ask(command).await?.extract_error()
    }

    /// Asks several things in one trip; each of them may be refused.
    pub(super) async fn ask_all(&self, questions: &[Command]) -> Result<Vec<Said>, StoreError> {
        self.note_use();
        let answers = self.wire.ask_all(questions).await.map_err(failure::lost)?;
        Ok(answers.into_iter().map(said).collect())
    }

    /// Notes that verbs are sent, without a write to what other threads read unless it is news.
    fn note_use(&self) {
        if !self.is_used.load(Ordering::Relaxed) {
            self.is_used.store(true, Ordering::Relaxed);
        }
    }

    /// Returns what no other connection is called: whoever meets it again meets the same process of a server.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Carries a verb out, by the name of its script or else by its text.
    pub(super) async fn carry_out(
        &self,
        request: &Request,
        asking: Asking,
        replicas: Option<Replicas>,
    ) -> Result<Said, StoreError> {
        self.note_use();
        let mut said = self.send(request, asking, replicas).await?;
        if matches!(&said, Err(error) if error.code() == "NOSCRIPT")
            && let Some(request) = request.with_text()
        {
            said = self.send(&request, asking, replicas).await?;
        }
        if matches!(&said, Err(error) if failure::refusal(error) == Refusal::ReadOnly) {
            self.is_unfit.notify_one();
        }
        Ok(said)
    }

    async fn send(
        &self,
        request: &Request,
        asking: Asking,
        replicas: Option<Replicas>,
    ) -> Result<Said, StoreError> {
        if asking == Asking::Yes || replicas.is_some() {
            // In a box, for it is seldom that this is due.
            return Box::pin(self.send_together(request, asking, replicas)).await;
        }
        let answer = match request.is_timed() {
            true => self.wire.ask_timed(request.command()).await,
            false => self.wire.ask(request.command()).await,
        };
        answer.map(said).map_err(failure::lost)
    }

    /// Sends a request between commands that must be next to it.
    async fn send_together(
        &self,
        request: &Request,
        asking: Asking,
        replicas: Option<Replicas>,
    ) -> Result<Said, StoreError> {
        let mut commands = Vec::with_capacity(3);
        if asking == Asking::Yes {
            commands.push(Command::new("ASKING"));
        }
        let place = commands.len();
        commands.push(request.command().clone());
        match replicas {
            Some(replicas) => commands.push(replicas.wait()),
            None if request.is_timed() => commands.push(Command::new("TIME")),
            None => {}
        }
        let answers = self.wire.ask_all(&commands).await.map_err(failure::lost)?;
        let mut answers = answers.into_iter().skip(place).map(said);
        let mut next = || answers.next().unwrap_or(Ok(Value::Nil));
        match (next(), next(), replicas) {
            (said @ (Ok(Value::Nil) | Err(_)), _, None) if request.is_timed() => Ok(said),
            (Ok(kept), time, None) if request.is_timed() => Ok(Ok(with_time(kept, millis(time)?))),
            (Ok(value), acknowledged, Some(replicas)) => {
                replicas.check(acknowledged).map(|()| Ok(value))
            }
            (said, _, _) => Ok(said),
        }
    }

    /// Waits until it is known that the server takes no writes, that another is named, or that another of the group has left.
    async fn is_out_of_place(&self) {
        tokio::select! {
            () = self.is_unfit.notified() => {}
            () = self.another_is_named() => {}
            () = self.member.another_has_left() => {}
        }
    }

    /// Waits until the server tells whether it is what it is to be, for as long as it answers others meanwhile: they may
    /// wait for replicas, and whoever asks stands behind them.
    async fn answered(&self) -> Option<Result<bool, RedisError>> {
        let mut asking = pin!(self.is_as_expected());
        self.wire.take_heard();
        for _ in 0..MOST_WAITS {
            match timeout(self.patience, asking.as_mut()).await {
                Ok(answer) => return Some(answer),
                Err(_) if self.wire.take_heard() => {}
                Err(_) => return None,
            }
        }
        // More is asked than it can do.
        None
    }

    /// Tells whether the server is what it is to be. One that will not say is believed.
    pub(super) async fn is_as_expected(&self) -> Result<bool, RedisError> {
        let question = match self.expected {
            Expected::Node => "PING",
            Expected::Primary => "ROLE",
        };
        match self.ask(&Command::new(question)).await {
            Ok(Value::Array(role)) => Ok(!matches!(
                role.first(),
                Some(Value::BulkString(role)) if role != b"master"
            )),
            Err(error) if failure::is_shut_out(&error) => Err(error),
            _ => Ok(true),
        }
    }
}

impl Drop for Connection {
    /// What was sent is still answered, but by a server that is silent nothing is kept open.
    fn drop(&mut self) {
        let (driver, patience) = (self.driver.clone(), self.patience);
        match runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move {
                sleep(patience).await;
                driver.abort();
            })),
            Err(_) => driver.abort(),
        }
    }
}

/// Leaves out what a server repeats of a command that it does not know: a password. Why it lets nobody in is kept.
fn without_arguments(error: RedisError) -> RedisError {
    match error.code() {
        Some(code) if !failure::is_shut_out(&error) => {
            io::Error::other(format!("the server does not let this user in: {code}")).into()
        }
        _ => error,
    }
}

impl Connected for Connection {
    fn is_open(&self) -> bool {
        self.wire.is_open()
    }

    /// Asks the server now and then, and each second while verbs are sent: one that answers nobody, or that has become
    /// a replica without having closed the connection, is given up. So is one instead of which another is named, and one
    /// of whose group another has left.
    async fn given_up(&self) {
        for beat in (0..IDLE_BEATS).cycle() {
            tokio::select! {
                () = self.is_out_of_place() => return,
                () = sleep(BEAT) => {}
            }
            if !self.is_used.swap(false, Ordering::Relaxed) && beat > 0 {
                continue;
            }
            let answer = tokio::select! {
                () = self.is_out_of_place() => return,
                answer = self.answered() => answer,
            };
            match answer {
                Some(Ok(true)) => {}
                Some(_) => return,
                // Or it would be waited for as long as TCP does.
                None => return self.driver.abort(),
            }
        }
    }

    fn has_left(&self) {
        self.member.leave();
    }
}

/// What a server answers: a value, or that it refuses.
pub(super) type Said = Result<Value, ServerError>;

pub(super) fn said(answer: Value) -> Said {
    match answer {
        Value::ServerError(error) => Err(error),
        value => Ok(value),
    }
}

/// Makes the answer to a load of what is there and the time.
pub(super) fn with_time(kept: Value, now: i64) -> Value {
    Value::Array(vec![kept, Value::Int(now)])
}

/// Reads what a server says to `TIME`.
pub(super) fn millis(said: Said) -> Result<i64, StoreError> {
    let time = said.map_err(failure::refused)?;
    time_of(&time).ok_or_else(|| StoreError::unknown("the server does not tell the time"))
}

/// Reads a time: seconds, and microseconds of the next.
pub(super) fn time_of(time: &Value) -> Option<i64> {
    let Value::Array(parts) = time else {
        return None;
    };
    let number = |part: &Value| match part {
        Value::BulkString(text) => str::from_utf8(text).ok()?.parse::<i64>().ok(),
        _ => None,
    };
    let [seconds, micros] = &parts[..] else {
        return None;
    };
    number(seconds)?
        .checked_mul(1_000)?
        .checked_add(number(micros)? / 1_000)
}

/// Whether a command is for a key that is on its way to the server it is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asking {
    No,
    Yes,
}

const BEAT: Duration = Duration::from_secs(1);
const IDLE_BEATS: u32 = 15;
/// For how many times its patience a server may answer others first.
const MOST_WAITS: usize = 5;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;
    use crate::clock::Stopwatch;

    fn access() -> Access {
        Access {
            settings: RedisConnectionInfo::default().set_password("secret"),
            tls: None,
        }
    }

    /// Returns the error of whom a server answers so.
    async fn refused(answer: &str) -> String {
        let (stream, mut server) = duplex(1_024);
        let access = access();
        let opening = Connection::over(stream, &access, Expected::Node, BEAT, Member::default());
        let (opened, ()) = tokio::join!(opening, async {
            server.read_u8().await.unwrap();
            server.write_all(answer.as_bytes()).await.unwrap();
        });
        let error = opened.map(drop).unwrap_err();
        format!("{error} {error:?}")
    }

    #[tokio::test]
    async fn a_password_that_a_server_repeats_is_in_no_error_and_why_it_is_full_is() {
        let repeats = "-ERR unknown command 'AUTH', with args beginning with: 'secret'\r\n";
        let error = refused(repeats).await;
        assert!(!error.contains("secret"), "{error}");
        let error = refused("-ERR max number of clients reached\r\n").await;
        assert!(error.contains("max number of clients"), "{error}");
    }

    /// Returns for how many seconds a connection is kept whose server says something that often, and never what it is.
    async fn kept_by(says: impl Fn(u64) -> bool) -> u64 {
        let (stream, mut server) = duplex(1_024);
        let settings = RedisConnectionInfo::default();
        let access = Access {
            settings,
            tls: None,
        };
        let opening = Connection::over(stream, &access, Expected::Primary, BEAT, Member::default());
        let (connection, driver) = opening.await.unwrap();
        let start = Stopwatch::start();
        let serve = async {
            server.write_all(b"$1000\r\n").await.unwrap();
            sleep(BEAT / 2).await;
            for second in 0.. {
                if says(second) {
                    server.write_all(b"x").await.unwrap();
                }
                sleep(BEAT).await;
            }
        };
        tokio::select! {
            () = serve => unreachable!(),
            () = connection.given_up() => {}
        }
        drop(driver);
        start.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_says_something_is_not_taken_for_silent_but_not_waited_for_without_end() {
        assert_eq!(kept_by(|_| false).await, 2);
        assert_eq!(kept_by(|second| second < 3).await, 4);
        assert_eq!(kept_by(|_| true).await, 6);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_kept_open_of_a_connection_to_a_server_that_says_nothing() {
        let (stream, mut server) = duplex(1_024);
        let access = access();
        let opening = Connection::over(stream, &access, Expected::Node, BEAT, Member::default());
        assert!(timeout(BEAT, opening).await.is_err());
        let mut said = Vec::new();
        server.read_to_end(&mut said).await.unwrap();
        assert!(said.starts_with(b"*2"));
    }
}
