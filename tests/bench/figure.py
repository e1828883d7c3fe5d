"""A plot as SVG: lines over logarithmic axes, drawn without a library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import log10
from pathlib import Path

WIDTH, HEIGHT = 790, 440
LEFT, RIGHT, TOP, BOTTOM = 80, 240, 40, 60
COLOURS = ("#0b6e4f", "#c8553d", "#2a4d8f", "#8a6d1c", "#7b3f8c", "#555555", "#1c8a8a", "#b0307a")

Points = Sequence[tuple[float, float]]


def draw(path: Path, title: str, across: str, up: str, lines: Mapping[str, Points]) -> None:
    """Writes the plot; every coordinate is above 0, and each axis spans what is on it."""
    xs = sorted({x for points in lines.values() for x, _ in points})
    ys = [y for points in lines.values() for _, y in points]
    low, high = 10 ** _floor(log10(min(ys))), 10 ** -_floor(-log10(max(ys)))
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x_of(x: float) -> float:
        span = log10(xs[-1] / xs[0]) or 1.0
        return LEFT + width * log10(x / xs[0]) / span

    def y_of(y: float) -> float:
        return TOP + height * (1 - log10(y / low) / log10(high / low))

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="15">{escape(title)}</text>',
        f'<text x="{LEFT + width / 2}" y="{HEIGHT - 15}" text-anchor="middle">{escape(across)}</text>',
        f'<text transform="translate(18 {TOP + height / 2}) rotate(-90)" text-anchor="middle">'
        f"{escape(up)}</text>",
    ]
    tick = low
    while tick <= high * 1.001:
        y = y_of(tick)
        parts.append(f'<line x1="{LEFT}" x2="{LEFT + width}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:,.10g}</text>')
        tick *= 10
    parts += [
        f'<text x="{x_of(x):.1f}" y="{TOP + height + 20}" text-anchor="middle">{x:,.0f}</text>' for x in xs
    ]
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        path_points = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in points)
        parts.append(f'<polyline points="{path_points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x_of(x):.1f}" cy="{y_of(y):.1f}" r="3" fill="{colour}"/>' for x, y in points]
        y = TOP + 16 + number * 20
        parts.append(f'<rect x="{WIDTH - RIGHT + 14}" y="{y - 9}" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{WIDTH - RIGHT + 32}" y="{y + 2}">{escape(name)}</text>')
    parts.append("</svg>")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(parts) + "\n")


def _floor(value: float) -> int:
    return int(value // 1)
