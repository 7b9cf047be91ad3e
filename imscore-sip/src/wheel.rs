//! A hierarchical timer wheel: ticks of one millisecond, no clock, a set and a cancel in constant time.
//!
//! Seven levels of 64 slots cover 139 years. A timer stands on the level of the highest group of six bits in
//! which its tick differs from the present one, and moves down as the present comes near; all timers of one tick
//! therefore always stand in one list, in the order in which they were set, and that is the order they fire in.
//!
//! ```
//! use imscore_sip::wheel::Wheel;
//! use std::time::{Duration, Instant};
//!
//! let start = Instant::now();
//! let mut wheel = Wheel::new(start);
//! let late = wheel.set(start + Duration::from_secs(3), "late");
//! wheel.set(start + Duration::from_millis(500), "soon");
//! assert!(wheel.cancel(late));
//! assert_eq!(wheel.pop(start + Duration::from_millis(499)), None);
//! assert_eq!(wheel.pop(start + Duration::from_secs(9)), Some("soon"));
//! assert_eq!(wheel.next_deadline(), None);
//! ```

use std::time::{Duration, Instant};

/// Timers by deadline, each with a small key that says what it is for.
///
/// A deadline is rounded up to the next whole millisecond since the base, so nothing fires early.
#[derive(Debug)]
pub struct Wheel<K> {
    base: Instant,
    /// The tick up to which everything has been moved to `due`.
    elapsed: u64,
    /// Which slots of a level hold a list.
    occupied: [u64; LEVELS],
    slots: Box<[[List; SLOTS]; LEVELS]>,
    /// Timers whose tick has come, in the order to fire.
    due: List,
    entries: Vec<Entry<K>>,
    free: u32,
    len: usize,
}

/// Names a timer to cancel it. A handle whose timer has fired or was cancelled does nothing.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use imscore_sip::wheel::{TimerHandle, Wheel};
///
/// let now = Instant::now();
/// let mut wheel = Wheel::new(now);
/// let handle: TimerHandle = wheel.set(now + Duration::from_secs(1), 'a');
/// assert!(wheel.cancel(handle));
/// assert!(!wheel.cancel(handle));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerHandle {
    entry: u32,
    generation: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry<K> {
    key: K,
    tick: u64,
    /// Even while free.
    generation: u32,
    previous: u32,
    next: u32,
}

/// A doubly linked list through the entries.
#[derive(Clone, Copy, Debug)]
struct List {
    head: u32,
    tail: u32,
}

const LEVELS: usize = 7;
const BITS: usize = 6;
const SLOTS: usize = 1 << BITS;
const LAST_TICK: u64 = (1 << (BITS * LEVELS)) - 1;
const NONE: u32 = u32::MAX;
const EMPTY: List = List { head: NONE, tail: NONE };

/// Where the list stands that holds a tick.
enum Place {
    Due,
    Slot { level: usize, slot: usize },
}

impl<K: Copy> Wheel<K> {
    /// A wheel without timers; no deadline may be before `base` by more than it matters to be late.
    pub fn new(base: Instant) -> Wheel<K> {
        Wheel {
            base,
            elapsed: 0,
            occupied: [0; LEVELS],
            slots: Box::new([[EMPTY; SLOTS]; LEVELS]),
            due: EMPTY,
            entries: Vec::new(),
            free: NONE,
            len: 0,
        }
    }

    /// Sets a timer. A deadline that has passed fires at the next [`Wheel::pop`], behind those that were due before.
    pub fn set(&mut self, deadline: Instant, key: K) -> TimerHandle {
        let tick = self.tick_at_or_after(deadline);
        let entry = self.allocate(key, tick);
        self.append(entry, tick);
        self.len += 1;
        TimerHandle { entry, generation: self.entries[entry as usize].generation }
    }

    /// Takes a timer back. False: it has fired or was cancelled before.
    pub fn cancel(&mut self, handle: TimerHandle) -> bool {
        match self.entries.get(handle.entry as usize) {
            Some(entry) if entry.generation == handle.generation => {
                let tick = entry.tick;
                self.unlink(handle.entry, tick);
                self.release(handle.entry);
                true
            }
            Some(_) | None => false,
        }
    }

    /// The next timer whose deadline is not after `now`: the earliest, and of those the one that was set first.
    ///
    /// `None` says that all have fired; timers may be set and cancelled between two calls.
    pub fn pop(&mut self, now: Instant) -> Option<K> {
        while self.due.head == NONE {
            if !self.advance(self.tick_at_or_before(now)) {
                return None;
            }
        }
        let entry = self.due.head;
        let Entry { key, tick, .. } = self.entries[entry as usize];
        self.unlink(entry, tick);
        self.release(entry);
        Some(key)
    }

    /// Calls `fire` with the key of every timer whose deadline is not after `now`, in order.
    pub fn expire(&mut self, now: Instant, mut fire: impl FnMut(K)) {
        while let Some(key) = self.pop(now) {
            fire(key);
        }
    }

    /// When to call [`Wheel::pop`] next: at or before the earliest deadline, never behind it. `None`: no timer is set.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.due.head != NONE {
            return Some(self.instant(self.elapsed));
        }
        self.next_slot().map(|(_, _, start)| self.instant(start))
    }

    /// How many timers are set.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True where no timer is set.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Moves the present on to the next list at or before `limit` and spreads that list. False: there is none, and the
    /// present is now at `limit`.
    fn advance(&mut self, limit: u64) -> bool {
        match self.next_slot() {
            Some((level, slot, start)) if start <= limit => {
                self.elapsed = start;
                self.occupied[level] &= !(1 << slot);
                let mut entry = std::mem::replace(&mut self.slots[level][slot], EMPTY).head;
                while entry != NONE {
                    let Entry { tick, next, .. } = self.entries[entry as usize];
                    self.append(entry, tick);
                    entry = next;
                }
                true
            }
            Some(_) | None => {
                self.elapsed = self.elapsed.max(limit);
                false
            }
        }
    }

    /// Level, slot and first tick of the list that comes next. A lower level is always before a higher one.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        let level = self.occupied.iter().position(|slots| *slots != 0)?;
        let slot = self.occupied[level].trailing_zeros() as usize;
        let above = self.elapsed >> (BITS * (level + 1)) << (BITS * (level + 1));
        Some((level, slot, above | (slot as u64) << (BITS * level)))
    }

    /// A function of the tick and the present alone: this is what keeps timers of one tick together.
    fn place(&self, tick: u64) -> Place {
        if tick <= self.elapsed {
            return Place::Due;
        }
        let level = (tick ^ self.elapsed).ilog2() as usize / BITS;
        Place::Slot { level, slot: (tick >> (BITS * level)) as usize % SLOTS }
    }

    fn append(&mut self, entry: u32, tick: u64) {
        let list = match self.place(tick) {
            Place::Due => &mut self.due,
            Place::Slot { level, slot } => {
                self.occupied[level] |= 1 << slot;
                &mut self.slots[level][slot]
            }
        };
        let previous = std::mem::replace(&mut list.tail, entry);
        match previous {
            NONE => list.head = entry,
            _ => self.entries[previous as usize].next = entry,
        }
        let entry = &mut self.entries[entry as usize];
        (entry.previous, entry.next) = (previous, NONE);
    }

    fn unlink(&mut self, entry: u32, tick: u64) {
        let Entry { previous, next, .. } = self.entries[entry as usize];
        if previous != NONE {
            self.entries[previous as usize].next = next;
        }
        if next != NONE {
            self.entries[next as usize].previous = previous;
        }
        let place = self.place(tick);
        let list = match place {
            Place::Due => &mut self.due,
            Place::Slot { level, slot } => &mut self.slots[level][slot],
        };
        if previous == NONE {
            list.head = next;
        }
        if next == NONE {
            list.tail = previous;
        }
        if let (Place::Slot { level, slot }, NONE) = (place, list.head) {
            self.occupied[level] &= !(1 << slot);
        }
    }

    fn allocate(&mut self, key: K, tick: u64) -> u32 {
        if self.free == NONE {
            let entry = self.entries.len() as u32;
            self.entries.push(Entry { key, tick, generation: 1, previous: NONE, next: NONE });
            return entry;
        }
        let at = self.free;
        let entry = &mut self.entries[at as usize];
        self.free = entry.next;
        *entry = Entry { key, tick, generation: entry.generation.wrapping_add(1), previous: NONE, next: NONE };
        at
    }

    fn release(&mut self, at: u32) {
        let entry = &mut self.entries[at as usize];
        entry.generation = entry.generation.wrapping_add(1);
        entry.next = self.free;
        self.free = at;
        self.len -= 1;
    }

    fn tick_at_or_after(&self, moment: Instant) -> u64 {
        let nanos = moment.saturating_duration_since(self.base).as_nanos();
        u64::try_from(nanos.div_ceil(1_000_000)).unwrap_or(LAST_TICK).min(LAST_TICK)
    }

    fn tick_at_or_before(&self, moment: Instant) -> u64 {
        let millis = moment.saturating_duration_since(self.base).as_millis();
        u64::try_from(millis).unwrap_or(LAST_TICK).min(LAST_TICK)
    }

    fn instant(&self, tick: u64) -> Instant {
        self.base + Duration::from_millis(tick)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::Clock;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn fired(wheel: &mut Wheel<u32>, now: Instant) -> Vec<u32> {
        let mut keys = Vec::new();
        wheel.expire(now, |key| keys.push(key));
        keys
    }

    #[test]
    fn timers_of_one_tick_fire_in_the_order_they_were_set_in() {
        let base = Clock::new().now().monotonic;
        let mut wheel = Wheel::new(base);
        wheel.set(base + ms(100), 1);
        // Tick 70 is in the same block of 64 as tick 100, tick 0 is not: the later timer starts on a lower level.
        assert!(fired(&mut wheel, base + ms(70)).is_empty());
        wheel.set(base + ms(100), 2);
        wheel.set(base + ms(99), 3);
        assert_eq!(fired(&mut wheel, base + ms(100)), [3, 1, 2]);
    }

    #[test]
    fn a_part_of_a_millisecond_is_rounded_up() {
        let base = Clock::new().now().monotonic;
        let mut wheel = Wheel::new(base);
        wheel.set(base + Duration::from_micros(1_001), 1);
        assert!(fired(&mut wheel, base + Duration::from_micros(1_999)).is_empty());
        assert_eq!(fired(&mut wheel, base + ms(2)), [1]);
    }

    #[test]
    fn a_handle_of_the_past_cancels_nothing() {
        let base = Clock::new().now().monotonic;
        let mut wheel = Wheel::new(base);
        let first = wheel.set(base + ms(1), 1);
        assert_eq!(fired(&mut wheel, base + ms(1)), [1]);
        wheel.set(base + ms(2), 2);
        assert!(!wheel.cancel(first));
        assert_eq!(fired(&mut wheel, base + ms(2)), [2]);
    }

    #[test]
    fn what_is_set_while_firing_fires_in_its_turn() {
        let base = Clock::new().now().monotonic;
        let mut wheel = Wheel::new(base);
        wheel.set(base + ms(5), 1);
        wheel.set(base + ms(7), 2);
        assert_eq!(wheel.pop(base + ms(9)), Some(1));
        wheel.set(base + ms(1), 3);
        wheel.set(base + ms(6), 4);
        wheel.set(base + ms(8), 5);
        assert_eq!(fired(&mut wheel, base + ms(9)), [3, 4, 2, 5]);
    }

    #[test]
    fn a_deadline_beyond_the_horizon_waits_there() {
        let base = Clock::new().now().monotonic;
        let mut wheel = Wheel::new(base);
        wheel.set(base + Duration::from_secs(200 * 365 * 86_400), 1);
        assert!(fired(&mut wheel, base + Duration::from_secs(100 * 365 * 86_400)).is_empty());
        assert_eq!(wheel.len(), 1);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Set { after_micros: u64 },
        Cancel { which: usize },
        Pass { micros: u64 },
        Sleep,
    }

    fn step() -> impl Strategy<Value = Step> {
        let span = || prop_oneof![0..5_000_u64, 0..300_000_u64, 0..40_000_000_u64, 0..400_000_000_000_u64];
        prop_oneof![
            4 => span().prop_map(|after_micros| Step::Set { after_micros }),
            2 => any::<usize>().prop_map(|which| Step::Cancel { which }),
            2 => span().prop_map(|micros| Step::Pass { micros }),
            1 => Just(Step::Sleep),
        ]
    }

    proptest! {
        /// Against a list that is searched from end to end.
        #[test]
        fn a_wheel_fires_as_a_list_does(steps in proptest::collection::vec(step(), 1..200)) {
            let base = Clock::new().now().monotonic;
            let mut now = Duration::ZERO;
            let mut wheel = Wheel::new(base);
            let mut model: Vec<(u64, u32)> = Vec::new();
            let mut handles = Vec::new();
            for (key, step) in (0..).zip(steps) {
                match step {
                    Step::Set { after_micros } => {
                        let deadline = now + Duration::from_micros(after_micros);
                        handles.push((wheel.set(base + deadline, key), key));
                        model.push((deadline.as_micros().div_ceil(1_000) as u64, key));
                    }
                    Step::Cancel { which } if !handles.is_empty() => {
                        let (handle, key) = handles[which % handles.len()];
                        let before = model.len();
                        model.retain(|(_, set)| *set != key);
                        prop_assert_eq!(wheel.cancel(handle), model.len() < before);
                    }
                    Step::Cancel { .. } => {}
                    Step::Pass { micros } => now += Duration::from_micros(micros),
                    Step::Sleep => {
                        if let Some(deadline) = wheel.next_deadline() {
                            now = now.max(deadline - base);
                        }
                    }
                }
                model.sort_by_key(|(tick, _)| *tick);
                let due = model.partition_point(|(tick, _)| *tick <= now.as_millis() as u64);
                let expected: Vec<u32> = model.drain(..due).map(|(_, key)| key).collect();
                prop_assert_eq!(fired(&mut wheel, base + now), expected);
                prop_assert_eq!(wheel.len(), model.len());
                match (wheel.next_deadline(), model.first()) {
                    (Some(deadline), Some((tick, _))) => {
                        prop_assert!(deadline <= base + ms(*tick) && deadline > base + now);
                    }
                    (deadline, first) => prop_assert!(deadline.is_none() && first.is_none()),
                }
            }
        }
    }
}
