//! Passwords: hashed slowly, a few at a time.
//!
//! Argon2id with 19 MiB, two passes, one lane (RFC 9106; OWASP's password storage guidance). Each takes some ten
//! milliseconds of a processor, so that only few run at once, and who comes past a short queue is told to come later.

use std::sync::Arc;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tidings_core::port::users::PasswordHash;
use tidings_protocol::ErrorCode;
use tidings_protocol::problem::Problem;
use tokio::sync::Semaphore;

use crate::ids::random_bytes;
use crate::problem::{Answer, Refusal};

/// A password has at least so many characters and at most so many bytes.
pub const SHORTEST: usize = 10;
/// See [`SHORTEST`].
pub const LONGEST: usize = 256;

/// Hashes worked at at once, and how long one more waits for its turn.
const AT_ONCE: usize = 2;
const WAIT: Duration = Duration::from_secs(5);
/// Most that wait.
const WAITING: usize = 64;

/// Verified in place of a password that is not there, so that the answer takes as long.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What is wrong with a password that is to be set.
///
/// # Errors
/// A sentence.
pub fn check(password: &str) -> Result<(), String> {
    if password.chars().count() < SHORTEST || password.len() > LONGEST {
        return Err(format!("a password has at least {SHORTEST} characters and at most {LONGEST} bytes"));
    }
    Ok(())
}

/// Hashes a password; takes some ten milliseconds.
///
/// # Errors
/// A sentence: no randomness.
pub fn hash(password: &str) -> Result<PasswordHash, String> {
    let salt = random_bytes::<16>().map_err(|error| error.to_string())?;
    let hashed: Phc = Argon2::default()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map_err(|error| format!("the password cannot be hashed: {error}"))?;
    Ok(PasswordHash(hashed.to_string()))
}

/// Whether the password is the one; takes as long where there is none.
#[must_use]
pub fn verify(password: &str, kept: Option<&PasswordHash>) -> bool {
    let kept = kept.map(|hash| hash.0.as_str()).filter(|hash| !hash.is_empty());
    let Ok(phc) = Phc::new(kept.unwrap_or(NOBODY)) else { return false };
    let is_right = Argon2::default().verify_password(password.as_bytes(), &phc).is_ok();
    is_right && kept.is_some()
}

/// Verifies passwords beside the server's other work.
#[derive(Debug)]
pub struct Verifiers {
    turns: Arc<Semaphore>,
    places: Semaphore,
}

impl Default for Verifiers {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)), places: Semaphore::new(WAITING) }
    }
}

impl Verifiers {
    /// Whether the password is the one, once it is its turn.
    ///
    /// # Errors
    /// `capacity` where too many wait.
    pub async fn verify(&self, password: String, kept: Option<PasswordHash>) -> Answer<bool> {
        let busy = || {
            let problem = Problem::new(ErrorCode::Capacity, "too many sign in at this moment; try again");
            Refusal(problem.retry_after(2))
        };
        let _place = self.places.try_acquire().map_err(|_| busy())?;
        let turn = tokio::time::timeout(WAIT, self.turns.clone().acquire_owned()).await;
        let turn = turn.map_err(|_| busy())?.map_err(|_| busy())?;
        let verifying = tokio::task::spawn_blocking(move || {
            let is_right = verify(&password, kept.as_ref());
            drop(turn);
            is_right
        });
        verifying.await.map_err(|error| {
            tracing::error!(%error, "verifying a password failed");
            Refusal::of(ErrorCode::Internal)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_verified_by_its_hash_alone() {
        let kept = hash("correct horse battery").unwrap();
        assert!(kept.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", kept.0);
        assert_ne!(kept.0, hash("correct horse battery").unwrap().0, "each has its own salt");
        assert!(verify("correct horse battery", Some(&kept)));
        assert!(!verify("correct horse batterx", Some(&kept)));
        assert!(!verify("correct horse battery", Some(&PasswordHash("nonsense".into()))));
    }

    #[test]
    fn nobodys_hash_can_be_read_and_is_no_password() {
        assert!(Phc::new(NOBODY).is_ok());
        assert!(!verify("", None) && !verify("x", Some(&PasswordHash(String::new()))));
    }

    #[test]
    fn passwords_have_a_length() {
        assert!(check("123456789").is_err() && check("1234567890").is_ok());
        assert!(check(&"x".repeat(256)).is_ok() && check(&"x".repeat(257)).is_err());
    }

    #[tokio::test]
    async fn only_so_many_wait() {
        let verifiers = Verifiers::default();
        let _all = verifiers.places.acquire_many(u32::try_from(WAITING).unwrap()).await.unwrap();
        let refusal = verifiers.verify("x".into(), None).await.unwrap_err();
        assert_eq!(refusal.0.code, ErrorCode::Capacity);
    }
}
