"""Work that is begun before its turn, so that several threads have something to do, but never much before."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def in_turn(begun: Iterable[T], most: int) -> Iterator[T]:
    """The same things in order, each when `most` others have been begun after it, or all there are."""
    waiting: deque[T] = deque()
    for one in begun:
        waiting.append(one)
        if len(waiting) > most:
            yield waiting.popleft()
    yield from waiting
