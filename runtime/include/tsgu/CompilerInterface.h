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

#define TSGU_COMPILER_ABI 6u
#define TSGU_COMPILER_INTERRUPTED (-1)

/* Every kernel has this signature. `pointers` and `sizes` are in the order of
 * the manifest's arguments and sizes. A kernel writes only to the arguments
 * that the manifest calls written; these overlap no other argument. */
typedef void (*tsgu_kernel)(void *const *pointers, const int64_t *sizes);

/* One thread of a device kernel on the emulator: what special registers hold on
 * a device, and what concerns other threads. Kernels read it, the emulator
 * fills it in. */
typedef struct tsgu_emulated_thread tsgu_emulated_thread;
struct tsgu_emulated_thread {
  uint32_t thread[3], block[3]; /* indices */
  uint32_t block_extent[3], grid_extent[3];
  void *workgroup; /* memory that the threads of the block share */
  void (*barrier)(tsgu_emulated_thread *self);
  /* What lane `operand` (mode 3), own + operand (1), own - operand (2), own xor
   * operand (0) of each `width` lanes passes as its value. */
  uint32_t (*shuffle)(tsgu_emulated_thread *self, uint32_t value,
                      uint32_t operand, uint32_t width, uint32_t mode);
  /* Called before each access to memory, unless NULL. kind 0: load, 1: store,
   * 2: atomic. */
  void (*access)(tsgu_emulated_thread *self, const void *address,
                 uint64_t bytes, uint32_t kind);
};

/* `words` are the kernel's parameters (see tsgu_device_kernel). */
typedef void (*tsgu_emulated_kernel)(const uint64_t *words,
                                     tsgu_emulated_thread *self);

/* A kernel for a device. Its parameters are words of 64 bits. For the kernel of
 * a stage: the pointers of the manifest's arguments, then for each of them the
 * bytes from one item of the batch (one step of the grid's y) to the next, then
 * the manifest's sizes. */
typedef struct tsgu_device_kernel {
  const char *name;              /* in the image */
  tsgu_emulated_kernel emulated; /* NULL unless compiled for the emulator */
  uint32_t block_threads;        /* along x */
  uint32_t workgroup_bytes;      /* for the emulator */
} tsgu_device_kernel;

/* A compiled program: the serialised manifest and its kernels, the i-th for the
 * i-th kernel stage: `kernels` for the CPU, `device_kernels` for a device. A
 * library of device kernels that are no program has no manifest. Lives in the
 * object file, for as long as it is loaded. */
typedef struct tsgu_object {
  const void *manifest;
  uint64_t manifest_size;
  uint64_t kernel_count;
  const tsgu_kernel *kernels;
  const tsgu_device_kernel *device_kernels;
  const char *image; /* PTX, ends in a NUL; NULL unless for a CUDA device */
  uint64_t image_size;
} tsgu_object;

/* What a program is compiled for. */
typedef enum tsgu_target {
  TSGU_TARGET_CPU = 0,
  TSGU_TARGET_EMULATOR = 1, /* device kernels, run by the host */
  TSGU_TARGET_SM80 = 80,    /* compute capability 8.0 and later */
  TSGU_TARGET_SM90 = 90
} tsgu_target;

/* What a program is specialised to. */
typedef struct tsgu_specialization {
  uint8_t value_type;         /* tsgu_type of all floating-point operands */
  uint8_t index_type;         /* of the patterns' own CSR layout */
  uint8_t derived_index_type; /* of every other layout */
  const int64_t *widths;      /* one per symbol of the signature; 0: dynamic */
  uint32_t width_count;
  uint8_t target;     /* tsgu_target */
  uint8_t alignment;  /* devices: bytes (4, 8 or 16) to which all rows of dense
                         operands are aligned and of which they are made up */
  uint8_t hollow[8];  /* by pattern. Bit m: of the tuples of coordinates of the
                         dimensions in the set m, most are in no entry, so that
                         levels are better compressed there */
  uint16_t blocks[8]; /* by pattern; on devices 0. Rows of its dense blocks +
                         256 * columns; 0 columns: of blocks of diagonals; 0: it
                         is not made of blocks */
} tsgu_specialization;

typedef struct tsgu_compiler {
  uint32_t abi; /* TSGU_COMPILER_ABI */

  /* Each function returns 0, TSGU_COMPILER_INTERRUPTED, or another value after
   * giving `report` a message for the user: the text is valid during that call
   * only. */

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

  /* Has `interrupted` asked between passes whether to give up; NULL: no more.
   */
  void (*set_interrupted)(int (*interrupted)(void));

  /* Compiles for a CPU by LLVM's name for it ("x86-64-v3"; NULL: this
   * machine's), and gives `take` the bytes of an object file. It defines the
   * constant tsgu_object under the path with '_' for '/'. */
  int (*emit)(const char *path, const tsgu_specialization *specialization,
              const char *cpu, void *context,
              void (*take)(void *context, const void *data, uint64_t size),
              void (*report)(void *context, const char *message));

  /* Reads a text as add_program does, here: for tsgu-check, a process of its
   * own, since some texts end the process that reads them. */
  int (*check)(const char *name, const char *text, void *context,
               void (*report)(void *context, const char *message));

  const char *llvm; /* the version of LLVM in it */
} tsgu_compiler;

/* The one symbol that libtsgu-compiler exports. */
const tsgu_compiler *tsgu_compiler_interface(void);

#ifdef __cplusplus
}
#endif

#endif /* TSGU_COMPILERINTERFACE_H */
