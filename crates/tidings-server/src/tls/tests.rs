//! Certificates that come and go.

use std::path::Path;

use tempfile::TempDir;

use super::*;

fn pair() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

/// Files with a first pair, taken.
fn loaded() -> (TempDir, Arc<Tls>) {
    let folder = tempfile::tempdir().unwrap();
    let files = TlsFiles { cert: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    let (cert, key) = pair();
    write(&files.cert, &cert);
    write(&files.key, &key);
    (folder, Tls::load(files).unwrap())
}

/// How many looks pass until another configuration is taken; `None` where it is not within five.
async fn looks_until_taken(tls: &Arc<Tls>) -> Option<u32> {
    let before = tls.current();
    let watching = tls.clone();
    let watching = tokio::spawn(async move { watching.watch().await });
    let mut taken = None;
    for look in 1..=5 {
        tokio::time::sleep(LOOK_EVERY + Duration::from_millis(1)).await;
        if taken.is_none() && !Arc::ptr_eq(&before, &tls.current()) {
            taken = Some(look);
        }
    }
    watching.abort();
    taken
}

#[tokio::test(start_paused = true)]
async fn what_has_settled_is_taken() {
    let (_folder, tls) = loaded();
    assert_eq!(looks_until_taken(&tls).await, None);
    let (cert, key) = pair();
    write(&tls.files.cert, &cert);
    write(&tls.files.key, &key);
    assert_eq!(looks_until_taken(&tls).await, Some(2));
    assert_eq!(looks_until_taken(&tls).await, None);
}

#[tokio::test(start_paused = true)]
async fn half_of_a_pair_changes_nothing_and_the_other_half_completes_it() {
    let (_folder, tls) = loaded();
    let (cert, key) = pair();
    write(&tls.files.cert, &cert);
    assert_eq!(looks_until_taken(&tls).await, None);
    std::fs::remove_file(&tls.files.key).unwrap();
    assert_eq!(looks_until_taken(&tls).await, None);
    write(&tls.files.key, &key);
    assert_eq!(looks_until_taken(&tls).await, Some(2));
}

#[tokio::test]
async fn what_was_there_can_come_back() {
    let (_folder, tls) = loaded();
    let good = std::fs::read_to_string(&tls.files.cert).unwrap();
    let before = tls.current();
    write(&tls.files.cert, "no PEM");
    tls.reload().await;
    assert!(Arc::ptr_eq(&before, &tls.current()));
    write(&tls.files.cert, &good);
    tls.reload().await;
    assert!(!Arc::ptr_eq(&before, &tls.current()));
}

#[test]
fn what_cannot_be_used_says_why() {
    let (_folder, tls) = loaded();
    let files = &tls.files;
    let (good, key) =
        (std::fs::read_to_string(&files.cert).unwrap(), std::fs::read_to_string(&files.key).unwrap());
    let refusal = || Tls::load(files.clone()).unwrap_err().to_string();
    for (text, words) in [
        ("", "holds no certificate"),
        (&*key, "holds no certificate"),
        (&good[..100], "is no sound PEM file"),
        (&*"x".repeat(2 << 20), "is larger than a mebibyte"),
        (&*pair().0, "is not that of the certificate"),
    ] {
        write(&files.cert, text);
        assert!(refusal().contains(words), "{}", refusal());
    }
    write(&files.cert, &good);
    Tls::load(files.clone()).unwrap();
}
