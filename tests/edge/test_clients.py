"""Other languages' clients: what they offer by default must not change what they ask for."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.prerequisites import missing
from tests.system.running import RunningSystem

BODY = '{"currency":"GBP"}'
OFFER_BY_NODE = """
const [url, body] = process.argv.slice(1);
const headers = {"Content-Type": "application/json", "Content-Length": body.length,
                 Connection: "Upgrade", Upgrade: "h2c"};
const request = require("http").request(url, {method: "POST", headers}, (answer) => {
    console.log(answer.statusCode);
    answer.pipe(process.stdout);
});
request.end(body);
"""
FETCH_BY_NODE = """
const [url, body] = process.argv.slice(1);
fetch(url, {method: "POST", headers: {"Content-Type": "application/json"}, body}).then(async (answer) =>
    console.log(answer.status, await answer.text()));
"""
CURL = ["--silent", "--show-error", "--max-time", "20", "--write-out", "%{http_code}"]
JSON = ["--header", "Content-Type: application/json"]
WORDS = {
    "java": lambda url: ["java", str(Path(__file__).with_name("Offer.java")), url, BODY],
    "node": lambda url: ["node", "--eval", OFFER_BY_NODE, url, BODY],
    "node, fetch": lambda url: ["node", "--eval", FETCH_BY_NODE, url, BODY],
    "curl": lambda url: ["curl", *CURL, "--http2", *JSON, "--data", BODY, url],
    "curl, in chunks": lambda url: [
        *("curl", *CURL, "--http2", *JSON, "--header", "Transfer-Encoding: chunked", "--data", BODY, url)
    ],
}


@pytest.mark.parametrize("client", list(WORDS))
def test_the_body_of_a_client_that_offers_another_protocol_is_read(
    system: RunningSystem, client: str
) -> None:
    words = WORDS[client](f"{system.addresses['commands']}/api/v1/carts")
    if shutil.which(words[0]) is None:
        missing(words[0])
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.count("201") == done.stdout.count('"version":1') > 0, done.stdout + done.stderr
