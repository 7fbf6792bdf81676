//! Which columns a ranking may choose from: sets of bits, one for all rows or one per row.

pub const BITS: usize = u32::BITS as usize;

/// The sets of a call; without sets, all columns are allowed.
#[derive(Default)]
pub struct Allowed {
    words: Vec<u32>,
    /// The words of one set; 0 = no sets.
    length: usize,
    is_shared: bool,
}

impl Allowed {
    /// `words`: one set of `columns` bits, or one for each of `rows` rows.
    pub fn of(words: Option<Vec<u32>>, rows: usize, columns: usize) -> Self {
        let Some(words) = words else { return Self::default() };
        let length = columns.div_ceil(BITS);
        let is_shared = words.len() == length;
        assert!(is_shared || words.len() == rows * length, "neither one set nor one per row");
        Self { words, length, is_shared }
    }

    /// The set of a row; none if all columns are allowed.
    pub fn row(&self, row: usize) -> Option<&[u32]> {
        let first = if self.is_shared { 0 } else { row * self.length };
        (self.length > 0).then(|| &self.words[first..first + self.length])
    }
}

/// Up to this many of 32 rows are read one by one. If more are allowed, reading all of them in order is faster than skipping some.
pub const MOST_SKIPPING: u32 = 4;

/// The rows to read among the 32 from `first`, a multiple of 32: those in a set, or all if most of them are read anyway.
#[inline(always)]
pub fn read_from(set: Option<&[u32]>, first: usize) -> u32 {
    set.map_or(u32::MAX, |words| {
        let word = words[first / BITS];
        if word.count_ones() > MOST_SKIPPING { u32::MAX } else { word }
    })
}

/// Whether a column is in a set.
#[inline(always)]
pub fn has(set: Option<&[u32]>, column: usize) -> bool {
    set.is_none_or(|words| words[column / BITS] >> (column % BITS) & 1 == 1)
}

/// Marks the columns that are not in a set.
pub fn exclude_others(excluded: &mut [bool], set: Option<&[u32]>) {
    let Some(words) = set else { return };
    for (columns, &word) in excluded.chunks_mut(BITS).zip(words) {
        for (bit, excluded) in columns.iter_mut().enumerate() {
            *excluded = word >> bit & 1 == 0;
        }
    }
}
