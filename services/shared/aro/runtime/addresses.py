"""Whose request it is, as far as addresses tell: behind proxies, and for counting. Pure."""

import ipaddress
from collections.abc import Iterable

Networks = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]


def parse_networks(texts: Iterable[str]) -> Networks:
    """Raises ValueError for what is no network, or has bits beyond its mask."""
    return tuple(ipaddress.ip_network(text) for text in texts)


def nearest_untrusted(peer: str, forwarded: str, trusted: Networks) -> str:
    """`peer`, unless that is a trusted proxy; then the rightmost address of `forwarded` that is none itself.

    What stands to the left of it is hearsay: the client may have sent that part. An entry that is no address ends the
    chain at the hop before.
    """
    nearest = peer
    for text in (peer, *reversed(forwarded.split(","))):
        try:
            address = ipaddress.ip_address(text.strip())
        except ValueError:
            break
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        nearest = str(address)
        if not any(address in network for network in trusted):
            break
    return nearest


def network_of(address: str) -> str:
    """What is counted as one client: `address` itself, or its /64 if it is IPv6, as one customer has that many."""
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    return str(parsed.ipv4_mapped or parsed.packed[:8].hex())
