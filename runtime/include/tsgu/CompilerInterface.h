/*===- CompilerInterface.h - What the runtime asks of the compiler -*- C
-*-===*\
|*
|* Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*|
|*
|* libtsgu opens libtsgu-compiler when a kernel is missing and calls it through
|* this table alone, so the runtime builds, tests and ships without LLVM.
|* Programs compiled ahead of time export the same `tsgu_object`.
|*
\*===----------------------------------------------------------------------===*/

#ifndef TSGU_COMPILERINTERFACE_H
#define TSGU_COMPILERINTERFACE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TSGU_COMPILER_ABI 1u

/* Every kernel has this signature. `pointers` and `sizes` are in the order of
 * the manifest's arguments and sizes. A kernel writes only to the arguments
 * that the manifest calls written; these overlap no other argument. */
typedef void (*tsgu_kernel)(void *const *pointers, const int64_t *sizes);

/* A compiled program: the serialised manifest and its kernels, the i-th for the
 * i-th kernel stage. Lives in the object file, for as long as it is loaded. */
typedef struct tsgu_object {
  const void *manifest;
  uint64_t manifest_size;
  uint64_t kernel_count;
  const tsgu_kernel *kernels;
} tsgu_object;

/* What a program is specialised to. */
typedef struct tsgu_specialization {
  uint8_t value_type;         /* tsgu_type of all floating-point operands */
  uint8_t index_type;         /* of the patterns' own CSR layout */
  uint8_t derived_index_type; /* of every other layout */
  const int64_t *widths;      /* one per symbol of the signature; 0: dynamic */
  uint32_t width_count;
} tsgu_specialization;

typedef struct tsgu_compiler {
  uint32_t abi; /* TSGU_COMPILER_ABI */

  /* Each function returns 0, or another value after giving `report` a message
   * for the user: the text is valid during that call only. */

  /* Adds a program under a name of the caller's; the text is MLIR. */
  int (*add_program)(const char *name, const char *text, void *context,
                     void (*report)(void *context, const char *message));

  /* Gives `take` the serialised manifest without stages (the signature) of a
   * program or of one derived from it: "spmm", "spmm/vjp0", "spmm/batch". */
  int (*signature)(const char *path, void *context,
                   void (*take)(void *context, const void *data, uint64_t size),
                   void (*report)(void *context, const char *message));

  /* Compiles, or finds in its disk cache; *object stays valid for ever. */
  int (*compile)(const char *path, const tsgu_specialization *specialization,
                 const tsgu_object **object, void *context,
                 void (*report)(void *context, const char *message));

  /* The number of programs compiled and loaded from disk so far. */
  void (*counters)(uint64_t *compiled, uint64_t *loaded);
} tsgu_compiler;

/* The one symbol that libtsgu-compiler exports. */
const tsgu_compiler *tsgu_compiler_interface(void);

#ifdef __cplusplus
}
#endif

#endif /* TSGU_COMPILERINTERFACE_H */
