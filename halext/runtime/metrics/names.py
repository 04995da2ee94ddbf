"""All metrics, by name. `docs/monitoring.md` has each of them."""

from __future__ import annotations

from halext.runtime.metrics.types import Metric

BOUNDS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0)
"""Of every histogram: from an answer out of memory to a long prompt on a slow machine."""

# Counted at the end of each request.
REQUESTS = Metric("halext_requests_total", "counter", "Requests that have ended.", ("kind", "outcome"))
CACHED = Metric("halext_cached_answers_total", "counter", "Answers that were given again from memory.")
NODE_REQUESTS = Metric(
    "halext_node_requests_total", "counter", "Requests that have ended at this node.", ("node", "outcome")
)
NODE_FAILURES = Metric("halext_node_failures_total", "counter", "Attempts that failed at this node.", ("node",))
NODE_TOKENS = Metric("halext_node_tokens_total", "counter", "Tokens read and written by this node.", ("node", "type"))
MODEL_REQUESTS = Metric(
    "halext_model_requests_total", "counter", "Requests that have ended, by their model.", ("model", "outcome")
)
MODEL_TOKENS = Metric(
    "halext_model_tokens_total", "counter", "Tokens read and written by this model.", ("model", "type")
)
DURATION = Metric(
    "halext_request_duration_seconds", "histogram", "From arrival to the end, where a node answered.", ("kind",)
)
FIRST_TOKEN = Metric(
    "halext_request_first_token_seconds", "histogram", "From arrival to the first piece of the answer.", ("kind",)
)
WAIT = Metric("halext_request_wait_seconds", "histogram", "Time in line before the first node was asked.", ("kind",))

# Looked up when somebody asks.
BUILD = Metric("halext_build_info", "gauge", "Always 1; the label is the version that runs.", ("version",))
WAITING = Metric("halext_requests_waiting", "gauge", "Requests in line for a free slot.")
UP = Metric("halext_endpoint_up", "gauge", "1 while this endpoint takes requests.", ("endpoint", "node", "kind"))
STATUS = Metric("halext_endpoint_status", "gauge", "1 for the status that this endpoint has.", ("endpoint", "status"))
SLOTS = Metric("halext_endpoint_slots", "gauge", "Requests that this endpoint serves at a time.", ("endpoint",))
IN_FLIGHT = Metric(
    "halext_endpoint_requests_in_flight", "gauge", "Requests of ours that this endpoint works on.", ("endpoint",)
)
MODELS = Metric("halext_endpoint_models", "gauge", "Models that this endpoint has.", ("endpoint",))
RESIDENT = Metric("halext_endpoint_resident_models", "gauge", "Models in this endpoint's memory.", ("endpoint",))
RESIDENT_BYTES = Metric(
    "halext_endpoint_resident_bytes", "gauge", "Memory that models take at this endpoint.", ("endpoint",)
)
CHECK = Metric("halext_endpoint_check_seconds", "gauge", "How long the last good check took.", ("endpoint",))
SEEN = Metric("halext_endpoint_last_seen_timestamp_seconds", "gauge", "When it was last seen.", ("endpoint",))
DATABASE_UP = Metric("halext_database_up", "gauge", "1 if the database answered just now.")
DATABASE_PING = Metric("halext_database_ping_seconds", "gauge", "How long the database took to answer.")
JOBS = Metric("halext_jobs", "gauge", "Background jobs by state; ended ones until they are forgotten.", ("state",))
ALERTS = Metric("halext_alerts_open", "gauge", "Outages that are going on.")
LAG = Metric(
    "halext_event_loop_lag_seconds", "gauge", "The latest that the event loop was with a timer in the last minute."
)

ALL = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
