//! What a data plane says to Postgres for one request, taken from Postgres' log and turned into a script for pgbench.

use std::{fs, path::Path};

use tests::DataPlane;

use super::{
    shapes::Shape,
    stage::{Stage, send},
};

/// A key that no other parameter equals.
const MARK: u32 = 424_242;

/// A transaction for pgbench.
pub(super) struct Replay {
    pub(super) script: String,
    /// Values of its variables.
    pub(super) variables: Vec<(String, String)>,
}

/// Records every shape. The statements are what is compared: sent prepared, in one pipeline, with the values of the request.
pub(super) async fn record(stage: &Stage, shapes: &[Shape]) -> Vec<Replay> {
    stage.superuser("alter role authenticator set log_statement = 'all'");
    stage.superuser(HANG_UP);
    let caller = DataPlane::at(&stage.ours, None).with_token(&stage.anon_key);
    let mut replays = Vec::new();
    for shape in shapes {
        let key = MARK.min(shape.keys);
        // The first of its kind reads the schema cache.
        send(&caller, shape, key).await;
        let known = log(&stage.postgres_log).len();
        send(&caller, shape, key).await;
        let replay = Replay::read(&log(&stage.postgres_log)[known..], key, shape.keys);
        assert!(replay.script.contains("set_config"), "{}: {}", shape.name, replay.script);
        replays.push(replay);
    }
    stage.superuser("alter role authenticator reset log_statement");
    stage.superuser(HANG_UP);
    replays
}

const HANG_UP: &str = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'authenticator'";

impl Replay {
    fn read(log: &str, key: u32, keys: u32) -> Self {
        let mut replay = Self { script: "\\startpipeline\n".to_owned(), variables: Vec::new() };
        let mut statement: Option<String> = None;
        let mut count = 0;
        let mut random = String::new();
        // Beside the request, the data plane may have read the schema anew on another connection.
        let process = log.lines().find(|line| line.contains("set_config")).and_then(process_of);
        for line in log.lines().filter(|line| process_of(line) == process) {
            if let Some(sql) = executed(line) {
                replay.push(statement.replace(sql.to_owned()));
                count += 1;
            } else if let (Some(sql), Some((_, values))) = (&mut statement, line.split_once("DETAIL:  parameters: ")) {
                // From the last, so that `$1` is not found in `$10`.
                for (number, value) in parameters(values).into_iter().enumerate().rev() {
                    let name = format!("v{count}_{}", number + 1);
                    *sql = sql.replace(&format!("${}", number + 1), &format!(":{name}"));
                    if value == key.to_string() && keys > 1 {
                        random.push_str(&format!("\\set {name} random(1, {keys})\n"));
                    } else {
                        replay.variables.push((name, value));
                    }
                }
            }
        }
        replay.push(statement);
        replay.script = format!("{random}{}\\endpipeline\n", replay.script);
        replay
    }

    fn push(&mut self, statement: Option<String>) {
        if let Some(sql) = statement {
            self.script.push_str(&format!("{sql};\n"));
        }
    }
}

/// The statement of a log line: `… LOG:  execute <name>: <sql>`, or `… LOG:  statement: <sql>`.
fn executed(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("LOG:  ")?;
    let (kind, sql) = rest.split_once(": ")?;
    (kind.starts_with("execute ") || kind == "statement").then_some(sql)
}

/// The process that wrote a line: `… [<process>] …`.
fn process_of(line: &str) -> Option<&str> {
    Some(line.split_once(" [")?.1.split_once("] ")?.0)
}

/// The values in `$1 = 'a', $2 = 'it''s'`.
fn parameters(text: &str) -> Vec<String> {
    let mut values = Vec::new();
    let mut rest = text;
    while let Some((_, quoted)) = rest.split_once(" = '") {
        let mut value = String::new();
        let mut signs = quoted.char_indices();
        let end = loop {
            match signs.next() {
                Some((at, '\'')) if quoted[at + 1..].starts_with('\'') => {
                    value.push('\'');
                    signs.next();
                }
                Some((at, '\'')) => break at,
                Some((_, sign)) => value.push(sign),
                None => panic!("a quoted value ends: {text}"),
            }
        };
        values.push(value);
        rest = &quoted[end + 1..];
    }
    values
}

fn log(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
