"""Whose request it is: behind proxies, and for counting."""

import pytest

from aro.runtime.addresses import nearest_untrusted, network_of, parse_networks


def test_a_customer_with_many_addresses_is_one() -> None:
    assert network_of("2001:db8:1:2::1") == network_of("2001:db8:1:2:ffff::9%eth0")
    assert network_of("2001:db8:1:2::1") != network_of("2001:db8:1:3::1")
    assert network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("not:an:address") == "not:an:address"


def test_ipv4_on_an_ipv6_socket_is_still_ipv4() -> None:
    """All of IPv4 would otherwise be one customer of a server that listens on ``::``."""
    assert network_of("::ffff:192.0.2.1") == "192.0.2.1"


def test_hearsay_is_not_believed() -> None:
    trusted = parse_networks(["10.0.0.0/8", "fd00::/8"])
    assert nearest_untrusted("10.1.2.3", "192.0.2.1, 198.51.100.7, 10.9.9.9", trusted) == "198.51.100.7"
    assert nearest_untrusted("203.0.113.9", "198.51.100.7", trusted) == "203.0.113.9"
    assert nearest_untrusted("10.1.2.3", "198.51.100.7", ()) == "10.1.2.3"


@pytest.mark.parametrize("text", ["10.0.0.1/8", "somewhere", "10.0.0.0/33", ""])
def test_networks_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_networks([text])
