"""Budgets: what a reply may cost, row by row, and which figure says what it does."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """A figure and what it may be at most; `unit` says how it is written: x, B, ms, or a word."""

    what: str
    figure: str
    limit: float
    unit: str
    full_only: bool = False
    """Whether a quick run is too small to say."""

    def is_met(self, figures: Mapping[str, float]) -> bool | None:
        """None where the run did not measure it."""
        return None if self.figure not in figures else figures[self.figure] <= self.limit


BUDGETS = (
    Budget("bytes to the driver, 100 deltas/s", "driver_times_text_at_100", 10, "x"),
    Budget("bytes to the driver, 50 deltas/s", "driver_times_text_at_50", 18, "x"),
    Budget("a frame, beyond its new text", "driver_frame_beyond_text", 150, "B"),
    Budget("bytes to a follower", "follower_times_text", 3, "x"),
    Budget("a reply ten times as long, bytes to the driver", "long_driver_ratio", 11, "x"),
    Budget("a reply ten times as long, bytes to a follower", "long_follower_ratio", 11, "x"),
    Budget("a message of 200 characters to an idle tab, the largest of 100", "message_to_idle_tab", 4096, "B"),
    Budget("presence, typing and marks: frames of a tab in 2 s while others come", "joins_frames_in_2_s", 1, ""),
    Budget("bytes of a tab in a minute while 1,000 others come", "joins_bytes_a_minute", 10_240, "B", full_only=True),
    Budget("delta to the driver's DOM, one reply, p95", "driver_dom_p95", 0.080, "ms"),
    Budget("delta to the driver's DOM, ten replies in one tab, p95", "together_dom_p95", 0.150, "ms"),
    Budget("delta to a follower's DOM, p95", "follower_dom_p95", 1.250, "ms"),
    Budget("rows written for a reply of 40 sentences", "rows_per_reply", 80, ""),
    Budget("1,000 viewers of one reply, delay beyond the flush age, p95", "viewers_lag_beyond_flush_age", 1, "ms"),
    Budget("100 replies at once, 50 deltas/s each, driver's delay, p95", "replies_at_once_delay", 0.250, "ms"),
    Budget("100 replies at once, from frame to frame, p50", "replies_at_once_frames_p50", 0.200, "ms"),
    Budget("connections lost beyond the limit", "overload_lost_connections", 0, ""),
    Budget("driver's delay again after it, p95", "recovered_delay_p95", 0.100, "ms"),
)
