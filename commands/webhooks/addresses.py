"""Which addresses webhooks may go to: public ones, and the networks that the merchant names.

An endpoint's URL is somebody's text. Without this it could name whatever the machine of the command process
reaches: its own ports, the merchant's network, the cloud's metadata.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from pydantic import ValidationError
from pydantic_core import Url

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The IP addresses of a host, for a port. Raises OSError."""

URL_MAX = 2_000
"""Characters."""
_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052
_NEVER = (
    ip_network("192.0.0.0/24"),  # RFC 6890
    ip_network("168.63.129.16/32"),  # Azure's host: public by its number alone
    ip_network("64:ff9b:1::/48"),  # RFC 8215
    ip_network("fec0::/10"),  # site-local, RFC 3879
)


class AddressRefused(Exception):  # noqa: N818 - named for what the operator is told
    """The host has an address that nothing is sent to."""


class UrlUnfit(ValueError):  # noqa: N818
    """It can be no endpoint's."""


class Reach:
    """Where webhooks may go: every public address, and these networks, the latter also by plain HTTP."""

    def __init__(self, networks: Sequence[Network] = ()) -> None:
        self._networks = tuple(networks)

    def check_url(self, text: str) -> str:
        """The URL in its one spelling. Raises UrlUnfit with what is wrong with it.

        What its name resolves to is looked at when it is called: that may change any day.
        """
        if len(text) > URL_MAX:
            raise UrlUnfit(f"has {len(text)} characters, more than {URL_MAX}")
        if not text.isprintable() or " " in text:
            raise UrlUnfit("has a blank, or a character that cannot be seen")
        if not text.lower().startswith(("https://", "http://")) or "\\" in text:
            raise UrlUnfit("does not begin with https:// and a host")
        try:
            url = Url(text)
        except (ValidationError, ValueError):
            raise UrlUnfit("is no URL") from None
        if url.username is not None or url.password is not None:
            raise UrlUnfit("has a user or a password")
        if url.fragment is not None:
            raise UrlUnfit("has a fragment")
        if not url.host or not url.port:
            raise UrlUnfit("has no host, or port 0")
        if url.scheme == "http" and not self._networks:
            raise UrlUnfit(
                "begins with http://, which is for networks of one's own: DAYBOOK_WEBHOOK_NETWORKS"
            )
        try:
            address = ip_address(url.host.strip("[]"))
        except ValueError:
            pass  # A name.
        else:
            try:
                self.check_address(address, encrypted=url.scheme == "https")
            except AddressRefused as refused:
                raise UrlUnfit(str(refused)) from None
        spelled = str(url)
        if len(spelled) > 3 * URL_MAX:
            raise UrlUnfit("is too long once it is escaped")
        return spelled

    def check_address(self, address: Address, *, encrypted: bool) -> None:
        """Raises AddressRefused."""
        leads_to = _embedded(address) or address
        if any(one in network for one in (address, leads_to) for network in self._networks):
            return
        if not encrypted:
            raise AddressRefused("plain HTTP goes to networks of one's own alone: DAYBOOK_WEBHOOK_NETWORKS")
        if not _is_public(leads_to):
            raise AddressRefused(
                "leads into a network that is not public: DAYBOOK_WEBHOOK_NETWORKS names those"
            )

    def check_resolved(self, host: str, addresses: Sequence[str], *, encrypted: bool) -> None:
        """Raises AddressRefused where any of a host's addresses is: an answer with some of each is a trap."""
        for address in addresses:
            try:
                self.check_address(ip_address(address.partition("%")[0]), encrypted=encrypted)
            except AddressRefused as refused:
                raise AddressRefused(f"{host} {refused}") from None


def parse_networks(text: str) -> tuple[Network, ...]:
    """Networks with commas between them: `10.1.0.0/16,fd00::/8`. ValueError for anything else."""
    return tuple(ip_network(one.strip()) for one in text.split(",") if one.strip())


async def resolve(host: str, port: int) -> Sequence[str]:
    """The system's answer. A thread of its own for each: a name server that is silent holds up no other."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Sequence[str]] = loop.create_future()

    def look_up() -> None:
        found: Sequence[str] | OSError
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys(str(info[4][0]) for info in infos))
        except (OSError, UnicodeError) as error:
            found = error if isinstance(error, OSError) else OSError(f"{host} is no name of a host")
        try:
            loop.call_soon_threadsafe(answer, found)
        except RuntimeError:
            return  # The loop has ended meanwhile.

    def answer(found: Sequence[str] | OSError) -> None:
        if future.done():
            return
        if isinstance(found, OSError):
            future.set_exception(found)
        else:
            future.set_result(found)

    threading.Thread(target=look_up, name="webhook names", daemon=True).start()
    return await future


def _is_public(address: Address) -> bool:
    if any(address in network for network in _NEVER):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _embedded(address: Address) -> Address | None:
    """The IPv4 address that an IPv6 address leads to."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None
