//! The listing of a crate: a line an item, what belongs together side by side.
//!
//! A function that a trait asks for has no line: the line of the `impl` says that it is there. Nor has what the compiler
//! marks for itself.

use std::collections::BTreeSet;

use public_api::{PublicApi, PublicItem};
use rustdoc_types::{Crate, ItemEnum};

/// The public items, each a line with its end, in the order of their paths.
pub(crate) fn lines(api: &PublicApi, documentation: &Crate) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let own = api.items().filter(|item| !says_nothing(item, documentation));
    own.map(|item| format!("{item}\n")).filter(|line| seen.insert(line.clone())).collect()
}

fn says_nothing(item: &PublicItem, documentation: &Crate) -> bool {
    if item.to_string().starts_with("impl core::marker::StructuralPartialEq for ") {
        return true;
    }
    let inner = |id| documentation.index.get(&id).map(|found| &found.inner);
    let of_trait = |parent: &ItemEnum| matches!(parent, ItemEnum::Impl(found) if found.trait_.is_some());
    matches!(inner(item.id()), Some(ItemEnum::Function(_))) && item.parent_id().and_then(inner).is_some_and(of_trait)
}

/// What is only in `listing`, with `-`, and what is only in `lines`, with `+`, sorted by the items.
pub(crate) fn changes(listing: &str, lines: &[String]) -> Vec<String> {
    let old: BTreeSet<&str> = listing.lines().collect();
    let new: BTreeSet<&str> = lines.iter().map(|line| line.trim_end()).collect();
    let mut changes: Vec<(&str, char)> = old.difference(&new).map(|line| (*line, '-')).collect();
    changes.extend(new.difference(&old).map(|line| (*line, '+')));
    changes.sort_unstable_by_key(|(line, sign)| (*line, *sign != '-'));
    changes.into_iter().map(|(line, sign)| format!("{sign} {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_and_what_came_is_told_and_nothing_else() {
        let lines = ["pub fn a::b()\n".to_owned(), "pub struct a::C\n".to_owned()];
        assert_eq!(changes("pub fn a::b()\npub struct a::C\n", &lines), Vec::<String>::new());
        assert_eq!(
            changes("pub fn a::b(u8)\npub struct a::C\n", &lines),
            ["+ pub fn a::b()".to_owned(), "- pub fn a::b(u8)".to_owned()]
        );
    }
}
