//===- OutputsAPI.cpp - The C API of results' memory ----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "api/ArgumentChecks.h"
#include "api/LastError.h"
#include "base/Outputs.h"

#include "tsgu/outputs.h"

using namespace tsgu;
using namespace tsgu::runtime;

tsgu_status tsgu_output_allocate(int64_t bytes, void **data) {
  return guarded([&] {
    requireNotNull(data, "data");
    if (bytes < 0)
      fail(Status::InvalidArgument, "a result has ", bytes,
           " bytes: a size is not negative");
    *data = Outputs::get().allocate(bytes);
  });
}

void tsgu_output_free(void *data) { Outputs::get().free(data); }

int32_t tsgu_output_is(const void *data) { return Outputs::get().has(data); }

void tsgu_outputs_release(void) { Outputs::get().release(); }

void tsgu_get_output_counters(tsgu_output_counters *counters) {
  if (!counters)
    return;
  const Outputs::Counters known = Outputs::get().counters();
  *counters = {known.reused, known.mapped, known.lent, known.kept, known.limit};
}
