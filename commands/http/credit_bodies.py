"""The bodies of requests on gift cards and store credit, and of paying with them."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from commands.gift_codes import CODE
from commands.http.rule_values import Day
from commands.http.schemas import ID, AmountBody, Body, Reason

CardCode = Annotated[
    str,
    Field(
        pattern=CODE,
        description="16 letters and digits, in groups or not; small letters are made capital",
        examples=["3R7W-9K2M-D5TX-0QHV"],
    ),
]


class GiftCardBody(Body):
    """A gift card's worth, and the last day on which it pays (UTC); by default it has none."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"amount": {"amount": 5000, "currency": "GBP"}},
                {"amount": {"amount": 5000, "currency": "GBP"}, "expires_on": "2199-12-31"},
            ]
        }
    )

    amount: AmountBody
    expires_on: Day | None = None


class BlockBody(Body):
    """Why it pays for nothing any more."""

    reason: Reason = "blocked"


class BalanceBody(Body):
    """A gift card's code."""

    code: CardCode


class GrantBody(Body):
    """Store credit for a customer, and why."""

    amount: AmountBody
    reason: Reason


class CreditBody(Body):
    """A gift card by its code, or store credit by its account; and how much it is to pay: by default as much
    as there is and is needed."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["code"]}, {"required": ["account_id"]}]}
    )
    code: CardCode = ""
    account_id: Annotated[str, Field(pattern=ID)] = ""
    amount: AmountBody | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if bool(self.code) == bool(self.account_id):
            raise ValueError("say one: code, or account_id")
        return self
