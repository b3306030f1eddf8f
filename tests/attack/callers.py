"""Hostile callers of the doors that we open: the webhooks', and the probes'."""

import asyncio
from collections import Counter
from random import Random

from tests.attack.peer import BOMB, HOST

PATIENCE = 5.0  # seconds for one connection
WAYS = ("slow", "endless", "bombed", "cut", "mistyped", "echoed")


async def call(port: int, path: str, secret: str, random: Random, done: Counter[str]) -> None:
    """Attack one door, connection after connection, until cancelled. `secret` is known to the door."""
    while True:
        way = random.choice(WAYS)
        try:
            async with asyncio.timeout(PATIENCE):
                await _once(way, port, path, secret, random)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass
        done[way] += 1
        await asyncio.sleep(0.05)


async def _once(way: str, port: int, path: str, secret: str, random: Random) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        known = f"X-CXone-Webhook-Secret: {secret}\r\n"
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
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
                writer.write(
                    f"{head}{known}Content-Encoding: gzip\r\nContent-Length: {len(BOMB)}\r\n\r\n".encode() + BOMB
                )
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
                    f"POST {path}?{half} HTTP/1.1\r\nHost: {half}\r\nX-CXone-Webhook-Secret: {half}\r\n"
                    f"Content-Length: 2\r\n\r\n{{}}".encode()
                )
        await writer.drain()
        await reader.read(1 << 16)
    finally:
        writer.transport.abort()
