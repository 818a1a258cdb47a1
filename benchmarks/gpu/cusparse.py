"""cuSPARSE's products through ctypes: the library that torch has loaded, every algorithm of it."""

import contextlib
import ctypes
import pathlib

import torch

_P, _INT, _SIZE, _LONG = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t, ctypes.c_int64
_NORMAL, _TRANSPOSED = 0, 1
_INDEX = {torch.int32: 2, torch.int64: 3}  # cusparseIndexType_t
_VALUE = {torch.float32: 0, torch.float64: 1}  # cudaDataType
_SCALAR = {torch.float32: ctypes.c_float, torch.float64: ctypes.c_double}
_ROW_MAJOR = 2
SPMM = {"default": 0, "CSR_ALG1": 4, "CSR_ALG2": 6, "CSR_ALG3": 12}
SPMV = {"default": 0, "CSR_ALG1": 2, "CSR_ALG2": 3}
_SDDMM_DEFAULT = 0


class Error(RuntimeError):
    """A call of cuSPARSE that failed, or the lack of the library."""


def _loaded_library():
    # torch has opened its own: another version must not come beside it.
    with open("/proc/self/maps") as lines:
        for line in lines:
            path = line.split()[-1]
            if pathlib.PurePath(path).name.startswith("libcusparse.so"):
                return ctypes.CDLL(path)
    raise Error("torch has loaded no libcusparse.so: it is a build without CUDA")


class CuSparse:
    """A handle on torch's current stream."""

    def __init__(self):
        self._library = _loaded_library()
        self._library.cusparseGetErrorString.restype = ctypes.c_char_p
        self._handle = _P()
        self._call("cusparseCreate", ctypes.byref(self._handle))
        stream = _P(torch.cuda.current_stream().cuda_stream)
        self._call("cusparseSetStream", self._handle, stream)

    def _call(self, name, *arguments):
        status = getattr(self._library, name)(*arguments)
        if status != 0:
            reason = self._library.cusparseGetErrorString(_INT(status)).decode()
            raise Error(f"{name}: {reason}")

    def _has(self, name):
        return hasattr(self._library, name)

    # ===-- Descriptors: live as long as the closure that uses them -----------===#

    def _csr(self, positions, coordinates, values, columns):
        descriptor = _P()
        self._call(
            "cusparseCreateCsr",
            ctypes.byref(descriptor),
            _LONG(positions.numel() - 1),
            _LONG(columns),
            _LONG(coordinates.numel()),
            _P(positions.data_ptr()),
            _P(coordinates.data_ptr()),
            _P(values.data_ptr()),
            _INT(_INDEX[positions.dtype]),
            _INT(_INDEX[coordinates.dtype]),
            _INT(0),
            _INT(_VALUE[values.dtype]),
        )
        return descriptor

    def _matrix(self, dense):
        descriptor = _P()
        self._call(
            "cusparseCreateDnMat",
            ctypes.byref(descriptor),
            _LONG(dense.shape[0]),
            _LONG(dense.shape[1]),
            _LONG(dense.stride(0)),
            _P(dense.data_ptr()),
            _INT(_VALUE[dense.dtype]),
            _INT(_ROW_MAJOR),
        )
        return descriptor

    def _vector(self, dense):
        descriptor = _P()
        self._call(
            "cusparseCreateDnVec",
            ctypes.byref(descriptor),
            _LONG(dense.numel()),
            _P(dense.data_ptr()),
            _INT(_VALUE[dense.dtype]),
        )
        return descriptor

    def _prepared(self, name, arguments, keep, device):
        """A closure that runs `name`, its buffer made and, where there is one, preprocessed."""
        size = _SIZE()
        self._call(f"{name}_bufferSize", *arguments, ctypes.byref(size))
        buffer = torch.empty(max(size.value, 16), dtype=torch.uint8, device=device)
        pointer = _P(buffer.data_ptr())
        # Some algorithms have none, and say so only when asked.
        if self._has(f"{name}_preprocess"):
            with contextlib.suppress(Error):
                self._call(f"{name}_preprocess", *arguments, pointer)
        function = getattr(self._library, name)

        def run(kept=(keep, buffer)):
            status = function(*arguments, pointer)
            if status != 0:
                raise Error(f"{name}: status {status}")

        return run

    # ===-- Products -----------------------------------------------------------===#

    def spmm(self, matrix, B, C, algorithm):
        """`run()` computes C = A B; matrix is (positions, coordinates, values)."""
        one, zero = _SCALAR[B.dtype](1), _SCALAR[B.dtype](0)
        a = self._csr(*matrix, B.shape[0])
        arguments = (
            self._handle,
            _INT(_NORMAL),
            _INT(_NORMAL),
            ctypes.byref(one),
            a,
            self._matrix(B),
            ctypes.byref(zero),
            self._matrix(C),
            _INT(_VALUE[B.dtype]),
            _INT(SPMM[algorithm]),
        )
        return self._prepared("cusparseSpMM", arguments, (matrix, B, C, one, zero), B.device)

    def spmv(self, matrix, b, c, algorithm):
        """`run()` computes c = A b."""
        one, zero = _SCALAR[b.dtype](1), _SCALAR[b.dtype](0)
        arguments = (
            self._handle,
            _INT(_NORMAL),
            ctypes.byref(one),
            self._csr(*matrix, b.numel()),
            self._vector(b),
            ctypes.byref(zero),
            self._vector(c),
            _INT(_VALUE[b.dtype]),
            _INT(SPMV[algorithm]),
        )
        return self._prepared("cusparseSpMV", arguments, (matrix, b, c, one, zero), b.device)

    def sddmm(self, matrix, G, B):
        """`run()` overwrites the matrix's values with those of G B^T on its pattern."""
        one, zero = _SCALAR[B.dtype](1), _SCALAR[B.dtype](0)
        arguments = (
            self._handle,
            _INT(_NORMAL),
            _INT(_TRANSPOSED),
            ctypes.byref(one),
            self._matrix(G),
            self._matrix(B),
            ctypes.byref(zero),
            self._csr(*matrix, B.shape[0]),
            _INT(_VALUE[B.dtype]),
            _INT(_SDDMM_DEFAULT),
        )
        return self._prepared("cusparseSDDMM", arguments, (matrix, G, B, one, zero), B.device)
