"""Password hashes."""

from __future__ import annotations

import asyncio
import secrets

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

MEMORY_KIB = 19 * 1024
TIME_COST = 2
"""Argon2id with 19 MiB, two passes, one lane: the smallest set that OWASP recommends, for a server with 2 GB."""
AT_ONCE = 2
"""Hashes worked on together. A flood of sign-ins waits in line and costs at most this much memory and CPU."""


class Passwords:
    """Hashes and checks passwords in threads, a few at a time."""

    def __init__(self, *, time_cost: int = TIME_COST, memory_kib: int = MEMORY_KIB, at_once: int = AT_ONCE) -> None:
        self._hasher = PasswordHash((Argon2Hasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=1),))
        self._slots = asyncio.Semaphore(at_once)
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """The salted hash to keep."""
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, _bytes(password))

    async def verify(self, password: str, kept: str | None) -> tuple[bool, str | None]:
        """Whether it is the right password, and a better hash to keep if the kept one is out of date.

        Without a kept hash the answer is no, after the same work: how long it takes tells nothing.
        """
        if self._nobody is None:
            self._nobody = await self.hash(secrets.token_urlsafe())
        async with self._slots:
            return await asyncio.to_thread(
                self._verify, _bytes(password), kept or self._nobody, is_known=kept is not None
            )

    def _verify(self, password: bytes, kept: str, *, is_known: bool) -> tuple[bool, str | None]:
        try:
            is_right, better = self._hasher.verify_and_update(password, kept)
        except UnknownHashError:
            return False, None
        return is_right and is_known, better if is_right and is_known else None


def _bytes(password: str) -> bytes:
    return password.encode(errors="surrogatepass")  # JSON may carry half a character: a wrong password, no error
