"""Numbers as the pages' tables write them."""

from __future__ import annotations


def number(value: float) -> str:
    """Three digits that count, or no more than are before the point."""
    return (
        f"{value:.0f}"
        if abs(value) >= 100
        else f"{value:.1f}"
        if abs(value) >= 10
        else f"{value:.2f}"
    )
