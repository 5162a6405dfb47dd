//! The nouns: identities, names, titles, and their rules.
//!
//! A value of one of these types is valid, no matter where it came from. All higher floors use
//! them.

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
    /// A room, for ever: a room number is never reused.
    RoomId
);
number!(
    /// A session, for ever.
    SessionId
);
number!(
    /// One connection's subscription to a room. Never reused while the server runs.
    SubscriptionId
);
number!(
    /// The number of an entry in the log: 1, 2, 3, … without a gap; 0 before the first.
    #[derive(Default)]
    Seq
);
number!(
    /// Identifies a call until its answer.
    CallId
);
number!(
    /// Identifies a proposed entry until the log has taken or refused it.
    Ticket
);

/// The lobby: it always exists, and is Piratchat's global chat.
pub const LOBBY: RoomId = RoomId(1);

impl RoomId {
    /// Listed rooms have numbers below this, one by one. Numbers from here on are random, so that
    /// nobody finds a hidden room by counting.
    pub const DRAWN_MIN: u64 = 1 << 32;
    /// Above all room numbers: JavaScript cannot tell larger integers apart.
    pub const END: u64 = 1 << 53;

    /// A random room number.
    pub fn drawn(chance: u64) -> RoomId {
        RoomId(RoomId::DRAWN_MIN + chance % (RoomId::END - RoomId::DRAWN_MIN))
    }

    /// Whether the number is random: a client that knows it was told, and has not counted.
    pub fn is_drawn(self) -> bool {
        self.0 >= RoomId::DRAWN_MIN
    }
}

/// A protocol, as an index into the list of codecs. The core only tells them apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ProtocolId(pub u8);

/// A name as its owner wrote it: 1–32 characters, by the rule for names (see [`text`]).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Name(Arc<str>);

impl Name {
    /// The rule for everybody. `None`: the text breaks it.
    pub fn new(text: &str) -> Option<Name> {
        Name::kept(text).filter(Name::is_valid)
    }

    /// The rule for accounts, which is Piratchat's: `[A-Za-z0-9]{1,32}`.
    pub fn for_account(text: &str) -> Option<Name> {
        let fits = (1..=NAME_CHARS_MAX).contains(&text.len());
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (fits && plain).then(|| Name(text.into()))
    }

    /// A name from the log: names that an earlier version allowed stay usable. `None`: no version
    /// allowed it.
    pub fn kept(text: &str) -> Option<Name> {
        let fits = (1..=NAME_CHARS_MAX).contains(&text.chars().count());
        (fits && !text.chars().any(char::is_control)).then(|| Name(text.into()))
    }

    /// Whether the name obeys the rule for everybody. An account's own name, or one from the log,
    /// may not.
    pub fn is_valid(&self) -> bool {
        text::is_name(&self.0)
    }

    /// The server's own name, which no account or client can have.
    pub(super) fn of_server() -> Name {
        Name("Shanty".into())
    }

    /// The key by which names are compared.
    pub fn folded(&self) -> Folded {
        Folded::new(&self.0)
    }

    /// The key by which the tables beside the log keep names unique.
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

/// A name or title without its case and encoding: the form that must be unique.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Folded(Box<str>);

impl Folded {
    /// Folds any text, even an invalid name, for look-ups.
    pub fn new(text: &str) -> Folded {
        Folded(text::fold(text).into())
    }

    /// The looks of a text: a name that shares one of them with an account's name can be mistaken
    /// for it.
    pub(super) fn looks(text: &str) -> [Folded; 2] {
        text::looks(text).map(|look| Folded(look.into()))
    }

    /// The folded text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A table with folded keys can be searched with a part of one.
impl Borrow<str> for Folded {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A room's title: 2–70 characters, by the rule for identifiers (see [`text`]), and not a number,
/// because a title may stand where an id does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Title(Arc<str>);

impl Title {
    /// `None`: the text breaks the rule.
    pub fn new(text: &str) -> Option<Title> {
        Title::kept(text).filter(Title::is_valid)
    }

    /// A title from the log: see [`Name::kept`].
    pub fn kept(text: &str) -> Option<Title> {
        let fits = (TITLE_CHARS_MIN..=TITLE_CHARS_MAX).contains(&text.chars().count());
        (fits && !text.chars().any(char::is_control)).then(|| Title(text.into()))
    }

    /// Whether the title obeys the rule. One from the log may not.
    pub fn is_valid(&self) -> bool {
        let number = || text::fold(&self.0).bytes().all(|byte| byte.is_ascii_digit());
        text::identifies(&self.0) && !number()
    }

    /// The internal title of a room for two, which has none: its number, which no other room can
    /// have as a title.
    pub fn of_direct(room: RoomId) -> Title {
        Title(room.to_string().into())
    }

    /// The other person's name as a title.
    pub(super) fn of_person(name: &str) -> Title {
        Title(name.into())
    }

    /// The key by which titles are compared.
    pub fn folded(&self) -> Folded {
        Folded::new(&self.0)
    }

    /// The key by which the tables beside the log keep titles unique.
    pub fn lowered(&self) -> String {
        text::lowered(&self.0)
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A room's description: up to 70 characters, perhaps empty.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Description(Box<str>);

impl Description {
    /// `None`: the text is too long or has control characters.
    pub fn new(text: &str) -> Option<Description> {
        let fits = text.chars().count() <= DESCRIPTION_CHARS_MAX;
        (fits && !text.chars().any(char::is_control)).then(|| Description(text.into()))
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A colour from one client, for other clients to show: up to 32 printable ASCII characters that
/// cannot end a style or start another (letters, digits, `#(),.%-` and spaces).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Color(Arc<str>);

impl Color {
    /// `None`: the text is empty, or unsafe in a style sheet.
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

/// A client id for a message: 1–64 of `[A-Za-z0-9_-]`, unique for its author for ever.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ClientId(Box<str>);

impl ClientId {
    /// `None`: the text breaks the rule.
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

/// A reaction to a message: exactly one emoji, in one spelling.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Emoji(Box<str>);

impl Emoji {
    /// `None`: the text is not one emoji.
    pub fn new(text: &str) -> Option<Emoji> {
        let fits = (1..=EMOJI_BYTES_MAX).contains(&text.len());
        if fits { text::emoji(text).map(|emoji| Emoji(emoji.into())) } else { None }
    }

    /// A reaction from the log, in any spelling: see [`Name::kept`].
    pub fn kept(text: &str) -> Option<Emoji> {
        let fits = (1..=EMOJI_BYTES_MAX).contains(&text.len()) && !text.is_ascii();
        fits.then(|| Emoji(text.into()))
    }

    /// Without variation selectors: the key by which reactions are compared.
    pub fn bare(&self) -> String {
        text::without_variations(&self.0)
    }

    /// The same reaction in today's spelling, if today's list has it.
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

/// The author of a message: a name, and its account if it has one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Author {
    /// `None`: an anonymous client, known by name only.
    pub account: Option<AccountId>,
    /// The name at that time.
    pub name: Name,
}

/// A client's reference to a room: number or title.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RoomRef {
    /// By number.
    Id(RoomId),
    /// By title; case does not count.
    Title(Box<str>),
}

impl RoomRef {
    /// All digits are a number, anything else is a title. (A number too large for any room finds no
    /// room.)
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

    /// A name that an earlier version allowed can be read back from the log.
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
