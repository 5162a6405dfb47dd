//! The conductor: the figures, their order, and their comparisons.
//!
//! Every figure gets its own server or floor: freshly started, with a new database.

use std::path::PathBuf;
use std::time::Duration;

use crate::report::{Budget, Unit, cell, judge, row, table};
use crate::stage::{LOAD_CORE, MEASURED_CORE, Running, Stage};
use crate::{Options, Outcome, Words, chain, commands, history, proc};

/// The values of `--only`.
pub const PARTS: [&str; 7] =
    ["deliveries", "paced", "memory", "acks", "commands", "chain", "history"];

const ROOMS: [usize; 2] = [100, 1_000];
const SENDERS: usize = 8;
const PACED_DELIVERIES_PER_SEC: usize = 50_000;
const LOCKSTEP_SENDERS: [usize; 3] = [1, 16, 256];
const ROWS_A_COMMIT: [usize; 2] = [1, 64];
/// The turns of figures that are compared with floors: see `server_and_floors`. Saturated figures
/// vary the most with the machine.
const SATURATED_TURNS: usize = 7;
const PACED_TURNS: usize = 3;

const ROLE_DEADLINE: Duration = Duration::from_secs(120);
/// The time for a process to settle before its memory is read.
const REST: Duration = Duration::from_secs(1);
/// The time in which the server returns the memory of a burst.
const RETURN: Duration = Duration::from_secs(11);

// ---- Budgets: what the server promises about itself ----

const DELIVERIES_RATIO_MIN: f64 = 0.5;
const DELIVERIES_MIN: f64 = 1.5e6;
const PACED_RATIO_MAX: f64 = 1.3;
const IDLE_SOCKET_KIB_MAX: f64 = 4.0;
const IDLE_SERVER_KIB_MAX: f64 = 6.0 * 1024.0;

/// The measured processes.
#[derive(Clone)]
enum Target {
    Server(PathBuf),
    Floor(&'static str),
}

const GATHER: Target = Target::Floor("gather");
const EACH: Target = Target::Floor("each");
const ACK: Target = Target::Floor("ack");

struct Run<'a> {
    options: &'a Options,
    stage: Stage,
    server: Option<Target>,
    /// The measured time, and the time before it.
    seconds: f64,
    warm: f64,
}

pub fn run(options: &Options) -> Outcome<()> {
    let (seconds, warm) = if options.quick { (1.0, 0.3) } else { (4.0, 1.0) };
    let server = options.server.clone().map(Target::Server);
    let mut run = Run { options, stage: Stage::set()?, server, seconds, warm };
    println!("{}", run.stage.describe());
    match &options.server {
        Some(path) => {
            let bytes = std::fs::metadata(path)?.len();
            println!("server: {} ({})", path.display(), Unit::Mib.tell(bytes as f64 / 1024.0));
        }
        None => println!("no server (yet): floors only; --server PATH names one"),
    }
    if options.wants("deliveries") {
        run.deliveries();
    }
    if options.wants("paced") {
        run.paced();
    }
    if options.wants("memory") {
        run.memory();
    }
    if options.wants("acks") {
        run.acks();
    }
    if options.wants("commands") {
        commands::run();
    }
    if options.wants("chain") {
        chain::run(&mut run.stage, run.seconds / 4.0);
    }
    if options.wants("history") {
        run.history()?;
    }
    Ok(())
}

impl Run<'_> {
    fn start(&mut self, target: &Target) -> Outcome<(Running, u16)> {
        let running = match target {
            Target::Floor(kind) => {
                let words = Words::default().with("role", "floor").with("kind", kind);
                self.stage.start_role(MEASURED_CORE, &words)?
            }
            Target::Server(path) => {
                let database = self.stage.new_database().display().to_string();
                let words = ["--listen", "127.0.0.1:0", "--log", "warn", "--db", &database];
                let words = words.map(str::to_owned).to_vec();
                self.stage.start(MEASURED_CORE, path, words)?
            }
        };
        let port = running.port()?;
        Ok((running, port))
    }

    /// A load generator on a target that has just been started.
    fn load(&self, task: Words, target: &Target, running: &Running, port: u16) -> Outcome<Running> {
        let join = u8::from(matches!(target, Target::Server(_)));
        let join = task.count("join").unwrap_or(join.into());
        let words = task.with("role", "load").with("port", port).with("pid", running.pid());
        let words = words.with("join", join).with("seconds", self.seconds).with("warm", self.warm);
        self.stage.start_role(LOAD_CORE, &words)
    }

    /// One figure of one target. An error is reported, and costs that figure only.
    fn measure(&mut self, target: Option<&Target>, task: &Words) -> Option<Words> {
        let target = target?;
        let outcome = self.start(target).and_then(|(running, port)| {
            self.load(task.clone(), target, &running, port)?.report(ROLE_DEADLINE)
        });
        said(target, outcome)
    }

    fn deliveries(&mut self) {
        let columns = self.columns();
        let on_their_way = SENDERS * self.options.window;
        table(&format!("Deliveries per CPU-second, {on_their_way} on the way"), &columns);
        let mut results = Vec::new();
        for members in ROOMS {
            let task = Words::default().with("task", "saturate").with("members", members);
            let task = task.with("senders", SENDERS).with("window", self.options.window);
            let [server, floor, each] = self.server_and_floors(&task, SATURATED_TURNS, 1);
            let rate = |words: &Option<Words>, per: &str| {
                let words = words.as_ref()?;
                Some(words.number("deliveries").ok()? / words.number(per).ok()?)
            };
            let [own, least, most] =
                [&server, &floor, &each].map(|words| rate(words, "cpu_seconds"));
            let ratio = own.zip(least).map(|(own, least)| own / least);
            let mut cells = [own, least, most].map(|value| cell(Unit::Millions, value)).to_vec();
            cells.push(cell(Unit::Ratio, ratio));
            row(&format!("  room of {members}"), &cells);
            let shown = [&server, &floor, &each];
            row("    by the clock", &shown.map(|w| cell(Unit::Millions, rate(w, "seconds"))));
            row("    busy: measured, load generator", &shown.map(busy));
            results.push((members, own, ratio));
        }
        if self.is_paired() {
            return;
        }
        for (members, own, ratio) in results {
            let figure = format!("room of {members}, server/gathering floor");
            judge(&figure, Unit::Ratio, ratio, Budget::AtLeast(DELIVERIES_RATIO_MIN));
            if members == ROOMS[0] {
                let figure = format!("room of {members}, deliveries per CPU-second");
                judge(&figure, Unit::Millions, own, Budget::AtLeast(DELIVERIES_MIN));
            }
        }
    }

    fn paced(&mut self) {
        let title = format!("CPU per delivery at {PACED_DELIVERIES_PER_SEC}/s");
        table(&title, &self.columns());
        let mut results = Vec::new();
        for members in ROOMS {
            let rate = PACED_DELIVERIES_PER_SEC / members;
            let task = Words::default().with("task", "pace").with("members", members);
            let (task, beside) = (task.with("rate", rate), if self.is_paired() { 1 } else { 2 });
            let measured = self.server_and_floors(&task, PACED_TURNS, beside);
            let number = |key: &str| {
                let value = |words: &Option<Words>| words.as_ref()?.number(key).ok();
                measured.each_ref().map(|words| cell(Unit::Millis, value(words)))
            };
            let costs =
                measured.each_ref().map(|words| cost(words.as_ref()).map(|cost| cost * 1e6));
            // Evenly spaced messages cannot be gathered: the plainer floor is the comparison.
            let ratio = costs[0].zip(costs[beside]).map(|(own, each)| own / each);
            let mut cells = costs.map(|value| cell(Unit::Micros, value)).to_vec();
            cells.push(cell(Unit::Ratio, ratio));
            row(&format!("  room of {members}, {rate} messages/s"), &cells);
            row("    latency, median", &number("p50_us"));
            row("    latency, 99 of 100", &number("p99_us"));
            results.push((members, ratio));
        }
        if self.is_paired() {
            return;
        }
        for (members, ratio) in results {
            let figure = format!("room of {members}, CPU of server/a write each");
            judge(&figure, Unit::Ratio, ratio, Budget::AtMost(PACED_RATIO_MAX));
        }
    }

    fn memory(&mut self) {
        let members = if self.options.quick { 1_000 } else { 5_000 };
        table("Resident memory", &["server", "floor"]);
        let server = self.server.clone();
        let mut hold = |target: Option<&Target>, join: u8| {
            let task = Words::default().with("task", "hold").with("members", members);
            let outcome = self.hold(target?, task.with("join", join));
            said(target?, outcome)
        };
        let [out, joined] = [0, 1].map(|join| hold(server.as_ref(), join));
        let floor = hold(Some(&EACH), 0);
        let each = |kib: Option<(u64, u64)>| {
            kib.map(|(before, after)| after.saturating_sub(before) as f64 / members as f64)
        };
        let idle = |kib: Option<(u64, u64)>| kib.map(|(before, _)| before as f64);
        row("  idle", &[idle(out), idle(floor)].map(|kib| cell(Unit::Mib, kib)));
        let sockets = [each(out), each(floor)].map(|kib| cell(Unit::Kib, kib));
        row(&format!("  each of {members} idle websockets"), &sockets);
        row("    all in one room", &[cell(Unit::Kib, each(joined))]);
        judge("idle server", Unit::Mib, idle(out), Budget::AtMost(IDLE_SERVER_KIB_MAX));
        for (figure, kib) in [("idle websocket", out), ("idle websocket in a room", joined)] {
            judge(figure, Unit::Kib, each(kib), Budget::AtMost(IDLE_SOCKET_KIB_MAX));
        }
    }

    /// Resident KiB of a target at rest, and with many websockets.
    fn hold(&mut self, target: &Target, task: Words) -> Outcome<(u64, u64)> {
        let (running, port) = self.start(target)?;
        std::thread::sleep(REST);
        let before = proc::resident_kib(running.pid())?;
        let load = self.load(task, target, &running, port)?;
        load.line(ROLE_DEADLINE, |line| (line == "holding").then_some(()))?;
        std::thread::sleep(RETURN);
        let after = proc::resident_kib(running.pid())?;
        load.report(ROLE_DEADLINE)?;
        Ok((before, after))
    }

    fn history(&mut self) -> Outcome<()> {
        let before = self.options.before.clone().map(Target::Server);
        let (mut running, mut asked) = (Vec::new(), Vec::new());
        for target in [self.server.clone(), before].into_iter().flatten() {
            let (server, port) = self.start(&target)?;
            asked.push(history::Asked::prepare(port, server.pid())?);
            running.push(server);
        }
        history::run(&mut asked)
    }

    fn acks(&mut self) {
        let columns = ["server", "median", "99 of 100", "without disk"];
        table("Acknowledged messages per second", &columns);
        let (server, rate) = (self.server.clone(), |words: &Option<Words>| {
            let words = words.as_ref()?;
            Some(words.number("acks").ok()? / words.number("seconds").ok()?)
        });
        for (dialect, where_) in [("piratchat", "one room"), ("chitchat", "a room each")] {
            for senders in LOCKSTEP_SENDERS {
                let task = Words::default().with("task", "lockstep").with("dialect", dialect);
                let task = task.with("members", senders);
                let own = self.measure(server.as_ref(), &task);
                let floor = self.measure(Some(&ACK), &task);
                let time = |key: &str| {
                    cell(Unit::Millis, own.as_ref().and_then(|words| words.number(key).ok()))
                };
                let (own_rate, floor_rate) = (rate(&own), rate(&floor));
                let cells = [
                    cell(Unit::PerSecond, own_rate),
                    time("p50_us"),
                    time("p99_us"),
                    cell(Unit::PerSecond, floor_rate),
                ];
                row(&format!("  {senders} in lock-step, {dialect}, {where_}"), &cells);
            }
        }
        for rows in ROWS_A_COMMIT {
            let database = self.stage.new_database().display().to_string();
            let words = Words::default().with("role", "disk").with("db", database);
            let words = words.with("rows", rows).with("seconds", self.seconds);
            let outcome = self.stage.start_role(MEASURED_CORE, &words);
            let outcome = outcome.and_then(|running| running.report(ROLE_DEADLINE)?.number(RATE));
            let rate = outcome.map_err(|error| println!("  SQLite alone: {error}")).ok();
            row(&format!("  SQLite alone, {rows} rows a commit"), &[cell(Unit::PerSecond, rate)]);
        }
    }

    /// Whether an older server stands beside this one, in place of the floors.
    fn is_paired(&self) -> bool {
        self.options.before.is_some()
    }

    fn columns(&self) -> [&'static str; 4] {
        match self.is_paired() {
            true => ["server", "before", "", "server/before"],
            false => ["server", "gathering floor", "a write each", "server/floor"],
        }
    }

    /// The same task for the server, the gathering floor and the floor with a write each, in turns:
    /// a shared machine varies in speed. The reported turn is the one in which the server's ratio
    /// to the target of that index is the median. With `--before`, for the server and that one.
    fn server_and_floors(
        &mut self,
        task: &Words,
        turns: usize,
        beside: usize,
    ) -> [Option<Words>; 3] {
        let server = self.server.clone();
        let before = self.options.before.clone().map(Target::Server);
        let targets = match &before {
            Some(before) => [server.as_ref(), Some(before), None],
            None => [server.as_ref(), Some(&GATHER), Some(&EACH)],
        };
        let mut turns: Vec<_> =
            (0..turns).map(|_| targets.map(|target| self.measure(target, task))).collect();
        let ratio = |turn: &[Option<Words>; 3]| {
            let own = cost(turn[0].as_ref()).unwrap_or(f64::INFINITY);
            own / cost(turn[beside].as_ref()).unwrap_or(f64::NAN)
        };
        turns.sort_by(|one, other| ratio(one).total_cmp(&ratio(other)));
        turns.swap_remove(turns.len() / 2)
    }
}

/// Processor seconds for one delivery.
fn cost(words: Option<&Words>) -> Option<f64> {
    let words = words?;
    Some(words.number("cpu_seconds").ok()? / words.number("deliveries").ok()?)
}

/// The figures of [`crate::disk`].
const RATE: &str = "rows_per_second";

/// How busy both sides were: a saturated figure counts only if the measured side was.
fn busy(words: &Option<Words>) -> String {
    let share = |key: &str| {
        let words = words.as_ref()?;
        Some(100.0 * words.number(key).ok()? / words.number("seconds").ok()?)
    };
    match (share("cpu_seconds"), share("load_cpu_seconds")) {
        (Some(measured), Some(load)) => format!("{measured:.0} %, {load:.0} %"),
        _ => "-".to_owned(),
    }
}

/// Reports the errors and losses above the affected row.
fn said<T: Report>(target: &Target, outcome: Outcome<T>) -> Option<T> {
    let who = match target {
        Target::Server(_) => "server",
        Target::Floor(kind) => kind,
    };
    match outcome {
        Ok(report) => {
            if let Some(verdict) = report.verdict().filter(|verdict| *verdict != "exact") {
                println!("  ! {who}: {verdict}");
            }
            Some(report)
        }
        Err(error) => {
            println!("  ! {who}: {error}");
            None
        }
    }
}

/// A measurement's remarks on its own validity.
trait Report {
    fn verdict(&self) -> Option<&str>;
}

impl Report for Words {
    fn verdict(&self) -> Option<&str> {
        self.text("verdict").ok()
    }
}

impl Report for (u64, u64) {
    fn verdict(&self) -> Option<&str> {
        None
    }
}
