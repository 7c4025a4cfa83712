//! What the server counts, in Prometheus' text format. Never labelled by tenant, channel, type or user.

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tidings_protocol::{EndReason, ErrorCode};

/// How events leave the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Server-sent events.
    Sse,
    /// WebSocket.
    WebSocket,
    /// Long poll and history.
    Poll,
}

impl Transport {
    /// The word for it, the same as in the audit log's actions.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sse => "sse",
            Self::WebSocket => "ws",
            Self::Poll => "poll",
        }
    }
}

impl EncodeLabelValue for Transport {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.name().encode(encoder)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByTransport {
    transport: Transport,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    transport: Transport,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCode {
    code: &'static str,
    /// As it stands in the router, so that there are only so many; never the address that was asked for.
    route: String,
}

/// What stands as the route of a request to an address that is none.
pub(crate) const NO_ROUTE: &str = "none";

/// The counts.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    streams: Family<ByTransport, Gauge>,
    opened: Family<ByTransport, Counter>,
    resumed: Family<ByTransport, Counter>,
    closed: Family<ByReason, Counter>,
    duration: Family<ByTransport, Histogram, fn() -> Histogram>,
    delivered: Family<ByTransport, Counter>,
    refused: Family<ByCode, Counter>,
    published: Counter,
    duplicates: Counter,
    publish_seconds: Histogram,
    connections: Gauge,
    overflows: Counter,
    ring_bytes: Gauge,
    tenants: Gauge,
    attached: Gauge,
    pages: Gauge,
    examined: Gauge,
}

fn stream_seconds() -> Histogram {
    Histogram::new([1.0, 10.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0])
}

impl Metrics {
    /// All counts at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("tidings"),
            streams: Family::default(),
            opened: Family::default(),
            resumed: Family::default(),
            closed: Family::default(),
            duration: Family::new_with_constructor(stream_seconds as fn() -> Histogram),
            delivered: Family::default(),
            refused: Family::default(),
            published: Counter::default(),
            duplicates: Counter::default(),
            publish_seconds: Histogram::new([
                0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0,
            ]),
            connections: Gauge::default(),
            overflows: Counter::default(),
            ring_bytes: Gauge::default(),
            tenants: Gauge::default(),
            attached: Gauge::default(),
            pages: Gauge::default(),
            examined: Gauge::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("streams", "Streams open now", self.streams.clone());
        registry.register("streams_opened", "Streams opened", self.opened.clone());
        registry.register(
            "streams_resumed",
            "Streams opened with a cursor: clients that came back",
            self.resumed.clone(),
        );
        registry.register("streams_closed", "Streams closed, by reason", self.closed.clone());
        registry.register("stream_seconds", "How long streams were open", self.duration.clone());
        registry.register("deliveries", "Events handed to connections", self.delivered.clone());
        registry.register(
            "refusals",
            "Requests refused, by code and route; those on a WebSocket too",
            self.refused.clone(),
        );
        registry.register("published", "Events accepted and committed", self.published.clone());
        registry.register("duplicates", "Events known by their idempotency key", self.duplicates.clone());
        registry.register(
            "publish_seconds",
            "From a publish read to its commit on disk",
            self.publish_seconds.clone(),
        );
        registry.register("connections", "Connections held now", self.connections.clone());
        registry.register(
            "overflows",
            "Sessions that ran over and read on from the log",
            self.overflows.clone(),
        );
        registry.register("ring_bytes", "Bytes of recent events held in memory", self.ring_bytes.clone());
        registry.register("tenants_open", "Tenants with a hub in memory", self.tenants.clone());
        registry.register("sessions_attached", "Sessions at the head", self.attached.clone());
        registry.register("log_pages_read", "Pages read from the log", self.pages.clone());
        registry.register("log_rows_examined", "Rows looked at for pages", self.examined.clone());
    }

    pub(crate) fn stream_opened(&self, transport: Transport, resumed: bool) {
        if resumed {
            self.resumed.get_or_create(&ByTransport { transport }).inc();
        }
        self.streams.get_or_create(&ByTransport { transport }).inc();
        self.opened.get_or_create(&ByTransport { transport }).inc();
    }

    pub(crate) fn stream_closed(
        &self,
        transport: Transport,
        reason: EndReason,
        delivered: u64,
        open_for: Duration,
    ) {
        self.streams.get_or_create(&ByTransport { transport }).dec();
        self.closed.get_or_create(&ByReason { transport, reason: reason.name() }).inc();
        self.duration.get_or_create(&ByTransport { transport }).observe(open_for.as_secs_f64());
        self.delivered(transport, delivered);
    }

    pub(crate) fn delivered(&self, transport: Transport, events: u64) {
        self.delivered.get_or_create(&ByTransport { transport }).inc_by(events);
    }

    pub(crate) fn refused(&self, code: ErrorCode, route: &str) {
        self.refused.get_or_create(&ByCode { code: code.name(), route: route.to_owned() }).inc();
    }

    pub(crate) fn published(&self, events: u64, duplicates: u64, took: Duration) {
        self.published.inc_by(events);
        self.duplicates.inc_by(duplicates);
        self.publish_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn connection_opened(&self) {
        self.connections.inc();
    }

    pub(crate) fn connection_closed(&self) {
        self.connections.dec();
    }

    pub(crate) fn hub(&self, counters: tidings_core::hub::Counters, pages: (u64, u64)) {
        let gauge = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        self.tenants.set(gauge(counters.tenants));
        self.attached.set(gauge(counters.attached));
        self.ring_bytes.set(gauge(counters.ring_bytes));
        self.overflows.inc_by(counters.overflows.saturating_sub(self.overflows.get()));
        self.pages.set(i64::try_from(pages.0).unwrap_or(i64::MAX));
        self.examined.set(i64::try_from(pages.1).unwrap_or(i64::MAX));
    }

    /// The text for `/metrics`.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transports_have_one_word_each() {
        let metrics = Metrics::new();
        for transport in [Transport::Sse, Transport::WebSocket, Transport::Poll] {
            metrics.stream_opened(transport, true);
            metrics.stream_closed(transport, EndReason::Lifetime, 2, Duration::from_secs(1));
        }
        let text = metrics.render();
        for name in ["streams", "streams_opened_total", "streams_resumed_total", "deliveries_total"] {
            for word in ["sse", "ws", "poll"] {
                let row = format!("tidings_{name}{{transport=\"{word}\"}}");
                assert!(text.lines().any(|line| line.starts_with(&row)), "{row}: {text}");
            }
        }
        assert!(
            text.contains(r#"tidings_streams_closed_total{transport="ws",reason="lifetime"} 1"#),
            "{text}"
        );
    }
}
