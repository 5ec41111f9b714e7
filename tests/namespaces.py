"""Hosts of the tests' own: network namespaces, each with a link to this one that can be cut."""

import contextlib
import os
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.needs import needs_program


@dataclass(frozen=True)
class Host:
    """A network namespace. `here` is this side's address of the link, `there` the host's own."""

    name: str
    here: str
    there: str

    @property
    def command(self) -> list[str]:
        """What runs a command on the host, put before it."""
        return ["ip", "netns", "exec", self.name]

    def link(self, state: str) -> None:
        """Cut the link ("down"), or mend it ("up")."""
        _ip("link", "set", self.name, state)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@contextlib.contextmanager
def host() -> Iterator[Host]:
    """A host, until the end of the block."""
    needs_program("ip")
    if os.geteuid() != 0:
        pytest.skip("network namespaces are root's to make")
    name = f"nn{uuid.uuid4().hex[:8]}"  # a device's name has 15 letters at most
    net = f"10.{77 + int(name[2:4], 16) % 100}.{int(name[4:6], 16)}"
    made = Host(name, f"{net}.1", f"{net}.2")
    try:
        _ip("netns", "add", name)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespace can be made here: {error.stderr.decode().strip()}")
    try:
        _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("addr", "add", f"{made.here}/24", "dev", name)
        made.link("up")
        for words in (
            ("addr", "add", f"{made.there}/24", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("link", "set", "lo", "up"),
        ):
            _ip("-n", name, *words)
        yield made
    finally:
        _ip("netns", "del", name)  # takes the link along
