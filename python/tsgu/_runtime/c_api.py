"""The C API's structs and numbers: written by `make docs` from its headers."""

import ctypes

STATUS = {  # tsgu_status
    "ok": 0,
    "invalid_argument": 1,
    "invalid_pattern": 2,
    "compile_failed": 3,
    "out_of_memory": 4,
    "internal": 5,
    "singular": 6,
    "not_converged": 7,
    "callback_error": 8,
    "device_error": 9,
    "interrupted": 10,
}

TYPE = {  # tsgu_type
    "f32": 0,
    "f64": 1,
    "i32": 2,
    "i64": 3,
    "c64": 4,
    "c128": 5,
    "f16": 6,
    "bf16": 7,
}

MEETING = {  # tsgu_meeting
    "product": 0,
    "common": 1,
    "either": 2,
}

MODE = {  # tsgu_mode
    "n": 0,
    "t": 1,
    "c": 2,
}

KIND = {  # tsgu_kind
    "other": 0,
    "krylov": 1,
    "direct": 2,
}

REASON = {  # tsgu_reason
    "converged": 1,
    "iteration_limit": -1,
    "breakdown": -2,
    "stagnated": -3,
    "indefinite_matrix": -4,
    "indefinite_preconditioner": -5,
    "not_finite": -6,
    "stopped": -7,
    "rank_deficient": -8,
    "callable_failed": -9,
    "underflow": -10,
}

ON_FAIL = {  # tsgu_on_fail
    "report": 0,
    "raise": 1,
    "ignore": 2,
}

REQUEST = {  # tsgu_request
    "done": 0,
    "apply": 1,
    "apply_adjoint": 2,
    "precondition": 3,
}


class Tensor(ctypes.Structure):
    """tsgu_tensor"""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("type", ctypes.c_int),
        ("rank", ctypes.c_int32),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
    ]


class Executor(ctypes.Structure):
    """tsgu_executor"""

    _fields_ = [
        ("threads", ctypes.c_int32),
        ("parallel_for", ctypes.c_void_p),
    ]


class Counters(ctypes.Structure):
    """tsgu_counters"""

    _fields_ = [
        ("compiled", ctypes.c_uint64),
        ("loaded", ctypes.c_uint64),
        ("patterns", ctypes.c_uint64),
        ("pattern_bytes", ctypes.c_int64),
        ("scratch_bytes", ctypes.c_int64),
        ("analyses", ctypes.c_uint64),
        ("setups", ctypes.c_uint64),
        ("factorizations", ctypes.c_uint64),
        ("device_launches", ctypes.c_uint64),
        ("prepared", ctypes.c_uint64),
        ("prepared_made", ctypes.c_uint64),
        ("prepared_hits", ctypes.c_uint64),
        ("prepared_evictions", ctypes.c_uint64),
        ("prepared_bytes", ctypes.c_int64),
        ("prepared_limit", ctypes.c_int64),
    ]


class OutputCounters(ctypes.Structure):
    """tsgu_output_counters"""

    _fields_ = [
        ("reused", ctypes.c_uint64),
        ("mapped", ctypes.c_uint64),
        ("lent", ctypes.c_int64),
        ("kept", ctypes.c_int64),
        ("limit", ctypes.c_int64),
    ]


class Solver(ctypes.Structure):
    """tsgu_solver"""

    _fields_ = [
        ("method", ctypes.c_int64),
        ("upper", ctypes.c_int64),
        ("unit_diagonal", ctypes.c_int64),
        ("preconditioner", ctypes.c_int64),
        ("block_size", ctypes.c_int64),
        ("relaxation", ctypes.c_double),
        ("rtol", ctypes.c_double),
        ("atol", ctypes.c_double),
        ("max_iterations", ctypes.c_int64),
        ("restart", ctypes.c_int64),
        ("damp", ctypes.c_double),
        ("scale_columns", ctypes.c_int64),
        ("on_fail", ctypes.c_int64),
        ("callback", ctypes.c_int64),
        ("report", ctypes.c_int64),
        ("reserved", ctypes.c_int64),
    ]


class Outcome(ctypes.Structure):
    """tsgu_outcome"""

    _fields_ = [
        ("method", ctypes.c_int64),
        ("mode", ctypes.c_int64),
        ("item", ctypes.c_int64),
        ("columns", ctypes.c_int64),
        ("worst", ctypes.c_int64),
        ("reasons", ctypes.POINTER(ctypes.c_int64)),
        ("iterations", ctypes.POINTER(ctypes.c_int64)),
        ("residuals", ctypes.POINTER(ctypes.c_double)),
        ("goals", ctypes.POINTER(ctypes.c_double)),
        ("history_length", ctypes.c_int64),
        ("history", ctypes.POINTER(ctypes.c_double)),
        ("explanation", ctypes.c_char_p),
        ("on_fail", ctypes.c_int64),
        ("factor_entries", ctypes.c_double),
        ("factor_flops", ctypes.c_double),
        ("factor_bytes", ctypes.c_int64),
        ("rcond", ctypes.c_double),
        ("factor_rank", ctypes.c_int64),
        ("factor_negative", ctypes.c_int64),
    ]


class IterationOptions(ctypes.Structure):
    """tsgu_iteration_options"""

    _fields_ = [
        ("guess", ctypes.c_int32),
        ("preconditioned", ctypes.c_int32),
        ("fixed_columns", ctypes.c_int32),
        ("tridiagonals", ctypes.c_int32),
        ("shift_count", ctypes.c_int32),
        ("shifts", ctypes.POINTER(ctypes.c_double)),
        ("factor", ctypes.c_double),
        ("mean", ctypes.c_int32),
        ("rest", ctypes.c_double),
        ("least_product", ctypes.c_double),
        ("min_iterations", ctypes.c_int64),
        ("max_products", ctypes.c_int64),
    ]


class Specialization(ctypes.Structure):
    """tsgu_specialization"""

    _fields_ = [
        ("value_type", ctypes.c_uint8),
        ("index_type", ctypes.c_uint8),
        ("derived_index_type", ctypes.c_uint8),
        ("widths", ctypes.POINTER(ctypes.c_int64)),
        ("width_count", ctypes.c_uint32),
        ("target", ctypes.c_uint8),
        ("alignment", ctypes.c_uint8),
        ("hollow", ctypes.c_uint8 * 8),
        ("blocks", ctypes.c_uint16 * 8),
    ]
