//! The queue before the reader that searches: one search runs at a time, and one of each person
//! waits. A newer search of the same person (a page that searches while its visitor types) replaces
//! the waiting one; so one person cannot fill the queue.
//!
//! The reader's thread owns the queue, and looks at it between two searches.

#[cfg(test)]
mod simulation;

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::chat::Folded;
use crate::store::readers::{Job, ReadError, Readers, Shelf};
use crate::store::{Found, Query};

/// Waiting searches, the first one first.
#[derive(Default)]
pub(super) struct Line(VecDeque<Search>);

/// The way back to the caller.
type Answer = oneshot::Sender<Result<Found, ReadError>>;

struct Search {
    person: Folded,
    query: Query,
    deadline: Duration,
    answer: Answer,
}

impl Readers {
    /// Searches, when it is that person's turn.
    ///
    /// # Errors
    /// If the person searches for something else before their turn ([`ReadError::Superseded`]), if
    /// their turn does not come within [`READ_WAIT_MS`](crate::limits::READ_WAIT_MS), if the search
    /// takes longer than [`READ_DEADLINE_MS`](crate::limits::READ_DEADLINE_MS), or if the database
    /// cannot be read.
    pub async fn search(&self, person: Folded, query: Query) -> Result<Found, ReadError> {
        let (answer, answered) = oneshot::channel();
        let search = Search { person, query, deadline: self.deadline, answer };
        self.searches.send(Box::new(|shelf| shelf.waiting.join(search)));
        in_time(self.patience, answered).await
    }
}

/// Waits for the answer to a search, up to a deadline.
async fn in_time(
    patience: Duration,
    answered: oneshot::Receiver<Result<Found, ReadError>>,
) -> Result<Found, ReadError> {
    let answered = tokio::time::timeout(patience, answered).await;
    // A search that panicked gives no answer; the panic was logged where it happened.
    answered.map_err(|_| ReadError::Busy)?.unwrap_or(Err(ReadError::Failed))
}

impl Line {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn join(&mut self, search: Search) {
        // Callers that have hung up or given up want no answer.
        self.0.retain(|waiting| !waiting.answer.is_closed());
        match self.0.iter_mut().find(|waiting| waiting.person == search.person) {
            Some(waiting) => {
                let given_up = std::mem::replace(waiting, search);
                let _ = given_up.answer.send(Err(ReadError::Superseded));
            }
            None => self.0.push_back(search),
        }
    }

    /// The next job.
    pub fn next(&mut self) -> Option<Job> {
        let Search { query, deadline, answer, .. } = self.pop()?;
        Some(Box::new(move |shelf: &mut Shelf| {
            let _ = answer.send(shelf.read(deadline, |reader| reader.search(&query)));
        }))
    }

    /// The first search whose caller still waits.
    fn pop(&mut self) -> Option<Search> {
        self.0.pop_front().filter(|search| !search.answer.is_closed())
    }
}
