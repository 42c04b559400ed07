"""The wall time of a sweep, against what every order of work without idle workers keeps to."""

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from deqmpc_train.sweep import Job
from deqmpc_train.sweep.schedule import wall


@st.composite
def sweeps(draw: st.DrawFn) -> tuple[list[Job], dict[str, float]]:
    jobs: list[Job] = []
    for number in range(draw(st.integers(1, 12))):
        chosen = draw(st.sets(st.integers(0, number - 1), max_size=3)) if number else set()
        jobs.append(Job(f"{number}", "m:f", {"number": number}, {str(k): jobs[k] for k in sorted(chosen)}))
    return jobs, {job.key: float(draw(st.integers(1, 9))) for job in jobs}


@given(sweeps(), st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_wall_time_lies_between_the_chain_and_graham_s_bound(
    sweep: tuple[list[Job], dict[str, float]], workers: int
) -> None:
    jobs, seconds = sweep

    @cache
    def chain(job: Job) -> float:
        return seconds[job.key] + max((chain(needed) for needed in job.needs.values()), default=0.0)

    longest, total = max(map(chain, jobs)), sum(seconds.values())
    found = wall(jobs, seconds, workers)
    assert max(longest, total / workers) <= found + 1e-9
    assert found <= total / workers + (1.0 - 1.0 / workers) * longest + 1e-9  # Graham 1966
    assert wall(jobs, seconds, 1) == total and wall(jobs, seconds, len(jobs)) == longest
