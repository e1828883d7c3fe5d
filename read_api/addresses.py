"""What an address must have, for the pages that ask for one."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from deploy.edge.address_forms import COUNTRIES, address_form
from deploy.edge.problems import ProblemError
from read_api.openapi import AddressForm, documented_constant
from read_api.problems import UNKNOWN_COUNTRY
from read_api.responses import answer

router = APIRouter(prefix="/api/v1", tags=["addresses"])

CountryCode = Annotated[str, Path(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2.")]


@router.get(
    "/countries/{country}/address-form",
    summary="What an address needs",
    **documented_constant(AddressForm, UNKNOWN_COUNTRY),
)
async def form(request: Request, country: CountryCode) -> Response:
    """The parts that an order's address needs and may have in a country, and what they are called there."""
    if country not in COUNTRIES:
        raise ProblemError(UNKNOWN_COUNTRY, country=country)
    return answer(msgspec.json.encode(address_form(country)), None, request.headers)
