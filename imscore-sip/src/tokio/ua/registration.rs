//! One registration in the hands of its owner.

use tokio::sync::watch;

use super::desk::Line;
use crate::message::Response;
use crate::ua::RegistrationHandle;

/// Where a registration stands.
#[derive(Clone)]
pub(super) enum Registered {
    Waiting,
    Holds,
    Lost(Option<Box<Response>>),
}

/// A registration. Dropping it takes it back.
///
/// ```no_run
/// use imscore_sip::tokio::ua::{Phone, Registration};
/// use imscore_sip::ua::Binding;
///
/// /// Comes back when the phone is no longer registered.
/// async fn stay_registered(phone: &Phone) -> Result<(), Box<dyn std::error::Error>> {
///     let mut registration: Registration = phone.register(Binding::new("sip:ims.example".parse()?)).await?;
///     while registration.holds() && registration.changed().await {}
///     Ok(())
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Registration {
    pub(super) line: Line,
    pub(super) handle: RegistrationHandle,
    pub(super) status: watch::Receiver<Registered>,
}

impl Registration {
    /// True while the registrar holds it, as far as is known.
    pub fn holds(&self) -> bool {
        matches!(*self.status.borrow(), Registered::Holds)
    }

    /// Waits until it is lost, or holds again.
    pub async fn changed(&mut self) -> bool {
        // Without a phone there is nothing to wait for.
        let _ = self.status.changed().await;
        self.holds()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let handle = self.handle;
        self.line.tell(move |desk, agent, now| {
            desk.registrations.remove(&handle);
            agent.unregister(handle, now);
        });
    }
}
