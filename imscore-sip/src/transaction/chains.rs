//! Which transactions go by which connection, so that its loss finds them without a search.

use std::hash::{BuildHasher, Hash};

use hashbrown::HashMap;

/// Slots in chains by key, in the order in which they joined. A slot is in one chain at most.
#[derive(Debug)]
pub(super) struct Chains<K, S> {
    ends: HashMap<K, Ends, S>,
    links: Vec<Link>,
}

#[derive(Clone, Copy, Debug)]
struct Ends {
    head: u32,
    tail: u32,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    previous: u32,
    next: u32,
}

const NONE: u32 = u32::MAX;

impl<K: Eq + Hash + Copy, S: BuildHasher> Chains<K, S> {
    pub(super) fn new(hasher: S) -> Chains<K, S> {
        Chains { ends: HashMap::with_hasher(hasher), links: Vec::new() }
    }

    /// Puts a slot at the end of a chain.
    pub(super) fn join(&mut self, key: K, slot: u32) {
        if self.links.len() <= slot as usize {
            self.links.resize(slot as usize + 1, Link { previous: NONE, next: NONE });
        }
        let ends = self.ends.entry(key).or_insert(Ends { head: slot, tail: NONE });
        let previous = std::mem::replace(&mut ends.tail, slot);
        self.links[slot as usize] = Link { previous, next: NONE };
        if previous != NONE {
            self.links[previous as usize].next = slot;
        }
    }

    /// Takes a slot out of the chain that it joined with `key`.
    pub(super) fn leave(&mut self, key: K, slot: u32) {
        let Some(&Link { previous, next }) = self.links.get(slot as usize) else {
            return;
        };
        if previous == NONE && next == NONE {
            self.ends.remove(&key);
            return;
        }
        if previous != NONE {
            self.links[previous as usize].next = next;
        }
        if next != NONE {
            self.links[next as usize].previous = previous;
        }
        if let Some(ends) = self.ends.get_mut(&key) {
            if previous == NONE {
                ends.head = next;
            }
            if next == NONE {
                ends.tail = previous;
            }
        }
    }

    /// The slots of a chain, first to join first.
    pub(super) fn of(&self, key: &K) -> Vec<u32> {
        let mut at = self.ends.get(key).map_or(NONE, |ends| ends.head);
        let mut slots = Vec::new();
        while at != NONE {
            slots.push(at);
            at = self.links[at as usize].next;
        }
        slots
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::hash::BuildHasherDefault;

    use proptest::prelude::*;
    use siphasher::sip::SipHasher13;

    use super::*;

    proptest! {
        #[test]
        fn chains_are_lists_by_key(steps in proptest::collection::vec((0..4_u8, 0..12_u32), 1..100)) {
            let mut chains = Chains::new(BuildHasherDefault::<SipHasher13>::default());
            let mut model: BTreeMap<u8, Vec<u32>> = BTreeMap::new();
            for (key, slot) in steps {
                match model.iter().find_map(|(key, slots)| slots.contains(&slot).then_some(*key)) {
                    Some(joined) => {
                        chains.leave(joined, slot);
                        model.entry(joined).or_default().retain(|other| *other != slot);
                    }
                    None => {
                        chains.join(key, slot);
                        model.entry(key).or_default().push(slot);
                    }
                }
                for key in 0..4 {
                    prop_assert_eq!(chains.of(&key), model.get(&key).cloned().unwrap_or_default());
                }
                prop_assert_eq!(chains.ends.len(), model.values().filter(|slots| !slots.is_empty()).count());
            }
        }
    }
}
