//! The line before the reader that searches: one search at a time, and of one person one that
//! waits. Who asks for another meanwhile wants that one (a page that searches while its visitor
//! types), and the one that waited is given up; so one person cannot fill the line.
//!
//! The thread of the reader owns the line: it looks at it between two searches.

#[cfg(test)]
mod simulation;

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::chat::Folded;
use crate::store::readers::{Job, ReadError, Readers, Shelf};
use crate::store::{Found, Query};

/// Searches that wait for their turn, the first one first.
#[derive(Default)]
pub(super) struct Line(VecDeque<Search>);

/// Where the answer goes.
type Answer = oneshot::Sender<Result<Found, ReadError>>;

struct Search {
    person: Folded,
    query: Query,
    deadline: Duration,
    answer: Answer,
}

impl Readers {
    /// Searches, when it is the turn of that person.
    ///
    /// # Errors
    /// When they ask for something else before it is their turn ([`ReadError::Superseded`]), when
    /// that does not come within [`READ_WAIT_MS`](crate::limits::READ_WAIT_MS), when it takes
    /// longer than [`READ_DEADLINE_MS`](crate::limits::READ_DEADLINE_MS), or when the database
    /// cannot be read.
    pub async fn search(&self, person: Folded, query: Query) -> Result<Found, ReadError> {
        let (answer, answered) = oneshot::channel();
        let search = Search { person, query, deadline: self.deadline, answer };
        self.searches.send(Box::new(|shelf| shelf.waiting.join(search)));
        in_time(self.patience, answered).await
    }
}

/// Waits for the answer to a search, so long and no longer.
async fn in_time(
    patience: Duration,
    answered: oneshot::Receiver<Result<Found, ReadError>>,
) -> Result<Found, ReadError> {
    let answered = tokio::time::timeout(patience, answered).await;
    // A search that has panicked gives no answer; that was told where it did.
    answered.map_err(|_| ReadError::Busy)?.unwrap_or(Err(ReadError::Failed))
}

impl Line {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn join(&mut self, search: Search) {
        // Whoever has hung up, or has waited for too long, wants nothing any more.
        self.0.retain(|waiting| !waiting.answer.is_closed());
        match self.0.iter_mut().find(|waiting| waiting.person == search.person) {
            Some(waiting) => {
                let given_up = std::mem::replace(waiting, search);
                let _ = given_up.answer.send(Err(ReadError::Superseded));
            }
            None => self.0.push_back(search),
        }
    }

    /// What is to be done next.
    pub fn next(&mut self) -> Option<Job> {
        let Search { query, deadline, answer, .. } = self.pop()?;
        Some(Box::new(move |shelf: &mut Shelf| {
            let _ = answer.send(shelf.read(deadline, |reader| reader.search(&query)));
        }))
    }

    /// The first one, unless nobody waits for it any more.
    fn pop(&mut self) -> Option<Search> {
        self.0.pop_front().filter(|search| !search.answer.is_closed())
    }
}
