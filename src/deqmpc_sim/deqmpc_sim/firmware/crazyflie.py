"""One simulated Crazyflie 2.1: radio interface, firmware loops and physics behind one object."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from deqmpc_sim.firmware import estimator, mellinger
from deqmpc_sim.firmware.battery import Battery
from deqmpc_sim.firmware.commander import FirmwareCommander, Priority, full_setpoint
from deqmpc_sim.firmware.estimator import OnboardEstimator
from deqmpc_sim.firmware.mellinger import MellingerController
from deqmpc_sim.firmware.physics import RigidBody
from deqmpc_sim.firmware.planner import PlannerState
from deqmpc_sim.firmware.supervisor import Info, Supervisor, SupervisorState
from deqmpc_sim.firmware.truth import STEP, STEPS_PER_SECOND, Array, Seed, TrueState, TruthConfig

HIGH_LEVEL_EVERY = STEPS_PER_SECOND // 100
SUPERVISE_EVERY = STEPS_PER_SECOND // 25


class Event(NamedTuple):
    """Something the firmware did: time since boot [s] and a sentence."""

    time: float
    sentence: str


class SimulatedCrazyflie:
    """step() advances 2 ms; the other methods are what the radio can ask for, effective at the next step.

    The controller flies on `estimate`, which knows only the IMU and external_pose; `truth` is for referees
    and cameras.
    """

    def __init__(self, truth: TruthConfig, seed: Seed, position: ArrayLike) -> None:
        """position (3,) world [m] where the robot stands, motors off; seed a number or (seed, episode)."""
        self.events: list[Event] = []
        self._tick = 0
        self._body = RigidBody(truth, seed, np.asarray(position, dtype=np.float64))
        self._estimator = OnboardEstimator()
        self._controller = MellingerController(truth.controller_mass)
        self._commander = FirmwareCommander(self.note)
        self._supervisor = Supervisor(self.note)
        self._level = np.zeros(mellinger.SETPOINT_SIZE)
        self.battery = Battery(truth.battery_capacity, truth.battery_charge)

    def step(self) -> None:
        """Advance 2 ms: commander 100 Hz, supervisor 25 Hz, controller, physics and estimate 500 Hz."""
        if self._tick % HIGH_LEVEL_EVERY == 0:
            state = self._estimator.state
            self._commander.tick(self.time, state[0:3], state[3:6], self._estimator.yaw)
        if self._tick % SUPERVISE_EVERY == 0:
            self._supervise()
        self._body.step(self._motors())
        self._estimator.propagate(self._body.gyro, self._body.accelerometer)
        self._tick += 1

    @property
    def time(self) -> float:
        """Seconds since boot."""
        return self._tick / STEPS_PER_SECOND

    @property
    def truth(self) -> TrueState:
        """The true state."""
        return self._body.state

    @property
    def estimate(self) -> TrueState:
        """What the robot believes; omega is the gyro's."""
        s = self._estimator.state
        quaternion = np.array((s[7], s[8], s[9], s[6]))
        return TrueState(
            s[estimator.POSITION].copy(), quaternion, s[estimator.VELOCITY].copy(), self._body.gyro.copy()
        )

    @property
    def supervisor_info(self) -> int:
        """crazyflie_interfaces/Status.supervisor_info."""
        info = self._supervisor.info(self.time)
        planner = self._commander.planner
        if planner.state is not PlannerState.IDLE:
            info |= Info.HIGH_LEVEL_ACTIVE
            info |= Info.HIGH_LEVEL_FINISHED if planner.finished(self.time) else Info(0)
        return int(info)

    @property
    def supervisor_state(self) -> SupervisorState:
        """Ready, flying, levelled out, crashed or locked."""
        return self._supervisor.state

    @property
    def is_flying(self) -> bool:
        """Motors turned within the last 2 s."""
        return self._supervisor.is_flying(self.time)

    @property
    def is_locked(self) -> bool:
        """Stopped until a reboot."""
        return self._supervisor.state is SupervisorState.LOCKED

    @property
    def priority(self) -> Priority:
        """Whose setpoint is flown."""
        return self._commander.priority

    @property
    def setpoint(self) -> Array:
        """What the commander has accepted last (14,), as the controller takes it; see mellinger."""
        return self._commander.setpoint.copy()

    @property
    def controller_mass(self) -> float:
        """ctrlMel.mass [kg]."""
        return self._controller.mass

    @property
    def battery_voltage(self) -> float:
        """Battery under load [V]."""
        return self.battery.voltage

    @property
    def pm_state(self) -> int:
        """crazyflie_interfaces/Status.pm_state."""
        return self.battery.pm_state

    @property
    def motor_pwm(self) -> Array:
        """Legacy PWM of m1..m4 (4,), 0..65535."""
        return self._controller.pwm.copy()

    def takeoff(self, height: float, duration: float) -> bool:
        """Straight up to an absolute height [m] within duration [s]; False where refused (see events)."""
        return self._commander.takeoff(height, duration, self.time)

    def land(self, height: float, duration: float) -> bool:
        """Straight down to an absolute height [m], then motors off; False where refused, as while already
        landing.
        """
        return self._commander.land(height, duration, self.time)

    def go_to(self, goal: ArrayLike, yaw: float, duration: float, relative: bool = False) -> bool:
        """To goal (3,) [m] and yaw [RADIANS] within duration [s], then hover."""
        return self._commander.go_to(goal, yaw, duration, relative, self.time)

    def notify_setpoints_stop(self) -> None:
        """End of the low-level stream. Without land or go_to in the same breath the motors stop."""
        state = self._estimator.state
        self._commander.notify_setpoints_stop(state[0:3], state[3:6], self._estimator.yaw)

    def full_state_setpoint(
        self,
        position: ArrayLike,
        velocity: ArrayLike,
        acceleration: ArrayLike,
        yaw: float,
        angular_rate: ArrayLike = (0.0, 0.0, 0.0),
    ) -> bool:
        """A cmd_full_state packet: world frame, acceleration without gravity, yaw [rad], body rates [rad/s];
        False where a number is not finite.
        """
        setpoint = full_setpoint(position, velocity, acceleration, yaw, angular_rate)
        return self._commander.low_level(setpoint, self.time)

    def level_setpoint(self, height: float) -> bool:
        """A cmd_hover or cmd_velocity_world packet: the Mellinger controller does not know velocities, it
        keeps level at the height [m] and lets x and y drift; False where the height is not finite.
        """
        setpoint = full_setpoint((0.0, 0.0, height), (0.0,) * 3, (0.0,) * 3, self._estimator.yaw, (0.0,) * 3)
        setpoint[mellinger.MODE] = mellinger.MODE_LEVEL
        return self._commander.low_level(setpoint, self.time)

    def set_controller_mass(self, mass: float) -> None:
        """ctrlMel.mass [kg]; one that is not positive is ignored."""
        if mass > 0.0:
            self._controller.mass = mass

    def emergency(self) -> None:
        """Motors off and locked."""
        self._supervisor.lock("motors off and locked: emergency stop")

    def arm(self, armed: bool = True) -> None:
        """Arm or disarm."""
        self._supervisor.arm(armed)

    def external_pose(self, position: ArrayLike, quaternion: ArrayLike) -> bool:
        """A pose from motion capture: position (3,) world [m], quaternion (4,) x y z w; False where it is not
        usable.
        """
        return self._estimator.external_pose(position, quaternion)

    def _supervise(self) -> None:
        thrusting = bool(self._controller.pwm.any())
        age = self._commander.age(self.time)
        self._supervisor.update(self.time, thrusting, age, float(self._body.accelerometer[2]))
        self.battery.drain(self._body.rotor_thrust, SUPERVISE_EVERY * STEP)

    def _motors(self) -> Array:
        if not self._supervisor.motors_allowed:
            return self._controller.cut()
        setpoint = self._commander.setpoint
        if self._supervisor.state is SupervisorState.WARNING_LEVEL_OUT:
            self._level[:] = setpoint
            self._level[mellinger.RATE] = 0.0
            self._level[mellinger.MODE] = mellinger.MODE_LEVEL
            setpoint = self._level
        return self._controller.step(self._estimator.state, self._body.gyro, setpoint)

    def note(self, sentence: str) -> None:
        """Add to the events."""
        self.events.append(Event(self.time, sentence))
