from __future__ import annotations

import asyncio
import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.remote.addresses import (
    NoAddress,
    NotPublic,
    is_loopback,
    is_loopback_url,
    is_public,
    locate,
    parse,
)

PUBLIC = (
    "1.1.1.1",
    "8.8.8.8",
    "104.18.0.1",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
)
CLOSED = (
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.251",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:7f00:1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
    "2606:4700::5efe:10.0.0.1",
    "2606:4700::200:5efe:127.0.0.1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "100::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700:4700::1111%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "0177.0.0.1",
    "0x7f.0.0.1",
    "2130706433",
    "127.1",
    "1.1.1.1 ",
    "localhost",
    "",
)


@pytest.mark.parametrize("address", PUBLIC)
def test_the_open_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", CLOSED)
def test_everything_else_is_not(address: str) -> None:
    assert not is_public(address)


private = st.sampled_from(
    ["10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"]
).flatmap(lambda net: st.ip_addresses(v=4, network=net))


@given(private)
def test_no_wrapping_makes_a_private_address_public(inner: ipaddress.IPv4Address) -> None:
    number = int(inner)
    teredo = (0x20010000 << 96) | (0x08080808 << 64) | (number ^ 0xFFFFFFFF)
    prefixes = (0, 0xFFFF << 32, 0xFFFF << 48, 0x64FF9B << 96, 0x0064FF9B0001 << 80)
    wrapped = [prefix | number for prefix in prefixes]
    wrapped += [(0x2002 << 112) | (number << 80), teredo, (0x26064700 << 96) | (0x5EFE << 32) | number]
    assert not is_public(str(inner))
    assert not [str(one) for one in map(ipaddress.IPv6Address, wrapped) if is_public(str(one))]


@given(st.ip_addresses(v=4))
def test_public_is_at_least_as_strict_as_the_standard_library(address: ipaddress.IPv4Address) -> None:
    if is_public(str(address)):
        assert address.is_global
        assert not address.is_multicast


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1"])
def test_this_machine_plainly(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize(
    "address", ["::ffff:127.0.0.1", "::1%lo", "0.0.0.0", "localhost", "127.1", "10.0.0.1"]
)
def test_not_this_machine(address: str) -> None:
    assert not is_loopback(address)


def test_a_base_on_this_machine() -> None:
    assert is_loopback_url("http://127.0.0.1:9080/fal")
    assert is_loopback_url("http://localhost:8188")
    assert is_loopback_url("https://[::1]:9443/x")
    assert not is_loopback_url("https://queue.fal.run")
    assert not is_loopback_url("http://127.0.0.1.example.org")
    assert not is_loopback_url("http://[oops")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://pictures.example/x.png",
        "file:///etc/passwd",
        "//pictures.example/x.png",
        "x.png",
        "",
        "https://",
        "https:///x.png",
        "https://user:secret@pictures.example/x.png",
        "https://pictures.example@10.0.0.1/x.png",
        "https://0177.0.0.1/x",
        "https://0x7f000001/x",
        "https://2130706433/x",
        "https://127.1/x",
        "https://1.2.3.4.5/x",
        "https://pictures.0x7f/x",
        "https://[fe80::1%25eth0]/x",
        "https://127%2e0%2e0%2e1/x",
        "https://pictures.example\\@10.0.0.1/x",
        "https://pic\ttures.example/x",
        "https://pictures..example/x",
        "https://１２７.０.０.１/x",
        "https://pictures.example:99999/x",
        "https://pictures.example:0/x",
        "https://" + "a" * 64 + ".example/x",
    ],
)
def test_disguised_and_malformed_urls_are_refused(url: str) -> None:
    with pytest.raises(NotPublic) as caught:
        asyncio.run(locate(url, loopback=True, resolve=answering("1.1.1.1")))
    assert "secret" not in str(caught.value)
    assert "/x" not in str(caught.value)


def test_a_plain_url_is_parsed_once() -> None:
    assert parse("https://Pictures.Example/a b?sig=1").host == "pictures.example"


def answering(*addresses: str):
    async def resolve(host: str, port: int) -> list[str]:
        return list(addresses)

    return resolve


def find(url: str, *addresses: str, loopback: bool = False) -> tuple[str, ...]:
    return asyncio.run(locate(url, loopback=loopback, resolve=answering(*addresses))).addresses


def test_every_address_of_a_name_has_to_be_public() -> None:
    assert find("https://pictures.example/x", "1.1.1.1", "2606:4700::1") == ("1.1.1.1", "2606:4700::1")
    for bad in ("10.0.0.1", "127.0.0.1", "::1", "fe80::1%eth0"):
        with pytest.raises(NotPublic, match=r"pictures\.example is not a public address"):
            find("https://pictures.example/x", "1.1.1.1", bad)


def test_a_name_that_ends_in_a_dot_is_the_same_name() -> None:
    target = asyncio.run(locate("https://pictures.example./x", loopback=False, resolve=answering("1.1.1.1")))
    assert target.host == "pictures.example"
    with pytest.raises(NotPublic):
        find("https://localhost./x", "127.0.0.1")


def test_literal_addresses_are_not_looked_up() -> None:
    assert find("https://1.1.1.1/x") == ("1.1.1.1",)
    assert find("https://[2606:4700::1]/x") == ("2606:4700::1",)
    with pytest.raises(NotPublic):
        find("https://169.254.169.254/latest/meta-data")


def test_only_https_and_no_port_of_another_service() -> None:
    assert find("https://pictures.example:443/x", "1.1.1.1")
    assert find("https://pictures.example:8443/x", "1.1.1.1")
    for url in (
        "http://pictures.example/x",
        "https://pictures.example:22/x",
        "https://pictures.example:80/x",
    ):
        for loopback in (False, True):
            with pytest.raises(NotPublic):
                find(url, "1.1.1.1", loopback=loopback)


def test_this_machine_only_if_the_provider_is_there() -> None:
    assert find("http://localhost:9080/x", "127.0.0.1", "::1", loopback=True) == ("127.0.0.1", "::1")
    assert find("http://127.0.0.1:80/x", loopback=True)
    for addresses in (("127.0.0.1", "1.1.1.1"), ("10.0.0.1",), ("0.0.0.0",), ("::ffff:127.0.0.1",)):
        with pytest.raises(NotPublic):
            find("https://localhost:9080/x", *addresses, loopback=True)
    with pytest.raises(NotPublic):
        find("http://localhost:9080/x", "127.0.0.1")


def test_a_name_without_an_address_may_have_one_later() -> None:
    async def fails(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    for resolve in (fails, answering()):
        with pytest.raises(NoAddress):
            asyncio.run(locate("https://pictures.example/x", loopback=False, resolve=resolve))


def test_the_system_knows_this_machine() -> None:
    target = asyncio.run(locate("http://localhost:1/x", loopback=True))
    assert all(map(is_loopback, target.addresses))
