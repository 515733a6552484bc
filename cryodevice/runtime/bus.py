"""In-process publish and subscribe: what watches gets copies and can never slow what acts.

``publish`` never blocks and never fails because of a subscriber. A subscriber that falls behind loses its oldest
messages and is told how many.
"""

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Subscription(Generic[T]):
    """A bounded, drop-oldest queue of one subscriber. Iterate it; ``dropped`` counts what it missed."""

    def __init__(self, bus: "Bus[T]", depth: int) -> None:
        self._bus = bus
        self._queue: deque[T] = deque(maxlen=depth)
        self._ready = asyncio.Event()
        self.dropped = 0

    def offer(self, message: T) -> None:
        """Add a message, dropping the oldest if full."""
        if len(self._queue) == self._queue.maxlen:
            self.dropped += 1
        self._queue.append(message)
        self._ready.set()

    async def get(self) -> T:
        """The oldest message not yet taken; waits for one."""
        while not self._queue:
            self._ready.clear()
            await self._ready.wait()
        return self._queue.popleft()

    def drain(self) -> list[T]:
        """All messages not yet taken, oldest first, without waiting."""
        messages = list(self._queue)
        self._queue.clear()
        return messages

    def __aiter__(self) -> "Subscription[T]":
        return self

    async def __anext__(self) -> T:
        return await self.get()

    def close(self) -> None:
        """Stop receiving."""
        self._bus.unsubscribe(self)


class Bus(Generic[T]):
    """One kind of message, many subscribers."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription[T]] = []

    def subscribe(self, depth: int) -> Subscription[T]:
        """A new subscription that keeps at most ``depth`` messages."""
        subscription = Subscription(self, depth)
        self._subscriptions.append(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription[T]) -> None:
        """Forget a subscription; unknown ones are ignored."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    def publish(self, message: T) -> None:
        """Hand a message to every subscriber."""
        for subscription in self._subscriptions:
            subscription.offer(message)
