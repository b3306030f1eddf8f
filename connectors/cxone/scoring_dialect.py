"""The section of a dialect about scores: what a model is asked, and what CXone itself knows of an interaction."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from connectors.cxone.dialect_parts import DottedPaths, OAuth, Strict, fill, http_template
from connectors.settings import CxoneSettings


class Details(Strict):
    """Where CXone tells of an interaction: at `url`/<id>. `request` is {name in the request: paths into the answer}."""

    oauth: OAuth
    url: Annotated[str, AfterValidator(http_template)]
    request: Annotated[dict[str, DottedPaths], Field(min_length=1)]

    def token_url(self, settings: CxoneSettings) -> str:
        """Return the override or the filled template. Raises ConfigurationError naming what is not set."""
        return settings.scoring_token_url or fill(self.oauth.token_url, settings, "CXONE_SCORING_TOKEN_URL")

    def api_url(self, settings: CxoneSettings) -> str:
        """As `token_url`, for interactions; the override replaces what stands before the path."""
        base = settings.scoring_api_url
        if base is not None:
            return base.rstrip("/") + fill(urlsplit(self.url).path, settings, "CXONE_SCORING_API_URL")
        return fill(self.url, settings, "CXONE_SCORING_API_URL")


class Scoring(Strict):
    """What a model's endpoint is asked, beside `interactionId` and `timestamp`, and where its answer has what.

    `request` is {name in the request: path into the `CXoneInteraction`}; `details` adds what CXone is asked for.
    """

    request: dict[str, DottedPaths] = Field(default_factory=dict)
    score: DottedPaths = (("score",),)
    model: DottedPaths = (("model",),)
    details: Details | None = None
