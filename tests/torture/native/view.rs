//! A listener's view: the frames of a stream, folded over all its interruptions. Every frame is
//! checked against the protocol's promises.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// A message in a view.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Message {
    pub room: u64,
    pub author: String,
    pub client_id: Option<String>,
    pub reply_to: Option<u64>,
    /// `None`: it was deleted.
    pub text: Option<String>,
    pub reactions: BTreeMap<String, BTreeSet<String>>,
}

impl Message {
    /// As in pages and on the stream.
    pub fn read(frame: &Value) -> Option<Message> {
        let text = |field: &str| frame[field].as_str().map(str::to_owned);
        let mut reactions = BTreeMap::new();
        for (emoji, names) in frame["reactions"].as_object().into_iter().flatten() {
            let names = names.as_array()?.iter();
            let names: Option<BTreeSet<String>> =
                names.map(|name| name.as_str().map(str::to_owned)).collect();
            reactions.insert(emoji.clone(), names?);
        }
        let deleted = frame["deleted"] == true;
        if deleted != text("text").is_none() {
            return None;
        }
        Some(Message {
            room: frame["room"].as_u64()?,
            author: text("author")?,
            client_id: text("client_id"),
            reply_to: frame["reply_to"].as_u64(),
            text: text("text"),
            reactions,
        })
    }

    pub fn react(&mut self, emoji: &str, by: &str, on: bool) {
        let names = self.reactions.entry(emoji.to_owned()).or_default();
        if on {
            names.insert(by.to_owned())
        } else {
            names.remove(by)
        };
        if names.is_empty() {
            self.reactions.remove(emoji);
        }
    }

    pub fn delete(&mut self) {
        self.text = None;
        self.reactions.clear();
    }
}

/// The log's names of the events, by the stream's names.
pub const KINDS: [(&str, &str); 4] =
    [("message", "said"), ("edit", "edited"), ("delete", "deleted"), ("reaction", "reacted")];

/// See the module.
pub struct View {
    pub name: String,
    /// The rooms whose frames it gets.
    pub rooms: Vec<u64>,
    /// Where it began: every later event must be here.
    pub begin: u64,
    pub epoch: String,
    /// Everything up to here is known.
    pub cursor: u64,
    /// The events of the four kinds, in order.
    pub told: Vec<(u64, &'static str)>,
    pub messages: BTreeMap<u64, Message>,
    /// Of this connection: whether its first frame has come; whether it has caught up.
    opened: bool,
    pub caught_up: bool,
}

impl View {
    pub fn new(name: &str, rooms: &[u64], epoch: &str, begin: u64) -> View {
        View {
            name: name.to_owned(),
            rooms: rooms.to_vec(),
            begin,
            epoch: epoch.to_owned(),
            cursor: begin,
            told: Vec::new(),
            messages: BTreeMap::new(),
            opened: false,
            caught_up: false,
        }
    }

    pub fn connected(&mut self) {
        (self.opened, self.caught_up) = (false, false);
    }

    pub fn since(&self) -> String {
        format!("{}:{}", self.epoch, self.cursor)
    }

    /// Applies a frame. An error: the server has broken a promise.
    pub fn fold(&mut self, frame: &Value) -> Result<(), String> {
        let kind = frame["type"].as_str().ok_or("a frame without a type")?;
        let opens = kind == "open";
        if opens == self.opened {
            return Err("the first frame of a stream, and only that, is open".to_owned());
        }
        let seq = frame["seq"].as_u64();
        match kind {
            "open" => {
                self.opened = true;
                if frame["epoch"] != self.epoch || frame["me"] != self.name || seq.is_none() {
                    return Err(format!("not the log of {} or not {}", self.epoch, self.name));
                }
            }
            "message" | "edit" | "delete" | "reaction" | "room" | "room_gone" | "member" => {
                let seq = seq.ok_or("no seq")?;
                if seq <= self.cursor {
                    return Err(format!("known already is everything up to {}", self.cursor));
                }
                self.cursor = seq;
                self.entry(seq, kind, frame)?;
            }
            "caught_up" => {
                let seq = seq.ok_or("no seq")?;
                // It repeats when the stream fell behind and was supplied from the log.
                if seq < self.cursor {
                    return Err(format!("caught up behind {}", self.cursor));
                }
                (self.caught_up, self.cursor) = (true, seq);
            }
            "ping" => {
                let seq = seq.ok_or("no seq")?;
                if seq < self.cursor {
                    return Err(format!("a ping behind {}", self.cursor));
                }
                self.cursor = seq;
            }
            "presence" | "typing" | "read" => {}
            "ack" | "error" => {} // The talker's.
            "bye" if frame["code"] == "too_slow" || frame["code"] == "going_away" => {}
            _ => return Err("this must not come in this test".to_owned()),
        }
        Ok(())
    }

    fn entry(&mut self, seq: u64, kind: &str, frame: &Value) -> Result<(), String> {
        let known = KINDS.iter().find(|(word, _)| *word == kind);
        let Some((_, kind)) = known else { return Ok(()) };
        self.told.push((seq, kind));
        let room = frame["room"].as_u64().ok_or("no room")?;
        if !self.rooms.contains(&room) {
            return Err(format!("none of the rooms {:?}", self.rooms));
        }
        if *kind == "said" {
            let message = Message::read(frame).ok_or("no message")?;
            self.messages.insert(seq, message);
            return Ok(());
        }
        let target = frame["target"].as_u64().ok_or("no target")?;
        let Some(message) = self.messages.get_mut(&target) else {
            return match target <= self.begin {
                true => Ok(()),
                false => Err("about a message that was not told".to_owned()),
            };
        };
        match *kind {
            // The text of a message that is deleted later may be missing already.
            "edited" => {
                if let Some(text) = frame["text"].as_str()
                    && message.text.is_some()
                {
                    message.text = Some(text.to_owned());
                }
            }
            "deleted" => message.delete(),
            _ if message.text.is_none() => {}
            _ => {
                let emoji = frame["emoji"].as_str().ok_or("no emoji")?;
                let by = frame["by"].as_str().ok_or("no by")?;
                message.react(emoji, by, frame["on"].as_bool().ok_or("no on")?);
            }
        }
        Ok(())
    }
}
