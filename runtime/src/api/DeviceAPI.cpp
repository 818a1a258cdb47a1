//===- DeviceAPI.cpp - The C API of devices -------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "api/ArgumentChecks.h"
#include "api/LastError.h"
#include "pattern/DeviceKernels.h"
#include "pattern/Pattern.h"
#include "program/DeviceLaunch.h"
#include "program/Program.h"
#include "program/RecordedPatterns.h"

using namespace tsgu;
using namespace tsgu::runtime;

/// The device of a queue; throws where there is none.
static Place placeOf(const tsgu_queue *queue) {
  requireNotNull(queue, "queue");
  return {Device::cuda(queue->device), *queue};
}

tsgu_status tsgu_queue_recording(const tsgu_queue *queue, int32_t *recording) {
  return guarded([&] {
    requireNotNull(recording, "recording");
    const Place place = placeOf(queue);
    *recording = place.device.isCapturing(place.stream());
  });
}

tsgu_status tsgu_pattern_from_csr_on(int32_t rank, const int64_t *shape,
                                     tsgu_type index_type,
                                     const void *positions,
                                     const void *coordinates, int64_t stored,
                                     const tsgu_queue *queue,
                                     tsgu_pattern **pattern) {
  return guarded([&] {
    requireNotNull(pattern, "pattern");
    *pattern = reinterpret_cast<tsgu_pattern *>(
        Pattern::fromCSROn(placeOf(queue), rank, shape, index_type, positions,
                           coordinates, stored));
  });
}

tsgu_status tsgu_pattern_from_coo_on(int32_t rank, const int64_t *shape,
                                     tsgu_type index_type,
                                     const void *const *coordinates,
                                     int64_t stored, const tsgu_queue *queue,
                                     tsgu_pattern **pattern) {
  return guarded([&] {
    requireNotNull(pattern, "pattern");
    *pattern = reinterpret_cast<tsgu_pattern *>(Pattern::fromCOOOn(
        placeOf(queue), rank, shape, index_type, coordinates, stored));
  });
}

/// Values of one item, or of a batch, of `length` entries each.
static ItemValues itemValues(const tsgu_tensor *tensor, int64_t length,
                             const char *name) {
  requireNotNull(tensor, name);
  const auto type = static_cast<ElementType>(tensor->type);
  if (type != ElementType::F32 && type != ElementType::F64)
    fail(Status::InvalidArgument, name, " is ", elementName(type),
         "; values on a device are f32 or f64");
  if (tensor->rank < 1 || tensor->rank > 2 || !tensor->shape)
    fail(Status::InvalidArgument, name, " has ",
         tensor->shape ? "rank " + std::to_string(tensor->rank) : "no shape",
         "; it needs ", length, " values, for each item of a batch");
  if (tensor->shape[tensor->rank - 1] != length)
    fail(Status::InvalidArgument, name, " has shape ", shapeText(*tensor),
         "; it needs ", length, " values, for each item of a batch");
  spanOf(*tensor, false, name);
  const bool batched = tensor->rank == 2 && tensor->strides; // Or it is empty.
  const int64_t stride = batched ? tensor->strides[0] : 0;
  return {static_cast<char *>(tensor->data), stride * elementSize(type)};
}

/// The pattern with its entry map on the queue's device.
static Pattern &mappedPattern(tsgu_pattern *pattern, const Place &place) {
  requireNotNull(pattern, "pattern");
  Pattern &p = *reinterpret_cast<Pattern *>(pattern);
  if (p.device() != &place.device || !p.entryMap())
    fail(Status::InvalidArgument, "the pattern has no entry map on device ",
         place.device.number(), ": its entries are in canonical order, or ",
         "elsewhere");
  Pattern *const read[] = {&p};
  keepRecorded(place, read);
  return p;
}

static int64_t itemsOf(const tsgu_tensor &from, const tsgu_tensor &to) {
  const int64_t items = from.rank == 2 ? from.shape[0] : 1;
  if (from.rank != to.rank || from.type != to.type ||
      (to.rank == 2 && to.shape[0] != items))
    fail(Status::InvalidArgument, "values of shape ", shapeText(from),
         " are mapped to values of shape ", shapeText(to),
         ", or of another type");
  return items;
}

tsgu_status tsgu_values_spread_on(tsgu_pattern *pattern,
                                  const tsgu_tensor *from,
                                  const tsgu_tensor *to,
                                  const tsgu_queue *queue) {
  return guarded([&] {
    const Place place = placeOf(queue);
    const Pattern &p = mappedPattern(pattern, place);
    const ItemValues source = itemValues(from, p.stored(), "from");
    const ItemValues target = itemValues(to, p.entries(), "to");
    Layout entries;
    entries.permutation = p.entryMap();
    entries.permutationType = ElementType::I64;
    entries.stored = p.entries();
    permuteOn(place.device, place.stream(), entries,
              elementSize(static_cast<ElementType>(from->type)), source, target,
              itemsOf(*from, *to));
  });
}

tsgu_status tsgu_values_sum_on(tsgu_pattern *pattern, const tsgu_tensor *from,
                               const tsgu_tensor *to, const tsgu_queue *queue) {
  return guarded([&] {
    const Place place = placeOf(queue);
    const Pattern &p = mappedPattern(pattern, place);
    const ItemValues source = itemValues(from, p.entries(), "from");
    const ItemValues target = itemValues(to, p.stored(), "to");
    sumEntriesOn(place.device, place.stream(), p.entrySums(),
                 elementSize(static_cast<ElementType>(from->type)), source,
                 target, itemsOf(*from, *to));
  });
}

tsgu_status
tsgu_program_run_on(tsgu_program *program, tsgu_pattern *const *patterns,
                    int32_t pattern_count, const tsgu_tensor *operands,
                    int32_t operand_count, const tsgu_tensor *result,
                    const tsgu_queue *queue) {
  return guarded([&] {
    requireNotNull(program, "program");
    requireNotNull(result, "result");
    requireNotNull(queue, "queue");
    reinterpret_cast<Program *>(program)->runOn(
        argumentsOf(patterns, pattern_count, operands, operand_count), *result,
        *queue);
  });
}
