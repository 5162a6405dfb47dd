//! Hashing, and its memory: one block for all hashes of a burst, returned to the system when no job
//! waits.
//!
//! A block for each hash would not be returned: once glibc's allocator has had a block of its own
//! from the system, it carves the next from its heap, small allocations land between them, and
//! after some dozens of passwords 56 MiB are lost. It always takes blocks above 32 MiB from the
//! system, and returns them; so this allocates one of those, and only touches as much as a hash
//! needs.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};

use crate::limits::PASSWORD_MEMORY_BYTES;

#[derive(Default)]
pub(super) struct Memory(Vec<Block>);

impl Memory {
    /// The hash of a password, as a PHC string: Argon2id with 7 MiB, 5 passes and one lane, the
    /// choice of least memory in OWASP's "Password Storage Cheat Sheet", for small machines.
    pub fn hash(&mut self, password: &str, salt: &[u8; 16]) -> Option<Box<str>> {
        let params = Params::new(7 * 1024, 5, 1, None).ok()?;
        let (salt, version) = (Salt::new(salt).ok()?, Version::V0x13);
        let length = Params::DEFAULT_OUTPUT_LEN;
        let output = self.run(password, &salt, (Algorithm::Argon2id, version), &params, length)?;
        let hash = PasswordHash {
            algorithm: ARGON2ID_IDENT,
            version: Some(version.into()),
            params: ParamsString::try_from(&params).ok()?,
            salt: Some(salt),
            hash: Some(output),
        };
        Some(hash.to_string().into())
    }

    /// Whether a password matches a hash, which names its own parameters, so that ours can change.
    /// An unreadable hash matches nothing.
    pub fn verify(&mut self, password: &str, hash: &str) -> bool {
        let mut verify = || {
            let hash = PasswordHash::new(hash).ok()?;
            let (salt, expected) = hash.salt.as_ref().zip(hash.hash.as_ref())?;
            let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
            let version = hash.version.map(Version::try_from).transpose().ok()?;
            let params = Params::try_from(&hash).ok()?;
            let how = (algorithm, version.unwrap_or_default());
            let found = self.run(password, salt, how, &params, expected.len())?;
            // Compared in constant time: see `Output`.
            Some(found == *expected)
        };
        verify().unwrap_or_default()
    }

    /// Returns the memory, as no job waits.
    pub fn give_back(&mut self) {
        self.0 = Vec::new();
    }

    fn run(
        &mut self,
        password: &str,
        salt: &Salt,
        (algorithm, version): (Algorithm, Version),
        params: &Params,
        length: usize,
    ) -> Option<Output> {
        let count = params.block_count();
        if self.0.len() < count {
            self.0 = Vec::with_capacity(count.max(PASSWORD_MEMORY_BYTES / size_of::<Block>()));
            self.0.resize(count, Block::default());
        }
        let mut output = [0; Output::MAX_LENGTH];
        let output = output.get_mut(..length)?;
        Argon2::new(algorithm, version, params.clone())
            .hash_password_into_with_memory(password.as_bytes(), salt, output, &mut self.0[..count])
            .ok()?;
        Output::new(output).ok()
    }
}

#[cfg(test)]
mod tests {
    use argon2::{PasswordHasher, PasswordVerifier};

    use super::*;

    /// Reused memory gives the same hash.
    #[test]
    fn it_hashes_as_argon2_does() {
        let mut memory = Memory::default();
        for (password, salt) in [("one", [1; 16]), ("another", [2; 16]), ("one", [1; 16])] {
            let hash = memory.hash(password, &salt).expect("a hash");
            let params = Params::new(7 * 1024, 5, 1, None).expect("constants");
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            let expected = argon2.hash_password_with_salt(password.as_bytes(), &salt);
            assert_eq!(*hash, *expected.expect("a hash").to_string());
            assert!(memory.verify(password, &hash) && !memory.verify("other", &hash));
        }
        // A hash with other parameters, from another program.
        let argon2 = Argon2::new(Algorithm::Argon2i, Version::V0x10, Params::DEFAULT);
        let other = argon2.hash_password_with_salt(b"theirs", &[3; 16]).expect("a hash");
        let other = other.to_string();
        assert!(argon2.verify_password(b"theirs", &*other).is_ok());
        assert!(memory.verify("theirs", &other) && !memory.verify("ours", &other));
        memory.give_back();
        assert!(memory.0.capacity() == 0);
    }
}
