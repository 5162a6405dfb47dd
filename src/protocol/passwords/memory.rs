//! Hashing itself, and the memory that it takes: one piece for all hashes of one burst, which goes
//! back to the system when nobody waits any more.
//!
//! A piece for each hash is not given back: once glibc's allocator has had one that it had taken
//! from the system for that alone, it carves the next from its heap, small things come to lie
//! between them, and after some dozens of passwords 56 MiB are gone for good. What is larger than
//! 32 MiB it always takes from the system, and gives back; so that is asked for, and only as much
//! as a hash needs is ever touched.

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

    /// Whether a password is the one of a hash, which brings its own parameters, so that ours can
    /// be changed. One that cannot be read opens nothing.
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

    /// Nobody waits any more.
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

    /// With memory that has been used before, it is the same hash.
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
        // One with other parameters, made by others.
        let argon2 = Argon2::new(Algorithm::Argon2i, Version::V0x10, Params::DEFAULT);
        let other = argon2.hash_password_with_salt(b"theirs", &[3; 16]).expect("a hash");
        let other = other.to_string();
        assert!(argon2.verify_password(b"theirs", &*other).is_ok());
        assert!(memory.verify("theirs", &other) && !memory.verify("ours", &other));
        memory.give_back();
        assert!(memory.0.capacity() == 0);
    }
}
