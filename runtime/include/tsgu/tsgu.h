/*===- tsgu.h - The C API of the tsgu runtime --------------------*- C -*-===*\
|*
|* Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*|
|*
|* Patterns, programs and their execution. Every function that can fail returns
|* a tsgu_status and leaves a message for tsgu_last_error(); nothing throws and
|* no input crashes. All functions may be called from any thread.
|*
\*===----------------------------------------------------------------------===*/

#ifndef TSGU_TSGU_H
#define TSGU_TSGU_H

#include "tsgu/CompilerInterface.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define TSGU_API
#else
#define TSGU_API __attribute__((visibility("default")))
#endif

typedef enum tsgu_status {
  TSGU_OK = 0,
  TSGU_INVALID_ARGUMENT = 1, /* a shape, type or pointer that does not fit */
  TSGU_INVALID_PATTERN = 2,  /* positions or coordinates that are corrupt */
  TSGU_COMPILE_FAILED = 3,   /* no such program, or it could not be compiled */
  TSGU_OUT_OF_MEMORY = 4,
  TSGU_INTERNAL = 5,
  TSGU_SINGULAR = 6,       /* a matrix without inverse; says which row */
  TSGU_NOT_CONVERGED = 7,  /* where the solver was told to raise */
  TSGU_CALLBACK_ERROR = 8, /* the caller's own function failed */
  TSGU_DEVICE_ERROR = 9,   /* a GPU, its driver, or the lack of them */
  TSGU_INTERRUPTED = 10    /* the caller's side said to give up */
} tsgu_status;

/* Any int may arrive where a type is expected; C++ is told so. */
#ifdef __cplusplus
typedef enum tsgu_type : int {
#else
typedef enum tsgu_type {
#endif
  TSGU_F32 = 0,
  TSGU_F64 = 1,
  TSGU_I32 = 2,
  TSGU_I64 = 3,
  TSGU_C64 = 4,  /* complex: real and imaginary part, f32 each */
  TSGU_C128 = 5, /* f64 each */
  TSGU_F16 = 6,  /* values of 16 bits are computed with and summed in f32, */
  TSGU_BF16 = 7  /* and results rounded once; solvers take none of them */
} tsgu_type;

/* What went wrong in this thread's last failed call: what, where (row, column,
 * value) and how to mend it. Valid until the thread's next call. */
TSGU_API const char *tsgu_last_error(void);

TSGU_API const char *tsgu_version(void);

/*===-- Patterns
 * -----------------------------------------------------------===*/

/* Immutable sparsity pattern with its cached layouts; reference counted. */
typedef struct tsgu_pattern tsgu_pattern;

/* A CSR pattern. rank 2: shape {rows, columns}, positions[rows + 1].
 * rank 3: shape {items, rows, columns}, positions[items][rows + 1], each row of
 * positions counting from 0, and coordinates[items][stored / items].
 * Validated in O(stored): positions start at 0, do not decrease and end at the
 * stored entries; columns are in range and strictly ascending within a row,
 * otherwise TSGU_INVALID_PATTERN names row, column and value. Rows whose
 * columns are unsorted or repeated are not corrupt: they are brought to
 * canonical order with an entry map. Nothing of the caller's is kept: the
 * pattern owns copies, of int32 wherever the shape and the number of entries
 * fit, whatever `index_type` is. */
TSGU_API tsgu_status tsgu_pattern_from_csr(int32_t rank, const int64_t *shape,
                                           tsgu_type index_type,
                                           const void *positions,
                                           const void *coordinates,
                                           int64_t stored,
                                           tsgu_pattern **pattern);

/* A COO pattern: coordinates[d] points to the stored coordinates of dimension
 * d, of rank 2 or 3. Entries that are not sorted and unique are sorted,
 * duplicates merged, with an entry map. */
TSGU_API tsgu_status tsgu_pattern_from_coo(int32_t rank, const int64_t *shape,
                                           tsgu_type index_type,
                                           const void *const *coordinates,
                                           int64_t stored,
                                           tsgu_pattern **pattern);

/* Where on a device work is done: a stream of a CUDA device, on which it is put
 * in order behind what is there. Nothing waits for it, and its memory is the
 * caller's, unless a function says otherwise. */
typedef struct tsgu_queue {
  int32_t device; /* the CUDA device's number, as torch counts */
  void *stream;   /* a CUstream; NULL: the default stream */
  /* Gives memory of the device for the work that the call at hand puts on the
   * stream; it may be reused by what is put there later. NULL: there is none.
   * Called at most once in a call. */
  void *(*allocate)(void *context, int64_t bytes);
  void *context;
} tsgu_queue;

/* Whether the queue's stream records a CUDA graph (1) or not (0). Waits for
 * nothing. TSGU_DEVICE_ERROR also where the driver says that earlier work
 * failed. */
TSGU_API tsgu_status tsgu_queue_recording(const tsgu_queue *queue,
                                          int32_t *recording);

/* The same as tsgu_pattern_from_csr and _from_coo for arrays in the memory of a
 * device. Checked and, later, transposed there; only arrays that are not
 * canonical travel to the host and back. Waits for the stream; not to be called
 * while it is being captured. The pattern serves programs on its device
 * (tsgu_program_run_on). TSGU_DEVICE_ERROR: no driver, no such device. */
TSGU_API tsgu_status tsgu_pattern_from_csr_on(
    int32_t rank, const int64_t *shape, tsgu_type index_type,
    const void *positions, const void *coordinates, int64_t stored,
    const tsgu_queue *queue, tsgu_pattern **pattern);
TSGU_API tsgu_status tsgu_pattern_from_coo_on(
    int32_t rank, const int64_t *shape, tsgu_type index_type,
    const void *const *coordinates, int64_t stored, const tsgu_queue *queue,
    tsgu_pattern **pattern);

TSGU_API void tsgu_pattern_retain(tsgu_pattern *pattern);
TSGU_API void tsgu_pattern_release(tsgu_pattern *pattern);

/* The canonical CSR layout, or the layout with its dimensions in the given
 * order (NULL: the CSR one; {1, 0}: CSC), computed at the first request: all
 * but the last are dense, their nodes are its rows. `permutation[k]` is the CSR
 * index of the layout's k-th entry, NULL for the identity. Pointers live as
 * long as the pattern. A pattern on a device gives its CSR layout alone (NULL),
 * whose arrays are in the device's memory.
 */
typedef struct tsgu_layout {
  tsgu_type index_type;
  tsgu_type permutation_type;
  const void *positions;
  const void *coordinates;
  const void *permutation;
  int64_t rows; /* length of positions less one */
} tsgu_layout;
TSGU_API tsgu_status tsgu_pattern_layout(tsgu_pattern *pattern,
                                         const int32_t *order,
                                         tsgu_layout *layout);

typedef struct tsgu_pattern_info {
  int32_t rank;
  int64_t shape[3];
  int64_t stored;           /* canonical stored entries */
  int64_t entries;          /* entries that the caller gave */
  const int64_t *entry_map; /* entry -> stored; NULL: identity. In the device's
                               memory for a pattern that is there */
  tsgu_type index_type;
  int64_t bytes; /* memory owned, layouts included */
} tsgu_pattern_info;
TSGU_API void tsgu_pattern_describe(const tsgu_pattern *pattern,
                                    tsgu_pattern_info *info);

/* Runs `task(context, begin, end)` over disjoint ranges that cover [0, count),
 * from any threads; returns when all are done. */
typedef void (*tsgu_task)(void *context, int64_t begin, int64_t end);
typedef struct tsgu_executor {
  int32_t threads; /* how many run at once; 1: call the task directly */
  void (*parallel_for)(int64_t count, tsgu_task task, void *context);
} tsgu_executor;

/*===-- Two patterns
 * -------------------------------------------------------===*/

/* What an operation on two sparse matrices computes. */
typedef enum tsgu_meeting {
  TSGU_PRODUCT = 0, /* their product */
  TSGU_COMMON = 1,  /* of entries that both have: elementwise products */
  TSGU_EITHER = 2   /* of entries that one of them has, or both: sums */
} tsgu_meeting;

/* Which entries the result has, and which entries of a and b contribute to each
 * of them: (entry of the result, entry of a, entry of b), in order. Of
 * TSGU_EITHER (entry of the result, entry of a or entries(a) + entry of b).
 * Entries of the result are in order, those of a and b numbered as the caller
 * gave them, duplicates apart. A program computes values and gradients by it,
 * as "entry_products" of a pattern of these triples. */
typedef struct tsgu_meetings tsgu_meetings;
typedef struct tsgu_meetings_info {
  int64_t rows;         /* of the result, those of all items counted through */
  int64_t stored;       /* its entries */
  int64_t count;        /* how many triples or pairs there are */
  int32_t width;        /* numbers in each: 3 or 2 */
  tsgu_type index_type; /* int32 where all of it fits */
} tsgu_meetings_info;

/* Counts them, in time linear in the pairs of entries that meet. Both patterns
 * have rank 2, or 3 with as many items, and are on the host; they live on until
 * `meetings` is freed. TSGU_INVALID_ARGUMENT for shapes that do not fit,
 * TSGU_INTERRUPTED. executor NULL: the runtime's own pool. */
TSGU_API tsgu_status tsgu_meetings_count(tsgu_meeting kind, tsgu_pattern *a,
                                         tsgu_pattern *b,
                                         const tsgu_executor *executor,
                                         tsgu_meetings **meetings,
                                         tsgu_meetings_info *info);
/* Writes the result's CSR arrays, positions[rows + 1] and coordinates[stored],
 * in order, of `result_type`, and the meetings, entries[width][count], of
 * `type`: int64, or int32 where the numbers fit. The same bits for every number
 * of threads. */
TSGU_API tsgu_status tsgu_meetings_write(const tsgu_meetings *meetings,
                                         tsgu_type result_type, void *positions,
                                         void *coordinates, tsgu_type type,
                                         void *const *entries,
                                         const tsgu_executor *executor);
TSGU_API void tsgu_meetings_free(tsgu_meetings *meetings);

/*===-- Programs
 * -----------------------------------------------------------===*/

/* A program, or one derived from it; never freed. */
typedef struct tsgu_program tsgu_program;

/* Finds a program of the library or one added before, by its path: "spmm",
 * "softmax", and derived "spmm/vjp0", "spmm/jvp1", "softmax/batch/vjp0/vjp2".
 * The signature needs the compiler; TSGU_COMPILE_FAILED if it is not there. */
TSGU_API tsgu_status tsgu_program_open(const char *path,
                                       tsgu_program **program);

/* Adds a program given as MLIR text, under a name not yet taken (the same text
 * under the same name is accepted). A child process, tsgu-check, reads a text
 * first, once for this user: it is found beside the compiler, in ../bin, or by
 * TSGU_CHECKER. TSGU_COMPILE_FAILED if it is not there, refuses, or dies. */
TSGU_API tsgu_status tsgu_program_add(const char *name, const char *text);

/* Takes a program compiled ahead of time; no compiler is needed to run it. */
TSGU_API tsgu_status tsgu_program_from_object(const tsgu_object *object,
                                              tsgu_program **program);

/* JSON: {"name", "sizes": [symbol names, in the order of the widths of a
 * tsgu_specialization], "patterns": [{"name", "rank", "shape": [symbol
 * names]}], "operands": [{"name", "pattern", "shape": [symbol names], "read",
 * "result_of"}], "result": {...}}. Lives as long as the process. */
TSGU_API const char *tsgu_program_signature(const tsgu_program *program);

typedef struct tsgu_tensor {
  void *data;
  tsgu_type type;
  int32_t rank;
  const int64_t *shape;
  const int64_t *strides; /* in elements; the last must be 1 (or extent <= 1) */
} tsgu_tensor;

/* The shape of the result, at most 8 dimensions; checks all operands:
 * TSGU_INVALID_ARGUMENT names the operand and the sizes that do not fit. A
 * sparse operand or result is its values: rank 1, length `stored`. Operands may
 * carry one more leading dimension (a batch of values or dense operands on one
 * pattern, all of the same length); the result then carries it too. An operand
 * that the program does not read may have data NULL, but needs its shape. A
 * solver operand is a tsgu_solver, passed as I64 of shape [16]. */
TSGU_API tsgu_status tsgu_program_infer(tsgu_program *program,
                                        tsgu_pattern *const *patterns,
                                        int32_t pattern_count,
                                        const tsgu_tensor *operands,
                                        int32_t operand_count, int64_t *shape,
                                        int32_t *rank);

/* Computes the result into `result`, which it overwrites and which must overlap
 * no operand. Compiles at the first call for its types and widths. executor
 * NULL: the runtime's own pool. Bitwise the same for every number of threads.
 */
TSGU_API tsgu_status tsgu_program_run(
    tsgu_program *program, tsgu_pattern *const *patterns, int32_t pattern_count,
    const tsgu_tensor *operands, int32_t operand_count,
    const tsgu_tensor *result, const tsgu_executor *executor);

/* The same on a device: patterns, operands and result are in its memory.
 * Returns when the kernels are on the stream. What a pattern needs to have
 * computed (its transpose, chunks of long rows) is computed, and waited for, at
 * the first run that needs it, as are kernels compiled and loaded; after that
 * the call neither waits nor copies, and may be captured into a CUDA graph:
 * the patterns are then kept until the process ends, for the graph reads them.
 * Programs with solvers run on the CPU alone. */
TSGU_API tsgu_status tsgu_program_run_on(
    tsgu_program *program, tsgu_pattern *const *patterns, int32_t pattern_count,
    const tsgu_tensor *operands, int32_t operand_count,
    const tsgu_tensor *result, const tsgu_queue *queue);

/* Rearranges values on a device: to[item][k] = from[item][map[k]] for k below
 * `length`, where the map is that of the pattern's entries
 * (tsgu_pattern_info.entry_map). */
TSGU_API tsgu_status tsgu_values_spread_on(tsgu_pattern *pattern,
                                           const tsgu_tensor *from,
                                           const tsgu_tensor *to,
                                           const tsgu_queue *queue);
/* The reverse: sums the values of entries that name one element. */
TSGU_API tsgu_status tsgu_values_sum_on(tsgu_pattern *pattern,
                                        const tsgu_tensor *from,
                                        const tsgu_tensor *to,
                                        const tsgu_queue *queue);

/* The printed manifest of the kernels that `run` would use; free with
 * tsgu_string_free. */
TSGU_API tsgu_status
tsgu_program_manifest(tsgu_program *program,
                      const tsgu_specialization *specialization, char **text);

/* The object file of the kernels that `run` would use, to be linked and given
 * to tsgu_program_from_object: it defines the constant `tsgu_object` under the
 * program's path with '_' for '/'. `cpu` is LLVM's name of a processor, such as
 * "x86-64-v3"; NULL: this machine's. Free with tsgu_string_free. */
TSGU_API tsgu_status tsgu_program_emit(
    tsgu_program *program, const tsgu_specialization *specialization,
    const char *cpu, char **object, uint64_t *size);

/* The printed manifest at the beginning of these bytes: at TSGU_MANIFEST_MAGIC
 * in object files. TSGU_COMPILE_FAILED: there is none, or one of another
 * version. Free with tsgu_string_free. */
#define TSGU_MANIFEST_MAGIC "tsguMANI"
TSGU_API tsgu_status tsgu_manifest_print(const void *bytes, uint64_t size,
                                         char **text);
TSGU_API void tsgu_string_free(char *text);

/*===-- The process
 * ---------------------------------------------------------===*/

/* Threads of the runtime's own pool; 0: as many as the machine has. */
TSGU_API void tsgu_set_threads(int32_t threads);
TSGU_API int32_t tsgu_threads(void);

/* Where libtsgu-compiler is, when it does not lie beside libtsgu. */
TSGU_API tsgu_status tsgu_set_compiler(const char *library);

/* The version of LLVM in the compiler, which is opened for the answer.
 * TSGU_COMPILE_FAILED says why it cannot be. */
TSGU_API tsgu_status tsgu_compiler_llvm(const char **version);

/* Asks for huge pages behind a fresh buffer of 4 MiB or more, whose first use
 * then costs far less. A hint: nothing happens where it cannot be followed. */
TSGU_API void tsgu_advise_huge(void *data, int64_t bytes);

typedef struct tsgu_counters {
  uint64_t compiled;           /* programs compiled in this process */
  uint64_t loaded;             /* programs read from the disk cache */
  uint64_t patterns;           /* patterns alive */
  int64_t pattern_bytes;       /* memory they own */
  int64_t scratch_bytes;       /* scratch kept for reuse */
  uint64_t analyses;           /* of patterns, by solvers */
  uint64_t setups;             /* preconditioners computed from values */
  uint64_t factorizations;     /* of matrices, by direct methods */
  uint64_t device_launches;    /* kernels started on devices and the emulator */
  uint64_t prepared;           /* kept in the cache: see solvers.h */
  uint64_t prepared_made;      /* how often one was put there */
  uint64_t prepared_hits;      /* and found there */
  uint64_t prepared_evictions; /* for want of room */
  int64_t prepared_bytes;      /* memory that those kept own */
  int64_t prepared_limit;      /* TSGU_PREPARED_CACHE_BYTES */
} tsgu_counters;
TSGU_API void tsgu_get_counters(tsgu_counters *counters);

/* From start to stop the process notes what the stages of its programs take on
 * the CPU. `stages`: a JSON list, in the order of their first runs; each has
 * "program", "stage" (a kernel's name or a step in words), "kernel" (whether it
 * is one), "layouts" and "partition" in words, "runs", "parts" (the most that
 * one run was cut into for threads), "seconds", and of kernels "flops" and
 * "bytes" (those that have to be read or written once), summed over runs. Free
 * with tsgu_string_free. A second start forgets the first. */
TSGU_API tsgu_status tsgu_trace_start(void);
TSGU_API tsgu_status tsgu_trace_stop(char **stages);

/*===-- Solvers
 * ------------------------------------------------------------===*/

#include "tsgu/solvers.h"

#ifdef __cplusplus
}
#endif

#endif /* TSGU_TSGU_H */
