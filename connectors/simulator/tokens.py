"""OAuth client credentials, as the stand-in checks them. No I/O."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

SCOPES = ("view:interaction", "read:interaction")


@dataclass(frozen=True, slots=True)
class CxoneAccount:
    """What clients have to show. Made up: it protects nothing, it proves that clients show what they were given."""

    client_id: str = "simulator"
    client_secret: str = "simulator-secret"  # noqa: S105 - see above


class Tokens:
    """Issued tokens and when they end (seconds since the epoch)."""

    def __init__(self, account: CxoneAccount) -> None:
        self._account = account
        self._ends: dict[str, float] = {}

    def answer(self, form: Mapping[str, str], *, now: float, expires_in: int) -> tuple[int, dict[str, object]]:
        """Return status and body for a token request."""
        if form.get("grant_type") != "client_credentials":
            return 400, {"error": "unsupported_grant_type"}
        expected = (self._account.client_id, self._account.client_secret)
        if (form.get("client_id"), form.get("client_secret")) != expected:
            return 401, {"error": "invalid_client", "error_description": "client id or secret is wrong"}
        missing = set(SCOPES) - set(form.get("scope", "").split())
        if missing:
            return 403, {"error": "insufficient_scope", "error_description": f"missing {' '.join(sorted(missing))}"}
        token = secrets.token_urlsafe(32)
        self._ends[token] = now + expires_in
        return 200, {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": expires_in,
            "scope": " ".join(SCOPES),
        }

    def valid(self, token: str, now: float) -> bool:
        return self._ends.get(token, 0) > now

    def revoke_all(self) -> None:
        self._ends.clear()
