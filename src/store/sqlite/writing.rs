//! Writes, several to a transaction: SQLite has one writer, and a commit waits for the disk.

use sqlx::{
    AssertSqlSafe, Connection as _, Error, Execute as _, Sqlite, SqliteConnection, Transaction,
    pool::PoolConnection,
    sqlite::{SqliteArguments, SqliteRow},
};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::{SqliteStore, Statement, failure};
use crate::store::{StoreError, StoreErrorKind, sql::Text};

/// What waits to be written. Whose turn it is writes all of it.
pub(super) struct Writes {
    waiting: mpsc::UnboundedSender<Write>,
    pub(super) turn: Mutex<mpsc::UnboundedReceiver<Write>>,
}

impl Writes {
    pub(super) fn new() -> Self {
        let (waiting, turn) = mpsc::unbounded_channel();
        Self {
            waiting,
            turn: Mutex::new(turn),
        }
    }
}

/// A statement that can be carried out more than once, and who waits for it.
pub(super) struct Write {
    text: Text,
    arguments: SqliteArguments,
    returns_rows: bool,
    answer: oneshot::Sender<Result<Written, StoreError>>,
}

/// What a statement did.
pub(super) struct Written {
    /// How many rows it changed.
    pub(super) rows: u64,
    /// The first that it returned.
    pub(super) first: Option<SqliteRow>,
}

impl SqliteStore {
    /// Carries out a statement, in turn, together with those that wait when its turn has come. It is carried out whole
    /// or not at all, also if nobody waits any longer.
    pub(super) async fn write(
        &self,
        text: &Text,
        mut statement: Statement,
    ) -> Result<Written, StoreError> {
        let arguments = statement.take_arguments();
        let arguments = arguments.map_err(StoreError::unavailable)?;
        let (answer, answered) = oneshot::channel();
        let write = Write {
            text: text.clone(),
            arguments: arguments.unwrap_or_default(),
            returns_rows: self.shared.statements.returns_rows(text),
            answer,
        };
        let writes = &self.shared.writes;
        writes
            .waiting
            .send(write)
            .map_err(StoreError::unavailable)?;
        let store = self.clone();
        tokio::spawn(async move { store.take_turn().await });
        answered.await.map_err(StoreError::unknown)?
    }

    /// Carries out what waits: this task's own statement, unless an earlier turn has.
    async fn take_turn(&self) {
        let mut turn = self.shared.writes.turn.lock().await;
        let mut writes = Vec::new();
        while writes.len() < MOST {
            match turn.try_recv() {
                Ok(write) if write.answer.is_closed() => {}
                Ok(write) => writes.push(write),
                Err(_) => break,
            }
        }
        if writes.is_empty() {
            return;
        }
        match self.pool.acquire().await {
            Ok(connection) => self.carry_out(connection, writes).await,
            Err(error) => refuse(writes, StoreErrorKind::Unavailable, &error),
        }
    }

    async fn carry_out(&self, mut connection: PoolConnection<Sqlite>, writes: Vec<Write>) {
        if writes.len() > 1 {
            match together(&mut connection, &writes).await {
                Ok(written) => return answer(writes, written),
                Err(Failure::Apart) => {}
                Err(Failure::All(kind, error)) => return refuse(writes, kind, &error),
            }
        }
        for write in writes {
            let written = write.run(&mut connection).await;
            let written = written.map_err(|error| failure::verb(error, &self.shared.table));
            let _ = write.answer.send(written);
        }
    }
}

impl Write {
    async fn run(&self, connection: &mut SqliteConnection) -> Result<Written, Error> {
        let text = AssertSqlSafe(self.text.clone());
        let query = sqlx::query_with(text, self.arguments.clone());
        if !self.returns_rows {
            let rows = query.execute(connection).await?.rows_affected();
            return Ok(Written { rows, first: None });
        }
        // To the end, and not to the first row: SQLite commits after the last.
        let mut rows = query.fetch_all(connection).await?;
        Ok(Written {
            rows: rows.len() as u64,
            first: rows.pop(),
        })
    }
}

/// Why statements were not carried out together.
enum Failure {
    /// Nothing was changed; one of them is to blame, which each finds out by itself.
    Apart,
    /// It is the same for all.
    All(StoreErrorKind, Error),
}

/// Carries out statements in one transaction.
async fn together(
    connection: &mut PoolConnection<Sqlite>,
    writes: &[Write],
) -> Result<Vec<Written>, Failure> {
    let begun = connection.begin_with("BEGIN IMMEDIATE").await;
    let mut transaction = begun.map_err(|error| match failure::is_busy(&error) {
        true => Failure::All(StoreErrorKind::Unavailable, error),
        false => Failure::Apart,
    })?;
    let mut written = Vec::with_capacity(writes.len());
    for write in writes {
        match write.run(&mut transaction).await {
            Ok(done) => written.push(done),
            Err(_) => return Err(roll_back(transaction).await),
        }
    }
    match transaction.commit().await {
        Ok(()) => Ok(written),
        Err(error) => {
            // If SQLite has rolled back, sqlx thinks that the transaction is open.
            connection.close_on_drop();
            Err(match failure::is_unknown(&error) {
                true => Failure::All(StoreErrorKind::Unknown, error),
                false => Failure::Apart,
            })
        }
    }
}

async fn roll_back(mut transaction: Transaction<'_, Sqlite>) -> Failure {
    // On a full disk SQLite has rolled back; then there is one to roll back again, else this fails and does nothing.
    let _ = sqlx::query("BEGIN").execute(&mut *transaction).await;
    match transaction.rollback().await {
        Ok(()) => Failure::Apart,
        Err(error) => Failure::All(StoreErrorKind::Unknown, error),
    }
}

fn answer(writes: Vec<Write>, written: Vec<Written>) {
    for (write, written) in writes.into_iter().zip(written) {
        // Some have stopped waiting.
        let _ = write.answer.send(Ok(written));
    }
}

fn refuse(writes: Vec<Write>, kind: StoreErrorKind, error: &Error) {
    for write in writes {
        let cause = error.to_string();
        let error = match kind {
            StoreErrorKind::Unavailable => StoreError::unavailable(cause),
            _ => StoreError::unknown(cause),
        };
        let _ = write.answer.send(Err(error));
    }
}

/// How many statements share a transaction at most. Readers and other processes are not kept waiting by more.
const MOST: usize = 64;
