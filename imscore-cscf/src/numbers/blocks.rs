//! Numbers by blocks of a table, for networks without ENUM in DNS.

use std::collections::BTreeMap;

use async_trait::async_trait;
use imscore_sip::ByteString;

use super::lookup::{Directory, DirectoryError};
use super::naptr::{NaptrRecord, Substitution, SubstitutionError};

/// Numbers that begin alike, and what their URIs are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    prefix: ByteString,
    substitution: ByteString,
}

/// Why a block is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// Not `+` and up to 15 digits.
    #[error("{0:?} is no prefix of a global number: `+` and up to 15 digits")]
    Prefix(String),
    /// Not a substitution.
    #[error("{1:?}: {0}")]
    Substitution(SubstitutionError, String),
}

impl Block {
    /// Numbers with this prefix, `+1201`, have the URIs that this substitution makes of them, which is written as in a
    /// NAPTR record (RFC 3402 §3.2): `!^(.*)$!sip:\1@ims.example!`.
    ///
    /// # Errors
    /// No prefix of a global number, or no substitution.
    pub fn new(prefix: &str, substitution: &str) -> Result<Block, BlockError> {
        let digits = prefix.strip_prefix('+').filter(|digits| digits.len() <= 15);
        if !digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(BlockError::Prefix(prefix.to_owned()));
        }
        Substitution::read(substitution).map_err(|error| BlockError::Substitution(error, substitution.to_owned()))?;
        Ok(Block { prefix: prefix.into(), substitution: substitution.into() })
    }
}

/// A directory of blocks, for [`Enum`](super::Enum): of those that a number is in, the one with the longest prefix counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    blocks: BTreeMap<ByteString, ByteString>,
}

impl Numbers {
    /// These blocks; of two with one prefix the later counts.
    pub fn new(blocks: impl IntoIterator<Item = Block>) -> Numbers {
        Numbers { blocks: blocks.into_iter().map(|block| (block.prefix, block.substitution)).collect() }
    }
}

#[async_trait]
impl Directory for Numbers {
    async fn naptr(&self, name: &str) -> Result<Vec<NaptrRecord>, DirectoryError> {
        let mut number: Vec<char> = name.split('.').map_while(digit).collect();
        number.push('+');
        let number: String = number.iter().rev().collect();
        let found = (1..=number.len()).rev().find_map(|length| self.blocks.get(&number[..length]));
        let record = |substitution: &ByteString| NaptrRecord {
            flags: "u".into(),
            services: "E2U+sip".into(),
            regexp: substitution.clone(),
            ..NaptrRecord::default()
        };
        Ok(found.map(record).into_iter().collect())
    }
}

/// The digit that a label is.
fn digit(label: &str) -> Option<char> {
    label.parse().ok().filter(char::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::numbers::Enum;
    use crate::trial::Trial;

    #[test]
    fn the_longest_prefix() {
        let block = |prefix, user: &str| Block::new(prefix, &format!("!^.*$!sip:{user}@h!")).unwrap();
        let numbers =
            Numbers::new([block("+", "any"), block("+1", "one"), block("+1201", "jersey"), block("+1", "two")]);
        let directory = Enum::new("e164.arpa", Arc::new(numbers));
        for (number, expected) in [("+12015550123", "jersey"), ("+1202", "two"), ("+44", "any")] {
            let found = Trial::new().run(directory.look_up(&format!("tel:{number}").parse().unwrap()));
            assert_eq!(found.unwrap().unwrap().as_str(), format!("sip:{expected}@h"), "{number}");
        }
        let empty = Enum::new("e164.arpa", Arc::new(Numbers::default()));
        assert_eq!(Trial::new().run(empty.look_up(&"tel:+1".parse().unwrap())), Ok(None));
    }

    #[test]
    fn what_is_no_block() {
        for prefix in ["", "1201", "+12a", "+1234567890123456"] {
            assert_eq!(Block::new(prefix, "!^.*$!sip:a@h!"), Err(BlockError::Prefix(prefix.into())));
        }
        let error = BlockError::Substitution(SubstitutionError::Form, "!".into());
        assert_eq!(Block::new("+1", "!"), Err(error));
    }
}
