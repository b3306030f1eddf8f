"""OAuth client credentials, as the stand-in checks them. No I/O."""

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass

SCOPES = ("view:interaction", "read:interaction")
MESSAGING_SCOPES = ("webchat:read", "routing:write", "conversations:read", "users:read")
ANALYTICS_SCOPES = ("analytics:read", "realtime:read", "events:subscribe")
DASHBOARD_SCOPES = ("dashboard:read", "dashboard:write", "event:subscribe", "webhook:write")
V2_SCOPES = (*MESSAGING_SCOPES, *DASHBOARD_SCOPES, "interaction:read")


@dataclass(frozen=True, slots=True)
class CxoneAccount:
    """What clients have to show. Made up: it protects nothing, it proves that clients show what they were given."""

    client_id: str = "simulator"
    client_secret: str = "simulator-secret"  # noqa: S105 - see above
    webhook_secret: str = "simulator-webhook-secret"  # noqa: S105 - what it shows when it calls


@dataclass(frozen=True, slots=True)
class _Issued:
    ends: float  # seconds since the epoch
    scopes: Collection[str]


class Tokens:
    """Issued tokens, until they end."""

    def __init__(self, account: CxoneAccount) -> None:
        self._account = account
        self._issued: dict[str, _Issued] = {}

    def answer(self, form: Mapping[str, str], *, now: float, expires_in: int) -> tuple[int, dict[str, object]]:
        """Return status and body for a token request of interactions, which has to name every scope."""
        if problem := self._stranger(form):
            return problem
        missing = set(SCOPES) - set(form.get("scope", "").split())
        if missing:
            return 403, {"error": "insufficient_scope", "error_description": f"missing {' '.join(sorted(missing))}"}
        return self._issue(SCOPES, now, expires_in)

    def grant(
        self,
        form: Mapping[str, str],
        scopes: Collection[str] = V2_SCOPES,
        *,
        now: float,
        expires_in: int,
        withheld: Collection[str] = (),
    ) -> tuple[int, dict[str, object]]:
        """Return status and body for a token request: what it may have, of `scopes`, of what it asks for."""
        if problem := self._stranger(form):
            return problem
        wanted = form.get("scope", "").split()
        granted = tuple(scope for scope in scopes if scope in wanted and scope not in withheld)
        return self._issue(granted, now, expires_in)

    def valid(self, token: str, now: float) -> bool:
        return token in self._issued and self._issued[token].ends > now

    def allows(self, token: str, scope: str) -> bool:
        """Tell whether the token, which is valid, was issued for this scope."""
        return scope in self._issued[token].scopes

    def revoke_all(self) -> None:
        self._issued.clear()

    def _stranger(self, form: Mapping[str, str]) -> tuple[int, dict[str, object]] | None:
        if form.get("grant_type") != "client_credentials":
            return 400, {"error": "unsupported_grant_type"}
        expected = (self._account.client_id, self._account.client_secret)
        if (form.get("client_id"), form.get("client_secret")) != expected:
            return 401, {"error": "invalid_client", "error_description": "client id or secret is wrong"}
        return None

    def _issue(self, scopes: Collection[str], now: float, expires_in: int) -> tuple[int, dict[str, object]]:
        self._issued = {token: issued for token, issued in self._issued.items() if issued.ends > now}
        token = secrets.token_urlsafe(32)
        self._issued[token] = _Issued(now + expires_in, scopes)
        return 200, {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": expires_in,
            "scope": " ".join(scopes),
        }
