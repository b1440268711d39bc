"""How long a picture takes, from asking for it to holding its bytes, per category x system.

Only delivered pictures count, and of those none that was taken up again after a break of ours and none that
was the first request of a lane. Medians of the phases do not add up to the median of the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalkit.leaderboard.query import newest_run, rows
from evalkit.types import Estimate

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PHASES = ("submit", "queue", "run", "wait", "download", "provider", "provider_queue")
"""`wait` is queue and run of jobs that were never seen running; the last two the provider reports."""
POLL_MATTERS = 0.05
"""Share of the median from which on the time between two looks at a job is worth a word."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Median and 95th percentile of one phase, in seconds, over the `n` pictures that have it."""

    p50: float
    p95: float
    n: int


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """Seconds. `p50` and `p95` are of the time to bytes, over `n` pictures, with order-statistic intervals.

    An end of an interval that so few pictures cannot give is None. `resumed`, `warmup` and `untimed` count
    the delivered pictures that were left out. `throttle_s` is what we waited in all because we had asked too
    often, before `throttled` pictures; it is in no other number. `poll_s` is the median time between two
    looks at a job: `queue` and `run` are known no better.
    """

    category: str
    system: str
    n: int
    resumed: int
    warmup: int
    untimed: int
    p50: Estimate
    p95: Estimate
    phases: Mapping[str, Phase]
    poll_s: float | None
    throttled: int
    throttle_s: float

    @property
    def left_out(self) -> int:
        """Delivered pictures whose time is not counted."""
        return self.resumed + self.warmup + self.untimed

    @property
    def in_answer(self) -> bool:
        """Whether requests were answered with the result: then only the time to bytes compares."""
        return self.n > 0 and self.poll_s is None and not {"queue", "run", "wait"} & set(self.phases)

    @property
    def polled(self) -> bool:
        """Whether the time between two looks is more than 5 % of the median."""
        median = self.p50.value
        return self.poll_s is not None and median is not None and self.poll_s > POLL_MATTERS * median


def latency_board(
    db: DuckDBPyConnection, run: str | None = None, category: str | None = None, *, whole: bool = False
) -> tuple[LatencyRow, ...]:
    """Every category x system of a run (default: the newest) that delivered anything, by name.

    `whole` counts all categories together; their rows are of the category "all".
    """
    found = rows(db, "latency", run=newest_run(db, run), category=category, whole=whole)
    return tuple(_row(values) for values in found)


def quantile_interval(values: Sequence[float], q: float, level: float = 0.95) -> Estimate:
    """The `q`-quantile of ascending `values` and its interval between two of them.

    Exact for independent values of any distribution (Conover 1999, section 3.2): how many lie below the true
    quantile is binomial. The lower end exists from 6 values on for the median, the upper end of the 95th
    percentile from 72 on.
    """
    import numpy as np
    from scipy.stats import binom

    n = len(values)
    if n == 0:
        return Estimate(None, note="nothing was timed")
    tail = (1.0 - level) / 2.0
    below = binom.cdf(np.arange(n), n, q)
    low = int(np.searchsorted(below, tail, side="right"))
    high = int(np.searchsorted(below, 1.0 - tail, side="left")) + 1
    return Estimate(
        float(np.quantile(values, q)),
        float(values[low - 1]) if low else None,
        float(values[high - 1]) if high <= n else None,
        n=n,
        n_clusters=n,
        n_expected=n,
        note=None if low and high <= n else "too few pictures for both ends of an interval",
    )


def _row(values: tuple[Any, ...]) -> LatencyRow:
    category, system, totals, resumed, warmup, untimed, poll, throttled, throttle, phases = values
    seen = totals or []
    told = {found["phase"].removesuffix("_s"): found for found in phases or ()}
    return LatencyRow(
        category=category,
        system=system,
        n=len(seen),
        resumed=resumed,
        warmup=warmup,
        untimed=untimed,
        p50=quantile_interval(seen, 0.5),
        p95=quantile_interval(seen, 0.95),
        phases={
            name: Phase(told[name]["p50"], told[name]["p95"], told[name]["n"])
            for name in PHASES
            if name in told
        },
        poll_s=poll,
        throttled=throttled,
        throttle_s=throttle,
    )
