"""Parts of plots, as lines of SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

PALETTE = ("#3a7d44", "#2f6db5", "#b5532a", "#7a4fa3", "#8a8f98", "#c9a227")
GRID, PANEL_WIDTH, PANEL_HEIGHT = 4, 300, 176

Points = Sequence[tuple[float, float]]


def svg_start(width: float, height: float, title: str) -> list[str]:
    size = f'width="{width}" height="{height}"'
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="12" y="20" font-weight="bold">{title}</text>',
    ]


def svg_bar(
    left: float, top: float, length: float, height: float, colour: str, title: str, number: str
) -> list[str]:
    return [
        f'<text x="{left - 8}" y="{top + 11}" text-anchor="end">{title}</text>',
        f'<rect x="{left}" y="{top}" width="{max(length, 1):.1f}" height="{height}" fill="{colour}"/>',
        f'<text x="{left + length + 6:.1f}" y="{top + 11}">{number}</text>',
    ]


def rounded_up(value: float) -> float:
    """To 1, 2, 4 or 8 times a power of ten: a quarter of it is short to write."""
    power = 1.0
    while power * 10 <= value:
        power *= 10
    while power > value > 0:
        power /= 10
    return next(step * power for step in (1, 2, 4, 8, 10) if step * power >= value)


def svg_lines(
    left: float,
    top: float,
    title: str,
    series: Mapping[str, Points],
    ticks: Sequence[float],
    legend: bool = True,
) -> list[str]:
    """A panel of lines over `ticks`, the numbers written below it; both axes are linear and begin at 0."""
    bottom = top + 24 + PANEL_HEIGHT
    longest = max(ticks)
    highest = rounded_up(max(y for points in series.values() for _, y in points))
    parts = [f'<text x="{left}" y="{top + 10}" fill="#444">{title}</text>']
    for step in range(GRID + 1):
        y = bottom - step * PANEL_HEIGHT / GRID
        parts += [
            f'<line x1="{left}" y1="{y:.1f}" x2="{left + PANEL_WIDTH}" y2="{y:.1f}" stroke="#e4e4e4"/>',
            f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{highest * step / GRID:g}</text>',
        ]
    for tick in ticks:
        x = left + tick / longest * PANEL_WIDTH
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{tick:g}</text>')
    for index, (name, points) in enumerate(series.items()):
        colour = PALETTE[index % len(PALETTE)]
        path = " ".join(
            f"{left + x / longest * PANEL_WIDTH:.1f},{bottom - y / highest * PANEL_HEIGHT:.1f}"
            for x, y in points
        )
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if legend:
            y = top + 34 + index * 16
            parts += [
                f'<rect x="{left + PANEL_WIDTH + 10}" y="{y - 8}" width="10" height="10" fill="{colour}"/>',
                f'<text x="{left + PANEL_WIDTH + 26}" y="{y + 1}">{name}</text>',
            ]
    return parts
