//! The deeds of people in charge in the log: an ordinary row whose `body` also says who did it and
//! why, in the field `deed`; and the kinds of entries that only people in charge make.

use serde_json::{Value, json};

use crate::chat::{
    AccountId, Author, BannedAddress, Entry, Guests, Name, Policy, Reason, Registration, Role,
    RoomId, Rules,
};
use crate::time::Time;

/// The name of such a kind, and its fields; `None` for other entries.
pub(super) fn kind_and_body(entry: &Entry) -> Option<(&'static str, Value)> {
    Some(match entry {
        Entry::RoleChanged { account, role } => {
            ("role_changed", json!({"account": account.0, "role": role.map(Role::as_str)}))
        }
        Entry::BanChanged { account, on } => {
            ("ban_changed", json!({"account": account.0, "on": on}))
        }
        Entry::AddressBanned { banned } => {
            let address = banned.address.to_string();
            ("address_banned", json!({"address": address, "until": banned.until.0}))
        }
        Entry::PolicyChanged { policy } => {
            let Policy { registration, guests } = policy;
            let body = json!({"registration": registration.as_str(), "guests": guests.as_str()});
            ("policy_changed", body)
        }
        Entry::ModeratorChanged { room, account, on } => {
            ("moderator_changed", json!({"room": room.0, "account": account.0, "on": on}))
        }
        Entry::Muted { room, account, until } => {
            let room = room.map(|room| room.0);
            ("muted", json!({"room": room, "account": account.0, "until": until.0}))
        }
        Entry::RoomBanChanged { room, account, on } => {
            ("room_ban_changed", json!({"room": room.0, "account": account.0, "on": on}))
        }
        Entry::RulesChanged { room, rules } => {
            let Rules { slow_secs, read_only, locked } = rules;
            let body = json!({"room": room.0, "slow": slow_secs, "read_only": read_only,
                "locked": locked});
            ("rules_changed", body)
        }
        Entry::OwnerChanged { room, owner } => {
            ("owner_changed", json!({"room": room.0, "owner": owner.0}))
        }
        Entry::MutesMoved { from, to } => ("mutes_moved", json!({"from": from.0, "to": to.0})),
        Entry::Cleared { room, author, since } => {
            let (room, account) = (room.map(|room| room.0), author.account.map(|one| one.0));
            let body = json!({"room": room, "account": account, "name": author.name.as_str(),
                "since": since.0});
            ("cleared", body)
        }
        _ => return None,
    })
}

/// The reverse of [`kind_and_body`].
pub(super) fn from_body(kind: &str, body: &Value) -> Option<Entry> {
    let number = |field: &str| body.get(field)?.as_u64();
    let account = || number("account").map(AccountId);
    let room = || number("room").map(RoomId);
    // A field that may be `null`.
    let maybe = |field: &str| match body.get(field)? {
        Value::Null => Some(None),
        value => value.as_u64().map(Some),
    };
    let time = |field: &str| body.get(field)?.as_i64().map(Time);
    let flag = |field: &str| body.get(field)?.as_bool();
    Some(match kind {
        "role_changed" => {
            let role = match body.get("role")? {
                Value::Null => None,
                role => Some(Role::parse(role.as_str()?)?),
            };
            Entry::RoleChanged { account: account()?, role }
        }
        "ban_changed" => Entry::BanChanged { account: account()?, on: body.get("on")?.as_bool()? },
        "address_banned" => {
            let address = body.get("address")?.as_str()?.parse().ok()?;
            let until = Time(body.get("until")?.as_i64()?);
            Entry::AddressBanned { banned: BannedAddress { address, until } }
        }
        "moderator_changed" => {
            Entry::ModeratorChanged { room: room()?, account: account()?, on: flag("on")? }
        }
        "muted" => {
            let (room, until) = (maybe("room")?.map(RoomId), time("until")?);
            Entry::Muted { room, account: account()?, until }
        }
        "room_ban_changed" => {
            Entry::RoomBanChanged { room: room()?, account: account()?, on: flag("on")? }
        }
        "rules_changed" => {
            let slow_secs = number("slow")?.try_into().ok()?;
            let (read_only, locked) = (flag("read_only")?, flag("locked")?);
            Entry::RulesChanged { room: room()?, rules: Rules { slow_secs, read_only, locked } }
        }
        "owner_changed" => {
            Entry::OwnerChanged { room: room()?, owner: number("owner").map(AccountId)? }
        }
        "mutes_moved" => {
            let (from, to) = (number("from").map(AccountId)?, number("to").map(AccountId)?);
            Entry::MutesMoved { from, to }
        }
        "cleared" => {
            let name = Name::kept(body.get("name")?.as_str()?)?;
            let author = Author { account: maybe("account")?.map(AccountId), name };
            Entry::Cleared { room: maybe("room")?.map(RoomId), author, since: time("since")? }
        }
        "policy_changed" => {
            let text = |field: &str| body.get(field)?.as_str();
            let registration = Registration::parse(text("registration")?)?;
            let guests = Guests::parse(text("guests")?)?;
            Entry::PolicyChanged { policy: Policy { registration, guests } }
        }
        _ => return None,
    })
}

/// Adds who did it, and why, to the fields of what was done.
pub(super) fn signed(body: Option<Value>, by: Option<AccountId>, reason: Option<&Reason>) -> Value {
    let mut body = body.unwrap_or_else(|| json!({}));
    body["deed"] = json!({"by": by.map(|account| account.0), "reason": reason.map(Reason::as_str)});
    body
}

/// The reverse of [`signed`].
pub(super) fn unsigned(body: &Value, act: Entry) -> Option<Entry> {
    let Some(deed) = body.get("deed") else { return Some(act) };
    let by = match deed.get("by")? {
        Value::Null => None,
        by => Some(AccountId(by.as_u64()?)),
    };
    let reason = match deed.get("reason")? {
        Value::Null => None,
        reason => Some(Reason::new(reason.as_str()?)?),
    };
    Some(Entry::Deed { by, reason, act: Box::new(act) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deeds_there_and_back() {
        let reason = Reason::new("they ask for it");
        let role = |role| Entry::RoleChanged { account: AccountId(7), role };
        let address = "2001:db8:1:2::".parse().expect("an address");
        let policy = Policy { registration: Registration::Invite, guests: Guests::Rooms };
        let author = |account: Option<u64>, name| Author {
            account: account.map(AccountId),
            name: Name::new(name).expect("a name"),
        };
        let (ann, jack) = (author(Some(7), "Ann"), author(None, "Jack Ö"));
        let rules = Rules { slow_secs: 30, read_only: true, locked: false };
        let acts = [
            role(Some(Role::Owner)),
            role(Some(Role::Administrator)),
            role(None),
            Entry::PolicyChanged { policy },
            Entry::BanChanged { account: AccountId(7), on: true },
            Entry::AddressBanned { banned: BannedAddress { address, until: Time(-5) } },
            Entry::PolicyChanged { policy: Policy::default() },
            Entry::ModeratorChanged { room: RoomId(2), account: AccountId(7), on: true },
            Entry::Muted { room: None, account: AccountId(7), until: Time(i64::MAX) },
            Entry::Muted { room: Some(RoomId(2)), account: AccountId(7), until: Time(0) },
            Entry::RoomBanChanged { room: RoomId(2), account: AccountId(7), on: false },
            Entry::RulesChanged { room: RoomId(2), rules },
            Entry::OwnerChanged { room: RoomId(2), owner: AccountId(7) },
            Entry::MutesMoved { from: AccountId(7), to: AccountId(8) },
            Entry::Cleared { room: None, author: ann, since: Time(5) },
            Entry::Cleared { room: Some(RoomId(2)), author: jack, since: Time(-5) },
        ];
        for act in acts {
            let (kind, body) = kind_and_body(&act).expect("a kind of people in charge");
            assert_eq!(from_body(kind, &body).as_ref(), Some(&act));
            assert_eq!(unsigned(&body, act.clone()), Some(act.clone()), "nobody's deed");
            for (by, reason) in [(None, None), (Some(AccountId(3)), reason.clone())] {
                let body = signed(Some(body.clone()), by, reason.as_ref());
                assert_eq!(from_body(kind, &body).as_ref(), Some(&act));
                let deed = Entry::Deed { by, reason, act: Box::new(act.clone()) };
                assert_eq!(unsigned(&body, act.clone()), Some(deed));
            }
        }
    }

    #[test]
    fn what_cannot_have_been_written_is_no_entry() {
        for body in [json!({}), json!({"account": 7}), json!({"account": 7, "role": "pope"})] {
            assert_eq!(from_body("role_changed", &body), None, "{body}");
        }
        let act = || Entry::RoomPurged { room: RoomId(2) };
        for deed in [json!({}), json!({"by": -1, "reason": null}), json!({"by": 1, "reason": ""})] {
            assert_eq!(unsigned(&json!({"deed": deed}), act()), None, "{deed}");
        }
    }
}
