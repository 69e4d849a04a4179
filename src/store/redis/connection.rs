//! One connection, over which commands follow each other without waiting for answers.

use std::{
    future, io, process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ::redis::{
    AsyncConnectionConfig, Cmd, Pipeline, RedisError, ServerError, Value,
    aio::MultiplexedConnection, from_redis_value,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    sync::Notify,
    task::AbortHandle,
    time::{sleep, timeout},
};

use super::{
    address::{Access, Address},
    failure::{self, Refusal},
    script::Request,
    sentinels::Asked,
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
    wire: MultiplexedConnection,
    driver: AbortHandle,
    is_over: Arc<AtomicBool>,
    expected: Expected,
    /// How long an answer to a question may take.
    patience: Duration,
    is_used: AtomicBool,
    is_unfit: Notify,
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

/// How many replicas acknowledge a change before it is answered, and how long they are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Replicas {
    pub(super) count: u32,
    pub(super) timeout: Duration,
}

impl Connection {
    /// Connects, and is let in.
    pub(super) async fn open(
        address: &Address,
        access: &Access,
        expected: Expected,
        patience: Duration,
    ) -> Result<(Self, Driver), RedisError> {
        match address {
            Address::Tcp(host, port) => {
                let stream = TcpStream::connect((&**host, *port)).await?;
                // Or an answer waits for an acknowledgement.
                stream.set_nodelay(true)?;
                match &access.tls {
                    None => Self::over(stream, access, expected, patience).await,
                    Some(tls) => {
                        let stream = tls.over(stream, host).await?;
                        Self::over(stream, access, expected, patience).await
                    }
                }
            }
            Address::Unix(path) => {
                let stream = UnixStream::connect(path).await?;
                Self::over(stream, access, expected, patience).await
            }
        }
    }

    async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        access: &Access,
        expected: Expected,
        patience: Duration,
    ) -> Result<(Self, Driver), RedisError> {
        // Who asks waits as long as he wants to.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let opened = MultiplexedConnection::new_with_config(&access.settings, stream, config);
        let (wire, drive) = opened.await?;
        let number = Random::System.draw_number(process::id().into());
        let number = number.map_err(io::Error::other)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let driver = tokio::spawn(async move {
            drive.await;
            over.store(true, Ordering::Release);
        });
        let connection = Self {
            wire,
            driver: driver.abort_handle(),
            is_over,
            expected,
            patience,
            is_used: AtomicBool::new(false),
            is_unfit: Notify::new(),
            named: None,
            number,
        };
        Ok((connection, driver))
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
    pub(super) async fn ask(&self, command: &Cmd) -> Result<Value, RedisError> {
        let answer = self.wire.clone().send_packed_command(command).await;
        answer?.extract_error()
    }

    /// Asks several things in one trip; each of them may be refused.
    pub(super) async fn ask_all(&self, questions: &Pipeline) -> Result<Vec<Said>, StoreError> {
        self.is_used.store(true, Ordering::Relaxed);
        let mut wire = self.wire.clone();
        let answers = wire.send_packed_commands(questions, 0, questions.len());
        let answers = answers.await.map_err(failure::lost)?;
        Ok(answers.into_iter().map(said).collect())
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
        self.is_used.store(true, Ordering::Relaxed);
        let mut said = match request.is_timed() {
            true => self.send_timed(request.command(), asking).await?,
            false => self.send(request.command(), asking, replicas).await?,
        };
        if matches!(&said, Err(error) if error.code() == "NOSCRIPT")
            && let Some(command) = request.with_text()
        {
            said = self.send(&command, asking, replicas).await?;
        }
        if matches!(&said, Err(error) if failure::refusal(error) == Refusal::ReadOnly) {
            self.is_unfit.notify_one();
        }
        Ok(said)
    }

    async fn send(
        &self,
        command: &Cmd,
        asking: Asking,
        replicas: Option<Replicas>,
    ) -> Result<Said, StoreError> {
        let mut wire = self.wire.clone();
        if asking == Asking::No && replicas.is_none() {
            let answer = wire.send_packed_command(command).await;
            return answer.map(said).map_err(failure::lost);
        }
        let skipped = usize::from(asking == Asking::Yes);
        let answers = 1 + usize::from(replicas.is_some());
        let commands = together(command, asking, replicas);
        let answers = wire.send_packed_commands(&commands, skipped, answers).await;
        let mut answers = answers.map_err(failure::lost)?.into_iter();
        let said = said(answers.next().unwrap_or_default());
        match (&said, replicas, answers.next()) {
            (Ok(_), Some(replicas), acknowledged) => replicas.check(acknowledged).map(|()| said),
            _ => Ok(said),
        }
    }

    /// Asks for something and for the time, which is that of the answer or a moment later.
    async fn send_timed(&self, command: &Cmd, asking: Asking) -> Result<Said, StoreError> {
        let mut commands = together(command, asking, None);
        commands.cmd("TIME");
        let skipped = usize::from(asking == Asking::Yes);
        let mut wire = self.wire.clone();
        let answers = wire.send_packed_commands(&commands, skipped, 2).await;
        let mut answers = answers.map_err(failure::lost)?.into_iter().map(said);
        let mut next = || answers.next().unwrap_or(Ok(Value::Nil));
        let (kept, time) = (next(), next());
        match kept {
            Ok(Value::Nil) | Err(_) => Ok(kept),
            Ok(kept) => Ok(Ok(with_time(kept, millis(time)?))),
        }
    }

    /// Tells whether the server is what it is to be. One that will not say is believed.
    pub(super) async fn is_as_expected(&self) -> Result<bool, RedisError> {
        let question = match self.expected {
            Expected::Node => "PING",
            Expected::Primary => "ROLE",
        };
        match self.ask(&::redis::cmd(question)).await {
            Ok(Value::Array(role)) => Ok(!matches!(
                role.first(),
                Some(Value::BulkString(role)) if role != b"master"
            )),
            Err(error) if failure::is_shut_out(&error) => Err(error),
            _ => Ok(true),
        }
    }
}

impl Connected for Connection {
    fn is_open(&self) -> bool {
        !self.is_over.load(Ordering::Acquire)
    }

    /// Asks the server now and then, and each second while verbs are sent: one that answers nobody, or that has become
    /// a replica without having closed the connection, is given up. So is one instead of which another is named.
    async fn given_up(&self) {
        for beat in (0..IDLE_BEATS).cycle() {
            tokio::select! {
                () = self.is_unfit.notified() => return,
                () = self.another_is_named() => return,
                () = sleep(BEAT) => {}
            }
            if !self.is_used.swap(false, Ordering::Relaxed) && beat > 0 {
                continue;
            }
            match timeout(self.patience, self.is_as_expected()).await {
                Ok(Ok(true)) => {}
                Ok(_) => return,
                // Or it would be waited for as long as TCP does.
                Err(_) => return self.driver.abort(),
            }
        }
    }
}

impl Replicas {
    /// Checks how many have acknowledged.
    fn check(self, acknowledged: Option<Value>) -> Result<(), StoreError> {
        let wanted = self.count;
        match acknowledged {
            Some(Value::Int(count)) if count >= i64::from(wanted) => Ok(()),
            Some(Value::Int(count)) => Err(StoreError::unknown(format!(
                "{count} of {wanted} replicas have acknowledged the change in {:?}",
                self.timeout
            ))),
            other => Err(StoreError::unknown(format!(
                "whether replicas have acknowledged the change is not known: {other:?}"
            ))),
        }
    }
}

/// What a server answers: a value, or that it refuses.
pub(super) type Said = Result<Value, ServerError>;

fn said(answer: Value) -> Said {
    match answer {
        Value::ServerError(error) => Err(error),
        value => Ok(value),
    }
}

/// Makes the answer to a load of what is there and the time.
pub(super) fn with_time(kept: Value, now: i64) -> Value {
    Value::Array(vec![kept, Value::Int(now)])
}

/// Reads what a server says to `TIME`: seconds, and microseconds of the next.
pub(super) fn millis(said: Said) -> Result<i64, StoreError> {
    let value = said.map_err(failure::refused)?;
    let (seconds, micros): (i64, i64) = from_redis_value(value).map_err(StoreError::unknown)?;
    Ok(seconds * 1_000 + micros / 1_000)
}

/// Whether a command is for a key that is on its way to the server it is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asking {
    No,
    Yes,
}

/// Puts commands together that must follow each other on one connection.
fn together(command: &Cmd, asking: Asking, replicas: Option<Replicas>) -> Pipeline {
    let mut commands = ::redis::pipe();
    if asking == Asking::Yes {
        commands.cmd("ASKING");
    }
    commands.add_command(command.clone());
    if let Some(Replicas { count, timeout }) = replicas {
        // Zero would be for ever.
        let millis = timeout.as_millis().clamp(1, 60_000);
        commands.cmd("WAIT").arg(count).arg(millis as u64);
    }
    commands
}

const BEAT: Duration = Duration::from_secs(1);
const IDLE_BEATS: u32 = 15;
