use super::*;
use tidings_core::port::audit::{AuditQuery, NumberedRow};
use tidings_core::port::{PortFuture, StorageError};

/// Keeps what is written, and fails as often as it is told to.
#[derive(Debug, Default)]
struct Kept {
    entries: Mutex<Vec<AuditEntry>>,
    failures: Mutex<usize>,
}

impl AuditLog for Kept {
    fn write(&self, entries: Vec<AuditEntry>) -> PortFuture<'_, Result<(), StorageError>> {
        let mut failures = self.failures.lock();
        if *failures > 0 {
            *failures -= 1;
            return Box::pin(std::future::ready(Err(StorageError::Unavailable("not now".into()))));
        }
        self.entries.lock().extend(entries);
        Box::pin(std::future::ready(Ok(())))
    }

    fn read<'a>(&'a self, _: &'a AuditQuery) -> PortFuture<'a, Result<Vec<NumberedRow>, StorageError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn close_abandoned(&self) -> PortFuture<'_, Result<u64, StorageError>> {
        Box::pin(std::future::ready(Ok(0)))
    }
}

fn about() -> About {
    let mut headers = HeaderMap::new();
    headers.insert(header::USER_AGENT, http::HeaderValue::from_static("curl/8\tx"));
    About::new("cast.sse", Some("cast_1".into()), &headers, Peer("10.0.0.1".parse().unwrap()))
}

#[tokio::test(start_paused = true)]
async fn everything_is_written_in_order_also_after_failures() {
    let audit = Audit::new(&AuditConfig::default());
    let kept = Arc::new(Kept { failures: Mutex::new(3), ..Kept::default() });
    for n in 0..10 {
        audit.opened(&n.to_string(), &about()).await.unwrap();
        audit.closed(&n.to_string(), &about(), Duration::from_millis(1500), 3, EndReason::Lifetime);
    }
    let running = audit.run(kept.clone());
    tokio::pin!(running);
    let waited = tokio::time::timeout(Duration::from_secs(10), &mut running).await;
    assert!(waited.is_err(), "it goes on");
    assert!(audit.is_empty());
    audit.close();
    running.await;
    let entries = kept.entries.lock();
    assert_eq!(entries.len(), 20);
    let AuditEntry::Opened { stream, row, closed_action } = &entries[0] else { panic!("{:?}", entries[0]) };
    assert_eq!((stream.as_str(), closed_action.as_str()), ("0", "cast.sse_connection_closed"));
    assert_eq!(row.user_agent.as_deref(), Some("curl/8x"), "no control characters");
    let AuditEntry::Closed { row, .. } = &entries[1] else { panic!("{:?}", entries[1]) };
    assert_eq!(row.metadata, r#"{"duration":1500,"messageCount":3,"reason":"timeout","streamId":"0"}"#);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_slows_new_streams_and_nothing_else() {
    let config = AuditConfig { queue: 2, wait: Duration::from_secs(5) };
    let audit = Arc::new(Audit::new(&config));
    audit.opened("1", &about()).await.unwrap();
    audit.opened("2", &about()).await.unwrap();
    let refusal = audit.opened("3", &about()).await.unwrap_err();
    assert_eq!(refusal.0.code, ErrorCode::Capacity);
    audit.closed("1", &about(), Duration::ZERO, 0, EndReason::ClientDisconnect);
    assert_eq!(audit.len(), 3, "an end is noted all the same");
    let waits = tokio::spawn({
        let audit = audit.clone();
        async move { audit.opened("3", &about()).await }
    });
    tokio::task::yield_now().await;
    let kept = Arc::new(Kept::default());
    let running = tokio::spawn({
        let (audit, kept) = (audit.clone(), kept.clone());
        async move { audit.run(kept).await }
    });
    assert!(waits.await.unwrap().is_ok(), "it is let in once there is room");
    audit.close();
    running.await.unwrap();
    assert_eq!(kept.entries.lock().len(), 4);
}
