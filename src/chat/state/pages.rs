//! Pages of long lists, which are too long for one answer.

use crate::chat::numbered::looked;
use crate::chat::types::RoomId;
use crate::chat::vocabulary::Page;
use crate::limits::ANSWER_ITEMS_MAX;

/// The first page of a list: at most [`ANSWER_ITEMS_MAX`] items, made by `show`.
pub fn page<K: Copy, V, T>(
    mut all: impl Iterator<Item = (K, V)>,
    show: impl Fn(V) -> Option<T>,
) -> Page<T, K> {
    let (mut items, mut last) = (Vec::new(), None);
    for (place, item) in all.by_ref().take(ANSWER_ITEMS_MAX) {
        looked();
        last = Some(place);
        items.extend(show(item));
    }
    let more = all.next().is_some();
    Page { items, next: last.filter(|_| more) }
}

/// Merges two ascending lists of numbers.
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
