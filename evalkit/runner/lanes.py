"""A lane: everything that goes through one account. Its systems take turns; when it stops, it stops alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from evalkit.runner.limiter import Limiter
from evalkit.runner.todo import Item


@dataclass(slots=True)
class Lane:
    """`queues` are trials to look at, one iterator per system; `stopped` says why nothing goes any more."""

    name: str
    limiter: Limiter
    queues: deque[Iterator[Item]] = field(default_factory=deque)
    size: int = 0
    stopped: str = ""
    used: bool = False

    def add(self, items: Iterable[Item], count: int) -> None:
        """Another system's trials."""
        self.queues.append(iter(items))
        self.size += count

    def take(self) -> Item | None:
        """The next trial; systems take turns. None when there is none left."""
        while self.queues and not self.stopped:
            queue = self.queues[0]
            self.queues.rotate(-1)
            item = next(queue, None)
            if item is not None:
                return item
            self.queues.remove(queue)
        return None

    def stop(self, why: str) -> None:
        """Nothing more is sent here; what is in flight may end."""
        self.stopped = self.stopped or why
        self.limiter.stop()
