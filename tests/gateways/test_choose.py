"""Which gateway the settings choose, and that they keep what they are told to themselves."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest
from pydantic import ValidationError

from commands.gateways.choose import choose_gateway
from commands.settings import Settings

TEST = {
    "stripe_secret_key": "sk_test_9Zq",
    "stripe_webhook_secret": "whsec_8Yp",
    "stripe_publishable_key": "pk_test_7Xo",
}


def settings(**given):
    return Settings(postgres_url="postgresql:///unused", **given)


def test_without_a_key_the_sandbox_moves_no_money(tmp_path):
    gateway = choose_gateway(settings(data_dir=tmp_path))
    assert gateway.name == "sandbox"
    asyncio.run(gateway.aclose())


@pytest.mark.parametrize(("mode", "live"), [("test", False), ("live", True)])
def test_with_a_key_stripe_does_in_the_keys_mode(mode, live):
    keys = {name: value.replace("test", mode) for name, value in TEST.items()}
    gateway = choose_gateway(settings(**keys))
    assert (gateway.name, gateway.livemode, gateway.publishable_key) == ("stripe", live, f"pk_{mode}_7Xo")
    asyncio.run(gateway.aclose())


def test_an_empty_variable_is_an_unset_one(tmp_path, monkeypatch):
    for name in TEST:
        monkeypatch.setenv(f"DAYBOOK_{name.upper()}", "")
    gateway = choose_gateway(settings(data_dir=tmp_path))
    assert gateway.name == "sandbox"
    asyncio.run(gateway.aclose())


def test_two_webhook_secrets_live_while_one_is_replaced():
    both = settings(**TEST | {"stripe_webhook_secret": "whsec_8Yp, whsec_new"})
    assert both.stripe_webhook_secrets == ("whsec_8Yp", "whsec_new")


def test_the_settings_show_no_secret():
    shown = repr(settings(**TEST)) + str(settings(**TEST)) + settings(**TEST).model_dump_json()
    assert "9Zq" not in shown
    assert "8Yp" not in shown


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("stripe_secret_key", "pk_test_9Zq", "begins with sk_test_"),
        ("stripe_secret_key", "sk_test_9Zq ", "begins with sk_test_"),
        ("stripe_webhook_secret", None, "is needed beside DAYBOOK_STRIPE_SECRET_KEY"),
        ("stripe_webhook_secret", "", "is needed beside DAYBOOK_STRIPE_SECRET_KEY"),
        ("stripe_webhook_secret", "9Zq", "each beginning with whsec_"),
        ("stripe_webhook_secret", "whsec_1,whsec_2,whsec_3", "one secret or two"),
        ("stripe_publishable_key", None, "begins with pk_test_"),
        ("stripe_publishable_key", "pk_live_7Xo", "begins with pk_test_"),
        ("stripe_publishable_key", "sk_test_9Zq", "begins with pk_test_"),
        ("stripe_api_base", "http://api.stripe.example", "begins with https://"),
        ("stripe_api_base", "ftp://127.0.0.1", "begins with https://"),
        ("stripe_return_url", "http://shop.example/paid", "begins with https://"),
    ],
)
def test_what_does_not_fit_is_refused_by_name_and_not_shown(name, value, message):
    with pytest.raises(ValidationError, match=message) as raised:
        settings(**TEST | {name: value})
    assert name in str(raised.value)
    assert "9Zq" not in str(raised.value)


def test_a_wrong_setting_is_one_line_on_the_command_line(tmp_path):
    environment = {
        **os.environ,
        "DAYBOOK_POSTGRES_URL": "postgresql:///unused",
        "DAYBOOK_STRIPE_SECRET_KEY": "sk_test_9Zq",
    }
    ended = subprocess.run(
        [sys.executable, "-m", "daybook", "serve", "commands"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert ended.returncode == 1
    first, *rest = ended.stderr.splitlines()
    assert first.startswith("daybook: DAYBOOK_STRIPE_WEBHOOK_SECRET: ")
    assert "DAYBOOK_STRIPE_PUBLISHABLE_KEY: " in first
    assert rest == []
    assert "9Zq" not in ended.stderr + ended.stdout


def test_the_sandbox_does_without_the_stripe_library(tmp_path):
    code = (
        "import sys; from pathlib import Path; from commands.gateways.choose import choose_gateway;"
        "from commands.settings import Settings;"
        f"settings = Settings(postgres_url='postgresql:///unused', data_dir=Path({str(tmp_path)!r}));"
        "choose_gateway(settings).close();"
        "assert 'stripe' not in sys.modules"
    )
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_STRIPE_")
    }
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
