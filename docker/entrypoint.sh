#!/bin/bash
# Sources ROS 2 and the workspace, then runs the command given.
set -e
source /opt/ros/jazzy/setup.bash
source /workspace/install/setup.bash
exec "$@"
