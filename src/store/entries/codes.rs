//! Invitations and links for lost keys in the log; and the field `invitation` of a row whose entry
//! came by one.

use serde_json::{Value, json};

use crate::chat::{AccountId, Entry, Grant, Recovery, RoomId, Seq};
use crate::crypto;
use crate::time::Time;

/// The name of such a kind, and its fields; `None` for other entries.
pub(super) fn kind_and_body(entry: &Entry) -> Option<(&'static str, Value)> {
    Some(match entry {
        Entry::InvitationMade { grant } => {
            let Grant { code, by, room, until, uses, registers } = grant;
            let (by, room) = (by.map(|account| account.0), room.map(|room| room.0));
            let body = json!({"code": crypto::hex(code), "by": by, "room": room,
                "until": until.0, "uses": uses, "registers": registers});
            ("invitation_made", body)
        }
        Entry::InvitationEnded { invitation } => {
            ("invitation_ended", json!({"ended": invitation.0}))
        }
        Entry::RecoveryMade { recovery } => {
            let Recovery { account, code, by, until } = recovery;
            let body = json!({"account": account.0, "code": crypto::hex(code),
                "by": by.map(|account| account.0), "until": until.0});
            ("recovery_made", body)
        }
        Entry::Recovered { account, key, code } => {
            let (key, code) = (crypto::hex(key), crypto::hex(code));
            ("recovered", json!({"account": account.0, "key": key, "code": code}))
        }
        _ => return None,
    })
}

/// The reverse of [`kind_and_body`].
pub(super) fn from_body(kind: &str, body: &Value) -> Option<Entry> {
    let number = |field: &str| body.get(field)?.as_u64();
    let maybe = |field: &str| match body.get(field)? {
        Value::Null => Some(None),
        number => Some(Some(number.as_u64()?)),
    };
    let hash = |field: &str| crypto::unhex(body.get(field)?.as_str()?);
    let time = |field: &str| body.get(field)?.as_i64().map(Time);
    let account = || number("account").map(AccountId);
    Some(match kind {
        "invitation_made" => {
            let grant = Grant {
                code: hash("code")?,
                by: maybe("by")?.map(AccountId),
                room: maybe("room")?.map(RoomId),
                until: time("until")?,
                uses: number("uses")?,
                registers: body.get("registers")?.as_bool()?,
            };
            Entry::InvitationMade { grant }
        }
        "invitation_ended" => Entry::InvitationEnded { invitation: Seq(number("ended")?) },
        "recovery_made" => {
            let (by, until) = (maybe("by")?.map(AccountId), time("until")?);
            let recovery = Recovery { account: account()?, code: hash("code")?, by, until };
            Entry::RecoveryMade { recovery }
        }
        "recovered" => {
            Entry::Recovered { account: account()?, key: hash("key")?, code: hash("code")? }
        }
        _ => return None,
    })
}

/// Adds the invitation to the fields of an entry that came by it.
pub(super) fn invited(body: Option<Value>, invitation: Seq) -> Value {
    let mut body = body.unwrap_or_else(|| json!({}));
    body["invitation"] = json!(invitation.0);
    body
}

/// The reverse of [`invited`].
pub(super) fn uninvited(body: &Value, act: Entry) -> Option<Entry> {
    let Some(invitation) = body.get("invitation") else { return Some(act) };
    Some(Entry::Invited { invitation: Seq(invitation.as_u64()?), act: Box::new(act) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_there_and_back() {
        let (code, key) = (crypto::hash("code"), crypto::hash("key"));
        let (account, until) = (AccountId(7), Time(-5));
        let grant = Grant {
            code,
            by: Some(account),
            room: Some(RoomId(2)),
            until,
            uses: 3,
            registers: true,
        };
        let recovery = Recovery { account, code, by: None, until };
        let nobodys = Grant { by: None, room: None, registers: false, ..grant };
        for entry in [
            Entry::InvitationMade { grant },
            Entry::InvitationMade { grant: nobodys },
            Entry::InvitationEnded { invitation: Seq(9) },
            Entry::RecoveryMade { recovery },
            Entry::RecoveryMade { recovery: Recovery { by: Some(AccountId(1)), ..recovery } },
            Entry::Recovered { account, key, code },
        ] {
            let (kind, body) = kind_and_body(&entry).expect("a kind of this file");
            assert_eq!(from_body(kind, &body).as_ref(), Some(&entry));
            assert_eq!(uninvited(&body, entry.clone()), Some(entry.clone()), "by no invitation");
            let act = Box::new(entry.clone());
            let by = Entry::Invited { invitation: Seq(4), act };
            assert_eq!(uninvited(&invited(Some(body), Seq(4)), entry), Some(by));
        }
    }

    #[test]
    fn what_cannot_have_been_written_is_no_entry() {
        for (kind, body) in [
            ("invitation_made", json!({"code": "00", "by": null, "room": null})),
            ("invitation_ended", json!({"ended": -1})),
            ("recovery_made", json!({"account": 1, "by": null, "until": 5})),
            ("recovered", json!({"account": 1, "key": "00".repeat(32)})),
        ] {
            assert_eq!(from_body(kind, &body), None, "{kind} {body}");
        }
        let act = || Entry::RoomPurged { room: RoomId(2) };
        assert_eq!(uninvited(&json!({"invitation": "1"}), act()), None);
    }
}
