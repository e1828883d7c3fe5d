"""How Kafka is reached: environment variables with the prefix `DAYBOOK_KAFKA_`."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class KafkaSettings(BaseSettings):
    """The brokers, who we are there, and how topics are made. `DAYBOOK_KAFKA_BOOTSTRAP` sets `bootstrap`."""

    model_config = SettingsConfigDict(env_prefix="DAYBOOK_KAFKA_", frozen=True)

    bootstrap: str | None = None
    """`host:port` of some of the brokers, by comma; None: nothing is published."""
    topic_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,100}$")] = "daybook."
    """What the name of each topic, and each transactional id, begins with."""
    topics_file: Path | None = None
    """The topics and their settings; None: deploy/kafka_topics.yaml."""
    replication_factor: Annotated[int, Field(ge=1, le=32_767)] | None = None
    """Of topics that are made, on how many brokers each lies; None: as the cluster has it."""

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    ca_file: Path | None = None
    """PEM of who signed the brokers' certificates; None: whom this machine trusts."""
    cert_file: Path | None = None
    """PEM of our own certificate, where the brokers ask for one."""
    key_file: Path | None = None
    """PEM of its key."""
    key_password: SecretStr | None = None
    key_password_file: Path | None = None
    check_hostname: bool = True
    """Whether a broker's certificate must be of the host that was asked."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = None
    """Where the password lies, instead of it."""

    def client_arguments(self) -> dict[str, Any]:
        """What every client of kafka-python is made with. ValueError without `bootstrap`."""
        if self.bootstrap is None:
            raise ValueError("DAYBOOK_KAFKA_BOOTSTRAP is not set")
        arguments: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap.split(","),
            "client_id": "daybook",
            "security_protocol": self.security_protocol,
        }
        if self._has_tls:
            arguments |= {
                "ssl_check_hostname": self.check_hostname,
                "ssl_cafile": _text(self.ca_file),
                "ssl_certfile": _text(self.cert_file),
                "ssl_keyfile": _text(self.key_file),
                "ssl_password": _secret(self.key_password, self.key_password_file),
            }
        if self._has_sasl:
            arguments |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": _secret(self.password, self.password_file),
            }
        return arguments

    @property
    def _has_tls(self) -> bool:
        return self.security_protocol.endswith("SSL")

    @property
    def _has_sasl(self) -> bool:
        return self.security_protocol.startswith("SASL")

    @field_validator("bootstrap")
    @classmethod
    def _are_addresses(cls, value: str | None) -> str | None:
        if not value or not value.strip():
            return None
        addresses = [one.strip() for one in value.split(",")]
        for one in addresses:
            host, _, port = one.rpartition(":")
            if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
                raise ValueError(f"{one!r} is not host:port (several by comma)")
        return ",".join(addresses)

    @field_validator("topics_file", "ca_file", "cert_file", "key_file", "key_password_file", "password_file")
    @classmethod
    def _is_readable(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                value.read_bytes()
            except OSError as error:
                raise ValueError(f"{value} cannot be read: {error.strerror}") from error
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> KafkaSettings:
        """A setting that would be left unused without a word is a mistake, and an open door perhaps."""
        named = "DAYBOOK_KAFKA_SECURITY_PROTOCOL"
        tls = (self.ca_file, self.cert_file, self.key_file)
        if any(tls) and not self._has_tls:
            raise ValueError(f"certificates want {named}=SSL or SASL_SSL, and it is {self.security_protocol}")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("DAYBOOK_KAFKA_CERT_FILE and DAYBOOK_KAFKA_KEY_FILE belong together")
        given = (self.sasl_mechanism, self.username, self.password or self.password_file)
        if self._has_sasl and not all(given):
            raise ValueError(
                f"{self.security_protocol} wants DAYBOOK_KAFKA_SASL_MECHANISM, DAYBOOK_KAFKA_USERNAME and"
                " DAYBOOK_KAFKA_PASSWORD (or DAYBOOK_KAFKA_PASSWORD_FILE)"
            )
        if any(given) and not self._has_sasl:
            raise ValueError(
                f"a user wants {named}=SASL_SSL or SASL_PLAINTEXT, and it is {self.security_protocol}"
            )
        for name in ("password", "key_password"):
            if getattr(self, name) and getattr(self, f"{name}_file"):
                variable = f"DAYBOOK_KAFKA_{name.upper()}"
                raise ValueError(f"give {variable} or {variable}_FILE, not both")
        self._check_certificates()
        return self

    def _check_certificates(self) -> None:
        """Here, by name: the client would try again for ever."""
        try:
            context = ssl.create_default_context()
            if self.ca_file is not None:
                context.load_verify_locations(self.ca_file)
            if self.cert_file is not None:
                password = _secret(self.key_password, self.key_password_file) or ""
                context.load_cert_chain(self.cert_file, self.key_file, password)
        except (ssl.SSLError, ValueError) as error:
            what = "DAYBOOK_KAFKA_CERT_FILE, _KEY_FILE or _KEY_PASSWORD" if self.cert_file else ""
            raise ValueError(f"{what or 'DAYBOOK_KAFKA_CA_FILE'} cannot be used: {error}") from error


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _secret(value: SecretStr | None, file: Path | None) -> str | None:
    if file is not None:
        return file.read_text().strip()
    return None if value is None else value.get_secret_value()
