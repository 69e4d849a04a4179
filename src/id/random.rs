//! Random words, from the operating system alone.

use std::{cell::RefCell, fmt, thread::LocalKey};

use zeroize::Zeroize;

/// Where random words come from: the operating system, and nothing else.
///
/// They are fetched in blocks of a kibibyte per thread and wiped as they are used, because a call per secret costs more
/// than all the rest of a rotation. A machine that is copied while it runs has the same block in both copies: start
/// processes after the copy, as for every program that draws secrets.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Random {
    System,
    /// A source that fails, for the tests of what happens then.
    #[cfg(test)]
    Broken,
}

impl Random {
    /// Draws words for a secret. A forked child does not use its parent's block.
    pub(crate) fn draw<const N: usize>(self) -> Result<[u64; N], RandomError> {
        self.with_pool(&SECRETS, |pool| {
            pool.leave_to_parent();
            pool.draw()
        })
    }

    /// Draws a number that nobody else draws, and that need not be secret.
    ///
    /// To ask whether this is a forked child is a system call; the moment tells the child from its parent as well. No number
    /// comes from the block of secrets: a child that has not drawn one yet would tell everybody what its parent draws next.
    pub(crate) fn draw_number(self, moment: u64) -> Result<u64, RandomError> {
        let [number] = self.with_pool(&NUMBERS, Pool::draw)?;
        Ok(number ^ moment)
    }

    fn with_pool<T>(
        self,
        pool: &'static LocalKey<RefCell<Pool>>,
        draw: impl FnOnce(&mut Pool) -> Result<T, RandomError>,
    ) -> Result<T, RandomError> {
        match self {
            Self::System => pool.with_borrow_mut(draw),
            #[cfg(test)]
            Self::Broken => Err(RandomError(getrandom::Error::UNSUPPORTED)),
        }
    }
}

/// The operating system gave no random bytes.
#[derive(Debug)]
pub(crate) struct RandomError(getrandom::Error);

impl fmt::Display for RandomError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the operating system gave no random bytes")
    }
}

impl std::error::Error for RandomError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

thread_local! {
    static SECRETS: RefCell<Pool> = const { RefCell::new(Pool::EMPTY) };
    static NUMBERS: RefCell<Pool> = const { RefCell::new(Pool::EMPTY) };
}

struct Pool {
    words: [u64; Self::LEN],
    used: usize,
    process: u32,
}

impl Pool {
    const LEN: usize = 128;
    const EMPTY: Self = Self {
        words: [0; Self::LEN],
        used: Self::LEN,
        process: 0,
    };

    /// Begins a block of its own in a forked child.
    fn leave_to_parent(&mut self) {
        if self.process != std::process::id() {
            self.used = Self::LEN;
        }
    }

    fn draw<const N: usize>(&mut self) -> Result<[u64; N], RandomError> {
        const { assert!(N <= Self::LEN, "more than a block holds") };
        if self.used + N > Self::LEN {
            self.refill()?;
        }
        let source = &mut self.words[self.used..self.used + N];
        let drawn = (&*source).try_into().expect("a slice of N words");
        source.zeroize();
        self.used += N;
        Ok(drawn)
    }

    fn refill(&mut self) -> Result<(), RandomError> {
        self.used = Self::LEN; // Nothing is drawn from a block that was filled in part.
        let mut bytes = [[0; 8]; Self::LEN];
        getrandom::fill(bytes.as_flattened_mut()).map_err(RandomError)?;
        self.words = bytes.map(u64::from_ne_bytes);
        bytes.zeroize();
        self.process = std::process::id();
        self.used = 0;
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.words.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_were_drawn_are_wiped_from_the_block() {
        let mut pool = Pool::EMPTY;
        let drawn: [u64; 4] = pool.draw().unwrap();
        assert_ne!(drawn, [0; 4]);
        assert_eq!(pool.words[..4], [0; 4]);
        assert_ne!(pool.words[4..8], [0; 4]);
    }

    #[test]
    fn no_number_comes_from_the_block_of_secrets() {
        let used = || SECRETS.with_borrow(|pool| pool.used);
        let _: [u64; 1] = Random::System.draw().unwrap();
        let before = used();
        Random::System.draw_number(0).unwrap();
        assert_eq!(used(), before);
    }

    #[test]
    fn a_forked_child_does_not_draw_from_its_parents_block() {
        let mut pool = Pool::EMPTY;
        let _: [u64; 1] = pool.draw().unwrap();
        let inherited = pool.words;
        pool.process = pool.process.wrapping_add(1);
        pool.leave_to_parent();
        let drawn: [u64; 4] = pool.draw().unwrap();
        assert!(!inherited.windows(4).any(|window| window == drawn));
    }

    #[test]
    fn a_number_that_a_forked_child_draws_is_another_one() {
        let mut parent = Pool::EMPTY;
        parent.refill().unwrap();
        let number = |moment| {
            NUMBERS.set(Pool {
                words: parent.words,
                used: 0,
                process: parent.process,
            });
            Random::System.draw_number(moment).unwrap()
        };
        assert_ne!(number(1), number(2));
    }
}
