"""Hostile callers of the doors that we open: the webhooks', and the probes'."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tests.attack.ways import BOMB, HOST, WAYS, Bag

PATIENCE = 5.0  # seconds for one connection
PAUSE = 0.05  # seconds between two


@dataclass(frozen=True, slots=True)
class Door:
    """Who opens it, its port, and what is asked for there."""

    name: str
    port: int
    paths: Sequence[str]


async def call(door: Door, secret: str, random: Random, done: Counter[tuple[str, str]]) -> None:
    """Attack one door, connection after connection, until cancelled. `secret` is known to the webhooks'."""
    ways = Bag(WAYS, random)
    while True:
        way = ways.take()
        try:
            async with asyncio.timeout(PATIENCE):
                await _once(way, door.port, random.choice(door.paths), secret, random)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass
        done[door.name, way] += 1
        await asyncio.sleep(PAUSE)


async def _once(way: str, port: int, path: str, secret: str, random: Random) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        known = f"X-CXone-Webhook-Secret: {secret}\r\n"
        method = "POST" if path.startswith("/webhook") else random.choice(("GET", "POST", "HEAD"))
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        match way:
            case "slow":
                for char in f"{head}{known}":
                    writer.write(char.encode())
                    await writer.drain()
                    await asyncio.sleep(0.1)
            case "endless":
                writer.write(f"{head}{known}Transfer-Encoding: chunked\r\n\r\n".encode())
                while True:
                    writer.write(b"10000\r\n" + b"[" * 0x10000 + b"\r\n")
                    await writer.drain()
                    await asyncio.sleep(0.01)
            case "bombed":
                size = f"Content-Encoding: gzip\r\nContent-Length: {len(BOMB)}\r\n\r\n"
                writer.write(f"{head}{known}{size}".encode() + BOMB)
            case "cut":
                body = f'{head}{known}Content-Length: 10\r\n\r\n{{"id":"cut"'
                writer.write(body[: random.randrange(len(body))].encode())
                await writer.drain()
                return
            case "mistyped":
                body = random.choice(('{"id":[[]]}', "[]", '{"id":1e999}', '{"id":' * 900 + "1" + "}" * 900, "\0", "{"))
                writer.write(f"{head}{known}Content-Length: {len(body)}\r\n\r\n{body}".encode())
            case "echoed":  # somebody who has half of the secret, and says it wherever he can
                half = secret[: len(secret) // 2]
                writer.write(
                    f"{method} {path}?{half} HTTP/1.1\r\nHost: {half}\r\nX-CXone-Webhook-Secret: {half}\r\n"
                    f"Content-Length: 2\r\n\r\n{{}}".encode()
                )
        await writer.drain()
        await reader.read(1 << 16)
    finally:
        writer.transport.abort()
