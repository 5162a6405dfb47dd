//! The load generator: a room of websockets against one port, in one process and one thread.
//!
//! Its tasks are chosen by name, and each reports its figures by name. It counts the frames that
//! the receivers really got, reads the processor time of the measured process (`pid=`) at both ends
//! of the same stretch, and afterwards checks that every receiver got every message exactly once.

use std::time::{Duration, Instant};

use crate::flock::Flock;
use crate::proc::cpu_time;
use crate::wire::{EVENT, chitchat_send, name, post, upgrade, words};
use crate::{Outcome, Words, lockstep};

pub fn run(words: &Words) -> Outcome<()> {
    let report = match words.text("task")? {
        "saturate" => saturate(words)?,
        "pace" => pace(words)?,
        "hold" => hold(words)?,
        "lockstep" => lockstep::run(words)?,
        other => return Err(format!("no such task: {other}").into()),
    };
    print!("{}", report.lines());
    Ok(())
}

/// The kernel's counters at one end of a measured stretch.
pub struct Mark {
    at: Instant,
    measured: Duration,
    load: Duration,
}

impl Mark {
    pub fn set(pid: u32) -> Outcome<Mark> {
        let (measured, load) = (cpu_time(pid)?, cpu_time(std::process::id())?);
        Ok(Mark { at: Instant::now(), measured, load })
    }

    /// The stretch from here to `end`, in seconds: by the clock, and of either side's core.
    pub fn until(&self, end: &Mark) -> Words {
        Words::default()
            .with("seconds", (end.at - self.at).as_secs_f64())
            .with("cpu_seconds", (end.measured - self.measured).as_secs_f64())
            .with("load_cpu_seconds", (end.load - self.load).as_secs_f64())
    }
}

pub fn pid(words: &Words) -> Outcome<u32> {
    Ok(u32::try_from(words.count("pid")?)?)
}

/// The path of a room: made for this run, or the lobby.
pub fn make_room(port: u16, title: &str) -> Outcome<String> {
    let room = serde_json::json!({ "title": title, "description": "", "visibility": "public" });
    Ok(format!("/chats/{}/ws", post(port, "/chats", &room)?.field("id")?))
}

pub fn port(words: &Words) -> Outcome<u16> {
    Ok(u16::try_from(words.count("port")?)?)
}

/// All clients in one room. A floor has no joins and would send each to all clients.
fn gather(words: &Words, path: &str) -> Outcome<Flock> {
    let mut flock = Flock::new()?;
    for _ in 0..words.count("members")? {
        flock.add(upgrade(port(words)?, path, None)?)?;
    }
    if words.count("join")? == 1 {
        flock.join()?;
    }
    flock.settle()?;
    flock.forget();
    Ok(flock)
}

/// As many deliveries as possible: some members keep a window of messages on their way.
///
/// A sender may send one more for each `senders` messages that it receives. All of them receive all
/// messages, so together they never have more than `senders * window` in flight, and none needs to
/// look for its own.
fn saturate(words: &Words) -> Outcome<Words> {
    let mut flock = gather(words, &make_room(port(words)?, "Saturated")?)?;
    let (senders, window) = (words.count("senders")?, words.count("window")? as u64);
    let frames: Vec<Vec<u8>> =
        (0..senders).map(|index| chitchat_send(&name(index), &self::words(0))).collect();
    let batches: Vec<Vec<u8>> = frames.iter().map(|frame| frame.repeat(window as usize)).collect();
    let mut sent = vec![0; senders];
    let pid = pid(words)?;
    let warm = Instant::now() + Duration::from_secs_f64(words.number("warm")?);
    let end = warm + Duration::from_secs_f64(words.number("seconds")?);
    let mut begun: Option<(Mark, u64)> = None;
    let mut refused = 0u64;
    let (end_mark, heard_in_the_end) = loop {
        let now = Instant::now();
        if begun.is_none() && now >= warm {
            begun = Some((Mark::set(pid)?, flock.heard_by_all()));
        }
        if now >= end {
            break (Mark::set(pid)?, flock.heard_by_all());
        }
        for index in 0..senders {
            let allowed = window + flock.heard(index) / senders as u64 - sent[index];
            // At most one prepared batch; the remaining allowance comes with the next round.
            let count = allowed.min(window);
            if count > 0 {
                flock.send(index, &batches[index][..frames[index].len() * count as usize]);
                sent[index] += count;
            }
        }
        flock.pump(Duration::from_millis(10), |_, _, text| {
            refused += u64::from(!text.starts_with(EVENT));
        })?;
    };
    let (begin_mark, heard_at_first) = begun.ok_or("nothing was measured")?;
    flock.drain(|_, _, text| refused += u64::from(!text.starts_with(EVENT)))?;
    Ok(begin_mark
        .until(&end_mark)
        .with("deliveries", heard_in_the_end - heard_at_first)
        .with("verdict", verdict(&flock, sent.iter().sum(), refused)))
}

/// A sustainable pace: evenly spaced messages from one member, so that the nth received message is
/// the nth sent, and its age is known without parsing it.
fn pace(words: &Words) -> Outcome<Words> {
    let mut flock = gather(words, &make_room(port(words)?, "Paced")?)?;
    let rate = words.number("rate")?;
    let warm = (rate * words.number("warm")?).round() as usize;
    let total = warm + (rate * words.number("seconds")?).round() as usize;
    let pid = pid(words)?;
    let frames: Vec<Vec<u8>> =
        (0..total).map(|number| chitchat_send(&name(0), &self::words(number as u64))).collect();
    let mut diary = Diary {
        sent_at: Vec::with_capacity(total),
        ages: Vec::with_capacity((total - warm) * flock.len()),
        first: warm,
        numbered: words.count("join")? == 1,
        disordered: 0,
    };
    let mut begun = None;
    let start = Instant::now() + Duration::from_millis(10);
    loop {
        let number = diary.sent_at.len();
        let due = start + Duration::from_secs_f64(number as f64 / rate);
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            // The stretch ends when one more would be due, so that it holds whole intervals.
            if number == warm {
                begun = Some((Mark::set(pid)?, flock.heard_by_all()));
            }
            let Some(frame) = frames.get(number) else { break };
            diary.sent_at.push(Instant::now());
            flock.send(0, frame);
        }
        // Sleeps in whole milliseconds, which is all that poll can do, and spins the rest.
        let wait = Duration::from_millis(u64::try_from(left.as_millis())?);
        flock.pump(wait, |_, heard, text| diary.hear(heard, text))?;
    }
    // Counted when received, not when sent: a receiver without a core lags behind the pace.
    let (end, heard_in_the_end) = (Mark::set(pid)?, flock.heard_by_all());
    let (begin, heard_at_first) = begun.ok_or("nothing was measured")?;
    flock.drain(|_, heard, text| diary.hear(heard, text))?;
    diary.ages.sort_unstable();
    Ok(begin
        .until(&end)
        .with("deliveries", heard_in_the_end - heard_at_first)
        .with("p50_us", percentile(&diary.ages, 50))
        .with("p99_us", percentile(&diary.ages, 99))
        .with("verdict", verdict(&flock, total as u64, diary.disordered)))
}

/// The send time of each message, and its age at each receipt.
struct Diary {
    sent_at: Vec<Instant>,
    /// In microseconds, of messages from the `first` measured one on.
    ages: Vec<u32>,
    first: usize,
    /// Whether the received messages carry numbers; the floors repeat the same frame.
    numbered: bool,
    disordered: u64,
}

impl Diary {
    /// The nth text that a client receives.
    fn hear(&mut self, nth: u64, text: &[u8]) {
        let nth = nth as usize;
        let expected = !self.numbered || number_in(text) == Some(nth);
        let (true, Some(sent)) = (expected, self.sent_at.get(nth)) else {
            self.disordered += 1;
            return;
        };
        if nth >= self.first {
            self.ages.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
    }
}

/// The number in a message of ours.
fn number_in(text: &[u8]) -> Option<usize> {
    let at = text.iter().position(|&byte| byte == b'#')? + 1;
    std::str::from_utf8(text.get(at..at + 8)?).ok()?.parse().ok()
}

/// Of sorted values; 0 of none.
pub fn percentile(sorted: &[u32], percent: usize) -> u32 {
    sorted.get(sorted.len() * percent / 100).copied().unwrap_or(0)
}

fn verdict(flock: &Flock, sent: u64, odd: u64) -> String {
    match odd {
        0 => flock.verdict(sent),
        odd => format!("{odd} texts are not what was expected; {}", flock.verdict(sent)),
    }
}

/// Many idle websockets, until our standard input is closed.
fn hold(words: &Words) -> Outcome<Words> {
    let flock = gather(words, "/chats/1/ws")?;
    println!("holding");
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(Words::default().with("verdict", flock.verdict(0)))
}
