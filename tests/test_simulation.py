from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.simulation import measured as measuring
from benchmarks.simulation import model, scenarios, sizing, tables
from benchmarks.simulation.cohorts import Cohorts
from benchmarks.simulation.exact import Exact
from benchmarks.simulation.measured import Measured
from benchmarks.simulation.model import Engine, Provider, Start, Trace
from benchmarks.simulation.pace import batch_seconds, pace
from oauth_accounts import outages, schedule
from oauth_accounts.beat import BEAT_SCHEDULE
from oauth_accounts.models import Provider as StoredProvider

ROOT = Path(__file__).resolve().parent.parent
ACCOUNTS = 20_000
DOWN = (1837.0, 5437.0)
AN_HOUR = 3600.0

PATIENT = Engine(processes=4, concurrency=4)
LIMITED = {"limit": 600, "limit_window": 60, "max_refreshes_per_minute": 590}


def both(engine: Engine, provider: Provider, weight: int = 1) -> tuple[Trace, Trace]:
    """Return what happens to the same accounts one by one and in cohorts."""
    until = (provider.outage[1] or 3600.0) + 5400
    random = np.random.default_rng(2)
    start = Start.steady(engine, provider, ACCOUNTS, random)
    first = Start(issued=start.issued[::weight], due=start.due[::weight])
    exact = Exact(engine, provider, start, until).run()
    cohorts = Cohorts(engine, provider, first, weight=weight, until=until).run()
    return exact, cohorts


# ---- the two models agree ------------------------------------------------------------


@pytest.mark.parametrize("weight", [1, 10])
@pytest.mark.parametrize(
    ("engine", "provider"),
    [
        pytest.param(PATIENT, Provider(), id="ordinary"),
        pytest.param(PATIENT, Provider(outage=DOWN), id="outage"),
        pytest.param(
            PATIENT, Provider(outage=DOWN, outage_latency=15.0), id="silent outage"
        ),
        pytest.param(
            replace(PATIENT, breaker=False), Provider(outage=DOWN), id="no breaker"
        ),
        pytest.param(
            replace(PATIENT, chains=1, forks=True, pause_longest=300.0),
            Provider(outage=DOWN),
            id="forks",
        ),
        pytest.param(
            Engine(processes=6, concurrency=4),
            Provider(outage=DOWN, **LIMITED),  # type: ignore[arg-type]
            id="limited",
        ),
    ],
)
def test_cohorts_agree_with_account_by_account(
    engine: Engine, provider: Provider, weight: int
) -> None:
    exact, cohorts = both(engine, provider, weight)
    assert exact.calls.sum() > ACCOUNTS
    assert cohorts.calls.sum() == pytest.approx(exact.calls.sum(), rel=0.03)
    assert cohorts.expired.mean() == pytest.approx(exact.expired.mean(), abs=0.02)
    assert cohorts.expired.max() == pytest.approx(exact.expired.max(), abs=0.01)
    down = int(provider.outage[1])
    if down:
        # In ordinary times a peak is chance, and cohorts have more of it.
        peaks = [run.smoothed(300)[down // 300 :].max() for run in (cohorts, exact)]
        assert peaks[0] == pytest.approx(peaks[1], rel=0.1)
    again = exact.fresh_again(down)
    assert cohorts.fresh_again(down) == pytest.approx(again, rel=0.05, abs=30)
    # The breaker stops either of them after a few dozen calls, or not at all.
    assert cohorts.failures.sum() == pytest.approx(
        exact.failures.sum(), rel=0.05, abs=100
    )


def test_both_are_deterministic() -> None:
    provider = Provider(outage=DOWN)
    one, other = both(PATIENT, provider), both(PATIENT, provider)
    for first, second in zip(one, other, strict=True):
        assert np.array_equal(first.calls, second.calls)
        assert np.array_equal(first.expired, second.expired)


# ---- they follow the engine's rules --------------------------------------------------


def test_constants_are_those_of_the_engine() -> None:
    assert model.BACKOFF_BASE == schedule.BACKOFF_BASE_SECONDS
    assert model.BACKOFF_MAX == schedule.BACKOFF_MAX_SECONDS
    assert outages.UNAVAILABLE_PAUSE_SECONDS == model.PAUSE_FIRST
    assert outages.UNAVAILABLE_LONGEST_SECONDS == model.PAUSE_LONGEST
    assert outages.RATE_LIMIT_PAUSE_SECONDS == model.RATE_LIMIT_PAUSE
    sweep = BEAT_SCHEDULE["oauth_accounts.refresh_due_accounts"]
    assert sweep["schedule"] == model.BEAT


@pytest.mark.parametrize("failures", [0, 1, 5, 9, 12, 40])
def test_backoff_is_that_of_the_engine(failures: int) -> None:
    drawn = [schedule.backoff(failures) for _ in range(2000)]
    bounds = PATIENT.backoff(np.array([failures, failures]), np.array([1.0, 0.0]))
    assert bounds[0] <= min(drawn) < 1.02 * bounds[0]
    assert 0.98 * bounds[1] < max(drawn) <= bounds[1]


def test_a_slots_burst_and_rate_make_up_the_limit() -> None:
    burst, rate = PATIENT.slots(600)
    stored = StoredProvider(max_refreshes_per_minute=600)
    assert burst == stored._burst()
    assert rate == pytest.approx(1 / stored._interval().total_seconds(), rel=0.01)
    assert burst + 60 * rate == pytest.approx(600)


# ---- pace ----------------------------------------------------------------------------


def test_a_batch_of_calls_without_latency_is_bound_by_the_processor() -> None:
    engine = Engine(processes=1, cpu=0.002, overhead=0.0)
    assert batch_seconds(engine, 0.0) == pytest.approx(500 * 0.002)


def test_a_batch_with_a_full_window_is_bound_by_latency() -> None:
    engine = Engine(
        processes=1, concurrency=50, window_start=50, cpu=1e-9, overhead=0.0
    )
    assert batch_seconds(engine, 1.0) == pytest.approx(500 / 50)


def test_slow_start_doubles_with_each_round() -> None:
    engine = Engine(processes=1, concurrency=64, cpu=1e-9, overhead=0.0)
    # 2, 4, 8, 16 and 32 calls in five rounds, then seven rounds of 64 for the other 438.
    assert batch_seconds(engine, 1.0) == pytest.approx(5 + 7, abs=1e-3)


def test_a_failing_provider_gets_two_calls_at_a_time() -> None:
    engine = Engine(processes=1, concurrency=64, cpu=1e-9, overhead=0.0)
    assert pace(engine, 0.5, failing=True) == pytest.approx(2 / 0.5, rel=0.01)


# ---- what it says --------------------------------------------------------------------


@pytest.fixture(scope="module")
def hour() -> dict[str, scenarios.Outcome]:
    played = scenarios.outages(Engine(processes=1), 100_000_000, 1.5)
    return {run.name: run for run in played}


def test_a_hundred_million_accounts_come_back_without_a_herd(
    hour: dict[str, scenarios.Outcome],
) -> None:
    run = hour["as built"]
    assert run.trace.accounts == 100_000_000
    # What the workers can do, which is half again as much as ordinary times need.
    assert run.peak < 1.6 * 100_000_000 / run.engine.cycle(AN_HOUR)
    assert run.peak_during < run.before
    assert run.wasted < 20_000
    assert run.recovery < AN_HOUR
    assert run.trace.expired[-1] == 0


def test_what_the_parts_are_for(hour: dict[str, scenarios.Outcome]) -> None:
    built, herd = hour["as built"], hour["a task per account, each minute"]
    assert hour["without breaker"].wasted > 100 * built.wasted
    assert (
        hour["without breaker and slow start"].wasted
        > 10 * hour["without breaker"].wasted
    )
    assert herd.peak > 30 * built.peak


def test_jitter_lets_a_bulk_drift_apart() -> None:
    none, some = (scenarios.bulk(100_000, 60, jitter, 12) for jitter in (0.0, 0.1))
    assert none[11] == pytest.approx(100_000 / 60, rel=0.01)
    assert some[0] < none[0] / 5
    assert some[11] < some[0] / 2


def test_workers_without_room_for_a_bulk_are_late_once() -> None:
    _, expired = scenarios.bulk_expired(Engine(processes=1), 1_000_000, 60, 1.5, 4)
    assert expired[0] == pytest.approx(0.61, abs=0.02)
    assert expired[1:] == [0, 0, 0]


# ---- sizing --------------------------------------------------------------------------


def test_more_of_anything_never_needs_less() -> None:
    measured = Measured.load()
    row = sizing.size(measured, 1_000_000, AN_HOUR, 0.2)
    for more in (
        sizing.size(measured, 10_000_000, AN_HOUR, 0.2),
        sizing.size(measured, 1_000_000, AN_HOUR, 1.0),
        sizing.size(measured, 1_000_000, AN_HOUR / 2, 0.2),
    ):
        assert more.processes >= row.processes
        assert more.machines >= row.machines
    assert row.processes * pace(
        measured.engine(concurrency=row.concurrency), 0.2
    ) >= 1.5 * 1_000_000 / measured.engine().cycle(AN_HOUR)


def test_the_page_has_the_table_that_is_computed() -> None:
    measured = Measured.load()
    page = (ROOT / "docs" / "scaling.md").read_text()
    for table in (
        tables.of_sizes(sizing.sizes(measured)),
        tables.of_points(measured),
    ):
        assert tables.replaced(page, table) == page, "run make simulate"


def test_the_model_foretells_what_was_measured() -> None:
    measured = Measured.load()
    assert len(measured.points) >= 3
    for point in measured.points:
        assert measured.predicted(point) == pytest.approx(
            point.refreshes_per_second, rel=measuring.TOLERANCE
        )


def test_figures_of_another_machine(tmp_path: Path) -> None:
    mine = tmp_path / "mine.json"
    text = (ROOT / "benchmarks" / "simulation" / "measured.json").read_text()
    mine.write_text(text.replace('"window_start": 2', '"window_start": 64'))
    warm, cold = Measured.load(mine), Measured.load()
    assert pace(warm.engine(), 0.2) > 1.2 * pace(cold.engine(), 0.2)


def test_a_table_without_a_place_is_an_error() -> None:
    table = tables.Table(name="nowhere", title="", head=["a"], rows=[])
    with pytest.raises(ValueError, match="nowhere"):
        tables.replaced("a page", table)
