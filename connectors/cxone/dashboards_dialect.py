"""The section `dashboards` of a dialect: their API, and that of subscriptions to their changes."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from connectors.cxone.dialect_parts import DottedPaths, OAuth, Strict, fill, http_template
from connectors.settings import CxoneSettings


class Dashboards(Strict):
    """Where dashboards are. `modified_by` are paths into one to who changed it last; of several the first hit wins."""

    oauth: OAuth
    url: Annotated[str, AfterValidator(http_template)]
    subscriptions_url: Annotated[str, AfterValidator(http_template)]
    modified_by: DottedPaths

    def token_url(self, settings: CxoneSettings) -> str:
        """Return the override or the filled template. Raises ConfigurationError naming what is not set."""
        override = settings.dashboards_token_url
        return override or fill(self.oauth.token_url, settings, "CXONE_DASHBOARDS_TOKEN_URL")

    def api_url(self, settings: CxoneSettings) -> str:
        """As `token_url`, for dashboards; the override replaces what stands before the path."""
        return _api(self.url, settings)

    def subscriptions(self, settings: CxoneSettings) -> str:
        """As `api_url`, for subscriptions."""
        return _api(self.subscriptions_url, settings)


def _api(template: str, settings: CxoneSettings) -> str:
    base = settings.dashboards_api_url
    if base is not None:
        return base.rstrip("/") + fill(urlsplit(template).path, settings, "CXONE_DASHBOARDS_API_URL")
    return fill(template, settings, "CXONE_DASHBOARDS_API_URL")
