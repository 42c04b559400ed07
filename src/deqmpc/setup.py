"""Build file of package `deqmpc`: the command, and the root's launch files, configuration and policies."""

from pathlib import Path

from setuptools import find_packages, setup

NAME = "deqmpc"
SHARED = ("launch", "config", "models")  # symbolic links to the folders of the repository's root


def shared_files() -> list[tuple[str, list[str]]]:
    """Return every file under `SHARED` with the share folder it goes to."""
    files = [path for folder in SHARED for path in sorted(Path(folder).rglob("*")) if path.is_file()]
    kept = [path for path in files if "__pycache__" not in path.parts]
    return [(f"share/{NAME}/{path.parent}", [str(path)]) for path in kept]


setup(
    name=NAME,
    version="0.1.0",
    description="Bringup of DEQ-MPC: the deqmpc command, launch files, configuration and policies.",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_dir={"": "."},  # makes an editable install one line in a .pth file, which type checkers follow
    package_data={NAME: ["py.typed"]},
    python_requires=">=3.11",
    install_requires=[
        "deqmpc_core",
        "deqmpc_policy_node",
        "deqmpc_sim",
        "deqmpc_train",
        "markdown-it-py>=3",
        "matplotlib>=3.8",
        "numpy>=1.26",
        "packaging",
        "pyyaml",
        "rich>=13",
        "rosbags>=0.10",
        "safetensors>=0.4",
        "shtab>=1.7",
        "tensorboard>=2.16",
        "torch>=2.6",
        "tyro>=0.9",
    ],
    extras_require={"view": [
        "viser>=1.1",
    ]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        *shared_files(),
    ],
    entry_points={
        "console_scripts": [
            "deqmpc = deqmpc.cli:main",
        ],
        "deqmpc.verbs": [
            "bench = deqmpc.verbs.bench:main",
            "completion = deqmpc.verbs.completion:main",
            "doctor = deqmpc.verbs.doctor:main",
            "report = deqmpc.verbs.report:main",
            "sim = deqmpc.verbs.sim:main",
        ],
    },
    zip_safe=False,
)
