//! People in charge: their roles on the server, and the reasons that they give.

use crate::chat::text;
use crate::limits::in_charge::REASON_CHARS_MAX;

/// A role on the server. Each may do everything that the ones before it may.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// Keeps order among the people.
    Administrator,
    /// Decides who has a role, and how the server is set up.
    Owner,
}

impl Role {
    /// The role as clients and the log write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Administrator => "administrator",
            Role::Owner => "owner",
        }
    }

    /// The reverse of [`Role::as_str`].
    pub fn parse(text: &str) -> Option<Role> {
        [Role::Administrator, Role::Owner].into_iter().find(|role| role.as_str() == text)
    }
}

/// Why somebody in charge has done something: a short line for others in charge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reason(Box<str>);

impl Reason {
    /// `None`: the text has nothing visible, is too long, or has control characters.
    pub fn new(text: &str) -> Option<Reason> {
        let text = text.trim();
        let fits = text.chars().count() <= REASON_CHARS_MAX && !text.chars().any(char::is_control);
        (fits && text.chars().any(text::tables::is_visible)).then(|| Reason(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_short_visible_lines() {
        for good in ["spam", " spam, again ", "ß", &"x".repeat(REASON_CHARS_MAX)] {
            assert_eq!(Reason::new(good).as_ref().map(Reason::as_str), Some(good.trim()));
        }
        for bad in ["", "  ", "a\nb", "\u{200b}", &"x".repeat(REASON_CHARS_MAX + 1)] {
            assert_eq!(Reason::new(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn an_owner_may_do_more() {
        assert!(Role::Owner > Role::Administrator);
        for role in [Role::Administrator, Role::Owner] {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        assert_eq!(Role::parse("Owner"), None);
    }
}
