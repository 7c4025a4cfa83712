//! Starts the program: PORT (default 3000), CASTS_FILE (default ./casts.json), TIDINGS_URL and TIDINGS_API_KEY.

use std::sync::Arc;

use axum_casts::{Store, app, tell_the_rest};
use tidings_client::{Publisher, publisher};
use tokio::net::TcpListener;

#[tokio::main]
#[allow(clippy::print_stdout, reason = "where it listens is what its caller waits for")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let setting = |name, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let store = Arc::new(Store::open(setting("CASTS_FILE", "casts.json")).await?);
    let publisher = Publisher::new(publisher::Options::default())?;
    let told = tell_the_rest(&store, &publisher).await?;
    let listener = TcpListener::bind(("127.0.0.1", setting("PORT", "3000").parse()?)).await?;
    println!("http://{} ({told} casts were told of at the start)", listener.local_addr()?);
    axum::serve(listener, app(store, publisher)).await?;
    Ok(())
}
