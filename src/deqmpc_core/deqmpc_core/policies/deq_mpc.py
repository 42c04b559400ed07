"""DEQ-MPC: the network sees the solver's plan and is asked every round (Section 4.2)."""

from torch import Tensor

from deqmpc_core.nets import NetworkAnswer, Scene
from deqmpc_core.policies.learned import LearnedPolicy


class DeqMpcPolicy(LearnedPolicy):
    """theta^i = NN(x_0, o, tau^{i-1}), tau^i = MPC-m(theta^i, x_0, tau^{i-1}); variants deqmpc-nn and
    deqmpc-deq."""

    asks_every_round = True

    def propose(self, x0: Tensor, plan: Tensor, z: Tensor, scene: Scene | None = None) -> NetworkAnswer:
        """Eq. 9."""
        return self.ask(x0, plan, z, scene)
