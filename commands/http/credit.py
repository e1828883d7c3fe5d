"""Routes on gift cards and store credit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from aggregates.credit.account import CreditUnknown
from commands.gift_codes import GiftCodes
from commands.handlers.credit import BlockAccount, CheckBalance, GrantCredit, IssueGiftCard
from commands.http.credit_bodies import BalanceBody, BlockBody, GiftCardBody, GrantBody
from commands.http.customers import CustomerPath
from commands.http.guesses import Guesses
from commands.http.json_bodies import JsonRoute
from commands.http.requests import context_of, operator_only
from commands.http.responses import answered, documented, outcome, response_of
from commands.http.schemas import AnswerBody, IdPath, MoneyBody
from commands.http.validation_errors import check_limit

router = APIRouter(route_class=JsonRoute, prefix="/api/v1", tags=["credit"])


class GiftCardAnswer(AnswerBody):
    """The card that was issued, and its code: in this answer, and where the request is repeated."""

    code: str


class MoneyAnswer(MoneyBody):
    """An amount in minor units."""


class BalanceAnswer(AnswerBody):
    """What the card can pay, up to and with `expires_on` (null: for ever)."""

    balance: MoneyAnswer
    expires_on: str | None


_GRANTED: dict[str, Any] = documented(AnswerBody, key="required")
_BLOCKED: dict[str, Any] = documented(AnswerBody, created=False, key="taken")


@router.post(
    "/gift-cards",
    summary="Issue a gift card",
    dependencies=[Depends(operator_only)],
    **documented(GiftCardAnswer, key="required"),
)
async def issue_gift_card(request: Request, body: GiftCardBody) -> Response:
    """The answer's `code` is stored nowhere: only this request, repeated with its key, gets it again. The
    answer's `id` is the account's."""
    check_limit(request, "price_minor_max", body.amount.amount, "amount")
    codes: GiftCodes = request.app.state.gift_codes
    key = (await context_of(request, keyed=True)).key
    assert key is not None  # `keyed`
    code = codes.issued(key)
    command = IssueGiftCard(
        account_id=codes.account_id(code),
        amount=body.amount.money(),
        expires_on=body.expires_on,
        today=datetime.now(UTC).date(),
    )
    return response_of(await outcome(request, command, keyed=True), code=code)


@router.post(
    "/gift-cards/{account_id}/block",
    summary="Block a gift card or store credit",
    dependencies=[Depends(operator_only)],
    **_BLOCKED,
)
async def block_account(request: Request, account_id: IdPath, body: BlockBody | None = None) -> Response:
    """For good: it pays for nothing any more. What orders took of it still comes back to it."""
    reason = (body or BlockBody()).reason
    return await answered(request, BlockAccount(account_id=account_id, reason=reason))


@router.post(
    "/gift-cards/balance",
    summary="What a gift card can pay",
    **documented(BalanceAnswer, created=False, key="none", statuses=(429,)),
)
async def balance(request: Request, body: BalanceBody) -> Response:
    """For who has its code. Unknown codes and those of expired cards are refused alike; a client with many
    wrong ones is refused for a minute."""
    codes: GiftCodes = request.app.state.gift_codes
    command = CheckBalance(account_id=codes.account_id(body.code), today=datetime.now(UTC).date())
    guesses: Guesses = request.app.state.guesses
    async with guesses.guess(request, CreditUnknown):
        return await answered(request, command)


@router.post(
    "/customers/{customer_id}/credit",
    summary="Give a customer store credit",
    dependencies=[Depends(operator_only)],
    **_GRANTED,
)
async def grant_credit(request: Request, customer_id: CustomerPath, body: GrantBody) -> Response:
    """A customer has one account in each currency: the answer's `id`. It pays for orders of carts that the
    operator opened for the customer."""
    check_limit(request, "price_minor_max", body.amount.amount, "amount")
    codes: GiftCodes = request.app.state.gift_codes
    command = GrantCredit(
        account_id=codes.store_credit_id(customer_id, body.amount.currency),
        customer_id=customer_id,
        amount=body.amount.money(),
        reason=body.reason,
    )
    return await answered(request, command, keyed=True)
