#!/bin/sh
# Says in one line what the machine lacks to build deqmpc, and how to get it; prints the Python to use when all is there.
#
#   tools/precheck.sh            exit status 0 and the path of a Python 3.11 or 3.12, or 1 and one line on stderr
#   PYTHON=/path/to/python tools/precheck.sh    take this one
#
# POSIX sh, because it must run where nothing is installed yet.

say() { echo "deqmpc: $*" >&2; }

fits() { "$1" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null; }

find_python() {
    for candidate in ${PYTHON:-python3 python3.12 python3.11}; do
        path=$(command -v "$candidate" 2>/dev/null) && fits "$path" && echo "$path" && return 0
    done
    return 1
}

# The Debian package for a part of the chosen Python: python3-<part> for the system's default, python3.X-<part> else.
python_package() {
    case $python in
        */python3) echo "python3-$1" ;;
        *) echo "$(basename "$python")-$1" ;;
    esac
}

need() { missing="$missing${missing:+, }$1"; packages="$packages${packages:+ }$2"; }

if [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]; then
    say "the ROS 2 wheels are for x86-64 Linux, this is $(uname -s) on $(uname -m); use docker/ instead."
    exit 1
fi

missing='' packages='' version=''
python=$(find_python) || {
    found=$(python3 -c 'import sys; print(*sys.version_info[:3], sep=".")' 2>/dev/null) && version=.12
    need "Python 3.11 or 3.12 (found ${found:-none})" "python3$version python3$version-venv python3$version-dev"
    python=''
}
command -v git >/dev/null 2>&1 || need git git
command -v make >/dev/null 2>&1 || need make make
command -v g++ >/dev/null 2>&1 || need g++ g++
if [ -n "$python" ]; then
    "$python" -c 'import ensurepip, venv' 2>/dev/null || need "Python's venv" "$(python_package venv)"
    "$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' 2>/dev/null ||
        need "Python's headers" "$(python_package dev)"
fi

if [ -n "$missing" ]; then
    say "missing $missing. Install with: apt install $packages"
    exit 1
fi

case "${ROS_DISTRO:-}:${AMENT_PREFIX_PATH:-}" in
    : | :*/.venv) ;;
    *) say "ROS 2 ${ROS_DISTRO:-} is sourced (${AMENT_PREFIX_PATH:-no prefix}); make leaves it alone and uses the ROS 2 wheels" \
        "in .venv with a clean environment. To build on the sourced one run: colcon build" ;;
esac
echo "$python"
