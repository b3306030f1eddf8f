"""Which proxy leads where, and what cannot be one."""

import asyncio

import pytest

from connectors.errors import ConfigurationError, Unavailable
from connectors.http.exchange import Exchange
from connectors.http.proxies import Proxies
from connectors.http.transport import Transport
from tests.support.hostile_http import Asked, answering, hostile, response

ALL = {
    "HTTP_PROXY": "http://plain.test:1",
    "HTTPS_PROXY": "http://tls.test:2",
    "ALL_PROXY": "http://all.test:3",
}
SECRET = "p4ssw0rd"


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9/a", "https://127.0.0.2", "http://localhost:9", "ws://LOCALHOST:9", "http://[::1]:9/"],
)
def test_this_machine_is_never_reached_through_a_proxy(url: str) -> None:
    assert Proxies(ALL).of(url) is None
    assert Proxies({"HTTP_PROXY": "nonsense://", "HTTPS_PROXY": "\x00"}).of(url) is None


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        (ALL, "https://a.test/x", "http://tls.test:2"),
        (ALL, "wss://a.test/x", "http://tls.test:2"),
        (ALL, "http://a.test/x", "http://plain.test:1"),
        ({"ALL_PROXY": "http://all.test:3"}, "https://a.test", "http://all.test:3"),
        (ALL | {"https_proxy": "https://small.test"}, "https://a.test", "https://small.test"),
        ({"HTTPS_PROXY": "tls.test:2"}, "https://a.test", "http://tls.test:2"),
        ({"HTTPS_PROXY": "http://tls.test:2/"}, "https://a.test", "http://tls.test:2"),
        ({"HTTPS_PROXY": " "}, "https://a.test", None),
        ({"HTTP_PROXY": "http://plain.test:1"}, "https://a.test", None),
        ({}, "https://a.test", None),
    ],
)
def test_an_url_goes_through_the_proxy_of_its_scheme(environment: dict[str, str], url: str, proxy: str | None) -> None:
    assert Proxies(environment).of(url) == proxy


@pytest.mark.parametrize(
    ("named", "host", "excluded"),
    [
        ("a.test", "a.test", True),
        ("a.test", "b.a.test", True),
        (".a.test", "b.a.test", True),
        ("*.a.test", "b.a.test", True),
        ("A.Test", "a.test", True),
        ("x.test, a.test", "a.test", True),
        ("a.test:443", "a.test", True),
        ("a.test:80", "a.test", False),
        ("a.test", "ba.test", False),
        ("*", "a.test", True),
        (",", "a.test", False),
        ("10.0.0.1", "10.0.0.1", True),
    ],
)
@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
def test_no_proxy_names_domains(variable: str, named: str, host: str, *, excluded: bool) -> None:
    proxy = Proxies(ALL | {variable: named}).of(f"https://{host}/")

    assert proxy == (None if excluded else "http://tls.test:2")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (f"http://user:{SECRET}@proxy.test:1", "user name or a password"),
        (f"http://{SECRET}@proxy.test:1", "user name or a password"),
        (f"http://proxy.test:1/{SECRET}", "has a path"),
        (f"http://proxy.test:1?{SECRET}", "has a path"),
        (f"http://proxy.test:1#{SECRET}", "has a path"),
        (f"http://proxy.test:{SECRET}", "is no URL"),
        (f"http://[{SECRET}", "is no URL"),
        (f"socks5://{SECRET}:1", "is no HTTP proxy"),
        ("http://", "is no URL with a host"),
        (f"http://pro xy{SECRET}:1", "is no URL with a host"),
        (f"http://\x00{SECRET}", "is no URL with a host"),
    ],
)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_what_cannot_be_a_proxy_is_refused_by_the_name_of_its_variable(variable: str, value: str, problem: str) -> None:
    proxies = Proxies({variable: value})

    with pytest.raises(ConfigurationError, match=rf"^{variable}: .*{problem}.*Expected: http://host:port") as refused:
        Transport("https://a.test/x", proxies=proxies)

    assert SECRET not in str(refused.value)
    Transport("http://127.0.0.1:9", proxies=proxies)


async def test_a_secret_for_this_machine_does_not_reach_a_proxy() -> None:
    async with hostile(answering(response(b"proxy"))) as proxy, hostile(answering(response(b"direct"))) as peer:
        environment = dict.fromkeys((*ALL, *map(str.lower, ALL)), proxy.url)
        exchange = Exchange("it", Transport(proxies=Proxies(environment)), timeout=60)
        answers = [
            await exchange.ask("POST", peer.url.replace("127.0.0.1", host), body=SECRET.encode())
            for host in ("127.0.0.1", "localhost")
        ]
        await exchange.close()

    assert [answer.body for answer in answers] == [b"direct"] * 2
    assert proxy.asked == []


async def test_a_proxy_learns_the_host_and_no_more() -> None:
    async def refuse(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(response(b"", "Set-Cookie: a=b", status="503 no"))

    async with hostile(refuse) as proxy:
        exchange = Exchange("it", Transport(proxies=Proxies({"HTTPS_PROXY": proxy.url})), timeout=60)
        with pytest.raises(Unavailable, match="did not answer"):
            await exchange.ask("POST", "https://cxone.test/token", headers={"Authorization": SECRET}, body=b"secret")
        await exchange.close()

    (asked,) = proxy.asked
    assert asked.head.startswith("CONNECT cxone.test:443 ")
    assert SECRET not in asked.head
    assert asked.body == b""


def test_hosts_that_may_be_plain_are_as_near_as_this_machine_and_no_others() -> None:
    proxies = Proxies({**ALL, "NETWORK_PLAIN_HOSTS": "influxdb, Redpanda"})

    assert proxies.of("http://influxdb:8086") is None
    assert proxies.of("http://redpanda") is None
    assert proxies.of("http://influxdb.example") == "http://plain.test:1"
