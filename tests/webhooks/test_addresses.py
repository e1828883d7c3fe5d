"""Where webhooks may go: nowhere inside, whatever the URL looks like."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from commands.webhooks.addresses import AddressRefused, Reach, UrlUnfit, parse_networks

PUBLIC = Reach()
OWN = Reach(parse_networks("10.1.0.0/16, fd00::/8"))
INSIDE = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
    *("100.64.0.1", "100.100.100.200", "192.0.0.192", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1"),
    *("255.255.255.255", "168.63.129.16", "192.0.2.1"),
    *("::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a00:1"),
    *("64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2001:0:a00:1::1"),
]
OUTSIDE = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700::1111", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", INSIDE)
def test_no_address_inside_is_reached(address: str) -> None:
    with pytest.raises(AddressRefused, match="not public"):
        PUBLIC.check_address(ip_address(address), encrypted=True)


@pytest.mark.parametrize("address", OUTSIDE)
def test_a_public_address_is_reached_and_encrypted_alone(address: str) -> None:
    PUBLIC.check_address(ip_address(address), encrypted=True)
    OWN.check_address(ip_address(address), encrypted=True)
    with pytest.raises(AddressRefused, match="plain HTTP"):
        OWN.check_address(ip_address(address), encrypted=False)


def test_networks_that_are_named_are_reached_and_none_beside_them() -> None:
    for address in ("10.1.2.3", "fd00::1", "::ffff:10.1.2.3"):
        OWN.check_address(ip_address(address), encrypted=False)
    for address in ("10.2.0.1", "127.0.0.1", "::ffff:10.2.0.1", "fc00::1"):
        with pytest.raises(AddressRefused):
            OWN.check_address(ip_address(address), encrypted=True)


def test_one_address_inside_among_a_hosts_is_enough_to_refuse_it() -> None:
    PUBLIC.check_resolved("example.com", ["1.1.1.1", "2606:4700::1111"], encrypted=True)
    with pytest.raises(AddressRefused, match=r"^example\.com "):
        PUBLIC.check_resolved("example.com", ["1.1.1.1", "127.0.0.1"], encrypted=True)
    with pytest.raises(AddressRefused):
        PUBLIC.check_resolved("example.com", ["fe80::1%eth0"], encrypted=True)


@pytest.mark.parametrize(
    ("url", "spelled"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://EXAMPLE.com:443/a?b=c", "https://example.com/a?b=c"),
        ("https://exämple.com/ä", "https://xn--exmple-cua.com/%C3%A4"),
        ("https://example.com:8443/hook", "https://example.com:8443/hook"),
        ("https://1.1.1.1/", "https://1.1.1.1/"),
        ("https://[2606:4700::1111]/", "https://[2606:4700::1111]/"),
    ],
)
def test_a_url_has_one_spelling(url: str, spelled: str) -> None:
    assert PUBLIC.check_url(url) == spelled


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://example.com/" + "a" * 2_000, "2020 characters"),
        ("https://anna:secret@example.com/", "user"),
        ("https://anna@example.com/", "user"),
        ("https://example.com:0/", "port 0"),
        ("https://example.com:99999/", "no URL"),
        ("http://example.com/", "http://"),
        ("ftp://example.com/", "https://"),
        ("file:///etc/passwd", "https://"),
        ("example.com", "https://"),
        ("https:example.com", "https://"),
        ("https://", "no URL"),
        ("https://example.com\\@127.0.0.1/", "https://"),
        ("https://example.com/#part", "fragment"),
        ("https://example.com/a b", "blank"),
        ("https://exam\tple.com/", "blank"),
        ("https://exam\u202eple.com/", "cannot be seen"),
        ("https://127.0.0.1/", "not public"),
        ("https://0x7f.1/", "not public"),
        ("https://2130706433/", "not public"),
        ("https://0177.0.0.1/", "not public"),
        ("https://１２７.0.0.1/", "not public"),
        ("https://[::1]/", "not public"),
        ("https://[::ffff:127.0.0.1]/", "not public"),
        ("https://[::ffff:7f00:1]/", "not public"),
        ("https://169.254.169.254/latest/meta-data", "not public"),
        ("https://[64:ff9b::7f00:1]/", "not public"),
        ("https://xn--/", "no URL"),
    ],
)
def test_what_can_be_no_endpoints_url_is_told_why(url: str, why: str) -> None:
    with pytest.raises(UrlUnfit, match=why):
        PUBLIC.check_url(url)


def test_plain_http_is_for_networks_of_ones_own() -> None:
    assert OWN.check_url("http://10.1.0.9:8080/hook") == "http://10.1.0.9:8080/hook"
    assert (
        OWN.check_url("http://warehouse.internal/hook") == "http://warehouse.internal/hook"
    )  # looked at later
    with pytest.raises(UrlUnfit, match="plain HTTP"):
        OWN.check_url("http://1.1.1.1/")


@pytest.mark.parametrize("networks", ["10.1.0.0/33", "here", "10.1.2.3/16"])
def test_what_is_no_network_is_refused(networks: str) -> None:
    with pytest.raises(ValueError, match=networks.partition("/")[0]):
        parse_networks(networks)
