//! Random nonces.

use crate::Error;

/// Length of a nonce in bytes: XAES-256-GCM takes 192 bits, so that random ones may be used for 2^80 messages.
pub const NONCE_LEN: usize = 24;

/// A nonce, to be used for one message.
pub type Nonce = [u8; NONCE_LEN];

/// Nonces from the operating system's generator, fetched in batches because one call costs as much as sealing.
///
/// A process that forks would share the rest of the batch with its child and both would use the same nonces; so each
/// call names the process, and a batch fetched by another process is thrown away.
pub struct NonceSource {
    process: u32,
    used: usize,
    batch: [Nonce; Self::BATCH],
}

impl NonceSource {
    /// 170 nonces are 4,080 bytes: beyond that the cost of the call itself no longer shows.
    const BATCH: usize = 170;

    /// An empty source, which fetches at its first use.
    #[must_use]
    pub const fn new() -> Self {
        Self { process: 0, used: Self::BATCH, batch: [[0; NONCE_LEN]; Self::BATCH] }
    }

    /// The next nonce. `process` is the id of the calling process.
    ///
    /// # Errors
    /// [`Error::NoRandomness`] when the operating system gives none.
    pub fn next(&mut self, process: u32) -> Result<Nonce, Error> {
        if self.process != process || self.used == Self::BATCH {
            // Spent until proven filled, so that a failure cannot leave half of a batch in use.
            self.used = Self::BATCH;
            getrandom::fill(self.batch.as_flattened_mut()).map_err(|_| Error::NoRandomness)?;
            self.process = process;
            self.used = 0;
        }
        let nonce = self.batch[self.used];
        self.used += 1;
        Ok(nonce)
    }
}

impl Default for NonceSource {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nonces_do_not_repeat() {
        let mut source = NonceSource::new();
        let nonces: HashSet<_> = (0..1000).map(|_| source.next(1)).collect::<Result<_, _>>().unwrap_or_default();
        assert_eq!(nonces.len(), 1000);
    }

    #[test]
    fn a_forked_process_does_not_share_its_parents_batch() {
        let mut parent = NonceSource::new();
        assert!(parent.next(1).is_ok());
        let mut child = NonceSource { process: parent.process, used: parent.used, batch: parent.batch };
        assert_ne!(parent.next(1), child.next(2));
    }
}
