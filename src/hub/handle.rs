//! The handles of the hub: every caller's, a subscribed connection's, and the log's.

use tokio::sync::{mpsc, oneshot};

use crate::chat::{
    Answer, Call, Caller, ClientEvent, Command, Refusal, Source, SubscriptionId, Typed,
};
use crate::hub::counting::HubCounts;

/// A caller that waits for an answer.
pub(super) type Waiter = oneshot::Sender<Result<Answer, Refusal>>;

/// A message in the hub's inbox.
pub(super) enum Message {
    Call { source: Source, caller: Caller, call: Call, answer: Waiter },
    ClientEvent { subscription: SubscriptionId, event: ClientEvent },
    Leave { subscription: SubscriptionId },
    FromLog(Vec<Command>),
    Close,
    Count(oneshot::Sender<HubCounts>),
}

/// A handle to the hub. While one exists, the hub runs.
#[derive(Clone)]
pub struct HubHandle {
    inbox: mpsc::Sender<Message>,
    /// The source of the calls through this handle, for the rate limits.
    source: Source,
}

/// The log's handle to the hub. It does not keep the hub running.
pub struct LogHandle {
    inbox: mpsc::WeakSender<Message>,
}

/// The subscription of one connection. Dropping it leaves the room: its inbox slot for the leave is
/// reserved when it is taken, so the leave always arrives.
pub struct SubscriptionGuard {
    id: SubscriptionId,
    hub: HubHandle,
    leave: Option<mpsc::OwnedPermit<Message>>,
}

impl HubHandle {
    pub(super) fn new(inbox: mpsc::Sender<Message>) -> HubHandle {
        HubHandle { inbox, source: Source::Own }
    }

    /// The same handle for calls from that source.
    pub fn from_source(&self, source: Source) -> HubHandle {
        HubHandle { source, ..self.clone() }
    }

    /// Calls the core, and waits for the answer; a change is answered when it is on disk.
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
    /// [`call::OpenStream`](crate::chat::call::OpenStream) with that subscription.
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
        // From here on the leave is sent, even when this future is dropped before the answer.
        let subscription =
            SubscriptionGuard { id: subscription, hub: self.clone(), leave: Some(leave) };
        let answer = self.call(caller, call).await?;
        Ok((subscription, answer))
    }

    /// Starts the shutdown: the core unsubscribes every subscription and refuses new calls.
    pub async fn close(&self) {
        let _ = self.inbox.send(Message::Close).await; // A hub that is gone is closed already.
    }

    /// The hub's counts; `None` when the hub is gone.
    pub async fn counts(&self) -> Option<HubCounts> {
        let (asker, answered) = oneshot::channel();
        self.inbox.send(Message::Count(asker)).await.ok()?;
        answered.await.ok()
    }

    /// The handle for the log.
    pub fn log_handle(&self) -> LogHandle {
        LogHandle { inbox: self.inbox.downgrade() }
    }
}

impl LogHandle {
    /// Hands the log's answers to the hub. Waits while the inbox is full; drops them when the hub
    /// is gone, as no caller waits any more.
    pub async fn answer(&self, commands: Vec<Command>) {
        if let Some(inbox) = self.inbox.upgrade() {
            let _ = inbox.send(Message::FromLog(commands)).await;
        }
    }
}

impl SubscriptionGuard {
    /// Sends a tell if the hub's inbox has room; otherwise hands it back, for
    /// [`SubscriptionGuard::tell`].
    pub fn try_tell(&self, event: ClientEvent) -> Result<(), ClientEvent> {
        match self.hub.inbox.try_send(Message::ClientEvent { subscription: self.id, event }) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(Message::ClientEvent { event, .. })) => Err(event),
            Err(_) => Ok(()), // The hub is gone, and this connection ends soon, too.
        }
    }

    /// Sends a tell as soon as the hub's inbox has room.
    pub async fn tell(&self, event: ClientEvent) {
        let _ = self.hub.inbox.send(Message::ClientEvent { subscription: self.id, event }).await;
    }
}

impl Drop for SubscriptionGuard {
    fn drop(&mut self) {
        if let Some(permit) = self.leave.take() {
            permit.send(Message::Leave { subscription: self.id });
        }
    }
}
