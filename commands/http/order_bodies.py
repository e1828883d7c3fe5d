"""The bodies of requests on orders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from commands.http.addresses import AddressBody, Email, VatNumberText
from commands.http.credit_bodies import CreditBody
from commands.http.schemas import AmountBody, Body, LineQuantityBody, MoneyBody, Reason

Lines = Annotated[list[LineQuantityBody] | None, Field(min_length=1, max_length=1_000)]
ChargeName = Annotated[str, Field(pattern=r"^shipping$", examples=["shipping"])]

_ALL: JsonDict = {"required": ["all"], "properties": {"all": {"const": True}}}
_NOT_ALL: JsonDict = {"required": ["all"], "properties": {"all": {"const": False}}}
_LINES: JsonDict = {"required": ["lines"], "properties": {"lines": {"type": "array"}}}
_AMOUNT: JsonDict = {"required": ["amount"], "properties": {"amount": {"type": "object"}}}
_CHARGES: JsonDict = {"required": ["charges"], "properties": {"charges": {"type": "array"}}}


class PaymentBody(Body):
    """How to pay: the gateway's name for the means of payment, or for what a browser has collected."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["method"]}, {"required": ["confirmation_token"]}]}
    )
    method: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,255}$", examples=["pm_card_visa"])] = ""
    confirmation_token: Annotated[
        str, Field(pattern=r"^ctoken_[A-Za-z0-9_]{1,248}$", examples=["ctoken_1NnQ"])
    ] = ""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("say one: method, or confirmation_token")
        return self

    @property
    def means(self) -> str:
        """Whichever was said."""
        return self.method or self.confirmation_token


class CheckoutBody(Body):
    """What an order needs beside its cart. `payment` may be left out where nothing is to be paid.

    `total`: the most that the shopper agreed to; by default what the cart showed last. `billing_address`:
    where the invoice goes, if not where the goods go. `vat_number`: a buyer's who has one, and then owes the
    tax of a sale to another country of the EU.
    `credits` pay first, in their order, and the card the rest.
    """

    email: Email
    shipping_address: AddressBody
    billing_address: AddressBody | None = None
    vat_number: VatNumberText | None = None
    payment: PaymentBody | None = None
    total: MoneyBody | None = None
    credits: Annotated[list[CreditBody], Field(max_length=10)] = Field(default=[])


class CancelBody(Body):
    """Why the order is given up."""

    reason: Reason | None = None


class _Parts(Body):
    """Some lines, or all that remains, but not both."""

    lines: Lines = None
    all: bool = False
    reason: Reason | None = None

    @model_validator(mode="after")
    def _not_both(self) -> Self:
        if self.all and self.lines is not None:
            raise ValueError("name lines, or all: not both")
        return self

    def units(self) -> Mapping[str, int] | None:
        """Units by line, None for all; what names a line twice means the sum."""
        if self.lines is None:
            return None
        units: Counter[str] = Counter()
        for line in self.lines:
            units[line.line_id] += line.quantity
        return units


def _either(*ways: JsonDict) -> JsonDict:
    """Of a schema: `all` goes with none of the other `ways`."""
    return {"not": {"allOf": [_ALL, {"anyOf": list(ways)}]}}


class _Goods(_Parts):
    """Units that move: these lines, else all that can; but not all where that is what they are not."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [_LINES, {"not": _NOT_ALL}], **_either(_LINES)})

    @model_validator(mode="after")
    def _some(self) -> Self:
        if "all" in self.model_fields_set and not self.all and self.lines is None:
            raise ValueError("not all: then name lines")
        return self


class FulfilmentBody(_Goods):
    """What is sent: these lines, else all that remains."""


class ReturnBody(_Goods):
    """What came back: these lines, else all that is out."""

    restock: bool = True


TenderKey = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_.:-]{1,128}$",
        description="`card`, or the `account_id` of one of the order's tenders",
    ),
]


class RefundTenderBody(Body):
    """A part of a refund, and the means of payment that gets it."""

    tender: TenderKey
    amount: AmountBody


class RefundBody(_Parts):
    """What is paid back: the worth of lines and of shipping (`charges`), an amount (shared among these, if
    there are any), or all. `to`: which means of payment gets how much of it; the rest goes as it was paid,
    the card first."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [_LINES, _AMOUNT, _CHARGES, _ALL],
            **_either(_LINES, _AMOUNT, _CHARGES),
        }
    )
    amount: AmountBody | None = None
    charges: Annotated[list[ChargeName] | None, Field(min_length=1, max_length=1)] = None
    to: Annotated[list[RefundTenderBody] | None, Field(min_length=1, max_length=20)] = None

    @model_validator(mode="after")
    def _each_tender_once(self) -> Self:
        if self.to is not None and len({one.tender for one in self.to}) < len(self.to):
            raise ValueError("name each tender once")
        return self

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.all and (self.amount is not None or self.charges is not None):
            raise ValueError("name an amount or charges, or all: not both")
        if not self.all and self.amount is None and self.lines is None and self.charges is None:
            raise ValueError("say what is paid back: lines, charges, an amount, or all")
        return self
