"""libtsgu's C API, as far as it is measured."""

import ctypes

import numpy as np

import csr
from tsgu._runtime import c_api

_I32 = c_api.TYPE["i32"]


class Tensor(c_api.Tensor):
    """tsgu_tensor of a NumPy array, which has to outlive it."""

    @classmethod
    def of(cls, data):
        extents = ctypes.c_int64 * data.ndim
        return cls(
            data.ctypes.data,
            c_api.TYPE["f64" if data.dtype == np.float64 else "f32"],
            data.ndim,
            extents(*data.shape),
            extents(*(stride // data.itemsize for stride in data.strides)),
        )


class Library:
    """libtsgu on its own thread pool."""

    def __init__(self, library):
        self._library = library
        library.tsgu_last_error.restype = ctypes.c_char_p

    def set_threads(self, count):
        self._library.tsgu_set_threads(ctypes.c_int32(count))

    def _check(self, status):
        if status != 0:
            raise RuntimeError(self._library.tsgu_last_error().decode())

    def _new_pattern(self, matrix):
        """A pattern that nothing is known of."""
        pattern = ctypes.c_void_p()
        positions, coordinates, _ = csr.pointers(matrix, matrix.values)
        self._check(
            self._library.tsgu_pattern_from_csr(
                2,
                (ctypes.c_int64 * 2)(matrix.rows, matrix.rows),
                _I32,
                positions,
                coordinates,
                ctypes.c_int64(matrix.stored),
                ctypes.byref(pattern),
            )
        )
        return pattern
