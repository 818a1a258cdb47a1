"""Rows times the matrices that they are assigned to."""

import torch


def check_nested_tensors():
    if torch.torch_version.TorchVersion(str(torch.__version__)) < (2, 4):
        raise NotImplementedError("PyTorch version is too old for nested tensors")
