"""Faust's monitor, which nobody asks: our metrics are our own."""

from faust import Monitor
from mode import Service


class QuietMonitor(Monitor):
    @Service.task
    async def _sampler(self) -> None:
        """Do nothing: Faust works averages out every second."""
