//! Over TLS: with whom is believed, and not with anybody else.

use std::time::Duration;

use tidings_acceptance::wait::until;
use tidings_acceptance::{Server, ServerOptions, Target, within};
use tidings_client::{
    Backoff, InvalidOptions, Publisher, Subscriber, Trouble, Update, publisher, subscriber,
};
use tokio::net::TcpStream;

use crate::{PATIENCE, draft, following, number, publishing};

#[tokio::test]
async fn who_is_believed_is_served_and_nobody_else() {
    let mut server = Server::prepare(ServerOptions::new());
    let file = |name: &str| server.scratch().join(name).to_str().unwrap().to_owned();
    let (cert, key, other) = (file("cert.pem"), file("key.pem"), file("other.pem"));
    for cert_file in [&other, &cert] {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        std::fs::write(cert_file, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    }
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    server.options = std::mem::take(&mut server.options).set("tls.cert", &cert).set("tls.key", &key);
    server.spawn();
    let address = server.address();
    until(PATIENCE, "the server", async || TcpStream::connect(address).await.ok()).await;
    let target: Target = server.master().await;
    let url = Some(format!("https://{address}"));
    let publishing = |ca: &String| {
        let options = publishing(&target);
        Publisher::new(publisher::Options { url: url.clone(), ca: Some(ca.into()), ..options }).unwrap()
    };
    let options =
        subscriber::Options { url: url.clone(), ca: Some((&cert).into()), ..following(&target, &["tls:a"]) };
    let mut subscriber = Subscriber::open(options).unwrap();
    let connected = async {
        let mut status = subscriber.status();
        status.wait_for(|status| status.state == subscriber::State::Connected).await.map(drop)
    };
    within(PATIENCE, "a stream over TLS", connected).await.unwrap();
    publishing(&cert).publish(draft("tls:a", 7)).await.unwrap();
    let update = within(PATIENCE, "an event", subscriber.next()).await.unwrap().unwrap();
    assert!(matches!(update, Update::Event(event) if number(&event) == 7));

    let mut patience = publisher::Patience { attempts: 2, ..publisher::Patience::default() };
    patience.backoff = Backoff { first: Duration::ZERO, longest: Duration::ZERO };
    let options = publisher::Options {
        url: url.clone(),
        ca: Some(other.into()),
        patience,
        ..crate::publishing(&target)
    };
    let options = publisher::Options { patience, ..options };
    let stranger = Publisher::new(options).unwrap().publish(draft("tls:a", 8)).await.unwrap_err();
    let tidings_client::PublishError::GivenUp { last: Trouble::Unreachable(why), .. } = &stranger else {
        panic!("{stranger:?}")
    };
    assert!(why.contains("certificate"), "{why}");
    let nothing = publisher::Options { url, ca: Some(key.into()), ..crate::publishing(&target) };
    assert!(matches!(Publisher::new(nothing), Err(InvalidOptions::Certificates(_))));
}
