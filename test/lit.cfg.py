"""What lit needs to run the .mlir tests: FileCheck and tsgu-opt on the path."""

# ruff: noqa: F821 (lit defines `config`)

import os

import lit.formats

config.name = "tsgu"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir"]
config.excludes = ["python", "unittests"]
config.test_source_root = os.path.dirname(__file__)
tools = [config.tsgu_tools, config.llvm_tools]
path = os.pathsep.join([*tools, os.environ["PATH"]])
config.environment["PATH"] = path
config.substitutions.append(
    ("%programs", os.path.join(config.test_source_root, "..", "lib", "Programs"))
)
