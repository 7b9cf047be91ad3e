//! Test doubles for those who ask an HSS, and a check for those who write a [`SubscriberStore`](crate::SubscriberStore)
//! (feature `testing`).

mod faulty;

pub use self::faulty::{Command, Fault, FaultyHss, Question};
pub use crate::store::contract as subscribers;
