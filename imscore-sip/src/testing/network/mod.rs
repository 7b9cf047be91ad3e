//! Hosts, links between them, and virtual time.

mod carry;
mod host;
mod streams;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use bytestring::ByteString;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use self::host::{Input, Place, Seat, Seated, Step, Woken};
use self::streams::{PipeId, Side, Streams};
use super::{Bind, Clock, Endpoint, Link, NameServer, Sent, Trace};
use crate::engine::{Engine, Ticket};
use crate::now::Now;
use crate::resolve::{Answer, Question};
use crate::transport::{Listener, ListenerId, Transport};

pub use self::host::Host;

/// Steps at one instant after which a test is going round in circles: so many, and so many more a host.
const STORM: (usize, usize) = (100_000, 100);

/// Engines, the addresses they are at, and the links between them, in virtual time.
///
/// Each step delivers what is next in time to one engine and takes out of it what it wants sent. Of what is due at one
/// instant, wakers come first, then messages in the order in which they were sent, then deadlines.
///
/// ```
/// use std::time::Duration;
///
/// use imscore_sip::testing::{Clock, Endpoint, Heard, Host, Network, News, Phone, Sent, Trace};
///
/// let mut network = Network::new(1);
/// let clock: Clock = network.clock();
/// let phone = |name| move |listeners| Phone::new(name, listeners);
/// let alice: Host<Phone> = network.add("alice", ["udp:192.0.2.1:5060"], phone("alice"));
/// let bob = network.add("bob", ["udp:192.0.2.2:5060"], phone("bob"));
/// network.with(alice, |alice, _| {
///     let options = alice.request("OPTIONS", "sip:bob@192.0.2.2");
///     alice.send(options, "udp:192.0.2.2:5060");
/// });
/// network.run_for(Duration::from_secs(1));
/// assert_eq!(clock.passed(), Duration::from_secs(1));
/// let heard: &Heard = &network.engine(bob).heard()[0];
/// assert!(matches!(heard.what, News::Message(..)));
///
/// let trace: &Trace = network.trace();
/// let sent: Vec<&Sent> = trace.sent().collect();
/// let from: &Endpoint = &sent[0].from;
/// assert_eq!(from.name, "alice");
/// ```
pub struct Network {
    clock: Clock,
    rng: ChaCha8Rng,
    places: Vec<Place>,
    bound: BTreeMap<(Transport, SocketAddr), (usize, ListenerId)>,
    arrivals: BTreeMap<(Duration, u64), Arrival>,
    deadlines: BTreeSet<(Instant, usize)>,
    woken: Woken,
    streams: Streams,
    links: BTreeMap<(usize, usize), Link>,
    link: Link,
    reports_unreachable: bool,
    name_server: Option<NameServer>,
    /// When the last datagram between two hosts arrives.
    last: BTreeMap<(usize, usize), Duration>,
    trace: Trace,
    /// Steps since time has moved.
    steps: usize,
}

/// What is under way.
enum Arrival {
    Datagram { from: SocketAddr, to: SocketAddr, bytes: Bytes },
    Unreachable { from: SocketAddr, to: SocketAddr },
    Connect(PipeId),
    Accepted(PipeId),
    Refused(PipeId),
    Segment { pipe: PipeId, side: Side, bytes: Bytes },
    Closed { pipe: PipeId, side: Side },
    SendFailed { host: usize, life: u64, ticket: Ticket },
    Answer { host: usize, life: u64, question: Question, answer: Answer },
}

impl Network {
    /// A network without hosts, whose links are perfect until [`Network::link_all`] says otherwise.
    pub fn new(seed: u64) -> Network {
        Network {
            clock: Clock::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            places: Vec::new(),
            bound: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            woken: Woken::default(),
            streams: Streams::default(),
            links: BTreeMap::new(),
            link: Link::default(),
            reports_unreachable: false,
            name_server: None,
            last: BTreeMap::new(),
            trace: Trace::new(),
            steps: 0,
        }
    }

    /// Adds a host. `build` is told its listeners, in the order of `addresses`.
    ///
    /// # Panics
    /// Where a name or an address is taken.
    #[track_caller]
    pub fn add<G>(
        &mut self,
        name: &str,
        addresses: impl IntoIterator<Item: Into<Bind>>,
        build: impl FnOnce(Vec<Listener>) -> G,
    ) -> Host<G>
    where
        G: Engine<Event: 'static> + 'static,
    {
        let binds: Vec<Bind> = addresses.into_iter().map(Into::into).collect();
        let index = self.places.len();
        assert!(self.index(name).is_none(), "two hosts are named {name}");
        for (listener, bind) in binds.iter().enumerate() {
            let key = (bind.address.transport, bind.seen_as);
            let taken = self.bound.insert(key, (index, ListenerId(listener as u16)));
            assert!(taken.is_none(), "{}:{} is taken", key.0, key.1);
        }
        let name = ByteString::from(name);
        self.places.push(Place { name, binds, seat: None, life: 0, deadline: None, connections: 0 });
        let host = Host::new(index);
        self.start(host, build);
        host
    }

    /// The host of that name, where its engine is a `G` and alive.
    pub fn find<G: Engine<Event: 'static> + 'static>(&self, name: &str) -> Option<Host<G>> {
        let index = self.index(name)?;
        let seat = self.places[index].seat.as_ref()?;
        seat.any().is::<Seated<G>>().then(|| Host::new(index))
    }

    /// Ends a host's engine as `kill -9` does: its connections are reset, its timers and its state are gone.
    pub fn kill<G>(&mut self, host: Host<G>) {
        let place = &mut self.places[host.index];
        place.seat = None;
        place.life += 1;
        self.rest_until(host.index, None);
        for (pipe, side) in self.streams.of_host(host.index) {
            self.close_end(pipe, side);
        }
    }

    /// Seats an engine at a host that was killed.
    ///
    /// # Panics
    /// Where the host is alive.
    pub fn start<G>(&mut self, host: Host<G>, build: impl FnOnce(Vec<Listener>) -> G)
    where
        G: Engine<Event: 'static> + 'static,
    {
        let place = &mut self.places[host.index];
        assert!(place.seat.is_none(), "{} is alive", place.name);
        let mut seat = Box::new(Seated { engine: build(place.listeners()), events: Vec::new() });
        seat.set_waker(self.woken.waker(host.index, place.life));
        place.seat = Some(seat);
        self.drain(host.index);
    }

    /// The engine of a host.
    ///
    /// # Panics
    /// Where the host was killed.
    pub fn engine<G: Engine<Event: 'static> + 'static>(&self, host: Host<G>) -> &G {
        let seated: Option<&Seated<G>> =
            self.places[host.index].seat.as_ref().and_then(|seat| seat.any().downcast_ref());
        &seated.expect("a host that is alive").engine
    }

    /// Gives an engine something to do, and sends what it then wants sent.
    ///
    /// # Panics
    /// Where the host was killed.
    pub fn with<G, R>(&mut self, host: Host<G>, act: impl FnOnce(&mut G, Now) -> R) -> R
    where
        G: Engine<Event: 'static> + 'static,
    {
        let now = self.now();
        let result = act(&mut self.seated(host).engine, now);
        self.drain(host.index);
        result
    }

    /// Takes the events that an engine has given since the last time.
    ///
    /// # Panics
    /// Where the host was killed.
    pub fn take_events<G: Engine<Event: 'static> + 'static>(&mut self, host: Host<G>) -> Vec<G::Event> {
        std::mem::take(&mut self.seated(host).events)
    }

    fn seated<G: Engine<Event: 'static> + 'static>(&mut self, host: Host<G>) -> &mut Seated<G> {
        let seat = self.places[host.index].seat.as_mut();
        seat.and_then(|seat| seat.any_mut().downcast_mut()).expect("a host that is alive")
    }

    /// The time as engines are told it.
    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// Virtual time since the network was made.
    pub fn passed(&self) -> Duration {
        self.clock.passed()
    }

    /// The clock, for adapters that live outside the engines.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// Puts the wall clock ahead, or back, by milliseconds.
    pub fn jump_wall(&mut self, milliseconds: i64) {
        self.clock.jump_wall(milliseconds);
    }

    /// What was sent so far.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// What was sent so far, to say how much of it to keep.
    pub fn trace_mut(&mut self) -> &mut Trace {
        &mut self.trace
    }

    /// All links but those that [`Network::link`] sets apart.
    pub fn link_all(&mut self, link: Link) {
        self.link = link;
    }

    /// Whether ICMP tells who sends a datagram to a place where nobody is: the flow is lost then. Else there is silence.
    pub fn report_unreachable(&mut self, reports: bool) {
        self.reports_unreachable = reports;
    }

    /// Puts a name server in place, for all hosts.
    pub fn add_name_server(&mut self, server: NameServer) {
        self.name_server = Some(server);
    }

    /// The name server.
    ///
    /// # Panics
    /// Where there is none.
    pub fn name_server(&mut self) -> &mut NameServer {
        self.name_server.as_mut().expect("a name server")
    }

    /// The link between two hosts, in both directions. Connections that got stuck on a link that was cut are lost when
    /// it is whole again.
    ///
    /// # Panics
    /// On names that no host has.
    #[track_caller]
    pub fn link(&mut self, one: &str, other: &str, link: Link) {
        let (one, other) = (self.expect(one), self.expect(other));
        let is_whole = !link.cut;
        self.links.insert((one, other), link.clone());
        self.links.insert((other, one), link);
        if is_whole {
            self.reset_stuck(one, other);
            self.reset_stuck(other, one);
        }
    }

    /// Closes the connections between two hosts: `one` closes, the other is told.
    ///
    /// # Panics
    /// On names that no host has.
    #[track_caller]
    pub fn disconnect(&mut self, one: &str, other: &str) {
        let (one, other) = (self.expect(one), self.expect(other));
        for (pipe, side) in self.streams.of_host(one) {
            if self.streams.get(pipe).is_some_and(|pipe| pipe.end(side.other()).host == Some(other)) {
                self.close_end(pipe, side);
            }
        }
    }

    /// Does the next thing. False: there is nothing to do, ever, unless somebody gives an engine something.
    ///
    /// # Panics
    /// Where engines keep each other busy without time passing.
    pub fn step(&mut self) -> bool {
        self.step_until(None)
    }

    /// Goes on until nothing is left to do at the present instant.
    pub fn settle(&mut self) {
        self.run_until(self.passed());
    }

    /// Goes on until that much time has passed since the network was made, what is due then included.
    pub fn run_until(&mut self, elapsed: Duration) {
        while self.step_until(Some(elapsed)) {}
        if elapsed > self.passed() {
            self.move_to(elapsed);
        }
    }

    /// Goes on for that long, what is due at the end included.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.passed() + time);
    }

    /// Goes on until nothing is under way and no engine waits for a deadline, at most for that long. False: it took
    /// longer.
    pub fn run_until_idle(&mut self, at_most: Duration) -> bool {
        let limit = self.passed() + at_most;
        while self.step_until(Some(limit)) {}
        self.next_time().is_none()
    }

    /// When the next thing is due; `None`: never.
    pub fn next_time(&self) -> Option<Duration> {
        let arrival = self.arrivals.keys().next().map(|(at, _)| *at);
        let deadline = self.deadlines.first().map(|(at, _)| self.clock.since_start(*at));
        [arrival, deadline].into_iter().flatten().min()
    }

    fn step_until(&mut self, limit: Option<Duration>) -> bool {
        self.steps += 1;
        assert!(self.steps < self.storm(), "{} steps at one instant, and no end:\n{}", self.steps, self.last_sent());
        if let Some((host, life)) = self.woken.next() {
            if self.places[host].life == life {
                self.input(host, Input::Timeout);
            }
            return true;
        }
        let Some(at) = self.next_time().filter(|at| limit.is_none_or(|limit| *at <= limit)) else {
            return false;
        };
        if at > self.passed() {
            self.move_to(at);
        }
        match self.arrivals.first_key_value() {
            Some(((due, _), _)) if *due <= at => {
                let arrival = self.arrivals.pop_first();
                arrival.into_iter().for_each(|(_, arrival)| self.arrive(arrival));
            }
            _ => {
                let due = self.deadlines.pop_first();
                due.into_iter().for_each(|(_, host)| self.input(host, Input::Timeout));
            }
        }
        true
    }

    fn move_to(&mut self, elapsed: Duration) {
        self.clock.move_to(elapsed);
        self.steps = 0;
    }

    fn storm(&self) -> usize {
        STORM.0 + STORM.1 * self.places.len()
    }

    fn last_sent(&self) -> String {
        let last: Vec<String> = self.trace.sent().rev().take(4).map(Sent::to_string).collect();
        last.join("\n")
    }

    /// Gives an engine one input and takes out what it then wants.
    fn input(&mut self, host: usize, input: Input) {
        let now = self.now();
        if let Some(seat) = &mut self.places[host].seat {
            seat.input(input, now);
            self.drain(host);
        }
    }

    fn drain(&mut self, host: usize) {
        for _ in 0..self.storm() {
            match self.places[host].seat.as_mut().map(|seat| seat.poll()) {
                Some(Step::Transmit(transmit)) => self.transmit(host, transmit),
                Some(Step::Ask(question)) => self.ask(host, question),
                Some(Step::Close(flow)) => self.close(host, &flow),
                Some(Step::Wait(deadline)) => return self.rest_until(host, deadline),
                None => return,
            }
        }
        panic!("{} sends without end:\n{}", self.places[host].name, self.last_sent());
    }

    fn ask(&mut self, host: usize, question: Question) {
        let life = self.places[host].life;
        let answer = match &mut self.name_server {
            Some(server) => server.ask(&question),
            None => Some((Duration::ZERO, Answer::Failed)),
        };
        if let Some((after, answer)) = answer {
            self.schedule(after, Arrival::Answer { host, life, question, answer });
        }
    }

    fn rest_until(&mut self, host: usize, deadline: Option<Instant>) {
        let place = &mut self.places[host];
        if let Some(before) = std::mem::replace(&mut place.deadline, deadline) {
            self.deadlines.remove(&(before, host));
        }
        self.deadlines.extend(deadline.map(|deadline| (deadline, host)));
    }

    fn schedule(&mut self, after: Duration, arrival: Arrival) {
        self.schedule_at(self.passed() + after, arrival);
    }

    fn schedule_at(&mut self, at: Duration, arrival: Arrival) {
        let number = self.clock.number();
        self.arrivals.insert((at, number), arrival);
    }

    fn index(&self, name: &str) -> Option<usize> {
        self.places.iter().position(|place| place.name == name)
    }

    #[track_caller]
    fn expect(&self, name: &str) -> usize {
        self.index(name).unwrap_or_else(|| panic!("no host is named {name}"))
    }

    fn endpoint(&self, host: Option<usize>, listener: ListenerId, address: SocketAddr) -> Endpoint {
        let name = host.map(|host| {
            let place = &self.places[host];
            let label = place.binds.get(usize::from(listener.0)).and_then(|bind| bind.label.clone());
            label.unwrap_or_else(|| place.name.clone())
        });
        Endpoint { name: name.unwrap_or_default(), address }
    }
}
