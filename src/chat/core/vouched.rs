//! People for whom a trusted proxy vouches: it has asked for their password, and names them.
//!
//! Each has one session, whose key only the server knows; it begins with the first request, and
//! with the next one after it has ended. Who may register does not matter here, as the proxy
//! decides who may come in.

use crate::chat::core::Chat;
use crate::chat::core::people::NewSession;
use crate::chat::state::purpose::Purpose;
use crate::chat::types::{CallId, Name};
use crate::chat::vocabulary::{Answer, Refusal};
use crate::crypto::KeyHash;

impl Chat {
    /// Begins the session of an account; makes the account, if there is none of that name, with
    /// this key. `Ok(None)`: the answer comes with the log's. Where another request is about to do
    /// the same: [`Refusal::Unavailable`], for a moment.
    pub(super) fn vouch(
        &mut self,
        call: CallId,
        name: &str,
        key: KeyHash,
        session: NewSession,
    ) -> Result<Option<Answer>, Refusal> {
        let name = Name::for_account(name).ok_or(Refusal::NameInvalid)?;
        let folded = name.folded();
        let Some(known) = self.accounts.by_name(&folded).filter(|known| !known.is_guest()) else {
            // A new account: two entries in sequence, as for a guest.
            if self.accounts.is_reserved(&folded) || !self.can_propose(2) {
                return Err(Refusal::Unavailable);
            }
            let account = self.make_account(name, Some(key), None, Purpose::Guest(call))?;
            self.begin_session(account, session, Purpose::Guest(call))?;
            return Ok(None);
        };
        // Names that only look alike are different people's, for the proxy.
        if known.account.name != name {
            return Err(Refusal::NameTaken);
        }
        if known.account.banned {
            return Err(Refusal::Banned);
        }
        let account = known.account.id;
        if let Some(id) = self.accounts.session_of_key(&session.key)
            && let Some(live) = self.accounts.session(id)
            && !live.pending_end
        {
            if !self.accounts.is_expired(live, self.running) {
                return Ok(Some(Answer::Session(self.session_info(id, live, true))));
            }
            // Its key begins another session: the old one has to end first.
            if !self.can_propose(2) {
                return Err(Refusal::Unavailable);
            }
            self.end_session(id, Purpose::Own)?;
        }
        self.begin_one_more(call, account, session)?;
        Ok(None)
    }
}
