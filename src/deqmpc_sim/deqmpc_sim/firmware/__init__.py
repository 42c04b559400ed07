"""A stand-in for a Crazyflie 2.1: firmware behaviour over MuJoCo physics. No ROS, no torch."""

from deqmpc_sim.firmware.crazyflie import SimulatedCrazyflie as SimulatedCrazyflie
from deqmpc_sim.firmware.truth import STEP as STEP
from deqmpc_sim.firmware.truth import STEPS_PER_SECOND as STEPS_PER_SECOND
from deqmpc_sim.firmware.truth import TrueState as TrueState
from deqmpc_sim.firmware.truth import TruthConfig as TruthConfig
