//! Ladders: one text that is both what peers say and what engines must do.

mod failure;
mod happening;
mod play;
mod script;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use self::happening::{Happening, Known};
use self::play::Play;
use self::script::{Declaration, Script};
use super::trace::Seconds;
use super::{Bind, Draft, Host, Log, Network, Phone};
use crate::engine::Engine;
use crate::now::Now;
use crate::transport::keep_alive::{self, Datagram};
use crate::transport::{Listener, Transport};

pub use self::failure::{Failure, Fault};

/// Engines under test, the peers around them, and scripts that they have to follow.
///
/// ```text
/// alice = udp:192.0.2.1:5060                           ; a peer, unless `Ladder::peer` adds it
/// alice -> proxy  INVITE sip:bob@ims.example           ; alice says this
/// proxy -> alice  100                                  ; and this must come of it, at once and in this order
/// proxy -> bob    INVITE sip:bob@192.0.2.2:5060  Via#=2 -P-Preferred-Identity
/// +500ms                                               ; nothing happens before these are over
/// proxy -> bob    INVITE  again                        ; Timer A
/// bob -> proxy    183 100rel
/// proxy -> alice  183  Require~=100rel
/// alice -> proxy  PRACK                                ; dialog, RAck, Route: alice knows
/// ```
///
/// **Lines of a peer** are sent. A method with a Request-URI begins something new (and a REGISTER goes on with the last);
/// without one it goes into the peer's last dialog, or to its last INVITE (ACK, CANCEL). `with=bob2` takes the dialog whose
/// other side has a tag that begins so. A status answers the request that waits; `200 INVITE` says which. Further words bend
/// the message: `Name=value` puts a header in place (From and To keep their tag), `Name+=value` adds one, `-Name` takes it
/// away; `body=text`, `+sdp`, `-sdp`; `100rel` makes a provisional response reliable; `again` sends the last request of that
/// method as it was; `password=secret` answers the last challenge, as `user=name` or as the peer's identity. `$name` sends
/// a draft that [`Ladder::draft`] gave; `close` closes the connections. `alice/tcp -> proxy` picks a transport where there
/// are several.
///
/// **Lines of an engine** must happen, each in its order and at its time. `*` in a Request-URI or a value stands for
/// anything. Words assert: `Name=value` (all values of the header), `Name~=part`, `Name!~=part`, `Name#=2` values,
/// `+Name` and `-Name`; `body~=part`, `+sdp`, `-sdp`; `again`: the same bytes went there before. `proxy/tcp -> bob` asserts
/// the transport. An address stands for an end that nobody has. A response to a peer must belong to a request of it.
///
/// **`+500ms`** (ms, s, m, h): before time passes, before a peer speaks, and at the end, everything that happened has been
/// named; what happens within the step is early or extra, what must come at its end stands behind it.
///
/// **Lines with an oracle** (`icscf -> hss  User-Authorization sip:alice@ims.example`, `hss -> icscf  …`) are held against
/// the log of [`Ladder::oracle`]; the oracle's name and the text count.
///
/// Values with white space go in quotes of either kind. A `;` behind white space begins a comment, and a line that begins
/// with `|` goes on with the one above. Everything is instant but the steps, until [`Ladder::network`] is told otherwise.
///
/// ```
/// use imscore_sip::Message;
/// use imscore_sip::testing::{Ladder, Phone};
///
/// let answering = |listeners| {
///     Phone::new("bob", listeners).behaving(|phone, message, _| {
///         if matches!(message, Message::Request(request) if request.method().as_str() == "INVITE") {
///             for status in [180, 200] {
///                 let response = phone.response(status, None).expect("there is an INVITE");
///                 phone.reply(response);
///             }
///         }
///     })
/// };
/// Ladder::new().engine("bob", ["udp:192.0.2.2:5060"], answering).peer("alice", "udp:192.0.2.1:5060").run(
///     "alice -> bob  INVITE sip:bob@ims.example
///      bob -> alice  180  -sdp
///      bob -> alice  200  +sdp CSeq='1 INVITE'
///      alice -> bob  ACK",
/// );
/// ```
pub struct Ladder {
    network: Network,
    peers: Vec<Peer>,
    /// Hosts under test and where they listen.
    engines: Vec<(String, Vec<Bind>)>,
    /// Name, log, and how much of it is known.
    oracles: Vec<(String, Log, usize)>,
    drafts: BTreeMap<String, Draft>,
    known: Known,
    /// The number of the next message of the network's trace.
    next: u64,
}

#[derive(Clone)]
struct Peer {
    name: String,
    host: Host<Phone>,
    /// Of its first address.
    transport: Transport,
}

impl Default for Ladder {
    fn default() -> Ladder {
        Ladder::new()
    }
}

impl Ladder {
    /// A ladder without engines and peers.
    pub fn new() -> Ladder {
        let mut network = Network::new(0);
        network.trace_mut().keep(usize::MAX);
        Ladder {
            network,
            peers: Vec::new(),
            engines: Vec::new(),
            oracles: Vec::new(),
            drafts: BTreeMap::new(),
            known: Known::default(),
            next: 0,
        }
    }

    /// Adds an engine under test. `build` is told its listeners, in the order of `addresses`. An address with a label is
    /// known to scripts by that too.
    ///
    /// # Panics
    /// Where a name or an address is taken.
    #[must_use]
    #[track_caller]
    pub fn engine<G>(
        mut self,
        name: &str,
        addresses: impl IntoIterator<Item: Into<Bind>>,
        build: impl FnOnce(Vec<Listener>) -> G,
    ) -> Ladder
    where
        G: Engine<Event: 'static> + 'static,
    {
        let binds: Vec<Bind> = addresses.into_iter().map(Into::into).collect();
        for label in binds.iter().filter_map(|bind| bind.label.as_ref()) {
            self.known.labels.insert(label.to_string(), name.to_string());
        }
        self.network.add(name, binds.clone(), build);
        self.engines.push((name.to_string(), binds));
        self
    }

    /// Adds a peer whose lines scripts hold, `sip:NAME@ims.example`.
    ///
    /// # Panics
    /// Where a name or an address is taken.
    #[must_use]
    #[track_caller]
    pub fn peer(mut self, name: &str, address: impl Into<Bind>) -> Ladder {
        let (name, binds) = (name.to_string(), vec![address.into()]);
        self.declare(Declaration { name, binds, identity: None });
        self
    }

    /// Adds somebody who speaks no SIP, and the log that the adapter to it writes.
    #[must_use]
    pub fn oracle(mut self, name: &str, log: &Log) -> Ladder {
        log.set_clock(self.network.clock());
        self.oracles.push((name.to_string(), log.clone(), log.entries().len()));
        self
    }

    /// Gives a message a name by which a line can send it.
    #[must_use]
    pub fn draft(mut self, name: &str, draft: Draft) -> Ladder {
        self.drafts.insert(name.to_string(), draft);
        self
    }

    /// The time at which the next line will be played, for engines that are built with it.
    pub fn now(&self) -> Now {
        self.network.now()
    }

    /// The network below: for links, and for a look into engines ([`Network::find`]).
    pub fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    /// Plays a script. It may be followed by another, which goes on where this one ends.
    ///
    /// # Panics
    /// Where it fails: with the script, and what happened instead.
    #[track_caller]
    pub fn run(&mut self, script: &str) {
        if let Err(failure) = self.try_run(script) {
            panic!("the ladder failed at {failure}");
        }
    }

    /// Plays a script.
    ///
    /// # Errors
    /// What the engines did not do as it says.
    pub fn try_run(&mut self, script: &str) -> Result<(), Failure> {
        let script = Script::read(script).map_err(|error| Failure::of_script(error.line, error.cause))?;
        for declared in script.peers {
            if self.peers.iter().all(|peer| peer.name != declared.name) {
                self.declare(declared);
            }
        }
        let mut unnamed = Vec::new();
        self.collect(&mut unnamed);
        Play { ladder: self, lines: &script.lines, unnamed }.run()
    }

    #[track_caller]
    fn declare(&mut self, Declaration { name, binds, identity }: Declaration) {
        let transport = binds.first().map_or(Transport::Udp, |bind| bind.address.transport);
        let host = self.network.add(&name, binds, |listeners| {
            let phone = Phone::new(&name, listeners);
            match identity {
                Some(identity) => phone.identity(&identity),
                None => phone,
            }
        });
        self.peers.push(Peer { name, host, transport });
    }

    /// Adds what engines sent and oracles were told since the last time, in order. Keep-alives are no steps of a ladder.
    fn collect(&mut self, happened: &mut Vec<Happening>) {
        let mut fresh = Vec::new();
        for sent in self.network.trace().since(self.next) {
            self.next = sent.number + 1;
            let is_keep_alive = keep_alive::sort(&sent.bytes, sent.from.address) != Datagram::Message;
            let is_peer = self.peers.iter().any(|peer| sent.from.name == peer.name);
            fresh.extend((!is_peer && !is_keep_alive).then(|| Happening::of_message(sent)));
        }
        for (name, log, seen) in &mut self.oracles {
            let said = log.behind(*seen);
            *seen += said.len();
            fresh.extend(said.into_iter().map(|said| Happening::of_oracle(name, said)));
        }
        fresh.sort_by_key(|happening| happening.number);
        happened.append(&mut fresh);
    }
}
