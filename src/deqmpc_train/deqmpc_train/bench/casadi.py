"""CasADi's IPOPT as a peer: the oracle's program at the benchmark's tolerance."""

from functools import lru_cache

from torch import Tensor

from deqmpc_core.tasks import Task
from deqmpc_core.testing import IpoptOracle, Problems
from deqmpc_train.bench.peer import NotSupported, Peer, Run


def ipopt(tolerance: float, at_most: int = 5) -> Peer:
    """SX functions, exact Hessians, MUMPS; no derivative of the solution."""

    @lru_cache
    def program(task: Task, horizon: int, spheres: int) -> IpoptOracle:
        return IpoptOracle(task, horizon, spheres, tolerance=tolerance)

    def prepare(problems: Problems, mode: str) -> Run:
        if mode != "forward":
            raise NotSupported("not supported: no backward pass")
        oracle = program(problems.task, problems.horizon, problems.spheres_count)

        def run() -> tuple[Tensor, Tensor]:
            answers = oracle(problems)
            return answers.x, answers.u

        return run

    return Peer("casadi IPOPT", prepare, at_most)
