//! The public types of a crate and the examples that they stand in.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use public_api::PublicApi;
use rustdoc_types::{Crate, Id};

use crate::example::{self, Example};

/// A public struct, enum, union or trait under all the paths that lead to it.
#[derive(Debug, Default)]
pub(crate) struct Type {
    paths: BTreeSet<String>,
    is_trait: bool,
}

/// The public types of a crate.
pub(crate) fn of(api: &PublicApi) -> Vec<Type> {
    let mut types: BTreeMap<u32, Type> = BTreeMap::new();
    for item in api.items() {
        let Some((is_trait, path)) = type_of(&item.to_string()) else { continue };
        let Id(id) = item.id();
        let found = types.entry(id).or_default();
        found.is_trait = is_trait;
        found.paths.insert(path);
    }
    types.into_values().collect()
}

/// The path of a line of the listing that is a type's, and whether that is a trait.
fn type_of(line: &str) -> Option<(bool, String)> {
    let mut words = line.split(' ').skip_while(|word| word.starts_with('#'));
    (words.next() == Some("pub")).then_some(())?;
    let kind = words.find(|word| !matches!(*word, "unsafe" | "auto"))?;
    matches!(kind, "struct" | "enum" | "union" | "trait").then_some(())?;
    let path = words.next()?;
    let end = path.find(['<', '(', ';']).unwrap_or(path.len());
    Some((kind == "trait", path[..end].trim_end_matches(':').to_owned()))
}

/// The first path of each type that no example of the crate's documentation shows. A trait is shown where it is imported,
/// since its methods are called without its name.
pub(crate) fn without_example(types: &[Type], documentation: &Crate) -> Vec<String> {
    let mut shown = Example::default();
    for item in documentation.index.values().filter(|item| item.crate_id == 0) {
        for block in example::blocks(item.docs.as_deref().unwrap_or_default()) {
            shown.add(&block);
        }
    }
    let is_shown =
        |found: &Type| found.paths.iter().any(|path| shown.uses(path) || (found.is_trait && shown.imports(path)));
    let missing: BTreeSet<&String> =
        types.iter().filter(|found| !is_shown(found)).filter_map(|found| found.paths.first()).collect();
    missing.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_types_and_others() {
        let check = |line: &str, expected: Option<(bool, &str)>| {
            assert_eq!(type_of(line), expected.map(|(is_trait, path)| (is_trait, path.to_owned())), "{line}");
        };
        check("pub struct a::b::C", Some((false, "a::b::C")));
        check("#[non_exhaustive] pub enum a::D<T>", Some((false, "a::D")));
        check("pub trait a::E: core::marker::Send", Some((true, "a::E")));
        check("pub struct a::F(pub u8)", Some((false, "a::F")));
        check("pub fn a::b::C::new() -> Self", None);
        check("pub a::b::C::field: u8", None);
        check("impl core::fmt::Debug for a::b::C", None);
    }
}
