"""An interaction -> the model's endpoint at INFERENCE_URL: one POST with an Idempotency-Key, no order."""

import asyncio
from collections.abc import Awaitable, Callable

from connectors.http.endpoint import Endpoint
from connectors.sinks.settings import InferenceSettings


class Inference(Endpoint):
    """The endpoint that the settings name; the other arguments are `Endpoint`'s, and so are the errors."""

    def __init__(
        self,
        settings: InferenceSettings,
        *,
        timeout: float,
        connections: int,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        on_trouble: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        super().__init__(
            "the model",
            settings.url,
            token=settings.token,
            token_name="INFERENCE_TOKEN",  # noqa: S106 - the name of a setting
            timeout=timeout,
            connections=connections,
            pause=pause,
            on_trouble=on_trouble,
        )
