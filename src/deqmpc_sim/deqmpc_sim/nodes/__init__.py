"""The simulated outside as a ROS 2 node: Crazyswarm2's server and a motion-capture driver in one process."""
