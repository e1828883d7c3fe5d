"""TLS and SASL: a broker that lets in nobody else; and settings that do not fit together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from deploy.local.servers.kafka import KafkaServer
from deploy.local.servers.kafka_programs import KafkaPrograms
from deploy.local.supervision.ports import reserved_port
from event_store.kafka import topic_admin
from event_store.kafka.errors import KafkaUnavailable
from event_store.kafka.settings import KafkaSettings
from event_store.kafka.topic_admin import make_topics
from tests.conftest import ServerPlace
from tests.kafka.certificates import Authority, Identity

USER, PASSWORD = "daybook", "correct horse"


class SecuredKafka(KafkaServer):
    """With two doors beside its own: TLS that wants a certificate of clients, and a password over TLS."""

    authority: Path
    identity: Identity

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self.tls = f"127.0.0.1:{reserved_port()}"
        self.sasl = f"127.0.0.1:{reserved_port()}"

    def settings(self) -> Mapping[str, str]:
        stock = dict(super().settings())
        stock["listeners"] += f",TLS://{self.tls},SASL://{self.sasl}"
        stock["listener.security.protocol.map"] += ",TLS:SSL,SASL:SASL_SSL"
        plain = "org.apache.kafka.common.security.plain.PlainLoginModule"
        return stock | {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.identity.both),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority),
            "listener.name.tls.ssl.client.auth": "required",
            "listener.name.sasl.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl.plain.sasl.jaas.config": (f'{plain} required user_{USER}="{PASSWORD}";'),
        }


@pytest.fixture(scope="module")
def folder(server_place: ServerPlace) -> Path:
    """That the broker's user can read, too."""
    folder = server_place.folder / "certificates"
    folder.mkdir(mode=0o755)
    return folder


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


@pytest.fixture(scope="module")
def secured(
    kafka_programs: KafkaPrograms, server_place: ServerPlace, authority: Authority
) -> Iterator[SecuredKafka]:
    server = SecuredKafka(
        programs=kafka_programs,
        folder=server_place.folder / "kafka-secured",
        account=server_place.account,
        log=server_place.folder / "kafka-secured.log",
    )
    server.authority, server.identity = authority.certificate, authority.identity("broker")
    server.start()
    yield server
    server.stop()


def test_tls_with_a_certificate_of_ours_lets_us_in(
    secured: SecuredKafka, authority: Authority, folder: Path
) -> None:
    client = authority.identity("client", password="hidden")
    (folder / "key_password").write_text("hidden\n")
    make_topics(
        KafkaSettings(
            bootstrap=secured.tls,
            topic_prefix="tls.",
            security_protocol="SSL",
            ca_file=authority.certificate,
            cert_file=client.certificate,
            key_file=client.key,
            key_password_file=folder / "key_password",
        )
    )


def test_a_password_over_tls_lets_us_in(
    secured: SecuredKafka, authority: Authority, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "password").write_text(f"{PASSWORD}\n")
    environment = {
        "BOOTSTRAP": secured.sasl,
        "TOPIC_PREFIX": "sasl.",
        "SECURITY_PROTOCOL": "SASL_SSL",
        "CA_FILE": str(authority.certificate),
        "SASL_MECHANISM": "PLAIN",
        "USERNAME": USER,
        "PASSWORD_FILE": str(folder / "password"),
    }
    for name, value in environment.items():
        monkeypatch.setenv(f"DAYBOOK_KAFKA_{name}", value)
    settings = KafkaSettings()
    assert PASSWORD not in repr(settings)
    make_topics(settings)


@pytest.mark.parametrize("wrong", ["password", "authority", "no certificate", "no tls"])
def test_others_are_not_let_in_and_are_told_so(
    secured: SecuredKafka, authority: Authority, folder: Path, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told_why = wrong == "authority"  # Of the others, the broker's last word does not always arrive.
    monkeypatch.setattr(topic_admin, "_ANSWER_MILLISECONDS_MAX", 5_000 if told_why else 1_000)
    trusted = {"security_protocol": "SSL", "ca_file": authority.certificate, "bootstrap": secured.tls}
    user = {"sasl_mechanism": "PLAIN", "username": USER, "password": "guessed"}
    given: dict[str, Any] = {
        "password": trusted | user | {"security_protocol": "SASL_SSL", "bootstrap": secured.sasl},
        "authority": trusted | {"ca_file": Authority(folder, "another").certificate},
        "no certificate": trusted,
        "no tls": {"bootstrap": secured.tls},
    }[wrong]
    with pytest.raises(KafkaUnavailable) as refused:
        make_topics(KafkaSettings(topic_prefix="never.", **given))
    if told_why:
        assert "certificate verify failed" in str(refused.value)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"bootstrap": "broker"}, "'broker' is not host:port"),
        ({"bootstrap": "a:9092,b:0"}, "'b:0' is not host:port"),
        ({"topic_prefix": "day book"}, "should match pattern"),
        ({"security_protocol": "TLS"}, "SASL_SSL"),
        ({"security_protocol": "SASL_SSL"}, "SASL_SSL wants DAYBOOK_KAFKA_SASL_MECHANISM"),
        ({"username": "daybook"}, "a user wants DAYBOOK_KAFKA_SECURITY_PROTOCOL=SASL_SSL"),
        ({"ca_file": "pyproject.toml"}, "certificates want DAYBOOK_KAFKA_SECURITY_PROTOCOL=SSL"),
        ({"security_protocol": "SSL", "ca_file": "nowhere"}, "nowhere cannot be read: No such file"),
        ({"security_protocol": "SSL", "ca_file": "pyproject.toml"}, "DAYBOOK_KAFKA_CA_FILE cannot be used"),
        ({"security_protocol": "SSL", "cert_file": "README.md"}, "belong together"),
        (
            {"security_protocol": "SSL", "cert_file": "README.md", "key_file": "README.md"},
            "DAYBOOK_KAFKA_CERT_FILE, _KEY_FILE or _KEY_PASSWORD cannot be used",
        ),
        ({"key_password": "a", "key_password_file": "README.md"}, "not both"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        KafkaSettings(**given)


def test_several_brokers_stand_by_comma_and_nothing_is_no_address() -> None:
    assert KafkaSettings(bootstrap=" a:1 , b:2").client_arguments()["bootstrap_servers"] == ["a:1", "b:2"]
    assert KafkaSettings(bootstrap="").bootstrap is None
