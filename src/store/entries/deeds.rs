//! The deeds of people in charge in the log: an ordinary row whose `body` also says who did it and
//! why, in the field `deed`; and the kinds of entries that only people in charge make.

use serde_json::{Value, json};

use crate::chat::{AccountId, BannedAddress, Entry, Guests, Policy, Reason, Registration, Role};
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
        _ => return None,
    })
}

/// The reverse of [`kind_and_body`].
pub(super) fn from_body(kind: &str, body: &Value) -> Option<Entry> {
    let account = || body.get("account")?.as_u64().map(AccountId);
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
    use crate::chat::RoomId;

    #[test]
    fn deeds_there_and_back() {
        let reason = Reason::new("they ask for it");
        let role = |role| Entry::RoleChanged { account: AccountId(7), role };
        let address = "2001:db8:1:2::".parse().expect("an address");
        let policy = Policy { registration: Registration::Invite, guests: Guests::Rooms };
        let acts = [
            role(Some(Role::Owner)),
            role(Some(Role::Administrator)),
            role(None),
            Entry::PolicyChanged { policy },
            Entry::BanChanged { account: AccountId(7), on: true },
            Entry::AddressBanned { banned: BannedAddress { address, until: Time(-5) } },
            Entry::PolicyChanged { policy: Policy::default() },
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
