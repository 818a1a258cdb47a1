/*===- solvers.h - The C API of the solvers ----------------------*- C -*-===*\
|*
|* Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*|
|*
|* What a solver is told, what it reports, and the calls that run one. Included
|* by tsgu.h.
|*
\*===----------------------------------------------------------------------===*/

#ifndef TSGU_SOLVERS_H
#define TSGU_SOLVERS_H

#ifndef TSGU_TSGU_H
#error "include tsgu/tsgu.h"
#endif

/* The matrix, its transpose, its conjugate transpose. */
#ifdef __cplusplus
typedef enum tsgu_mode : int { TSGU_N = 0, TSGU_T = 1, TSGU_C = 2 } tsgu_mode;
#else
typedef enum tsgu_mode { TSGU_N = 0, TSGU_T = 1, TSGU_C = 2 } tsgu_mode;
#endif

/* TSGU_CG, TSGU_LU, ..., TSGU_JACOBI, ...: see Methods.def. */
typedef enum tsgu_method {
#define TSGU_METHOD(number, enumerator, name, title) TSGU_##enumerator = number,
#include "tsgu/Methods.def"
} tsgu_method;

typedef enum tsgu_preconditioner {
  TSGU_NO_PRECONDITIONER = 0,
#define TSGU_PRECONDITIONER(number, enumerator, ...) TSGU_##enumerator = number,
#include "tsgu/Methods.def"
} tsgu_preconditioner;

typedef enum tsgu_kind {
  TSGU_OTHER = 0,
  TSGU_KRYLOV = 1, /* iterates, with any preconditioner */
  TSGU_DIRECT = 2  /* factorises */
} tsgu_kind;

/* The names of what these numbers stand for, as in Python, and the kind of a
 * method. NULL: nothing. */
TSGU_API const char *tsgu_method_name(int64_t method);
TSGU_API const char *tsgu_preconditioner_name(int64_t preconditioner);
TSGU_API tsgu_kind tsgu_method_kind(int64_t method);

/* How a solve ended, of one column of the right-hand side. */
typedef enum tsgu_reason {
  TSGU_CONVERGED = 1,
  TSGU_ITERATION_LIMIT = -1,
  TSGU_BREAKDOWN = -2, /* a division by what is numerically zero */
  TSGU_STAGNATED = -3, /* rounding errors keep the residual above its goal */
  TSGU_INDEFINITE_MATRIX = -4,
  TSGU_INDEFINITE_PRECONDITIONER = -5,
  TSGU_NOT_FINITE =
      -6,            /* NaN or infinity in matrix, right-hand side, iterate */
  TSGU_STOPPED = -7, /* by the progress callback */
  TSGU_RANK_DEFICIENT = -8, /* a gradient that needs full rank */
  TSGU_CALLABLE_FAILED = -9,
  TSGU_UNDERFLOW = -10 /* a solution below the range of its type */
} tsgu_reason;

typedef enum tsgu_on_fail {
  TSGU_REPORT = 0, /* tell the outcome callback, and go on */
  TSGU_RAISE = 1,  /* TSGU_NOT_CONVERGED */
  TSGU_IGNORE = 2
} tsgu_on_fail;

/* The value of a solver operand (`!tsgu.solver` in programs): what to do, as 16
 * words of 8 bytes, so that it travels as an array of int64. What a solver
 * works out from a pattern (analyses) or from values (preconditioners, factors)
 * is found again by structure or by content, so that the same handle serves a
 * solve, its adjoint, and their derivatives. All zeros is a lower triangular
 * solve with a stored diagonal. */
typedef struct tsgu_solver {
  int64_t method;         /* tsgu_method */
  int64_t upper;          /* triangular: 0 lower, 1 upper; entries on the other
                             side are ignored */
  int64_t unit_diagonal;  /* triangular: 1: ones, and none may be stored */
  int64_t preconditioner; /* tsgu_preconditioner */
  int64_t block_size;     /* block Jacobi; 0: 8 */
  double relaxation;      /* SSOR, in (0, 2); 0: 1 */
  double rtol, atol;      /* norm(b - A x) <= max(rtol norm(b), atol);
                             rtol < 0: 1e-5 for f32 and c64, 1e-8 otherwise.
                             direct methods: or, and by default only, a few
                             rounding errors of |A| |x| + |b| */
  int64_t max_iterations; /* 0: 10 n, at most 100,000 */
  int64_t restart;        /* GMRES; 0: 30 */
  double damp;            /* LSMR: adds damp^2 norm(x)^2 */
  int64_t scale_columns;  /* LSMR: 1: columns are scaled to norm 1 meanwhile */
  int64_t on_fail;        /* tsgu_on_fail */
  int64_t callback;       /* id for tsgu_callbacks; 0: none of them is called
                             but outcome, for failures */
  int64_t report;         /* bits: 1: every outcome, 2: progress, 4: history */
  int64_t reserved;       /* 0 */
} tsgu_solver;

/* How a solve of one matrix with p right-hand sides ended. Residuals are
 * recomputed from the solution: norm(b - A x), 2-norms by column. For least
 * squares they are norm(A^H (b - A x) - damp^2 x) and the goal is relative to
 * norm(A) norm(b - A x) as LSMR defines it. */
typedef struct tsgu_outcome {
  int64_t method; /* tsgu_method */
  int64_t mode;   /* tsgu_mode */
  int64_t item;   /* of a batch of matrices */
  int64_t columns;
  int64_t worst; /* the smallest of the reasons */
  const int64_t *reasons;
  const int64_t *iterations;
  const double *residuals;
  const double *goals;
  int64_t history_length;  /* rows of `history` */
  const double *history;   /* [history_length][columns], the iteration's own
                              estimate of the residual norm */
  const char *explanation; /* for people: what happened, what to try */
  int64_t on_fail;         /* tsgu_on_fail: what becomes of it if it failed */
  /* Of the factors of a direct method whose solver asks for the history; else
   * 0: their entries, explicit zeros included; additions and multiplications
   * (0: not known, of TSGU_LU and TSGU_QR); memory that they own; an estimate
   * of 1 / (norm(A) norm(A^-1)), 1-norms, of A with rows and columns scaled (of
   * TSGU_QR: of the triangle R, of A as it is); the rank of A; the negative
   * ones among its eigenvalues (-1: not known; of TSGU_CHOLESKY and
   * TSGU_LDLT it is). */
  double factor_entries;
  double factor_flops;
  int64_t factor_bytes;
  double rcond;
  int64_t factor_rank;
  int64_t factor_negative;
} tsgu_outcome;

/* The caller's side, one table for the process; members may be NULL. They are
 * called from the thread that runs the program, with the id of the solver. One
 * that fails ends the call with TSGU_CALLBACK_ERROR. */
typedef struct tsgu_callbacks {
  /* x = A^-1 b, or of A^T, A^H, for TSGU_CALLBACK: values of item `item` of the
   * pattern in CSR order, b and x of shape [n, p]. Nonzero: it failed. */
  int32_t (*solve)(int64_t id, int32_t mode, tsgu_pattern *pattern,
                   int64_t item, const tsgu_tensor *values,
                   const tsgu_tensor *b, const tsgu_tensor *x);
  /* After every iteration; residual norms by column. 1: stop, which ends the
   * solve as TSGU_STOPPED. Negative: it failed. */
  int32_t (*progress)(int64_t id, int64_t iteration, int64_t columns,
                      const double *residuals);
  /* After a solve that failed, or whose solver asks for every outcome. Nonzero:
   * it failed. */
  int32_t (*outcome)(int64_t id, const tsgu_outcome *outcome);
  /* Whether to give up, asked now and then by whatever takes long: solves,
   * their preparation, compilations, on any of their threads. Nonzero: the call
   * ends with TSGU_INTERRUPTED, and has no result. */
  int32_t (*interrupted)(void);
} tsgu_callbacks;
TSGU_API void tsgu_set_callbacks(const tsgu_callbacks *callbacks);

/* x = op(A)^-1 b (for TSGU_LSMR and TSGU_QR: the least-squares solution) with
 * values[stored] (or, on a pattern of rank 3, of all items), b [n, p] or
 * [items, n, p], x alike; of one type, f32, f64, c64 or c128. `guess` 1: x
 * holds where to start. All else as tsgu_program_run; programs with solves do
 * this. TSGU_SINGULAR names the row of a zero or missing diagonal. */
TSGU_API tsgu_status tsgu_solve(const tsgu_solver *solver, tsgu_mode mode,
                                tsgu_pattern *pattern,
                                const tsgu_tensor *values, const tsgu_tensor *b,
                                const tsgu_tensor *x, int32_t guess,
                                const tsgu_executor *executor);

/*===-- What is prepared
 * -----------------------------------------------------===*/

/* Packed triangles, preconditioners and factorisations are made once for their
 * values. One cache finds them by pattern, options and content of the values;
 * it keeps at most as many bytes as the environment's TSGU_PREPARED_CACHE_BYTES
 * says (by default a sixteenth of the machine's memory), and also finds what it
 * had to drop as long as somebody holds it. */

/* Holds what the calls of this thread prepare or find there until
 * tsgu_keep_end; for whoever will solve with the same values again, as the
 * derivative of a solve. Any thread may free it after that. */
typedef struct tsgu_kept tsgu_kept;
TSGU_API tsgu_status tsgu_keep_begin(tsgu_kept **kept);
TSGU_API void tsgu_keep_end(tsgu_kept *kept);
TSGU_API void tsgu_keep_free(tsgu_kept *kept);

/* For the calls of this thread, until it is called again: the values at this
 * address have this number, and had it before only while they were these. Not
 * `sure`: as far as the caller can tell; then their content is looked at where
 * it matters. 0: nothing is known of them. Triangular solves with values that
 * have been the same for some fifty of them go by packed ones, with the same
 * bits. */
TSGU_API void tsgu_values_known(const void *values, uint64_t number,
                                int32_t sure);

/* A triangle of a pattern with values that serve many solves: they are brought
 * into the order of the pattern's analysis once, per item of a pattern of rank
 * 3. Entries on the other side of the diagonal are ignored, and a stored
 * diagonal too where unit_diagonal is 1. Holds the pattern, copies the values.
 * TSGU_SINGULAR names the row of a zero or missing diagonal. */
typedef struct tsgu_triangular tsgu_triangular;
TSGU_API tsgu_status tsgu_triangular_create(tsgu_pattern *pattern,
                                            int32_t upper,
                                            int32_t unit_diagonal,
                                            const tsgu_tensor *values,
                                            tsgu_triangular **triangular);
/* New values of the same type; nothing may be solved meanwhile. After
 * TSGU_SINGULAR the triangle wants others before it can be used. */
TSGU_API tsgu_status tsgu_triangular_update(tsgu_triangular *triangular,
                                            const tsgu_tensor *values);
/* x = op(triangle)^-1 b, with b and x as in tsgu_solve; x may be b. Any number
 * of threads may call it at once. Bitwise the same for every executor. */
TSGU_API tsgu_status tsgu_triangular_solve(const tsgu_triangular *triangular,
                                           tsgu_mode mode, const tsgu_tensor *b,
                                           const tsgu_tensor *x,
                                           const tsgu_executor *executor);
TSGU_API void tsgu_triangular_free(tsgu_triangular *triangular);

/* A solve with a matrix that is whatever the caller does: the iteration says
 * what it wants to have multiplied, the caller multiplies, and so on:
 *
 *   tsgu_iteration_start(&solver, NULL, &b, &x, NULL, &iteration);
 *   while (!tsgu_iteration_next(iteration, &request, &in, &out) &&
 *          request != TSGU_DONE)
 *     ...; // out = A in, for TSGU_APPLY
 *   tsgu_iteration_outcome(iteration, &outcome);
 *   tsgu_iteration_free(iteration);
 */
typedef struct tsgu_iteration tsgu_iteration;

typedef enum tsgu_request {
  TSGU_DONE = 0,
  TSGU_APPLY = 1,         /* out = A in */
  TSGU_APPLY_ADJOINT = 2, /* out = A^H in; TSGU_LSMR */
  TSGU_PRECONDITION = 3   /* out = M^-1 in */
} tsgu_request;

/* All zeros, or NULL: nothing special. */
typedef struct tsgu_iteration_options {
  int32_t guess;          /* 1: x holds where to start */
  int32_t preconditioned; /* 1: TSGU_PRECONDITION is asked for; not LSMR */
  int32_t fixed_columns;  /* 1: requests always have all p columns, in the order
                             of b; zeros for those that are done */
  int32_t tridiagonals;   /* CG: keep the Lanczos matrices of the first so many
                             columns */
  int32_t shift_count;    /* not LSMR: solves (factor A + shifts[s]) x_s = b */
  const double *shifts;
  double factor;          /* with shifts; 0: 1 */
  int32_t mean;           /* CG: 1: the columns end together, when the mean of
                             their norm(b - A x) / norm(b) is at most rtol */
  double rest;            /* CG: columns are left as they are from norm(b - A x)
                             <= rest norm(b) on, until all have ended: before
                             their goal (then they have not converged) or
                             beyond it; 0: rtol */
  double least_product;   /* CG: breaks down where p^H A p or r^H M^-1 r is less
                             than this times norm(b)^2 */
  int64_t min_iterations; /* CG: of every column */
  int64_t max_products;   /* not LSMR: TSGU_APPLY for a column, those that
                             compute residuals included; 0: any number */
} tsgu_iteration_options;

/* b is [m, p] and x [n, p], [shift_count, n, p] with shifts; m = n but for
 * TSGU_LSMR. Both stay in use until TSGU_DONE; x is the caller's again after.
 * Of the solver, method, tolerances, max_iterations, restart, damp, on_fail,
 * callback and report count; preconditioner and scale_columns, which need a
 * matrix, must be 0. */
TSGU_API tsgu_status tsgu_iteration_start(const tsgu_solver *solver,
                                          const tsgu_iteration_options *options,
                                          const tsgu_tensor *b,
                                          const tsgu_tensor *x,
                                          const tsgu_executor *executor,
                                          tsgu_iteration **iteration);
/* The next request; `out` of the one before has been filled. in [., k] and out
 * [., k] are contiguous memory of the iteration, valid until the next call; k
 * is the number of columns not yet done. After TSGU_DONE, TSGU_DONE again.
 * TSGU_NOT_CONVERGED where the solver says so; x and the outcome are there all
 * the same. After any other failure the iteration can only be freed. */
TSGU_API tsgu_status tsgu_iteration_next(tsgu_iteration *iteration,
                                         tsgu_request *request, tsgu_tensor *in,
                                         tsgu_tensor *out);
/* After TSGU_DONE; valid until the iteration is freed. Columns of x_s come one
 * s after the other. */
TSGU_API tsgu_status tsgu_iteration_outcome(tsgu_iteration *iteration,
                                            tsgu_outcome *outcome);
/* After TSGU_DONE: diagonal[steps] and off_diagonal[steps - 1] of a column's
 * Lanczos matrix, of A or, preconditioned, of M^-1 A. */
TSGU_API tsgu_status tsgu_iteration_tridiagonal(tsgu_iteration *iteration,
                                                int64_t column, int64_t *steps,
                                                const double **diagonal,
                                                const double **off_diagonal);
TSGU_API void tsgu_iteration_free(tsgu_iteration *iteration);

#endif /* TSGU_SOLVERS_H */
