//! The nouns: identities, names, titles, and the rules that make a text one of them.
//!
//! A value of one of these types is valid, wherever it came from. Callers: everybody above.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::chat::text;
use crate::limits::{
    CLIENT_ID_BYTES_MAX, COLOR_CHARS_MAX, DESCRIPTION_CHARS_MAX, EMOJI_BYTES_MAX, NAME_CHARS_MAX,
    TITLE_CHARS_MAX, TITLE_CHARS_MIN,
};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// An account, for ever.
    AccountId
);
number!(
    /// A room, for ever: the number of a room that is gone is not given again.
    RoomId
);
number!(
    /// A session, for ever.
    SessionId
);
number!(
    /// The right of one connection to hear and speak. Never given twice while the server runs.
    SubscriptionId
);
number!(
    /// The number of an entry in the log: 1, 2, 3, … without a gap; 0 before the first.
    #[derive(Default)]
    Seq
);
number!(
    /// Names an ask until its answer.
    CallId
);
number!(
    /// Names a proposed entry until the log has it, or has refused it.
    Ticket
);

/// The room that is always there, and Piratchat's global chat.
pub const LOBBY: RoomId = RoomId(1);

impl RoomId {
    /// Rooms that everybody may find are numbered below this, one by one. From here on a number is
    /// drawn by chance, for a room that is not to be found by counting.
    pub const DRAWN_MIN: u64 = 1 << 32;
    /// Above all numbers of rooms: JavaScript cannot tell larger ones apart.
    pub const END: u64 = 1 << 53;

    /// The number that comes of some random bits.
    pub fn drawn(chance: u64) -> RoomId {
        RoomId(RoomId::DRAWN_MIN + chance % (RoomId::END - RoomId::DRAWN_MIN))
    }

    /// Whether it was drawn: who knows it was told, and has not counted.
    pub fn is_drawn(self) -> bool {
        self.0 >= RoomId::DRAWN_MIN
    }
}

/// A protocol's way in, as an index into the list of codecs. The core only tells them apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ProtocolId(pub u8);

/// A name as its owner wrote it: 1–32 characters, by the rule for names (see [`text`]).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Name(Arc<str>);

impl Name {
    /// The rule for everybody. `None`: it breaks it.
    pub fn new(text: &str) -> Option<Name> {
        let fits = (1..=NAME_CHARS_MAX).contains(&text.chars().count());
        (fits && text::is_name(text)).then(|| Name(text.into()))
    }

    /// The rule for accounts, which is Piratchat's: `[A-Za-z0-9]{1,32}`.
    pub fn for_account(text: &str) -> Option<Name> {
        let fits = (1..=NAME_CHARS_MAX).contains(&text.len());
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (fits && plain).then(|| Name(text.into()))
    }

    /// A name that lasts already: what an earlier version let through stays usable. `None`: no
    /// version did.
    pub fn kept(text: &str) -> Option<Name> {
        let fits = (1..=NAME_CHARS_MAX).contains(&text.chars().count());
        (fits && !text.chars().any(char::is_control)).then(|| Name(text.into()))
    }

    /// The server's own, which nobody else can have.
    pub(super) fn of_server() -> Name {
        Name("Shanty".into())
    }

    /// What two names are compared by.
    pub fn folded(&self) -> Folded {
        Folded::new(&self.0)
    }

    /// What names are unique by in the tables beside the log.
    pub fn lowered(&self) -> String {
        text::lowered(&self.0)
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A name or title without what does not tell it from others: its case, and how it is encoded. What
/// has to be unique.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Folded(Box<str>);

impl Folded {
    /// Folds any text, also one that could not be a name, so that it can be looked up.
    pub fn new(text: &str) -> Folded {
        Folded(text::fold(text).into())
    }

    /// What a text looks like: not to be mistaken for an account's is a name that shares none of
    /// these with it.
    pub(super) fn looks(text: &str) -> [Folded; 2] {
        text::looks(text).map(|look| Folded(look.into()))
    }

    /// The folded text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// So that a table by folded texts can be asked with a part of one.
impl Borrow<str> for Folded {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A room's title: 2–70 characters, by the rule for what identifies (see [`text`]), and not a
/// number, because it may stand where an id does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Title(Arc<str>);

impl Title {
    /// `None`: it breaks the rule.
    pub fn new(text: &str) -> Option<Title> {
        let fits = (TITLE_CHARS_MIN..=TITLE_CHARS_MAX).contains(&text.chars().count());
        let number = || text::fold(text).bytes().all(|byte| byte.is_ascii_digit());
        (fits && text::identifies(text) && !number()).then(|| Title(text.into()))
    }

    /// A title that lasts already: see [`Name::kept`].
    pub fn kept(text: &str) -> Option<Title> {
        let fits = (TITLE_CHARS_MIN..=TITLE_CHARS_MAX).contains(&text.chars().count());
        (fits && !text.chars().any(char::is_control)).then(|| Title(text.into()))
    }

    /// What stands for the title of a room for two, which has none: its number, which nobody else
    /// can have for a title.
    pub fn of_direct(room: RoomId) -> Title {
        Title(room.to_string().into())
    }

    /// The other's name, for a title.
    pub(super) fn of_person(name: &str) -> Title {
        Title(name.into())
    }

    /// What two titles are compared by.
    pub fn folded(&self) -> Folded {
        Folded::new(&self.0)
    }

    /// What titles are unique by in the tables beside the log.
    pub fn lowered(&self) -> String {
        text::lowered(&self.0)
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A room's description: up to 70 characters, maybe none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Description(Box<str>);

impl Description {
    /// `None`: it is too long or has control characters.
    pub fn new(text: &str) -> Option<Description> {
        let fits = text.chars().count() <= DESCRIPTION_CHARS_MAX;
        (fits && !text.chars().any(char::is_control)).then(|| Description(text.into()))
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A colour as a client named it, for other clients to show: up to 32 printable ASCII characters
/// that cannot end a style or start another (letters, digits, `#(),.%-` and spaces).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Color(Arc<str>);

impl Color {
    /// `None`: it is empty, or not something that a style sheet may be handed.
    pub fn new(text: &str) -> Option<Color> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"#(),.%- ".contains(&byte);
        let fits = (1..=COLOR_CHARS_MAX).contains(&text.len());
        (fits && text.bytes().all(allowed)).then(|| Color(text.into()))
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A client's own number for a message: 1–64 of `[A-Za-z0-9_-]`, unique for its author for ever.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ClientId(Box<str>);

impl ClientId {
    /// `None`: it breaks the rule.
    pub fn new(text: &str) -> Option<ClientId> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let fits = (1..=CLIENT_ID_BYTES_MAX).contains(&text.len());
        (fits && text.bytes().all(allowed)).then(|| ClientId(text.into()))
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A reaction that one puts on a message: exactly one emoji, in one spelling.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Emoji(Box<str>);

impl Emoji {
    /// `None`: it is not one emoji.
    pub fn new(text: &str) -> Option<Emoji> {
        let fits = (1..=EMOJI_BYTES_MAX).contains(&text.len());
        if fits { text::emoji(text).map(|one| Emoji(one.into())) } else { None }
    }

    /// A reaction that lasts already, in whichever spelling: see [`Name::kept`].
    pub fn kept(text: &str) -> Option<Emoji> {
        let fits = (1..=EMOJI_BYTES_MAX).contains(&text.len()) && !text.is_ascii();
        fits.then(|| Emoji(text.into()))
    }

    /// Without variation selectors: what two reactions are compared by.
    pub fn bare(&self) -> String {
        text::without_variations(&self.0)
    }

    /// The same reaction in the spelling of today, where it is one of today's.
    pub fn respelled(&self) -> Emoji {
        Emoji::new(&self.0).unwrap_or_else(|| self.clone())
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who can find a room, and who can enter it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Visibility {
    /// Listed, and open to everybody.
    Public,
    /// Listed, and entered with the password.
    Private,
    /// Not listed, and entered with the password.
    Hidden,
}

impl Visibility {
    /// Every visibility, in the order of the wire's documents.
    pub const ALL: [Visibility; 3] = [Visibility::Public, Visibility::Private, Visibility::Hidden];

    /// Reads what [`Visibility::as_str`] writes.
    pub fn parse(word: &str) -> Option<Visibility> {
        Visibility::ALL.into_iter().find(|visibility| visibility.as_str() == word)
    }

    /// `public`, `private` or `hidden`.
    pub fn as_str(self) -> &'static str {
        match self {
            Visibility::Public => "public",
            Visibility::Private => "private",
            Visibility::Hidden => "hidden",
        }
    }
}

/// Who said something: a name, and the account behind it where there is one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Author {
    /// `None`: a guest, known by name only.
    pub account: Option<AccountId>,
    /// The name when it was said.
    pub name: Name,
}

/// A room as somebody names it: by number or by title.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RoomRef {
    /// By number.
    Id(RoomId),
    /// By title; case does not count.
    Title(Box<str>),
}

impl RoomRef {
    /// All digits is a number, anything else a title. (A number too large for any room is one that
    /// does not exist.)
    pub fn parse(text: &str) -> RoomRef {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return RoomRef::Title(text.into());
        }
        RoomRef::Id(RoomId(text.parse().unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_so_long_and_plain_for_accounts() {
        let (longest, too_long) = ("ü".repeat(32), "a".repeat(33));
        for good in ["a", "Zoë the 3rd", "名前", &longest] {
            assert_eq!(Name::new(good).map(|name| name.to_string()).as_deref(), Some(good));
        }
        assert!(Name::new("").is_none() && Name::new(&too_long).is_none());
        for bad in ["", "a b", "ä", "a_b", "@me", "１"] {
            assert_eq!(Name::for_account(bad), None, "{bad:?}");
        }
        assert!(Name::for_account("Ann99").is_some() && Name::for_account(&too_long).is_none());
    }

    /// What an earlier version let through can be read back from the log.
    #[test]
    fn what_lasts_is_kept() {
        for old in ["bob\u{fe0f}", "Shanty", "anne: I", "\u{3164}", "a  b", "@bob"] {
            assert!(Name::new(old).is_none() && Name::kept(old).is_some(), "{old:?}");
        }
        assert!(Title::new("\u{202e}terces").is_none());
        assert!(Title::kept("\u{202e}terces").is_some());
        assert!(Emoji::new("——").is_none() && Emoji::kept("——").is_some());
        assert!(Name::kept("").is_none() && Title::kept("").is_none());
        let old = Emoji::kept("❤").expect("kept");
        assert_eq!((old.as_str(), old.respelled().as_str()), ("❤", "❤\u{fe0f}"));
    }

    #[test]
    fn titles_and_descriptions() {
        for good in ["ab", "x1", "12 monkeys", "12:30", "@home", "Shanty", &"t".repeat(70)] {
            assert!(Title::new(good).is_some(), "{good:?}");
        }
        for bad in ["", "a", "12", "007", "１２", " ab", "a\tb", &"t".repeat(71)] {
            assert!(Title::new(bad).is_none(), "{bad:?}");
        }
        assert!(Description::new("").is_some() && Description::new(&"d".repeat(70)).is_some());
        assert!(Description::new(&"d".repeat(71)).is_none());
    }

    #[test]
    fn colors_cannot_leave_a_style() {
        for good in ["red", "#ff00aa", "rgb(1, 2, 3)", "hsl(10.5 20% 30%)"] {
            assert!(Color::new(good).is_some(), "{good:?}");
        }
        for bad in ["", "red;background:url(x)", "\"><script>", "a:b", &"a".repeat(33)] {
            assert!(Color::new(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn client_ids() {
        assert!(["a", "A-z_09", &"x".repeat(64)].iter().all(|id| ClientId::new(id).is_some()));
        assert!(["", "a b", "ä", &"x".repeat(65)].iter().all(|id| ClientId::new(id).is_none()));
    }

    #[test]
    fn rooms_by_number_or_title() {
        assert_eq!(RoomRef::parse("17"), RoomRef::Id(RoomId(17)));
        assert_eq!(RoomRef::parse("99999999999999999999"), RoomRef::Id(RoomId(u64::MAX)));
        assert_eq!(RoomRef::parse("17a"), RoomRef::Title("17a".into()));
        assert_eq!(RoomRef::parse(""), RoomRef::Title("".into()));
    }
}
