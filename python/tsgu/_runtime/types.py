"""The runtime's numbers of types and torch's dtypes."""

import re

import torch

from . import c_api

_KINDS = {"f": "float", "bf": "bfloat", "c": "complex", "i": "int"}


def _dtype(name):
    letters, bits = re.fullmatch(r"([a-z]+)(\d+)", name).groups()
    return getattr(torch, _KINDS[letters] + bits)


torch_dtype = {number: _dtype(name) for name, number in c_api.TYPE.items()}
