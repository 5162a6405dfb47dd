//! The ways to the hub: everybody's, a subscribed connection's, and the log's.

use tokio::sync::{mpsc, oneshot};

use crate::chat::{Answer, Call, Caller, Command, Refusal, Source, SubscriptionId, Tell, Typed};

/// The caller, who waits for an answer.
pub(super) type Waiter = oneshot::Sender<Result<Answer, Refusal>>;

/// What stands in the hub's inbox.
pub(super) enum Message {
    Call { source: Source, caller: Caller, call: Call, answer: Waiter },
    Tell { subscription: SubscriptionId, tell: Tell },
    Leave { subscription: SubscriptionId },
    FromLog(Vec<Command>),
    Close,
}

/// The way to the hub. While one exists, the hub runs.
#[derive(Clone)]
pub struct HubHandle {
    inbox: mpsc::Sender<Message>,
    /// From where those come who ask through this handle.
    source: Source,
}

/// The way back from the log. It does not keep the hub running.
pub struct LogHandle {
    inbox: mpsc::WeakSender<Message>,
}

/// The right of one connection to hear and speak. Dropping it leaves the room: the slot for saying
/// so in the hub's inbox is paid for in advance, so nothing can keep it from arriving.
pub struct SubscriptionGuard {
    id: SubscriptionId,
    hub: HubHandle,
    leave: Option<mpsc::OwnedPermit<Message>>,
}

impl HubHandle {
    pub(super) fn new(inbox: mpsc::Sender<Message>) -> HubHandle {
        HubHandle { inbox, source: Source::Own }
    }

    /// The same way, for those who come from there.
    pub fn from_source(&self, source: Source) -> HubHandle {
        HubHandle { source, ..self.clone() }
    }

    /// Calls the core, and waits for the answer; for changes that is when they are on disk.
    ///
    /// # Errors
    /// The core's refusal; [`Refusal::Unavailable`] when the hub is gone.
    pub async fn call<C: Typed>(&self, caller: Caller, call: C) -> Result<C::Answer, Refusal> {
        let answer = self.ask(caller, call.into()).await?;
        Ok(C::answer(answer).expect("the core answers each call with an answer of its type"))
    }

    async fn ask(&self, caller: Caller, call: Call) -> Result<Answer, Refusal> {
        let (answer, answered) = oneshot::channel();
        let message = Message::Call { source: self.source, caller, call, answer };
        self.inbox.send(message).await.map_err(|_| Refusal::Unavailable)?;
        answered.await.map_err(|_| Refusal::Unavailable)?
    }

    /// Takes a subscription: `call` is a [`call::Subscribe`](crate::chat::call::Subscribe) or
    /// [`call::OpenStream`](crate::chat::call::OpenStream) for that subscription.
    ///
    /// # Errors
    /// The core's refusal; [`Refusal::Unavailable`] when the hub is gone.
    pub async fn subscribe<C: Typed>(
        &self,
        subscription: SubscriptionId,
        caller: Caller,
        call: C,
    ) -> Result<(SubscriptionGuard, C::Answer), Refusal> {
        let leave = self.inbox.clone().reserve_owned().await.map_err(|_| Refusal::Unavailable)?;
        // From here on the leave is sure, also when this future is dropped before the answer.
        let subscription =
            SubscriptionGuard { id: subscription, hub: self.clone(), leave: Some(leave) };
        let answer = self.call(caller, call).await?;
        Ok((subscription, answer))
    }

    /// Begins the end: everybody is unsubscribed, and nothing new begins.
    pub async fn close(&self) {
        let _ = self.inbox.send(Message::Close).await; // A hub that is gone is closed.
    }

    /// The way back from the log.
    pub fn log_handle(&self) -> LogHandle {
        LogHandle { inbox: self.inbox.downgrade() }
    }
}

impl LogHandle {
    /// Hands over what the log has answered. Waits while the hub's inbox is full; when the hub is
    /// gone, nobody waits for it any more.
    pub async fn answer(&self, commands: Vec<Command>) {
        if let Some(inbox) = self.inbox.upgrade() {
            let _ = inbox.send(Message::FromLog(commands)).await;
        }
    }
}

impl SubscriptionGuard {
    /// Says something, if the hub's inbox has room; else hands it back, for
    /// [`SubscriptionGuard::tell`].
    pub fn try_tell(&self, tell: Tell) -> Result<(), Tell> {
        match self.hub.inbox.try_send(Message::Tell { subscription: self.id, tell }) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(Message::Tell { tell, .. })) => Err(tell),
            Err(_) => Ok(()), // The hub is gone, and this connection will be, too.
        }
    }

    /// Says something, as soon as the hub's inbox has room.
    pub async fn tell(&self, tell: Tell) {
        let _ = self.hub.inbox.send(Message::Tell { subscription: self.id, tell }).await;
    }
}

impl Drop for SubscriptionGuard {
    fn drop(&mut self) {
        if let Some(permit) = self.leave.take() {
            permit.send(Message::Leave { subscription: self.id });
        }
    }
}
