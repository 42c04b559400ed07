"""Build file of package `deqmpc_core`."""

from setuptools import find_packages, setup

NAME = "deqmpc_core"

setup(
    name=NAME,
    version="0.1.0",
    description="DEQ-MPC as a library without ROS: robots, tasks, solvers, networks, policies, flight logic.",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_dir={"": "."},  # makes an editable install one line in a .pth file, which type checkers follow
    package_data={NAME: ["py.typed"]},
    python_requires=">=3.11",
    install_requires=[
        "llvmlite>=0.44",
        "numba>=0.61",
        "numpy>=1.26",
        "safetensors>=0.4",
        "sympy>=1.13",
        "torch>=2.6",
    ],
    extras_require={"bench": [
        "casadi>=3.6",
    ]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    zip_safe=False,
)
