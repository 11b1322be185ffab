"""Plots for the documentation, as SVG that is the same for the same figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from benchmarks.simulation.model import Floats
from benchmarks.simulation.scenarios import Outcome
from benchmarks.simulation.tables import number, percent

# Without these, each run would make another file of the same figures.
mpl.rcParams["svg.hashsalt"] = "django-oauth-accounts"
METADATA = {"Date": None}
mpl.rcParams["font.size"] = 9


def request_rate(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Draw the calls a second that the provider sees around its outage."""
    axes = _axes("calls a second, means of a minute", logarithmic=True)
    for run in outcomes:
        rates = run.trace.smoothed(60)
        _line(axes, run, np.arange(len(rates)), np.maximum(rates, 0.1))
    _shade(axes, outcomes[0])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.set_ylim(0.1, None)
    _save(path, axes)


def expired_share(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Draw the share of accounts whose token is over."""
    axes = _axes("accounts whose token is over")
    for run in outcomes:
        share = run.trace.expired[::60]
        _line(axes, run, np.arange(len(share)), share)
    _shade(axes, outcomes[0])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))
    _save(path, axes)


def bulk_peaks(
    path: Path, peaks: dict[tuple[float, str], Floats], level: float
) -> None:
    """Draw the most refreshes a second in each cycle after a bulk connection."""
    axes = _axes("most refreshes a second", logarithmic=True)
    for (jitter, over), found in peaks.items():
        label = f"within {over}, jitter {percent(jitter)}"
        style = "-" if over == "a minute" else "--"
        axes.plot(range(1, len(found) + 1), found, style, label=label, linewidth=1.3)
    axes.axhline(
        level, color="0.4", linewidth=0.8, linestyle=":", label="spread evenly"
    )
    axes.set_xlabel("cycles after the connection (one takes 52 minutes)")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    _save(path, axes)


def _axes(label: str, *, logarithmic: bool = False) -> Axes:
    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.set_ylabel(label)
    axes.grid(visible=True, linewidth=0.4, alpha=0.6)
    if logarithmic:
        axes.set_yscale("log")
    return axes


def _line(axes: Axes, run: Outcome, minute: Floats, values: Floats) -> None:
    start = run.provider.outage[0] / 60
    axes.plot(minute - start, values, label=run.name, linewidth=1.3)
    axes.set_xlabel("minutes since the outage began")


def _shade(axes: Axes, run: Outcome) -> None:
    start, end = run.provider.outage
    axes.axvspan(0, (end - start) / 60, color="0.88", label="outage", zorder=0)


def _save(path: Path, axes: Axes) -> None:
    axes.legend(
        fontsize=7.5,
        ncols=3,
        frameon=False,
        loc="lower center",
        bbox_to_anchor=(0.5, 1),
    )
    axes.margins(x=0.01)
    path.parent.mkdir(parents=True, exist_ok=True)
    axes.figure.savefig(path, metadata=METADATA)
