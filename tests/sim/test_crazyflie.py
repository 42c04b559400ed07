import math

import numpy as np
import pytest

from deqmpc_sim.firmware import TruthConfig
from deqmpc_sim.firmware.commander import Priority
from deqmpc_sim.firmware.supervisor import Info, SupervisorState
from deqmpc_sim.world import World


def miss(world: World, goal: tuple[float, float, float]) -> float:
    return float(np.linalg.norm(world.truth.position - goal))


@pytest.mark.parametrize(
    "truth",
    [TruthConfig(), TruthConfig(rotor_lag=0.03), TruthConfig(rotor_lag=0.13), TruthConfig(mass=0.0352)],
)
def test_takeoff_go_to_and_land(airborne, flying, heard, truth: TruthConfig) -> None:
    world = airborne(truth)
    assert miss(world, (0, 0, 1)) < 0.02 and world.drone.is_flying
    world.drone.go_to((1, 0, 0), math.pi / 2, 2.0, relative=True)
    flying(world, 2.0)
    assert miss(world, (1, 0, 1)) < 0.05
    flying(world, 1.0)
    assert miss(world, (1, 0, 1)) < 0.03
    yaw = 2 * math.atan2(world.truth.quaternion[2], world.truth.quaternion[3])
    assert yaw == pytest.approx(math.pi / 2, abs=0.03)
    world.drone.land(0.0, 2.0)
    flying(world, 5.0)
    assert world.truth.floor_contact and not world.drone.motor_pwm.any()
    assert heard(world).endswith("motors off: landing finished")
    assert world.drone.supervisor_state is SupervisorState.READY and not world.drone.is_flying


def test_full_state_stream_is_tracked(airborne, flying) -> None:
    world, radius, rate = airborne(), 0.5, 2 * math.pi / 6
    flying(world, 1.0, lambda w: w.drone.full_state_setpoint((0, 0, 1), (0, 0, 0), (0, 0, 0), 0.0))
    assert miss(world, (0, 0, 1)) < 0.01
    begin, misses = world.time, []

    def circle(w: World) -> None:
        t = w.time - begin
        ease = min(t / 4.0, 1.0)
        angle = rate * (t * t / 8.0 if t < 4.0 else t - 2.0)
        speed, bend = rate * ease, 0.25 * rate * (t < 4.0)
        c, s = radius * math.cos(angle), radius * math.sin(angle)
        goal = (s, radius - c, 1.0)
        misses.append(miss(w, goal))
        acceleration = (-(speed**2) * s + bend * c, speed**2 * c + bend * s, 0)
        w.drone.full_state_setpoint(goal, (speed * c, speed * s, 0), acceleration, 0.0)

    flying(world, 12.0, circle)
    assert max(misses) < 0.05


def test_a_silent_stream_is_levelled_and_then_cut(airborne, flying, holding, heard) -> None:
    world = airborne()
    flying(world, 1.0, lambda w: w.drone.full_state_setpoint((0, 0, 1), (0.4, 0, 0), (0, 0, 0), 0.0))
    last = world.time - 0.02
    heights = flying(world, last + 0.48 - world.time)
    assert world.drone.supervisor_state is SupervisorState.FLYING
    flying(world, 0.1)
    assert world.drone.supervisor_state is SupervisorState.WARNING_LEVEL_OUT
    heights += flying(world, last + 1.98 - world.time)
    assert max(abs(height - 1.0) for height in heights) < 0.05 and not world.drone.is_locked
    assert np.abs(world.drone.estimate.quaternion[:2]).max() < 0.02
    flying(world, 0.1)
    assert world.drone.is_locked and world.drone.supervisor_info & Info.IS_LOCKED
    holding(world)
    flying(world, 1.0, holding)
    assert world.truth.floor_contact and not world.drone.motor_pwm.any()
    assert "levelled out" in heard(world) and "locked: no setpoint for 2.0 s" in heard(world)


def test_a_stream_that_resumes_in_time_flies_on(airborne, flying, holding, heard) -> None:
    world = airborne()
    flying(world, 1.0, holding)
    flying(world, 1.5)
    flying(world, 2.0, holding)
    assert heard(world).endswith("flying again: setpoints resumed") and miss(world, (0, 0, 1)) < 0.05


def test_notify_without_land_drops_and_with_land_lands(airborne, flying, holding, heard) -> None:
    dropped, landed = airborne(), airborne()
    for world in (dropped, landed):
        flying(world, 1.0, holding)
        world.drone.notify_setpoints_stop()
    assert dropped.drone.priority is Priority.HIGH_LEVEL
    heights = flying(dropped, 0.3)
    assert (
        not dropped.drone.motor_pwm.any()
        and heights[-1] < 0.8
        and "high-level planner is idle" in heard(dropped)
    )
    landed.drone.land(0.0, 2.0)
    heights = flying(landed, 1.0)
    assert heights[-1] == pytest.approx(0.5, abs=0.05)
    flying(landed, 1.2)
    assert heard(landed).endswith("landing finished") and not landed.drone.is_locked


def test_a_late_packet_resets_the_landing_and_the_watchdog_follows(airborne, flying, holding, heard) -> None:
    world = airborne()
    flying(world, 1.0, holding)
    world.drone.notify_setpoints_stop()
    world.drone.land(0.0, 2.0)
    flying(world, 0.1)
    holding(world)
    flying(world, 1.0)
    assert (
        world.drone.priority is Priority.CRTP
        and world.drone.supervisor_state is SupervisorState.WARNING_LEVEL_OUT
    )
    assert "reset the high-level planner (landing)" in heard(world)
    assert world.drone.land(0.0, 2.0)
    flying(world, 0.5)
    assert miss(world, (0, 0, 1)) < 0.1, "a plan without the priority is not flown"


def test_estimate_follows_poses_and_drifts_without_them(airborne, flying, holding) -> None:
    world = airborne()
    error = np.linalg.norm(world.drone.estimate.position - world.truth.position)
    assert error < 0.005
    world.mocap.silence(world.time, world.time + 2.0)
    flying(world, 2.0, holding)
    assert 0.02 < np.linalg.norm(world.drone.estimate.position - world.truth.position) < 1.0
    flying(world, 3.0, holding)
    assert miss(world, (0, 0, 1)) < 0.02


def test_orders_that_make_no_sense_are_refused(airborne, flying, heard) -> None:
    world = airborne()
    nan = float("nan")
    assert not world.drone.full_state_setpoint((nan, 0, 1), (0, 0, 0), (0, 0, 0), 0.0)
    assert not world.drone.go_to((0, 0, 1), 0.0, 0.0)
    assert not world.drone.land(nan, 2.0)
    assert not world.drone.takeoff(2.0, 2.0)
    assert not world.drone.external_pose((nan, 0, 0), (0, 0, 0, 1))
    assert world.drone.external_pose(world.truth.position, (nan, nan, nan, nan))
    flying(world, 0.5)
    assert miss(world, (0, 0, 1)) < 0.02 and "not finite" in heard(world)


def test_emergency_locks_and_disarming_stops(airborne, flying, holding) -> None:
    locked, disarmed = airborne(), airborne()
    locked.drone.emergency()
    disarmed.drone.arm(False)
    for world in (locked, disarmed):
        flying(world, 0.1, holding)
        assert not world.drone.motor_pwm.any() and not world.drone.supervisor_info & Info.CAN_FLY
    assert locked.drone.is_locked and not disarmed.drone.is_locked
