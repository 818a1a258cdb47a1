#!/bin/bash
# Installs what building and testing need: system packages (only those missing,
# with apt) and the Python environment in the folder given, with this torch.
set -euo pipefail
venv=${1:?usage: setup.sh VENV TORCH} torch=${2:?usage: setup.sh VENV TORCH}
cd "$(dirname "$0")/.."

packages=(
  g++ cmake ninja-build ccache git pkgconf
  libmlir-22-dev mlir-22-tools llvm-22-dev llvm-22-tools
  clang-22 clang-format-22 clang-tidy-22 libclang-rt-22-dev
  libgtest-dev libeigen3-dev zlib1g-dev libzstd-dev libxml2-dev
  python3 python3-venv python3-dev
)

if command -v dpkg >/dev/null && command -v apt-get >/dev/null; then
  missing=()
  for package in "${packages[@]}"; do
    dpkg -s "$package" 2>/dev/null | grep -q '^Status: install ok installed' ||
      missing+=("$package")
  done
  if ((${#missing[@]})); then
    echo "installing: ${missing[*]}"
    as_root=()
    ((EUID == 0)) || as_root=(sudo)
    "${as_root[@]}" apt-get update
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y --no-install-recommends "${missing[@]}"
  fi
else
  echo "no apt here: these packages, or their like, must be installed: ${packages[*]}"
fi

[[ -x $venv/bin/python ]] || python3 -m venv "$venv"
pip=("$venv/bin/python" -m pip install --disable-pip-version-check)
"${pip[@]}" "torch==$torch"
"${pip[@]}" -r requirements.txt
# The assembler for GPUs and its inverse, to see that kernels assemble, and to what.
command -v ptxas >/dev/null || "${pip[@]}" "nvidia-cuda-nvcc>=13,<14"
command -v nvdisasm >/dev/null || "${pip[@]}" "nvidia-cuda-nvdisasm>=13,<14"
