//! Redis that keeps everything in memory, and a minimum that sends the same commands over one connection of redis-rs.

use std::sync::Arc;

use ::redis::{AsyncConnectionConfig, Client, Cmd, Script, Value, aio::MultiplexedConnection};
use tenure::store::RedisStore;

use super::{
    bed::redis::Redis,
    request,
    subject::{RECORD, SESSIONS, Site, Subject},
};

pub(crate) struct Prepared {
    server: Redis,
}

impl Prepared {
    pub(crate) async fn new() -> Self {
        Self {
            server: Redis::start(),
        }
    }

    pub(crate) async fn subjects(&self) -> Vec<Subject> {
        let store = RedisStore::connect(&self.server.url()).await;
        let site = Site::new(store.expect("a server")).await;
        let minimum = Arc::new(Minimum::new(&self.server.url()).await);
        let (reading, writing) = (minimum.clone(), minimum);
        vec![
            Subject::minimum(
                "minimum: `GET` and `TIME`",
                request(move |session| reading.clone().read(session)),
            ),
            Subject::tenure("the store's load, without the layer", site.load()),
            Subject::tenure("read", site.read()),
            Subject::tenure("read, touched each time", site.read_and_touch()),
            Subject::minimum(
                "minimum: those, and the script of an update",
                request(move |session| writing.clone().write(session)),
            ),
            Subject::tenure("write", site.write()),
        ]
    }
}

/// What is sent and nothing else.
struct Minimum {
    wire: MultiplexedConnection,
    update: String,
}

impl Minimum {
    async fn new(url: &str) -> Self {
        let client = Client::open(url).expect("a URL");
        // A time-out of the driver's would be a timer for each command.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let wire = client.get_multiplexed_async_connection_with_config(&config);
        let mut wire = wire.await.expect("a server");
        let mut command = ::redis::cmd("SCRIPT");
        command.arg("LOAD").arg(UPDATE);
        let known = command.query_async::<Value>(&mut wire).await;
        known.expect("the script compiles");
        for session in 0..SESSIONS {
            let mut command = ::redis::cmd("SET");
            command.arg(key(session)).arg(record()).arg("PX").arg(HOUR);
            let set = command.query_async::<Value>(&mut wire).await;
            set.expect("there is room");
        }
        Self {
            wire,
            update: Script::new(UPDATE).get_hash().to_owned(),
        }
    }

    async fn read(self: Arc<Self>, session: usize) {
        self.load(session).await;
    }

    async fn write(self: Arc<Self>, session: usize) {
        let kept = self.load(session).await;
        let record = record();
        let mut command = by_name(&self.update, session);
        command.arg(&kept[..9]).arg(&record[..9]);
        command.arg(&record[25..60]).arg(&record[60..]).arg(HOUR);
        assert_eq!(self.ask(&command).await, Value::Int(1));
    }

    async fn load(&self, session: usize) -> Vec<u8> {
        let mut commands = ::redis::pipe();
        commands.cmd("GET").arg(key(session)).cmd("TIME");
        let mut wire = self.wire.clone();
        let answers = wire.send_packed_commands(&commands, 0, 2).await;
        match answers.expect("two answers").swap_remove(0) {
            Value::BulkString(kept) => kept,
            other => panic!("{other:?}"),
        }
    }

    async fn ask(&self, command: &Cmd) -> Value {
        let answer = self.wire.clone().send_packed_command(command).await;
        answer.expect("an answer")
    }
}

fn by_name(script: &str, session: usize) -> Cmd {
    let mut command = ::redis::cmd("EVALSHA");
    command.arg(script).arg(1).arg(key(session));
    command
}

fn key(session: usize) -> String {
    format!("tenure:{session:022}")
}

/// As large as a session of the site: version and stamps, and the record.
fn record() -> Vec<u8> {
    vec![1; 29 + RECORD]
}

const HOUR: i64 = 3_600_000;

const UPDATE: &str = "local found = redis.call('GETRANGE', KEYS[1], 0, 28)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if #found == 29 and string.sub(found, 1, 9) == ARGV[1] then
    local stamps = string.sub(found, 10, 17) .. struct.pack('>I8', now)
    redis.call('SET', KEYS[1], ARGV[2] .. stamps .. ARGV[3] .. ARGV[4], 'PX', ARGV[5])
    return 1
end
return 0";
