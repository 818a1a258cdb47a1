"""Krylov methods as functions of a matrix, or of a closure that multiplies by one."""

from .bicgstab import BICGSTABSettings, bicgstab
from .cgs import cgs
from .gmres import gmres
from .linear_cg import CGInfo, LinearCGSettings, linear_cg
from .lsmr import lsmr
from .minres import MINRESSettings, minres

__all__ = [
    "BICGSTABSettings",
    "CGInfo",
    "LinearCGSettings",
    "MINRESSettings",
    "bicgstab",
    "cgs",
    "gmres",
    "linear_cg",
    "lsmr",
    "minres",
]
