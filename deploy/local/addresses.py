"""Where the running system answers: written by `daybook up`, found by every other sub-command."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.local.data_folder import RUN, is_locked
from deploy.local.errors import NotRunning

_FILE = Path(RUN) / "addresses.json"


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """What a sub-command gets as `ctx.obj`. Asking for an address that nobody knows raises NotRunning."""

    data_dir: Path
    postgres: str | None = None
    redis: str | None = None
    elasticsearch: str | None = None  # None: the search index is embedded
    kafka: str | None = None  # the brokers, host:port by comma; None: there is no stream
    commands: str | None = None  # the command side's root URL
    read: str | None = None  # the query side's

    @property
    def postgres_url(self) -> str:
        return self._known(self.postgres, "DAYBOOK_POSTGRES_URL")

    @property
    def redis_url(self) -> str:
        return self._known(self.redis, "DAYBOOK_REDIS_URL")

    @property
    def elasticsearch_url(self) -> str | None:
        return self.elasticsearch

    @property
    def kafka_bootstrap(self) -> str | None:
        return self.kafka

    @property
    def commands_url(self) -> str:
        return self._known(self.commands, "--data of a running system")

    @property
    def read_url(self) -> str:
        return self._known(self.read, "--data of a running system")

    @property
    def environment(self) -> dict[str, str]:
        """The same, as the variables that settings are read from."""
        known = {
            "DAYBOOK_POSTGRES_URL": self.postgres,
            "DAYBOOK_REDIS_URL": self.redis,
            "DAYBOOK_ELASTICSEARCH_URL": self.elasticsearch,
            "DAYBOOK_KAFKA_BOOTSTRAP": self.kafka,
        }
        found = {name: value for name, value in known.items() if value is not None}
        return found | {"DAYBOOK_DATA_DIR": str(self.data_dir)}

    def _known(self, address: str | None, instead: str) -> str:
        if address is None:
            raise NotRunning(
                f"nothing runs on the data folder {self.data_dir}: "
                f"start it with `daybook up --data {self.data_dir}`, or give {instead}"
            )
        return address


def data_folder(given: Path | None) -> Path:
    """The data folder that a person means who gave `given`, or nothing."""
    return given or Path(os.environ.get("DAYBOOK_DATA_DIR") or ".daybook")


def write_addresses(addresses: Addresses) -> None:
    target = addresses.data_dir / _FILE
    temporary = target.with_suffix(".new")
    text = json.dumps(asdict(addresses) | {"data_dir": str(addresses.data_dir)}, indent=2)
    temporary.touch(mode=0o600)  # An address may bear a password.
    temporary.write_text(text)
    temporary.replace(target)  # Whole or not at all: others read it at any moment.


def forget_addresses(data: Path) -> None:
    with suppress(OSError):
        (data / _FILE).unlink(missing_ok=True)


def _noted(data: Path) -> dict[str, str]:
    try:
        noted = json.loads((data / _FILE).read_text())
        return {name: value for name, value in noted.items() if isinstance(value, str)}
    except (OSError, ValueError, AttributeError):
        return {}  # Not noted yet, or nothing that `up` would have noted.


def find_addresses(data: Path, environment: Mapping[str, str] = os.environ) -> Addresses:
    """Those of the system that runs on `data`; each address given in the environment replaces one."""
    data = data.resolve()
    running = _noted(data) if is_locked(data) else {}
    return Addresses(
        data_dir=data,
        postgres=environment.get("DAYBOOK_POSTGRES_URL") or running.get("postgres"),
        redis=environment.get("DAYBOOK_REDIS_URL") or running.get("redis"),
        elasticsearch=environment.get("DAYBOOK_ELASTICSEARCH_URL") or running.get("elasticsearch"),
        kafka=environment.get("DAYBOOK_KAFKA_BOOTSTRAP") or running.get("kafka"),
        commands=running.get("commands"),
        read=running.get("read"),
    )
