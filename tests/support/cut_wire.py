"""The way of one worker to Kafka, which can be cut."""

import socket
import threading
from contextlib import suppress


class Wire:
    """Carries bytes between `port` and `to` on 127.0.0.1. While it is cut nothing passes, and connections are lost."""

    def __init__(self, port: int, to: int) -> None:
        self.bootstrap = f"127.0.0.1:{port}"
        self._to = to
        self._whole = True
        self._open: set[socket.socket] = set()
        self._listening = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()

    def listener(self, port: int) -> str:
        """Return what makes the broker at `port` listen at the far end, and name this one to whoever asks there."""
        return (
            f"listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{port + 1},WIRE://127.0.0.1:{self._to}\n"
            f"advertised.listeners=PLAINTEXT://127.0.0.1:{port},WIRE://{self.bootstrap}\n"
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,WIRE:PLAINTEXT\n"
            "inter.broker.listener.name=PLAINTEXT\n"
        )

    def cut(self) -> None:
        self._whole = False
        for end in list(self._open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._whole = True

    def close(self) -> None:
        self.cut()
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                if not self._whole:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._to))
                self._open |= {near, far}
                for source, destination in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(source, destination), daemon=True).start()

    def _carry(self, source: socket.socket, destination: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                destination.sendall(data)
        for end in (source, destination):
            self._open.discard(end)
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
