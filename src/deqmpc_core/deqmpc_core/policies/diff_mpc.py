"""Diff-MPC: the network sees only x_0 and is asked once; then the solver runs (Eqs. 4-5)."""

from torch import Tensor

from deqmpc_core.nets import NetworkAnswer, Scene
from deqmpc_core.policies.learned import LearnedPolicy


class DiffMpcPolicy(LearnedPolicy):
    """theta = NN(x_0, o) with x_0 repeated for all knots (Appendix A.8); variants diffmpc-nn and
    diffmpc-deq."""

    def propose(self, x0: Tensor, plan: Tensor, z: Tensor, scene: Scene | None = None) -> NetworkAnswer:
        """Eq. 4; the solver's plan is not looked at."""
        return self.ask(x0, x0[:, None].expand_as(plan), z, scene)
