"""The environment's proxy variables -> which proxy leads to an URL: one policy for every client.

* This machine, and whatever NETWORK_PLAIN_HOSTS names, is never reached through a proxy: the secrets for it travel
  unencrypted.
* Anything else goes through HTTPS_PROXY (https, wss) or HTTP_PROXY (http, ws), else ALL_PROXY, in small letters first,
  unless NO_PROXY names its host: `*`, or domains separated by commas, whose subdomains count.
* A proxy is `http://host:port` or `https://host:port`. One that wants a user name and a password, or speaks SOCKS, is
  refused, by the name of its variable: clients would print the password with the errors that they raise over it.
"""

import os
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from connectors import dotenv
from connectors.errors import ConfigurationError

PLAIN_HOSTS = "NETWORK_PLAIN_HOSTS"

_VARIABLES = {"https": "https_proxy", "wss": "https_proxy", "http": "http_proxy", "ws": "http_proxy"}
_PORTS = {"https": 443, "wss": 443, "http": 80, "ws": 80}
_RIGHT = "Expected: http://host:port or https://host:port"


class Proxies:
    """The proxies of an environment, as it was when this was made."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = {name: value.strip() for name, value in environment.items() if value.strip()}
        self._plain = plain_hosts(environment)

    def of(self, url: str) -> str | None:
        """Return the URL of the proxy to `url`, or None.

        Raises ConfigurationError, without the variable's value in its text, when what it names cannot be a proxy.
        """
        parts = urlsplit(url)
        if self._is_near(parts.hostname or "") or self._excluded(parts):
            return None
        variable = _VARIABLES[parts.scheme]
        for name in (variable, variable.upper(), "all_proxy", "ALL_PROXY"):
            if name in self._environment:
                return _checked(name, self._environment[name])
        return None

    def _is_near(self, host: str) -> bool:
        return is_loopback(host) or host.lower() in self._plain

    def _excluded(self, parts: SplitResult) -> bool:
        named = self._environment.get("no_proxy") or self._environment.get("NO_PROXY") or ""
        names = [name.strip().lower() for name in named.split(",") if name.strip()]
        host = f".{parts.hostname or ''}".rstrip(".")
        hosts = (host, f"{host}:{parts.port or _PORTS[parts.scheme]}")
        return "*" in names or any(host.endswith(f".{name.lstrip('*.')}") for host in hosts for name in names)


def may_be_plain(host: str) -> bool:
    """Return whether secrets may travel to `host` unencrypted: this machine, or one that NETWORK_PLAIN_HOSTS names."""
    return is_loopback(host) or host.lower() in plain_hosts()


def plain_hosts(environment: Mapping[str, str] = os.environ) -> frozenset[str]:
    """Return the hosts of NETWORK_PLAIN_HOSTS, of the environment or else of `.env`, in small letters."""
    named = environment.get(PLAIN_HOSTS) or dict(dotenv.of(Path(".env"))).get(PLAIN_HOSTS) or ""
    return frozenset(name.strip().lower() for name in named.split(",") if name.strip())


def is_loopback(host: str) -> bool:
    """Return whether `host` is this machine, by its name alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _checked(name: str, value: str) -> str:
    url = value if "://" in value else f"http://{value}"
    if problem := _problem(url):
        raise ConfigurationError(f"{name}: {problem}. {_RIGHT}.")
    return url.rstrip("/")


def _problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # a bad port is found only when asked for
    except ValueError:
        return "is no URL"
    if parts.scheme not in {"http", "https"}:
        return "is no HTTP proxy"
    if "@" in parts.netloc:
        return "carries a user name or a password, which is not supported"
    if not host or not url.isascii() or not url.isprintable() or any(sign in url for sign in " \\"):
        return "is no URL with a host"
    if parts.path.strip("/") or parts.query or parts.fragment:
        return "has a path"
    return None
