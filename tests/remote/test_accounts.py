"""Bases and keys from the environment."""

import pytest

from evalkit.errors import UsageError
from evalkit.remote.catalog import account, missing
from evalkit.remote.spec import Auth, Out, Spec


def spec(**more: object) -> Spec:
    plain = {
        "name": "my-lab",
        "summary": "",
        "base": "https://api.example/v1",
        "submit": {},
        "models": (),
        "out": Out(),
        "env": ("LAB_KEY", "LAB_ID:LAB_SECRET"),
        "hosts": {"cdn": "https://cdn.example"},
    }
    return Spec(**{**plain, **more})


AZURE = {"base": "/mai/v1", "base_env": "AZURE_ENDPOINT", "env": ("AZURE_KEY",)}


def test_as_described() -> None:
    found = account(spec(), {"LAB_KEY": " k-123 \n"})
    assert (found.base, found.hosts, found.key, found.moved) == (
        "https://api.example/v1",
        {"cdn": "https://cdn.example"},
        "k-123",
        False,
    )


def test_the_key_is_in_no_repr() -> None:
    assert "k-123" not in repr(account(spec(), {"LAB_KEY": "k-123"}))


@pytest.mark.parametrize(
    ("environ", "key"),
    [
        ({}, ""),
        ({"LAB_KEY": ""}, ""),
        ({"LAB_KEY": " \t\n"}, ""),
        ({"LAB_ID": "a"}, ""),
        ({"LAB_ID": "a", "LAB_SECRET": " "}, ""),
        ({"LAB_ID": "a", "LAB_SECRET": "b"}, "a:b"),
        ({"LAB_KEY": " ", "LAB_ID": "a", "LAB_SECRET": "b"}, "a:b"),
        ({"LAB_KEY": "k", "LAB_ID": "a", "LAB_SECRET": "b"}, "k"),
    ],
)
def test_the_first_key_that_is_there(environ: dict[str, str], key: str) -> None:
    assert account(spec(), environ).key == key
    assert missing(spec(), environ) == ("" if key else "LAB_KEY (or LAB_ID and LAB_SECRET)")


@pytest.mark.parametrize("key", ["SENTINEL\nX-Evil: 1", "SENTINEL\x00", "SENTINEL’", "SENTINEL\x7f"])
def test_a_key_that_is_none_is_not_shown(key: str) -> None:
    with pytest.raises(UsageError, match="LAB_KEY") as caught:
        account(spec(), {"LAB_KEY": key})
    assert "SENTINEL" not in f"{caught.value!r} {caught.value.message} {caught.value.hint}"


def test_a_moved_base_moves_every_host() -> None:
    found = account(spec(), {"EVALKIT_MY_LAB_BASE": "http://127.0.0.1:9/lab/"})
    assert (found.base, found.hosts, found.moved) == (
        "http://127.0.0.1:9/lab",
        {"cdn": "http://127.0.0.1:9/lab"},
        True,
    )


@pytest.mark.parametrize(
    ("endpoint", "base"),
    [
        ("https://res.services.ai.azure.com", "https://res.services.ai.azure.com/mai/v1"),
        ("https://res.services.ai.azure.com/", "https://res.services.ai.azure.com/mai/v1"),
        ("https://res.services.ai.azure.com/mai/v1/", "https://res.services.ai.azure.com/mai/v1"),
    ],
)
def test_an_endpoint_that_lacks_the_path(endpoint: str, base: str) -> None:
    assert account(spec(**AZURE), {"AZURE_ENDPOINT": endpoint}).base == base
    whole = spec(**{**AZURE, "base": "https://RESOURCE.example"})
    assert account(whole, {"AZURE_ENDPOINT": endpoint}).base == endpoint.rstrip("/")


def test_an_endpoint_has_to_be_set_where_every_account_has_its_own() -> None:
    assert missing(spec(**AZURE), {}) == "AZURE_ENDPOINT and AZURE_KEY"
    assert missing(spec(**AZURE), {"EVALKIT_MY_LAB_BASE": "http://127.0.0.1:1", "AZURE_KEY": "k"}) == ""
    placeholder = spec(**{**AZURE, "base": "https://RESOURCE.example"})
    assert missing(placeholder, {"AZURE_KEY": "k"}) == "AZURE_ENDPOINT"
    own = spec(**{**AZURE, "base": "http://127.0.0.1:7860", "env": ()})
    assert missing(own, {}) == ""


def test_a_key_that_is_optional_is_not_missing() -> None:
    assert missing(spec(auth=Auth(optional=True)), {}) == ""
    assert missing(spec(env=()), {}) == ""


@pytest.mark.parametrize(
    "base",
    [
        "res.example",
        "ftp://x.example",
        "https://",
        "https://u:SENTINEL@x.example",
        "https://x.example?k=SENTINEL",
        "https://x.example:port",
        "https://x .example",
        "https://x.example/\x01",
    ],
)
def test_a_base_that_is_no_address_is_not_shown(base: str) -> None:
    for name, found in (("EVALKIT_MY_LAB_BASE", spec()), ("AZURE_ENDPOINT", spec(**AZURE))):
        with pytest.raises(UsageError, match=name) as caught:
            account(found, {name: base})
        assert "SENTINEL" not in f"{caught.value!r} {caught.value.hint}"


def test_a_base_with_a_place_to_fill_in_is_nowhere() -> None:
    found = account(spec(base="https://RESOURCE.lab.example/v1", base_env="LAB_ENDPOINT"), {})
    assert found.base == ""
    there = account(
        spec(base="https://RESOURCE.lab.example", base_env="LAB_ENDPOINT"),
        {"LAB_ENDPOINT": "https://Mine.lab.example"},
    )
    assert there.base.lower() == "https://mine.lab.example"


def test_the_secret_of_webhooks_comes_from_the_environment() -> None:
    found = account(spec(webhook_env="LAB_HOOKS"), {"LAB_KEY": "k", "LAB_HOOKS": " s-123 \n"})
    assert found.secret == "s-123"
    assert "s-123" not in repr(found)
    assert account(spec(), {"LAB_HOOKS": "s-123"}).secret == ""
