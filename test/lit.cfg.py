"""What lit needs to run the .mlir tests: FileCheck and tsgu-opt on the path."""

# ruff: noqa: F821 (lit defines `config`)

import glob
import os
import shutil
import sys
import sysconfig

import lit.formats

config.name = "tsgu"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir"]
config.excludes = ["install", "python", "unittests"]
config.test_source_root = os.path.dirname(__file__)
tools = [config.tsgu_tools, config.llvm_tools]
path = os.pathsep.join([*tools, os.environ["PATH"]])
config.environment["PATH"] = path
config.substitutions.append(
    ("%programs", os.path.join(config.test_source_root, "..", "lib", "Programs"))
)
config.substitutions.append(("%python", sys.executable))

# The assembler for GPUs: a CUDA toolkit's, or that of the package nvidia-cuda-nvcc.
packaged = glob.glob(os.path.join(sysconfig.get_path("purelib"), "nvidia", "cu*", "bin", "ptxas"))
ptxas = shutil.which("ptxas") or (packaged[0] if packaged else None)
if ptxas:
    config.available_features.add("ptxas")
    config.substitutions.append(("%ptxas", ptxas))
