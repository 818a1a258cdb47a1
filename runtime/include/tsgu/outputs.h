/*===- outputs.h - Memory of large results -----------------------*- C -*-===*\
|*                                                                            *|
|* Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.          *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef TSGU_OUTPUTS_H
#define TSGU_OUTPUTS_H

#include "tsgu/tsgu.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Fresh memory costs more than a product that fills it. So what a result leaves
 * is kept for the next one of its size, up to the environment's
 * TSGU_OUTPUT_CACHE_BYTES (an eighth of the machine's memory where it is not
 * set; 0 keeps nothing), and marked for the kernel to take when memory is
 * short. Any thread may call these, in children of a fork too. */

/* The least result that this is meant for. */
#define TSGU_OUTPUT_LEAST ((int64_t)1 << 20)

/* Uninitialised memory, by pages. It is larger than asked for by an eighth at
 * most, or, of 4 MiB and more, by a huge page. */
TSGU_API tsgu_status tsgu_output_allocate(int64_t bytes, void **data);
/* NULL is ignored, and so is what was not allocated there. */
TSGU_API void tsgu_output_free(void *data);
/* Whether this is the beginning of such memory: 0 or 1. */
TSGU_API int32_t tsgu_output_is(const void *data);
/* Gives back to the system what is kept. */
TSGU_API void tsgu_outputs_release(void);

typedef struct tsgu_output_counters {
  uint64_t reused; /* results that got memory of one before */
  uint64_t mapped; /* and those that got fresh memory */
  int64_t lent;    /* bytes that results have */
  int64_t kept;    /* bytes for the next ones */
  int64_t limit;   /* of those kept: TSGU_OUTPUT_CACHE_BYTES */
} tsgu_output_counters;
TSGU_API void tsgu_get_output_counters(tsgu_output_counters *counters);

#ifdef __cplusplus
}
#endif

#endif /* TSGU_OUTPUTS_H */
