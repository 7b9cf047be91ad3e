//! A table of state under small keys that are not used again.

use std::marker::PhantomData;

/// Names an entry of a [`Table`]: a place and how often it was used before.
pub struct Id<T> {
    slot: u32,
    generation: u32,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.slot, self.generation) == (other.slot, other.generation)
    }
}

impl<T> Eq for Id<T> {}

impl<T> std::hash::Hash for Id<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.slot, self.generation).hash(state);
    }
}

impl<T> std::fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.slot, self.generation)
    }
}

/// Entries under [`Id`]s; places are used again, ids are not.
///
/// ```
/// use imscore_sip::table::{Id, Table};
///
/// let mut calls = Table::default();
/// let first: Id<&str> = calls.insert("first");
/// assert_eq!(calls.remove(first), Some("first"));
/// let second = calls.insert("second");
/// assert_eq!((calls.get(first), calls.get(second)), (None, Some(&"second")));
/// ```
pub struct Table<T> {
    entries: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

impl<T> Default for Table<T> {
    fn default() -> Table<T> {
        Table { entries: Vec::new(), free: Vec::new() }
    }
}

impl<T> Table<T> {
    /// Takes an entry in.
    pub fn insert(&mut self, entry: T) -> Id<T> {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.entries.push((0, None));
            (self.entries.len() - 1) as u32
        });
        let place = &mut self.entries[slot as usize];
        place.1 = Some(entry);
        Id { slot, generation: place.0, of: PhantomData }
    }

    /// The entry, while it is there.
    pub fn get(&self, id: Id<T>) -> Option<&T> {
        let (generation, entry) = self.entries.get(id.slot as usize)?;
        entry.as_ref().filter(|_| *generation == id.generation)
    }

    /// The entry, while it is there.
    pub fn get_mut(&mut self, id: Id<T>) -> Option<&mut T> {
        let (generation, entry) = self.entries.get_mut(id.slot as usize)?;
        entry.as_mut().filter(|_| *generation == id.generation)
    }

    /// Takes the entry out.
    pub fn remove(&mut self, id: Id<T>) -> Option<T> {
        let (generation, entry) = self.entries.get_mut(id.slot as usize)?;
        if *generation != id.generation {
            return None;
        }
        let entry = entry.take()?;
        *generation = generation.wrapping_add(1);
        self.free.push(id.slot);
        Some(entry)
    }

    /// All entries, by their places.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().filter_map(|(_, entry)| entry.as_ref())
    }

    /// The ids of all entries, by their places.
    pub fn ids(&self) -> impl Iterator<Item = Id<T>> {
        let taken = (0..).zip(&self.entries).filter(|(_, (_, entry))| entry.is_some());
        taken.map(|(slot, (generation, _))| Id { slot, generation: *generation, of: PhantomData })
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// True without entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_outlives_its_entry_without_naming_another() {
        let mut table = Table::default();
        let one = table.insert("one");
        assert_eq!(table.remove(one), Some("one"));
        let two = table.insert("two");
        assert_eq!((table.get(one), table.get(two), table.len()), (None, Some(&"two"), 1));
        assert_eq!(table.remove(one), None);
        let three = table.insert("three");
        table.remove(two);
        assert_eq!((table.ids().collect::<Vec<_>>(), table.iter().count()), (vec![three], 1));
    }
}
