"""Asks the loop to stop at the end of its step when SIGTERM or SIGINT arrives."""

from __future__ import annotations

import signal
from types import FrameType


class StopSignal:
    """Remembers the first SIGTERM or SIGINT. The second one ends the process at once."""

    def __init__(self) -> None:
        self.is_set = False
        self._before = {number: signal.signal(number, self._remember) for number in (signal.SIGTERM, signal.SIGINT)}

    def _remember(self, _number: int, _frame: FrameType | None) -> None:
        self.is_set = True
        self.restore()

    def restore(self) -> None:
        """Puts the signals' handlers back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
