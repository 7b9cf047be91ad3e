//! Numbers: whose URI a telephone number is, by ENUM (RFC 6116).
//!
//! ```text
//!     tel:+1-201-555-0123 ─▶ 3.2.1.0.5.5.5.1.0.2.1.e164.arpa ─▶ Directory ─▶ NAPTR records ─▶ sip:bob@ims.example
//!                                        ▲                                        │
//!                                        └──────── a record that is not terminal ─┘
//! ```
//!
//! The algorithm is here; the [`Directory`] that it asks is DNS, a table of an operator's own, or what a test says.
//!
//! ```
//! use imscore_cscf::numbers::{Block, Enum, Numbers};
//!
//! let numbers = Numbers::new([Block::new("+1201", r"!^\+1201(.*)$!sip:\1@ims.example!")?]);
//! let directory = Enum::new("e164.arpa", std::sync::Arc::new(numbers));
//! let found = futures_executor::block_on(directory.look_up(&"tel:+1-201-555-0123".parse()?))?;
//! assert_eq!(found.expect("a number of the block").as_str(), "sip:5550123@ims.example");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A directory of one's own, and what comes of one that leads nowhere:
//!
//! ```
//! use std::sync::Arc;
//!
//! use async_trait::async_trait;
//! use imscore_cscf::numbers::{Block, BlockError, Directory, DirectoryError, Enum, EnumError, NaptrRecord, SubstitutionError};
//!
//! struct Circle;
//!
//! #[async_trait]
//! impl Directory for Circle {
//!     async fn naptr(&self, name: &str) -> Result<Vec<NaptrRecord>, DirectoryError> {
//!         Ok(vec![NaptrRecord { replacement: name.into(), ..NaptrRecord::default() }])
//!     }
//! }
//!
//! let found = futures_executor::block_on(Enum::new("e164.arpa", Arc::new(Circle)).look_up(&"tel:+1".parse()?));
//! assert_eq!(found, Err(EnumError::TooLong));
//! assert_eq!(Block::new("+1", "!"), Err(BlockError::Substitution(SubstitutionError::Form, "!".into())));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod blocks;
mod lookup;
mod naptr;

pub use blocks::{Block, BlockError, Numbers};
pub use lookup::{Directory, DirectoryError, Enum, EnumError};
pub use naptr::{NaptrRecord, SubstitutionError};
