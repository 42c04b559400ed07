"""Build file of package `deqmpc_policy_node`."""

from setuptools import find_packages, setup

NAME = "deqmpc_policy_node"

setup(
    name=NAME,
    version="0.1.0",
    description="ROS 2 nodes of DEQ-MPC: policy, commander, recorder and motion-capture bridge.",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_dir={"": "."},  # makes an editable install one line in a .pth file, which type checkers follow
    package_data={NAME: ["py.typed"]},
    python_requires=">=3.11",
    install_requires=[
        "deqmpc_core",
        "mcap>=1.2",
        "numpy>=1.26",
        "pyyaml",
        "torch>=2.6",
    ],
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    entry_points={
        "console_scripts": [
            "policy = deqmpc_policy_node.nodes.policy:main",
            "commander = deqmpc_policy_node.nodes.commander:main",
            "recorder = deqmpc_policy_node.nodes.recorder:main",
            "mocap_bridge = deqmpc_policy_node.nodes.mocap_bridge:main",
        ],
    },
    zip_safe=False,
)
