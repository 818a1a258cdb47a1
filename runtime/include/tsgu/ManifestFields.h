//===- ManifestFields.h - The fields of a manifest --------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a manifest consists of, described once: `fields` shows an archive each
// field of a struct in the order of the bytes, with the name that it has in the
// IR and what its numbers refer to. The bytes, the attribute of the IR and the
// check of references are archives.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_MANIFESTFIELDS_H
#define TSGU_MANIFESTFIELDS_H

#include "tsgu/Manifest.h"

#include <type_traits>

namespace tsgu {

/// What an archive may know of a field beside its name.
struct FieldInfo {
  enum Table : uint8_t { None, Symbols, Patterns, Layouts };
  Table refersTo = None; ///< Each number is an index of this table.
  bool optional = false; ///< There is none where it is `absent`, or as by
                         ///< default: the IR leaves it out.
  int32_t absent = -1;
};

/// The last value of each enumeration.
constexpr ElementType lastOf(ElementType) {
  return static_cast<ElementType>(typeCount - 1);
}
constexpr Level::Kind lastOf(Level::Kind) { return Level::Diagonal; }
constexpr Buffer::Kind lastOf(Buffer::Kind) { return Buffer::Scratch; }
constexpr Argument::Role lastOf(Argument::Role) {
  return Argument::LongPositions;
}
constexpr Partition::Within lastOf(Partition::Within) {
  return Partition::MinNumber;
}
constexpr SizeRef::Kind lastOf(SizeRef::Kind) { return SizeRef::SplitLength; }

/// T is const where it is written.
template <typename T, typename Plain>
concept Is = std::is_same_v<std::remove_const_t<T>, Plain>;

template <typename A> void fields(A &a, Is<Symbol> auto &s) {
  a("name", s.name);
  a("stored_of", s.storedOf, {FieldInfo::Patterns, true});
  a("fixed", s.fixed);
  a("chunks_of", s.chunksOf, {FieldInfo::Layouts, true});
  a("long_rows_of", s.longRowsOf, {FieldInfo::Layouts, true});
  a("nodes_of", s.nodesOf, {FieldInfo::Layouts, true});
}

template <typename A> void fields(A &a, Is<PatternInfo> auto &p) {
  a("name", p.name);
  a("shape", p.shape, {FieldInfo::Symbols});
  a("stored", p.stored, {FieldInfo::Symbols});
}

template <typename A> void fields(A &a, Is<Level> auto &l) {
  a("dimension", l.dimension);
  a("kind", l.kind);
  a("block", l.block, {FieldInfo::None, true, 1});
}

template <typename A> void fields(A &a, Is<LayoutInfo> auto &l) {
  a("pattern", l.pattern, {FieldInfo::Patterns});
  a("levels", l.levels);
  a("index", l.indexType);
}

template <typename A> void fields(A &a, Is<Buffer> auto &b) {
  a("kind", b.kind);
  a("index", b.index);
}

template <typename A> void fields(A &a, Is<TensorInfo> auto &t) {
  a("name", t.name);
  a("type", t.type);
  a("pattern", t.pattern, {FieldInfo::Patterns, true});
  a("shape", t.shape, {FieldInfo::Symbols});
  a("read", t.read);
  a("result_of", t.resultOf, {FieldInfo::None, true});
  a("solver", t.solver);
}

template <typename A> void fields(A &a, Is<ScratchInfo> auto &s) {
  a("type", s.type);
  a("shape", s.shape, {FieldInfo::Symbols});
}

template <typename A> void fields(A &a, Is<Argument> auto &g) {
  a("role", g.role);
  a("layout", g.layout, {FieldInfo::Layouts, true});
  a("level", g.level, {FieldInfo::None, true});
  a("buffer", g.buffer);
  a("shape", g.shape, {FieldInfo::Symbols});
  a("slice", g.slice);
  a("written", g.written);
}

template <typename A> void fields(A &a, Is<SizeRef> auto &s) {
  a("kind", s.kind);
  a("index", s.index);
  a("dim", s.dim);
}

template <typename A> void fields(A &a, Is<Partition> auto &p) {
  a("loops", p.loops, {FieldInfo::Symbols});
  a("parallel", p.parallel);
  a("weight_layout", p.weightLayout, {FieldInfo::Layouts, true});
  a("proof", p.proof);
  a("within", p.within, {FieldInfo::None, true});
}

template <typename A> void fields(A &a, Is<DeviceMap> auto &d) {
  a("block_threads", d.blockThreads);
  a("dense_lanes", d.denseLanes);
  a("entry_lanes", d.entryLanes);
  a("serial", d.serial);
}

template <typename A> void fields(A &a, Is<Cost::Term> auto &t) {
  a("factor", t.factor);
  a("symbols", t.symbols, {FieldInfo::Symbols});
}

template <typename A> void fields(A &a, Is<Cost> auto &c) {
  a("flops", c.flops);
  a("bytes", c.bytes);
}

template <typename A> void fields(A &a, Is<StepInfo> auto &s) {
  a("name", s.name);
  a("layout", s.layout, {FieldInfo::Layouts, true});
  a("reads", s.reads);
  a("writes", s.writes);
  a("numbers", s.numbers);
}

template <typename A> void fields(A &a, Is<Stage> auto &s) {
  a("step", s.step, {FieldInfo::None, true});
  if (!s.isKernel())
    return;
  a("name", s.name);
  a("arguments", s.arguments);
  a("sizes", s.sizes);
  a("partition", s.partition);
  a("device", s.device, {FieldInfo::None, true});
  a("cost", s.cost);
}

template <typename A> void fields(A &a, Is<Manifest> auto &m) {
  a("program", m.program);
  a("target", m.target);
  a("symbols", m.symbols);
  a("patterns", m.patterns);
  a("layouts", m.layouts);
  a("operands", m.operands);
  a("result", m.result);
  a("on_host", m.onHost, {FieldInfo::None, true, false});
  a("scratch", m.scratch);
  a("stages", m.stages);
}

} // namespace tsgu

#endif // TSGU_MANIFESTFIELDS_H
