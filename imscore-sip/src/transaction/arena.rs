//! Transactions by slot: dense numbers that are used again, told apart by a generation.

/// Values in numbered slots.
#[derive(Debug)]
pub(super) struct Arena<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Arena<T> {
    pub(super) fn new() -> Arena<T> {
        Arena { slots: Vec::new(), free: Vec::new() }
    }

    /// The slot that the next [`Arena::insert`] takes.
    pub(super) fn next(&self) -> u32 {
        self.free.last().copied().unwrap_or(self.slots.len() as u32)
    }

    /// Puts a value into a free slot; says which, and its generation.
    pub(super) fn insert(&mut self, value: T) -> (u32, u32) {
        match self.free.pop() {
            Some(at) => {
                let slot = &mut self.slots[at as usize];
                slot.value = Some(value);
                (at, slot.generation)
            }
            None => {
                self.slots.push(Slot { generation: 0, value: Some(value) });
                (self.slots.len() as u32 - 1, 0)
            }
        }
    }

    /// Takes a value out; its slot gets another generation.
    pub(super) fn remove(&mut self, at: u32) -> Option<T> {
        let slot = self.slots.get_mut(at as usize)?;
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(at);
        Some(value)
    }

    pub(super) fn get(&self, at: u32) -> Option<&T> {
        self.slots.get(at as usize)?.value.as_ref()
    }

    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut T> {
        self.slots.get_mut(at as usize)?.value.as_mut()
    }

    /// True where the slot holds the value that it got with this generation.
    pub(super) fn holds(&self, at: u32, generation: u32) -> bool {
        self.slots.get(at as usize).is_some_and(|slot| slot.generation == generation && slot.value.is_some())
    }

    /// The generation of a slot.
    pub(super) fn generation(&self, at: u32) -> u32 {
        self.slots.get(at as usize).map_or(0, |slot| slot.generation)
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_that_is_used_again_has_another_generation() {
        let mut arena = Arena::new();
        assert_eq!(arena.next(), 0);
        let first = arena.insert("first");
        let second = arena.insert("second");
        assert_eq!((first, second, arena.len()), ((0, 0), (1, 0), 2));
        assert_eq!(arena.remove(0), Some("first"));
        assert_eq!((arena.remove(0), arena.get(0), arena.len()), (None, None, 1));
        assert_eq!(arena.next(), 0);
        assert_eq!(arena.insert("third"), (0, 1));
        assert!(arena.holds(0, 1) && !arena.holds(0, 0) && !arena.holds(7, 0));
    }
}
