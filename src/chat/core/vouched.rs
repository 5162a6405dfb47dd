//! People for whom a trusted proxy vouches: it has asked for their password, and names them.
//!
//! Each has one session, whose key only the server knows; it begins with the first request, and
//! with the next one after it has ended. Who may register does not matter here, as the proxy
//! decides who may come in. The account comes first, and the session when the log has the account:
//! so the session can never be another account's.

use crate::chat::core::Chat;
use crate::chat::core::people::NewSession;
use crate::chat::state::accounts::AccountState;
use crate::chat::state::purpose::Purpose;
use crate::chat::types::{CallId, Name};
use crate::chat::vocabulary::{Answer, Refusal};
use crate::crypto::KeyHash;

impl Chat {
    /// Makes the account. `Ok(None)`: the answer comes with the log's. Where another request is
    /// about to do the same: [`Refusal::Unavailable`], for a moment.
    pub(super) fn introduce(
        &mut self,
        call: CallId,
        name: &str,
        key: KeyHash,
    ) -> Result<Option<Answer>, Refusal> {
        let name = Name::for_account(name).ok_or(Refusal::NameInvalid)?;
        if self.vouched(&name)?.is_some() {
            return Ok(Some(Answer::Done(())));
        }
        if self.accounts.is_reserved(&name.folded()) {
            return Err(Refusal::Unavailable);
        }
        self.make_account((name, Some(key), None), None, Purpose::Call(call, None)).map(|_| None)
    }

    /// Begins the session of an account. `Ok(None)` as above.
    pub(super) fn vouch(
        &mut self,
        call: CallId,
        name: &str,
        session: NewSession,
    ) -> Result<Option<Answer>, Refusal> {
        let name = Name::for_account(name).ok_or(Refusal::NameInvalid)?;
        let known = self.vouched(&name)?.ok_or(Refusal::PersonNotFound)?;
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

    /// The account of exactly that name. Names that only look alike are different people's, for the
    /// proxy.
    fn vouched(&self, name: &Name) -> Result<Option<&AccountState>, Refusal> {
        let known = self.accounts.by_name(&name.folded()).filter(|known| !known.is_guest());
        match known {
            Some(known) if known.account.name != *name => Err(Refusal::NameTaken),
            known => Ok(known),
        }
    }
}
