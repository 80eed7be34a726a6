"""Which versions of the engines are installed, whatever was asked for."""

import gzip
import importlib.metadata
import pathlib
import subprocess

UNKNOWN = "of unknown version"


def of_debian_package(root: pathlib.Path, package: str) -> str:
    """Of a package that was unpacked into `root`: what its changelog begins with, in parentheses."""
    path = root / "usr/share/doc" / package / "changelog.Debian.gz"
    if not path.exists():
        return UNKNOWN
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return file.readline().partition("(")[2].partition(")")[0].split(":")[-1]


def of_python_package(folder: pathlib.Path, pattern: str, package: str) -> str:
    """Of a package in one of the folders inside `folder` that match `pattern`."""
    paths = [str(path) for path in folder.glob(pattern)]
    found = importlib.metadata.distributions(name=package, path=paths)
    return next((distribution.version for distribution in found), UNKNOWN)


def of_own_xnnpack() -> str:
    """Of the system's package that onepack is built with."""
    command = ["dpkg-query", "--show", "--showformat", "${Version}", "libxnnpack-dev"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return UNKNOWN


def installed(build: pathlib.Path) -> str:
    """Of what scripts/setup.sh --engines puts into `build`."""
    llama = build / "engines/llama"
    ggml = of_debian_package(llama, "libggml0")
    packages = "lib/python3*/site-packages"
    genai, onnxruntime = (
        of_python_package(build / "engines/python", packages, name)
        for name in ("onnxruntime-genai", "onnxruntime")
    )
    return (
        f"onepack over Debian's XNNPACK {of_own_xnnpack()}, Debian's llama.cpp "
        f"{of_debian_package(llama, 'libllama0')} with ggml {ggml}, onnxruntime-genai {genai} with onnxruntime "
        f"{onnxruntime}, ExecuTorch {of_python_package(build, 'peer', 'executorch')} with the XNNPACK in its wheel"
    )
