//! Pages of long lists, which one answer must not hold as a whole.

use crate::chat::numbered::looked;
use crate::chat::types::RoomId;
use crate::chat::vocabulary::Page;
use crate::limits::ANSWER_ITEMS_MAX;

/// At most [`ANSWER_ITEMS_MAX`] of a list, as `show` shows them.
pub fn page<K: Copy, V, T>(
    mut all: impl Iterator<Item = (K, V)>,
    show: impl Fn(V) -> Option<T>,
) -> Page<T, K> {
    let (mut items, mut last) = (Vec::new(), None);
    for (place, one) in all.by_ref().take(ANSWER_ITEMS_MAX) {
        looked();
        last = Some(place);
        items.extend(show(one));
    }
    let more = all.next().is_some();
    Page { items, next: last.filter(|_| more) }
}

/// Two lists of numbers that only grow, as one.
pub fn merged<'a>(
    one: impl Iterator<Item = &'a RoomId>,
    other: impl Iterator<Item = &'a RoomId>,
) -> impl Iterator<Item = (RoomId, RoomId)> {
    let (mut one, mut other) = (one.peekable(), other.peekable());
    std::iter::from_fn(move || {
        let next = match (one.peek(), other.peek()) {
            (Some(first), Some(second)) => **first.min(second),
            (first, second) => **first.or(second)?,
        };
        one.next_if(|room| **room == next);
        other.next_if(|room| **room == next);
        Some((next, next))
    })
}
