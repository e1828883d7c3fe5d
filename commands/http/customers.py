"""Routes on customers: their groups and what their taxes follow from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Request
from pydantic import ConfigDict, Field
from starlette.responses import Response

from aggregates.pricing.context import Exemption, VatStatus
from commands.handlers.customers import SetGroups, SetTaxStatus
from commands.http.addresses import VatNumberText
from commands.http.json_bodies import JsonRoute
from commands.http.promotion_bodies import Codes
from commands.http.requests import operator_only
from commands.http.responses import answered, documented
from commands.http.rule_values import Code, Day, RuleId
from commands.http.schemas import AnswerBody, Body
from commands.http.vat import check_vat_number

router = APIRouter(
    route_class=JsonRoute,
    prefix="/api/v1/customers",
    tags=["customers"],
    dependencies=[Depends(operator_only)],
)

EXEMPTIONS_MAX = 100

CustomerPath = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9._:@-]{1,64}$", description="The shop's own id of the customer.")
]


class GroupsBody(Body):
    """The groups that a customer belongs to: all of them."""

    groups: Annotated[Codes, Field(examples=[["trade"]])]


class ExemptionBody(Body):
    """A certificate: in the tax area nothing is due on these categories (none named: on all), up to and
    including the day `until`."""

    area_id: RuleId
    tax_categories: Annotated[list[Code], Field(max_length=100)] = Field(default=[])
    until: Day | None = None


class TaxStatusBody(Body):
    """What a customer's taxes follow from, whole: what is left out holds no more."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"vat_number": "DE136695976"}, {"vat_number": "GB 980 7806 84"}, {}]}
    )

    vat_number: VatNumberText | None = None
    exemptions: Annotated[list[ExemptionBody], Field(max_length=EXEMPTIONS_MAX)] = Field(default=[])


class TaxStatusAnswer(AnswerBody):
    """The answer to a tax status; `vat_status`: what is known of the VAT number."""

    vat_status: VatStatus | None = None


_CHANGED: dict[str, Any] = documented(AnswerBody, created=False, key="taken")


@router.put("/{customer_id}/groups", summary="Put a customer into groups", **_CHANGED)
async def set_groups(request: Request, customer_id: CustomerPath, body: GroupsBody) -> Response:
    """Those that the customer was in are replaced. Price lists and promotions may be for groups."""
    return await answered(request, SetGroups(customer_id=customer_id, groups=tuple(body.groups)))


@router.put(
    "/{customer_id}/tax-status",
    summary="Say what a customer's taxes follow from",
    **documented(TaxStatusAnswer, created=False, key="taken"),
)
async def set_tax_status(request: Request, customer_id: CustomerPath, body: TaxStatusBody) -> Response:
    """The VAT number's form and check digits are checked; where the shop's settings say so, VIES is asked
    about it: `vat_status` says what is known then, and one that is `unconfirmed` is taxed as if there were
    none. It is stored encrypted, as other personal data."""
    given = await check_vat_number(request, body.vat_number, datetime.now(UTC))
    command = SetTaxStatus(
        customer_id=customer_id,
        vat_number=None if given is None else given.number,
        vat_check=None if given is None else given.check,
        exemptions=msgspec.convert(body.model_dump()["exemptions"], tuple[Exemption, ...]),
    )
    return await answered(request, command)
