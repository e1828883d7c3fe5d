"""Which lines a rule selects and whether its conditions hold: a bit per line, an integer per token.

A token is what a selector may find a line by: its SKU, its category and those above, an attribute's value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from aggregates.kernel import Sku
from aggregates.pricing.context import Context, PricedLine, Traits
from aggregates.pricing.rules import Amounts, Condition, ConditionKind, Selector


def tokens(sku: Sku, traits: Traits | None) -> tuple[str, ...]:
    """Everything that a selector may find a line by; nothing where its traits are not known."""
    if traits is None:
        return ()
    found = [_sku(sku)]
    if traits.group is not None:
        found.append(_group(traits.group))
    found += [_attribute(code, value) for code, value in traits.attributes.items()]
    category = traits.category
    while category:
        found.append(_category(category))
        category = category.rpartition(" > ")[0]
    if traits.seller:
        found.append(_seller(traits.seller))
    return tuple(found)


def _sku(sku: Sku) -> str:
    return f"sku:{sku}"


def _group(group: str) -> str:
    return f"group:{group}"


def _attribute(code: str, value: str) -> str:
    return f"attribute:{code}\x1f{value}"


def _category(path: str) -> str:
    return f"category:{path}"


def _seller(seller: str) -> str:
    return f"seller:{seller}"


@dataclass(frozen=True, slots=True, eq=False)
class CompiledSelector:
    """A selector as tokens: a line has one of every part, none of the excluded. The narrowest part is
    first."""

    parts: tuple[tuple[str, ...], ...]
    excluded: tuple[str, ...] = ()
    not_on_sale: bool = False

    @property
    def selects_all(self) -> bool:
        """Whether it asks nothing of a line."""
        return not (self.parts or self.excluded or self.not_on_sale)

    @property
    def mentioned(self) -> Iterable[str]:
        """Every token that it looks at."""
        yield from self.excluded
        for part in self.parts:
            yield from part


@dataclass(frozen=True, slots=True, eq=False)
class CompiledCondition:
    """A condition with its selector compiled; which fields count follows from `kind`."""

    kind: ConditionKind
    selector: CompiledSelector
    amount: Amounts
    quantity: int
    names: frozenset[str]
    any_of: tuple[CompiledCondition, ...]


class Selectors:
    """Compiles selectors and conditions; equal selectors become one, so that a cart matches it once."""

    def __init__(self) -> None:
        self._known: dict[object, CompiledSelector] = {}

    def compile(self, selector: Selector) -> CompiledSelector:
        """The selector as tokens."""
        by_code = [
            tuple(_attribute(code, value) for value in values)
            for code, values in sorted(selector.attributes.items())
        ]
        parts = (
            tuple(map(_sku, selector.skus)),
            tuple(map(_group, selector.groups)),
            *by_code,
            tuple(map(_category, selector.categories)),
            tuple(map(_seller, selector.sellers)),
        )
        given = tuple(part for part in parts if part)
        excluded = (*map(_sku, selector.not_skus), *map(_category, selector.not_categories))
        key = (given, excluded, selector.not_on_sale)
        if key not in self._known:
            self._known[key] = CompiledSelector(given, excluded, selector.not_on_sale)
        return self._known[key]

    def compile_condition(self, condition: Condition) -> CompiledCondition:
        """The condition, and those in it."""
        return CompiledCondition(
            condition.kind,
            self.compile(condition.selector),
            condition.amount,
            condition.quantity,
            frozenset(condition.countries if condition.kind == "countries" else condition.customer_groups),
            tuple(self.compile_condition(one) for one in condition.any_of),
        )

    @property
    def mentioned(self) -> frozenset[str]:
        """Every token that a selector compiled so far looks at."""
        return frozenset(token for selector in self._known.values() for token in selector.mentioned)


class Cart:
    """The lines of one cart as rules see them. Gifts and what is not discountable are never selected."""

    __slots__ = ("_bits", "_known", "_masks", "_on_sale", "_selected", "context", "lines", "selectable")

    def __init__(self, lines: Sequence[PricedLine], context: Context, mentioned: Collection[str]) -> None:
        self.lines = lines
        self.context = context
        self._selected: dict[CompiledSelector, int] = {}
        self._bits: dict[int, list[int]] = {(1 << len(lines)) - 1: list(range(len(lines)))}
        masks: dict[str, int] = {}
        selectable = known = on_sale = 0
        bit = 1
        for line in lines:
            traits = line.traits
            if line.gift_of is None:
                if traits is None:
                    selectable |= bit
                elif traits.discountable:
                    selectable |= bit
                    known |= bit
                    if traits.on_sale:
                        on_sale |= bit
                    if mentioned:
                        for token in line.tokens or tokens(line.sku, traits):
                            if token in mentioned:
                                masks[token] = masks.get(token, 0) | bit
            bit <<= 1
        self.selectable = selectable
        self._masks = masks
        self._known = known
        self._on_sale = on_sale

    def find(self, index: Mapping[str, Sequence[CompiledSelector]]) -> list[CompiledSelector]:
        """The selectors that select a line, of those that are indexed by the tokens of their first part."""
        candidates: dict[CompiledSelector, int] = {}
        for token, mask in self._masks.items():
            for selector in index.get(token, ()):
                candidates[selector] = candidates.get(selector, 0) | mask
        return [selector for selector, mask in candidates.items() if self._refine(selector, mask)]

    def select(self, selector: CompiledSelector) -> int:
        """The lines that it selects, as a mask."""
        mask = self._selected.get(selector)
        if mask is None:
            if selector.selects_all:
                mask = self._selected[selector] = self.selectable
            elif selector.parts:
                mask = self._refine(selector, self._any_of(selector.parts[0]))
            else:
                mask = self._refine(selector, self._known)
        return mask

    def indices(self, mask: int) -> list[int]:
        """The places of the mask's lines, in the cart's order. Not to be changed."""
        found = self._bits.get(mask)
        if found is None:
            found = self._bits[mask] = []
            rest = mask
            while rest:
                lowest = rest & -rest
                found.append(lowest.bit_length() - 1)
                rest ^= lowest
        return found

    def units(self, mask: int) -> int:
        """How many units the mask's lines have together."""
        lines = self.lines
        return sum([lines[i].quantity for i in self.indices(mask)])

    def _refine(self, selector: CompiledSelector, mask: int) -> int:
        """Of the lines that have the first part, those that have all that is asked."""
        for part in selector.parts[1:]:
            mask &= self._any_of(part)
        for token in selector.excluded:
            mask &= ~self._masks.get(token, 0)
        if selector.not_on_sale:
            mask &= ~self._on_sale
        self._selected[selector] = mask
        return mask

    def _any_of(self, part: Iterable[str]) -> int:
        masks = self._masks
        mask = 0
        for token in part:
            mask |= masks.get(token, 0)
        return mask


class Basis:
    """Amounts by line at one point of the calculation, and their sums over selections."""

    __slots__ = ("_cart", "_sums", "amounts")

    def __init__(self, cart: Cart, amounts: list[int]) -> None:
        self._cart = cart
        self.amounts = amounts
        self._sums: dict[int, int] = {}

    def sum(self, mask: int) -> int:
        """What the mask's lines amount to together."""
        total = self._sums.get(mask)
        if total is None:
            amounts = self.amounts
            total = self._sums[mask] = sum([amounts[i] for i in self._cart.indices(mask)])
        return total

    def changed(self) -> None:
        """Must be called after amounts changed."""
        self._sums.clear()


def holds(condition: CompiledCondition, cart: Cart, basis: Basis) -> bool:
    """Whether the condition holds for the cart; amounts are those of `basis`.

    A shopper who is not known yet counts as one without orders.
    """
    context = cart.context
    match condition.kind:
        case "amount_at_least":
            return basis.sum(cart.select(condition.selector)) >= condition.amount[context.currency]
        case "quantity_at_least":
            return cart.units(cart.select(condition.selector)) >= condition.quantity
        case "first_order":
            return context.shopper is None or context.shopper.orders == 0
        case "customer_groups":
            return not condition.names.isdisjoint(context.customer_groups)
        case "countries":
            return context.destination is not None and context.destination.country in condition.names
        case "any_of":
            return any(holds(one, cart, basis) for one in condition.any_of)
