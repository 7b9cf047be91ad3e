//! Who is where: the bindings of a registrar (RFC 3261 §10.3), in memory.

use std::time::{Duration, Instant};

use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::hash::Keyed;
use crate::header::{Contact, Expires, To, TypedHeader};
use crate::message::{Request, Response, StatusCode};
use crate::now::Now;
use crate::uri::Uri;

/// How long bindings hold, and how many there are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Terms {
    /// What a phone gets that asks for more.
    pub longest: Duration,
    /// What a phone gets that does not say.
    pub usual: Duration,
    /// A phone that asks for less gets 423.
    pub shortest: Duration,
    /// Bindings of one user. Above it: 403.
    pub bindings: usize,
    /// Users with a binding. Above it: 503.
    pub users: usize,
}

impl Default for Terms {
    /// One hour, two at most, one minute at least; ten bindings for each of a million users.
    fn default() -> Terms {
        Terms {
            longest: Duration::from_secs(7_200),
            usual: Duration::from_secs(3_600),
            shortest: Duration::from_secs(60),
            bindings: 10,
            users: 1_000_000,
        }
    }
}

/// The bindings of all users of a registrar. It says nothing of who may register: ask an
/// [`Authenticator`](crate::auth::Authenticator) first.
///
/// ```
/// use std::time::Instant;
/// use imscore_sip::ua::{Locations, Terms};
/// use imscore_sip::{Message, Now, StatusCode};
///
/// let register = "REGISTER sip:ims.example SIP/2.0\r\nTo: <sip:alice@ims.example>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n\
///                 Contact: <sip:alice@192.0.2.1>;expires=600\r\n\r\n";
/// let Message::Request(register) = Message::parse(register.into())? else { panic!("a request") };
/// let now = Now { monotonic: Instant::now(), wall: 1_767_225_600_000 };
///
/// let mut locations = Locations::new(Terms::default(), [7; 32]);
/// let response = locations.register(&register, now);
/// assert_eq!(response.status(), StatusCode::OK);
/// assert_eq!(response.headers.raw("Contact"), Some(&b"<sip:alice@192.0.2.1>;expires=600"[..]));
/// assert_eq!(locations.find(&"sip:alice@ims.example".parse()?, now).count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Locations {
    terms: Terms,
    users: HashMap<Box<str>, Bindings, Keyed>,
    /// With so many users it is worth the time to look for those that are gone.
    sweep_at: usize,
    /// When that was done last.
    swept: Option<Instant>,
}

type Bindings = SmallVec<[Binding; 1]>;

#[derive(Clone, Debug)]
struct Binding {
    /// The Contact without its `expires`.
    contact: Box<str>,
    call_id: Box<str>,
    sequence: u32,
    expires: Instant,
}

/// Fewer users than this are never swept, and no two sweeps are closer than this: a full table is swept in vain.
const SWEEP: usize = 1_024;
const BETWEEN_SWEEPS: Duration = Duration::from_secs(30);

impl Locations {
    /// Nobody is anywhere yet. The seed keeps strangers from guessing how users are hashed.
    pub fn new(terms: Terms, seed: [u8; 32]) -> Locations {
        Locations { terms, users: HashMap::with_hasher(Keyed::from_seed(&seed)), sweep_at: SWEEP, swept: None }
    }

    /// Changes the bindings of the user that the To of a REGISTER names, all as it asks or none, and answers it. The To
    /// tag is for the caller to set.
    pub fn register(&mut self, request: &Request, now: Now) -> Response {
        match self.change(request, now.monotonic) {
            Ok(bindings) => {
                let mut response = request.reply(StatusCode::OK);
                for Binding { contact, expires, .. } in bindings {
                    let seconds = (*expires - now.monotonic).as_secs();
                    let value = [contact, ";expires=", &seconds.to_string()].concat();
                    response.headers.push_raw("Contact", value.as_bytes());
                }
                response
            }
            Err(refused) => {
                let mut response = request.reply(refused.status());
                match refused {
                    Refused::TooBrief => {
                        let shortest = self.terms.shortest.as_secs().to_string();
                        response.headers.push_raw("Min-Expires", shortest.as_bytes());
                    }
                    Refused::Full => response.headers.push_raw("Retry-After", b"60"),
                    Refused::Malformed | Refused::OutOfOrder | Refused::TooMany => {}
                }
                response
            }
        }
    }

    /// The Contacts under which a user can be reached, in the order in which they came.
    pub fn find(&self, user: &Uri, now: Now) -> impl Iterator<Item = Contact> {
        let bindings = self.users.get(user.address_of_record().as_ref() as &str).map_or(&[][..], |found| found);
        let live = bindings.iter().filter(move |binding| binding.expires > now.monotonic);
        live.filter_map(Binding::contact)
    }

    /// How many users there are, those among them whose time is over and who were not looked at since.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    fn change(&mut self, request: &Request, now: Instant) -> Result<&[Binding], Refused> {
        let headers = &request.headers;
        let to: To = headers.first().map_err(|_| Refused::Malformed)?;
        let sequence = headers.cseq().map_err(|_| Refused::Malformed)?.number;
        let call_id = headers.call_id().ok_or(Refused::Malformed)?;
        let contacts: SmallVec<[Contact; 1]> =
            headers.typed().collect::<Result<_, _>>().map_err(|_| Refused::Malformed)?;
        // RFC 3261 §20.19: a value that cannot be read counts as none.
        let expires = headers.get::<Expires>().ok().flatten().map(|expires| expires.0);

        let user = to.uri().address_of_record();
        let mut bindings = self.users.get(user.as_ref() as &str).cloned().unwrap_or_default();
        bindings.retain(|binding| binding.expires > now);
        let in_order = |binding: &Binding| match *binding.call_id == *call_id && binding.sequence >= sequence {
            true => Err(Refused::OutOfOrder),
            false => Ok(()),
        };
        if contacts.iter().any(Contact::is_wildcard) {
            // RFC 3261 §10.3 step 6.
            if contacts.len() > 1 || expires != Some(0) {
                return Err(Refused::Malformed);
            }
            bindings.iter().try_for_each(in_order)?;
            bindings.clear();
        } else {
            for contact in &contacts {
                let time = self.grant(contact.expires().or(expires))?;
                if let Some(known) = bindings.iter().position(|binding| binding.is_at(contact)) {
                    in_order(&bindings[known])?;
                    bindings.remove(known);
                }
                if !time.is_zero() {
                    let contact = match contact {
                        Contact::Address(plain) if !plain.params().contains("expires") => plain.as_str().into(),
                        timed @ (Contact::Wildcard | Contact::Address(_)) => {
                            timed.without_param("expires").to_string().into()
                        }
                    };
                    bindings.push(Binding { contact, call_id: call_id.into(), sequence, expires: now + time });
                }
            }
        }
        if bindings.len() > self.terms.bindings {
            return Err(Refused::TooMany);
        }
        self.keep(&user, bindings, now)
    }

    /// RFC 3261 §10.3 step 7; zero takes the binding away.
    fn grant(&self, seconds: Option<u32>) -> Result<Duration, Refused> {
        let asked = seconds.map_or(self.terms.usual, |seconds| Duration::from_secs(seconds.into()));
        if !asked.is_zero() && asked < self.terms.shortest {
            return Err(Refused::TooBrief);
        }
        Ok(asked.min(self.terms.longest))
    }

    fn keep(&mut self, user: &str, bindings: Bindings, now: Instant) -> Result<&[Binding], Refused> {
        if bindings.is_empty() {
            self.users.remove(user);
            return Ok(&[]);
        }
        if !self.users.contains_key(user) {
            let is_due = self.swept.is_none_or(|swept| now >= swept + BETWEEN_SWEEPS);
            if is_due && self.users.len() >= self.sweep_at.min(self.terms.users) {
                self.sweep(now);
            }
            if self.users.len() >= self.terms.users {
                return Err(Refused::Full);
            }
        }
        let place = self.users.entry(user.into()).or_default();
        *place = bindings;
        Ok(place)
    }

    /// Forgets those whose time is over. It comes again when there are twice as many as are left, so that a user costs a
    /// look or two.
    fn sweep(&mut self, now: Instant) {
        self.users.retain(|_, bindings| bindings.iter().any(|binding| binding.expires > now));
        self.sweep_at = (self.users.len() * 2).max(SWEEP);
        self.swept = Some(now);
    }
}

/// Why bindings stay as they are.
#[derive(Clone, Copy)]
enum Refused {
    Malformed,
    /// A later REGISTER was served before (RFC 3261 §10.3 steps 6 and 7).
    OutOfOrder,
    TooBrief,
    /// More than one user may have.
    TooMany,
    /// There is no room for another user.
    Full,
}

impl Refused {
    fn status(self) -> StatusCode {
        match self {
            Refused::Malformed => StatusCode::BAD_REQUEST,
            Refused::OutOfOrder => StatusCode::SERVER_INTERNAL_ERROR,
            Refused::TooBrief => StatusCode::INTERVAL_TOO_BRIEF,
            Refused::TooMany => StatusCode::FORBIDDEN,
            Refused::Full => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl Binding {
    fn contact(&self) -> Option<Contact> {
        Contact::decode(&(&*self.contact).into()).ok()
    }

    /// RFC 3261 §10.3 step 7: URIs are compared by the rules for URIs.
    fn is_at(&self, contact: &Contact) -> bool {
        let Some(uri) = contact.uri() else { return false };
        self.contact().and_then(|own| own.uri().map(|own| own.equivalent(uri))).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Method;
    use crate::testing::Clock;

    struct Bench {
        locations: Locations,
        clock: Now,
        sequence: u32,
    }

    impl Bench {
        fn new(terms: Terms) -> Bench {
            Bench { locations: Locations::new(terms, [1; 32]), clock: Clock::new().now(), sequence: 0 }
        }

        /// The status of a REGISTER with these lines, and the Contacts or the header that explains the refusal.
        fn register(&mut self, user: &str, lines: &[(&str, &str)]) -> (u16, Vec<String>) {
            self.sequence += 1;
            let mut request = Request::new(&Method::Register, "sip:ims.example");
            let sequence = format!("{} REGISTER", self.sequence);
            for (name, value) in [("To", user), ("Call-ID", "1"), ("CSeq", &sequence)].iter().chain(lines) {
                request.headers.remove(*name);
                request.headers.push_raw(name, value.as_bytes());
            }
            let response = self.locations.register(&request, self.clock);
            let values = ["Contact", "Min-Expires", "Retry-After"].map(|name| response.headers.raw_all(name));
            let values = values.into_iter().flatten().map(|value| String::from_utf8_lossy(value).into_owned());
            (response.status().code(), values.collect())
        }

        fn contact(&mut self, value: &str) -> (u16, Vec<String>) {
            self.register("sip:alice@ims.example", &[("Contact", value)])
        }

        fn wait(&mut self, seconds: u64) {
            self.clock = self.clock + Duration::from_secs(seconds);
        }
    }

    fn ok(contacts: &[&str]) -> (u16, Vec<String>) {
        (200, contacts.iter().map(|contact| contact.to_string()).collect())
    }

    #[test]
    fn bindings_come_stay_and_go() {
        let mut bench = Bench::new(Terms::default());
        assert_eq!(bench.contact("<sip:a@192.0.2.1>;q=0.1"), ok(&["<sip:a@192.0.2.1>;q=0.1;expires=3600"]));
        bench.wait(10);
        let both = ["<sip:a@192.0.2.1>;q=0.1;expires=3590", "<sip:a@192.0.2.2>;expires=60"];
        assert_eq!(bench.contact("<sip:a@192.0.2.2>;expires=60"), ok(&both));
        assert_eq!(bench.register("sip:ALICE@ims.example", &[]), ok(&[]), "a user part has its case");
        assert_eq!(bench.register("\"A\" <sip:alice@IMS.example;x>;tag=1", &[]), ok(&both), "and a host has none");
        bench.wait(60);
        assert_eq!(bench.contact("<sip:%61@192.0.2.1>;expires=0"), ok(&[]), "one is over, the other is taken away");
        assert!(bench.locations.is_empty());
    }

    /// RFC 3261 §10.3 step 7.
    #[test]
    fn the_time_is_the_contact_s_or_the_request_s_within_limits() {
        let mut bench = Bench::new(Terms::default());
        for (contact, expires, granted) in [
            ("<sip:a@h>", "600", 600),
            ("<sip:a@h>;expires=700", "600", 700),
            ("<sip:a@h>;expires=7201", "600", 7200),
            ("<sip:a@h>;expires=60", "600", 60),
            ("<sip:a@h>", "soon", 3600),
        ] {
            let answer = bench.register("sip:alice@ims.example", &[("Contact", contact), ("Expires", expires)]);
            assert_eq!(answer, ok(&[&format!("<sip:a@h>;expires={granted}")]), "{contact} {expires}");
        }
        let brief = bench.register("sip:alice@ims.example", &[("Contact", "<sip:b@h>, <sip:c@h>;expires=59")]);
        assert_eq!(brief, (423, vec!["60".to_owned()]));
        assert_eq!(bench.register("sip:alice@ims.example", &[]), ok(&["<sip:a@h>;expires=3600"]), "all or none");
    }

    /// RFC 3261 §10.3 step 6.
    #[test]
    fn a_star_takes_all_away_and_stands_alone() {
        let mut bench = Bench::new(Terms::default());
        let kept = ["<sip:a@h>;expires=3600", "<sip:b@h>;expires=3600"];
        assert_eq!(bench.contact("<sip:a@h>, <sip:b@h>"), ok(&kept));
        for lines in [
            &[("Contact", "*")][..],
            &[("Contact", "*"), ("Expires", "1")],
            &[("Contact", "*, <sip:c@h>"), ("Expires", "0")],
        ] {
            assert_eq!(bench.register("sip:alice@ims.example", lines).0, 400, "{lines:?}");
        }
        assert_eq!(bench.register("sip:alice@ims.example", &[]), ok(&kept));
        assert_eq!(bench.register("sip:alice@ims.example", &[("Contact", "*"), ("Expires", "0")]), ok(&[]));
    }

    /// RFC 3261 §10.3 steps 6 and 7.
    #[test]
    fn what_comes_late_changes_nothing() {
        let mut bench = Bench::new(Terms::default());
        bench.sequence = 5;
        bench.contact("<sip:a@h>");
        let late = ("CSeq", "6 REGISTER");
        for lines in [
            &[late, ("Contact", "<sip:a@h>;expires=0")][..],
            &[late, ("Contact", "<sip:b@h>, <sip:a@h>")],
            &[late, ("Contact", "*"), ("Expires", "0")],
        ] {
            assert_eq!(bench.register("sip:alice@ims.example", lines).0, 500, "{lines:?}");
        }
        assert_eq!(bench.register("sip:alice@ims.example", &[]), ok(&["<sip:a@h>;expires=3600"]));
        let other = [late, ("Call-ID", "2"), ("Contact", "<sip:a@h>;expires=60")];
        assert_eq!(
            bench.register("sip:alice@ims.example", &other),
            ok(&["<sip:a@h>;expires=60"]),
            "a series of its own"
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let mut bench = Bench::new(Terms::default());
        for lines in [("To", "nobody"), ("CSeq", "one"), ("Contact", "<sip:a@h"), ("Call-ID", "")] {
            assert_eq!(bench.register("sip:alice@ims.example", &[lines]).0, 400, "{lines:?}");
        }
        assert!(bench.locations.is_empty());
    }

    #[test]
    fn a_user_has_so_many_bindings_and_no_more() {
        let mut bench = Bench::new(Terms { bindings: 2, ..Terms::default() });
        assert_eq!(bench.contact("<sip:a@h>, <sip:b@h>").0, 200);
        assert_eq!(bench.contact("<sip:c@h>").0, 403);
        assert_eq!(bench.contact("<sip:c@h>, <sip:a@h>;expires=0").0, 200);
    }

    #[test]
    fn there_is_room_for_so_many_users_until_some_are_gone() {
        let mut bench = Bench::new(Terms { users: 2, ..Terms::default() });
        let register = |bench: &mut Bench, user: &str, time: &str| {
            bench.register(&format!("sip:{user}@h"), &[("Contact", "<sip:x@h>"), ("Expires", time)])
        };
        assert_eq!(register(&mut bench, "a", "60").0, 200);
        assert_eq!(register(&mut bench, "b", "600").0, 200);
        assert_eq!(register(&mut bench, "c", "600"), (503, vec!["60".to_owned()]));
        assert_eq!(register(&mut bench, "b", "600").0, 200, "who is there may stay");
        bench.wait(60);
        assert_eq!(register(&mut bench, "c", "600").0, 200);
        assert_eq!(bench.locations.len(), 2);
        let found = |user: &str| bench.locations.find(&format!("sip:{user}@h").parse().unwrap(), bench.clock).count();
        assert_eq!(["a", "b", "c"].map(found), [0, 1, 1]);
    }
}
