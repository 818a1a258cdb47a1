"""MKL's sparse BLAS, from the PyPI package."""

import ctypes
import sysconfig
from pathlib import Path

import numpy as np

import csr
from measure import array_pointer

_PLAIN, _ROW_MAJOR, _MAY_ALLOCATE = 10, 101, 81
_EXPECTED_CALLS = 10000


class Description(ctypes.Structure):
    """struct matrix_descr of MKL."""

    _fields_ = [("type", ctypes.c_int), ("mode", ctypes.c_int), ("diag", ctypes.c_int)]


class InspectorExecutor:
    """MKL's inspector-executor with hints and 32-bit indices, row-major dense operands."""

    name = "MKL"

    def __init__(self, description):
        folder = Path(sysconfig.get_path("data")) / "lib"
        found = sorted(folder.glob("libmkl_rt.so*"))
        if not found:
            raise RuntimeError("the PyPI package mkl is not installed")
        self._library = ctypes.CDLL(str(found[0]))
        self._description = description
        self._handle = None

    def version(self):
        text = ctypes.create_string_buffer(200)
        self._library.mkl_get_version_string(text, 200)
        return text.value.decode().strip()

    def set_threads(self, count):
        self._library.mkl_set_num_threads(ctypes.byref(ctypes.c_int(count)))

    @staticmethod
    def _check(status):
        if status != 0:
            raise RuntimeError(f"MKL returned status {status}")

    def _function(self, name, values):
        return getattr(self._library, f"mkl_sparse_{'sd'[values.dtype == np.float64]}_{name}")

    def _inspect(self, problem, hint):
        """Inspects the matrix for the number of threads set; one handle lives at a time."""
        matrix, library = problem.matrix, self._library
        if self._handle:
            self._check(library.mkl_sparse_destroy(self._handle))
        self._handle = ctypes.c_void_p()
        n = ctypes.c_int(matrix.rows)
        begins, coordinates, values = csr.pointers(matrix, problem.values)
        ends = ctypes.c_void_p(begins.value + 4)
        create = self._function("create_csr", problem.values)
        self._check(create(ctypes.byref(self._handle), 0, n, n, begins, ends, coordinates, values))
        layout = () if problem.width == 1 else (_ROW_MAJOR, ctypes.c_int(problem.width))
        expect = getattr(library, f"mkl_sparse_set_{hint}_hint")
        calls = ctypes.c_int(_EXPECTED_CALLS)
        self._check(expect(self._handle, _PLAIN, self._description, *layout, calls))
        self._check(library.mkl_sparse_set_memory_hint(self._handle, _MAY_ALLOCATE))
        self._check(library.mkl_sparse_optimize(self._handle))

    def _call(self, problem, function, source, target, *scale):
        """A callable that runs `function` on the matrix inspected, times one."""
        scalar = ctypes.c_double if problem.values.dtype == np.float64 else ctypes.c_float
        scale = [scalar(factor) for factor in scale]
        source, target = array_pointer(source), array_pointer(target)
        operands = (source, *scale, target)
        if problem.width > 1:
            width = ctypes.c_int(problem.width)
            operands = (_ROW_MAJOR, source, width, width, *scale, target, width)
        run = self._function(function, problem.values)
        arguments = (_PLAIN, scalar(1), self._handle, self._description, *operands)

        def call():
            self._check(run(*arguments))

        return call


class SparseProduct:
    """A A of a CSR array of SciPy: `numeric()` computes the values once more, on one thread."""

    _FULL, _VALUES = 90, 92  # stages of sparse_request_t

    def __init__(self, A, description):
        self._of, self._description = A, description
        self._library = InspectorExecutor(description)._library
        self._library.mkl_set_num_threads(ctypes.byref(ctypes.c_int(1)))
        self._A, self._C = ctypes.c_void_p(), ctypes.c_void_p()
        n, begins = ctypes.c_int(A.shape[0]), array_pointer(A.indptr)
        ends = ctypes.c_void_p(begins.value + 4)
        arrays = begins, ends, array_pointer(A.indices), array_pointer(A.data)
        self._check(self._function("create_csr")(ctypes.byref(self._A), 0, n, n, *arrays))
        self._multiply(self._FULL)

    def _function(self, name):
        return getattr(self._library, f"mkl_sparse_{'sd'[self._of.dtype == np.float64]}_{name}")

    _check = staticmethod(InspectorExecutor._check)

    def _multiply(self, stage):
        operand = _PLAIN, self._description, self._A
        self._check(self._library.mkl_sparse_sp2m(*operand, *operand, stage, ctypes.byref(self._C)))

    def numeric(self):
        self._multiply(self._VALUES)

    def values(self):
        """A copy of those of the product, rows in MKL's order."""
        order, rows, columns = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
        pointers = [ctypes.c_void_p() for _ in range(4)]
        found = [ctypes.byref(x) for x in (order, rows, columns, *pointers)]
        self._check(self._function("export_csr")(self._C, *found))
        begins, ends, _, values = (pointer.value for pointer in pointers)
        count = (ctypes.c_int * rows.value).from_address(ends)[rows.value - 1]
        kind = ctypes.c_double if self._of.dtype == np.float64 else ctypes.c_float
        return np.array((kind * count).from_address(values))

    def __del__(self):
        for handle in (self._A, self._C):
            self._library.mkl_sparse_destroy(handle)
