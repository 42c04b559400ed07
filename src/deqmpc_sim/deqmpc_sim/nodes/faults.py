"""~/inject_fault: faults of the outside asked for over the graph."""

from deqmpc_interfaces.srv import InjectFault
from rclpy.node import Node

from deqmpc_core.errors import DeqmpcError
from deqmpc_sim.nodes import graph
from deqmpc_sim.nodes.server import CrazyflieServer
from deqmpc_sim.strikes import SERVICE_ABSENT, Strike
from deqmpc_sim.world import World


class FaultQueue:
    """Checks what is asked, keeps it until the simulation's next publishing, then brings it about.

    Outside callbacks: a service that is withdrawn must not be destroyed while the executor looks at it. After
    a reset that means: in the new episode.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._asked: list[Strike] = []
        node.create_service(InjectFault, graph.FAULT_SERVICE, self._on_inject)

    def _on_inject(
        self, request: InjectFault.Request, response: InjectFault.Response
    ) -> InjectFault.Response:
        try:
            strike = Strike(
                request.kind, float(request.after), float(request.duration), float(request.value),
                request.target,
            )  # fmt: skip
        except DeqmpcError as error:
            response.success, response.message = False, str(error)
            return response
        self._asked.append(strike)
        response.success = True
        return response

    def release(self, world: World, server: CrazyflieServer) -> None:
        """Bring about what has been asked for since the last call."""
        asked, self._asked = self._asked, []
        for strike in asked:
            if strike.kind == SERVICE_ABSENT:
                self._withdraw(server, strike.target)
            else:
                world.strike(strike)

    def _withdraw(self, server: CrazyflieServer, name: str) -> None:
        try:
            server.withdraw(name)
        except DeqmpcError as error:
            self._node.get_logger().error(str(error))
