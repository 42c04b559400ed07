"""Build file of package `deqmpc_sim`."""

from setuptools import find_packages, setup

NAME = "deqmpc_sim"

setup(
    name=NAME,
    version="0.1.0",
    description="Simulated outside of DEQ-MPC: batch environments and a Crazyflie stand-in over MuJoCo.",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_dir={"": "."},  # makes an editable install one line in a .pth file, which type checkers follow
    package_data={NAME: ["py.typed"]},
    python_requires=">=3.11",
    install_requires=[
        "deqmpc_core",
        "gymnasium>=1.0",
        "matplotlib>=3.8",
        "mujoco>=3.2",
        "numba>=0.61",
        "numpy>=1.26",
        "torch>=2.6",
    ],
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    entry_points={
        "console_scripts": [
            "simulator = deqmpc_sim.nodes.simulator:main",
        ],
    },
    zip_safe=False,
)
