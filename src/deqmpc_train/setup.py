"""Build file of package `deqmpc_train`."""

from setuptools import find_packages, setup

NAME = "deqmpc_train"

setup(
    name=NAME,
    version="0.1.0",
    description="Experts, data sets, training and evaluation of DEQ-MPC policies.",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_dir={"": "."},  # makes an editable install one line in a .pth file, which type checkers follow
    package_data={NAME: ["py.typed"]},
    python_requires=">=3.11",
    # numpy: pyarrow from 26 on asks for 2; with pyarrow 25 also 1.26 does (docker/Dockerfile).
    install_requires=[
        "deqmpc_core",
        "deqmpc_sim",
        "matplotlib>=3.8",
        "mcap>=1.2",
        "numpy>=2.0",
        "pyarrow>=15",
        "pyyaml",
        "rich>=13",
        "rosbags>=0.10",
        "safetensors>=0.4",
        "tensorboard>=2.16",
        "torch>=2.6",
        "tyro>=0.9",
    ],
    extras_require={
        "bench": [
            "casadi>=3.6",
            "mpc>=0.0.6",
        ],
        "cluster": [
            "ray>=2.40",
        ],
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    entry_points={
        "deqmpc.verbs": [
            "train = deqmpc_train.verbs.train:main",
            "data = deqmpc_train.verbs.data:main",
            "expert = deqmpc_train.verbs.expert:main",
            "eval = deqmpc_train.verbs.eval:main",
            "compare = deqmpc_train.verbs.compare:main",
            "paper = deqmpc_train.verbs.paper:main",
            "policies = deqmpc_train.verbs.policies:main",
            "sweep = deqmpc_train.verbs.sweep:main",
        ],
    },
    zip_safe=False,
)
