//! Choices out of the bytes of an input.

use imscore_sip::parse::Limits;

/// Takes choices from the front of an input; behind its end every choice is the first one.
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Input<'a> {
        Input(data)
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// One of so many, from 0. The digits and letters of a seed that is written by hand stand in their order.
    pub(crate) fn choice(&mut self, of: usize) -> usize {
        let byte = self.byte();
        let number = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'z' => byte - b'a' + 10,
            other => other,
        };
        usize::from(number) % of
    }

    /// One of these.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.choice(from.len())]
    }

    /// What stands in front of the next line feed, without it.
    pub(crate) fn line(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|byte| *byte == b'\n').unwrap_or(self.0.len());
        let line = &self.0[..end];
        self.0 = self.0.get(end + 1..).unwrap_or_default();
        line
    }

    /// As [`line`](Input::line), as text without controls.
    pub(crate) fn text(&mut self) -> String {
        String::from_utf8_lossy(self.line()).chars().filter(|character| !character.is_control()).collect()
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }
}

/// Limits that whatever was written here keeps: an answer may be longer than what it answers.
pub(crate) fn roomy() -> Limits {
    let mut limits = Limits::default();
    limits.message = 1 << 24;
    limits.header_block = 65_535;
    limits.lines = 65_535;
    limits.line = 65_535;
    limits.folds = 65_535;
    limits.uri = 65_535;
    limits
}
