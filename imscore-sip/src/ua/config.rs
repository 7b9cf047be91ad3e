//! What a user agent is built with.

use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;

use super::OutboundProxy;
use crate::auth::{AkaLogin, Login, Logins, Usim};
use crate::dialog;
use crate::header::NameAddr;
use crate::message::Method;
use crate::resolve::Exits;
use crate::transaction;
use crate::transport::Address;
use crate::uri::Uri;

/// Settings of a [`UserAgent`](super::UserAgent).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Of the transaction layer.
    pub transactions: transaction::Config,
    /// Who speaks: the From of requests, the address of record of registrations.
    pub identity: Uri,
    /// How the identity is shown.
    pub display_name: Option<ByteString>,
    /// Where requests outside of dialogs go. `None`: to whoever is named (RFC 3263). What is in a dialog goes where its Route or
    /// target says.
    pub proxy: Option<OutboundProxy>,
    /// From which listener a request leaves.
    pub exits: Exits,
    /// Where names lead that are not asked for: the addresses of one name in the order in which they are tried.
    pub hosts: Vec<(ByteString, Address)>,
    /// The URN of this phone, `urn:uuid:…`: asks for GRUUs, and for more than one flow (RFC 5626 §4.1, RFC 5627 §4.1).
    pub instance: Option<ByteString>,
    /// User part of the Contact.
    pub user: ByteString,
    /// Calls at one time, those that ring among them. Above it an INVITE gets 486.
    pub calls: usize,
    /// Packages of events that the owner notifies of. A SUBSCRIBE for others gets 489.
    pub events: Vec<ByteString>,
    /// Subscriptions of others at one time, those that wait for the owner among them. Above it a SUBSCRIBE or REFER gets 503.
    pub subscriptions: usize,
    /// How long they hold: below the first a SUBSCRIBE gets 423, above the second it gets less than it asks for.
    pub subscribed_for: (Duration, Duration),
    /// Methods that the owner serves beside those that the agent knows by itself. Others get 405.
    pub methods: Vec<Method>,
    /// Option tags that a Require may name beside those that the agent knows by itself. Others get 420.
    pub supported: Vec<ByteString>,
    /// What is asked for and taken in session timers (RFC 4028). `None`: none are asked for; those of others are kept to.
    pub session_timer: Option<dialog::Terms>,
    /// Whether a challenge within a dialog is answered. Whoever is at the other end can send one, and gets a hash to guess the
    /// password from; so it is off unless the proxy is known to ask there.
    pub answers_in_dialog: bool,
    /// Whether the flows of registrations are kept alive where the next hop says that it answers: by Flow-Timer, by `keep`,
    /// which is offered to it, or by outbound (RFC 5626 §4.4, RFC 6223). A flow on which nothing comes back is gone, and the
    /// registration is made anew on another (RFC 5626 §4.5).
    pub keep_alive: bool,
    pub(super) logins: Logins,
}

impl Config {
    /// The defaults, over this transaction layer: 10,000 calls, as many subscriptions, MESSAGE and OPTIONS, no login.
    pub fn new(transactions: transaction::Config) -> Config {
        Config {
            exits: Exits::of(&transactions.listeners),
            hosts: Vec::new(),
            transactions,
            identity: crate::uri::SipUri::new("anonymous.invalid").expect("a host name").with_user("anonymous").into(),
            display_name: None,
            proxy: None,
            instance: None,
            user: ByteString::from_static("callee"),
            calls: 10_000,
            events: Vec::new(),
            subscriptions: 10_000,
            subscribed_for: (Duration::from_secs(60), Duration::from_secs(3_600)),
            methods: vec![Method::Message, Method::Options],
            supported: Vec::new(),
            session_timer: None,
            answers_in_dialog: false,
            keep_alive: true,
            logins: Logins::default(),
        }
    }

    /// Answers challenges of that realm by password, beside those of other logins. The first login is that of the home network: what
    /// its proxy asked once is answered in later calls too, before it asks again; proxies of others are answered within one
    /// Call-ID (RFC 3261 §22.3).
    #[must_use]
    pub fn with_login(mut self, username: &str, password: &str, realm: &str) -> Config {
        self.logins.add_password(Login::new(username, password).with_realm(realm));
        self
    }

    /// Answers challenges of that realm by AKA (RFC 3310, RFC 4169): `username` is the private identity, `realm` the home
    /// network's domain. A card goes before a password for the same realm where the network leaves the choice. What has a MAC that
    /// the card refuses is not answered.
    #[must_use]
    pub fn with_usim(mut self, username: &str, realm: &str, usim: impl Usim + 'static) -> Config {
        self.logins.add_card(AkaLogin::new(username, realm), Arc::new(usim));
        self
    }

    /// Speaks as that identity, whose user part the Contact has too.
    #[must_use]
    pub fn with_identity(self, identity: Uri) -> Config {
        let user = identity.as_sip().and_then(|uri| uri.user()).map(ByteString::from);
        Config { user: user.unwrap_or(self.user), identity, ..self }
    }

    /// Speaks as that identity and answers challenges of its domain as `user@domain`, which is how IMS names a subscriber whose
    /// private identity is made of the public one (TS 23.003 §13.3).
    #[must_use]
    pub fn with_account(self, identity: Uri, password: &str) -> Config {
        let login =
            identity.as_sip().and_then(|uri| Some((format!("{}@{}", uri.user()?, uri.host()), uri.host().to_owned())));
        let config = self.with_identity(identity);
        match login {
            Some((username, domain)) => config.with_login(&username, password, &domain),
            None => config,
        }
    }

    /// Sends everything outside of dialogs there; with none, to whoever is named.
    #[must_use]
    pub fn with_proxy(self, proxy: impl Into<Option<OutboundProxy>>) -> Config {
        Config { proxy: proxy.into(), ..self }
    }

    /// The identity with its name.
    pub(super) fn address(&self) -> NameAddr {
        let address = NameAddr::new(self.identity.clone());
        match &self.display_name {
            Some(name) => address.with_display_name(name),
            None => address,
        }
    }
}
