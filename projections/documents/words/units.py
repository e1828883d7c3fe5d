"""Numbers and units in one form each: 55", 55 in and 55-inch are one word, and so are 1/2 and 0.5."""

from __future__ import annotations

import re
from fractions import Fraction

NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")

_FRACTIONS_OF = (2, 3, 4, 5, 8, 16, 32, 64)
_PLACES = 4  # behind the point: 1/64 is told from 1/32

_UNITS = {
    "in": 'in inch inches " zoll',
    "ft": "ft foot feet '",
    "yd": "yd yard yards",
    "mm": "mm millimeter millimeters millimetre millimetres",
    "cm": "cm centimeter centimeters centimetre centimetres",
    "m": "m meter meters metre metres",
    "kg": "kg kgs kilo kilos kilogram kilograms kilogramm",
    "g": "g gr gram grams gramm",
    "mg": "mg milligram milligrams",
    "lb": "lb lbs pound pounds",
    "oz": "oz ounce ounces",
    "l": "l liter liters litre litres",
    "ml": "ml milliliter milliliters millilitre millilitres",
    "cl": "cl",
    "kb": "kb",
    "mb": "mb megabyte megabytes",
    "gb": "gb gigabyte gigabytes",
    "tb": "tb terabyte terabytes",
    "w": "w watt watts",
    "kw": "kw kilowatt kilowatts",
    "kwh": "kwh",
    "v": "v volt volts",
    "a": "a amp amps ampere",
    "mah": "mah",
    "hz": "hz hertz",
    "khz": "khz",
    "mhz": "mhz",
    "ghz": "ghz",
    "mp": "mp megapixel megapixels",
    "pc": "pc pcs piece pieces",
}
_UNIT_OF = {name: unit for unit, names in _UNITS.items() for name in names.split()}

_WRITTEN = re.compile(r"([0-9]+(?:/[0-9]+|(?:[.,][0-9]+)+)?)(.*)", re.DOTALL)


def is_unit(word: str) -> str | None:
    """The unit that this word names, None where it names none."""
    return _UNIT_OF.get(word)


def number_and_unit(text: str) -> tuple[str | None, str]:
    """The number in its one form and its unit, "" without one; None where it is neither."""
    written = _WRITTEN.fullmatch(text)
    if written is None:
        return None, ""
    unit = _UNIT_OF.get(written[2]) if written[2] else ""
    if unit is None:
        return None, ""
    number = written[1]
    if "/" in number:
        above, _, below = number.partition("/")
        if len(below) > 2 or int(below) not in _FRACTIONS_OF or len(above) > 3:
            return None, ""
        number = _rounded(Fraction(int(above), int(below)))
    return decimal(number), unit


def decimal(number: str) -> str:
    """The number with a point and no zeros at its end: 1,50 and 1.5 are one; 1,500 is 1500."""
    if "," in number:
        groups = number.split(",")
        thousands = all(len(group) == 3 for group in groups[1:]) and "." not in "".join(groups[:-1])
        number = "".join(groups) if thousands else number.replace(",", ".")
    if number.count(".") > 1:
        return number.replace(".", "")
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return number


def _rounded(fraction: Fraction) -> str:
    return f"{float(fraction):.{_PLACES}f}"
