"""The growth curve, drawn for the documentation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt

IMAGE = Path(__file__).resolve().parent.parent / "docs" / "images" / "growth.svg"


def draw(figures: Mapping[str, float], path: Path = IMAGE) -> bool:
    """Draw claim time and sweep rate by number of accounts; False when not measured."""
    due = _series(figures, "claim/due/")
    if not due:
        return False
    # The same figures give the same file.
    mpl.rcParams["svg.hashsalt"] = "growth"
    figure, (claims, sweeps) = plt.subplots(1, 2, figsize=(9, 3.4))
    claims.plot(*zip(*due, strict=True), marker="o", label="500 due")
    nothing = _series(figures, "claim/nothing due/")
    claims.plot(*zip(*nothing, strict=True), marker="s", label="nothing due")
    claims.set(ylabel="claim (ms)")
    claims.legend()
    rate = _series(figures, "growth/sweep/")
    sweeps.plot(*zip(*rate, strict=True), marker="o", color="tab:green")
    sweeps.set(ylabel="refreshes a second, 500 due, one process")
    for axes in (claims, sweeps):
        axes.set(xscale="log", xlabel="accounts in the table")
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    return True


def _series(figures: Mapping[str, float], prefix: str) -> list[tuple[int, float]]:
    return sorted(
        (int(name.removeprefix(prefix)), value)
        for name, value in figures.items()
        if name.startswith(prefix)
    )
