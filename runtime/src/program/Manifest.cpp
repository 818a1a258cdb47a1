//===- Manifest.cpp - Manifests as bytes ----------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One description of the fields serves both directions: `transfer` visits them
// in order, and an archive writes or reads each. What is read is only as long
// as the bytes say it can be, and every index in it is checked afterwards.
//
//===----------------------------------------------------------------------===//

#include "tsgu/Manifest.h"
#include "program/ManifestCheck.h"
#include "tsgu/Error.h"

#include <bit>
#include <cstring>

namespace tsgu {

ElementType typeOf(const Manifest &m, const Buffer &buffer) {
  return buffer.kind == Buffer::Scratch   ? m.scratch[buffer.index].type
         : buffer.kind == Buffer::Operand ? m.operands[buffer.index].type
                                          : m.result.type;
}

namespace {

constexpr char magic[8] = {'t', 's', 'g', 'u', 'M', 'A', 'N', 'I'};

class Writer {
public:
  std::vector<uint8_t> bytes;

  void integer(uint64_t value, int size) {
    for (int i = 0; i < size; ++i)
      bytes.push_back(static_cast<uint8_t>(value >> (8 * i)));
  }
  void operator()(const std::string &text) {
    integer(text.size(), 4);
    bytes.insert(bytes.end(), text.begin(), text.end());
  }
  void operator()(bool value) { integer(value, 1); }
  void operator()(int32_t value) { integer(static_cast<uint32_t>(value), 4); }
  void operator()(int64_t value) { integer(static_cast<uint64_t>(value), 8); }
  void operator()(double value) { integer(std::bit_cast<uint64_t>(value), 8); }
  template <typename Enum>
    requires std::is_enum_v<Enum>
  void operator()(Enum value, Enum /*last*/) {
    integer(static_cast<uint8_t>(value), 1);
  }
  template <typename T> void operator()(const std::vector<T> &list) {
    integer(list.size(), 4);
    for (const T &item : list)
      element(item);
  }

private:
  void element(int32_t item) { (*this)(item); }
  template <typename T> void element(const T &item) { transfer(*this, item); }
};

class Reader {
public:
  Reader(const uint8_t *data, size_t size) : data(data), left(size) {}

  uint64_t integer(int size) {
    const uint8_t *from = take(static_cast<size_t>(size));
    uint64_t value = 0;
    for (int i = 0; i < size; ++i)
      value |= static_cast<uint64_t>(from[i]) << (8 * i);
    return value;
  }
  const uint8_t *take(size_t size) {
    if (size > left)
      fail(Status::CompileFailed, "the manifest is cut short: ", size,
           " bytes are needed where ", left, " are left");
    const uint8_t *from = data;
    data += size;
    left -= size;
    return from;
  }
  size_t remaining() const { return left; }

  void operator()(std::string &text) {
    size_t size = integer(4);
    text.assign(reinterpret_cast<const char *>(take(size)), size);
  }
  void operator()(bool &value) {
    uint64_t byte = integer(1);
    if (byte > 1)
      fail(Status::CompileFailed, "the manifest has ", byte,
           " where 0 or 1 must stand");
    value = byte == 1;
  }
  void operator()(int32_t &value) { value = static_cast<int32_t>(integer(4)); }
  void operator()(int64_t &value) { value = static_cast<int64_t>(integer(8)); }
  void operator()(double &value) { value = std::bit_cast<double>(integer(8)); }
  template <typename Enum>
    requires std::is_enum_v<Enum>
  void operator()(Enum &value, Enum last) {
    uint64_t byte = integer(1);
    if (byte > static_cast<uint64_t>(last))
      fail(Status::CompileFailed, "the manifest has the unknown kind ", byte);
    value = static_cast<Enum>(byte);
  }
  template <typename T> void operator()(std::vector<T> &list) {
    // Grows with what is there, whatever length is claimed.
    list.clear();
    for (size_t size = integer(4); size > 0; --size) {
      list.emplace_back();
      element(list.back());
    }
  }

private:
  void element(int32_t &item) { (*this)(item); }
  template <typename T> void element(T &item) { transfer(*this, item); }

  const uint8_t *data;
  size_t left;
};

/// T is const when written.
template <typename T, typename Plain>
concept Is = std::is_same_v<std::remove_const_t<T>, Plain>;

template <typename Archive> void transfer(Archive &a, Is<Symbol> auto &x) {
  a(x.name), a(x.storedOf), a(x.chunksOf), a(x.longRowsOf), a(x.fixed);
}

template <typename Archive> void transfer(Archive &a, Is<PatternInfo> auto &x) {
  a(x.name), a(x.shape), a(x.stored);
}

template <typename Archive> void transfer(Archive &a, Is<LayoutInfo> auto &x) {
  a(x.pattern), a(x.order), a(x.indexType, ElementType::I64);
}

template <typename Archive> void transfer(Archive &a, Is<Buffer> auto &x) {
  a(x.kind, Buffer::Scratch), a(x.index);
}

template <typename Archive> void transfer(Archive &a, Is<TensorInfo> auto &x) {
  a(x.name), a(x.type, ElementType::BF16), a(x.pattern), a(x.shape), a(x.read),
      a(x.resultOf), a(x.solver);
}

template <typename Archive> void transfer(Archive &a, Is<ScratchInfo> auto &x) {
  a(x.type, ElementType::BF16), a(x.shape);
}

template <typename Archive> void transfer(Archive &a, Is<Argument> auto &x) {
  a(x.role, Argument::LongPositions), a(x.layout), transfer(a, x.buffer),
      a(x.shape), a(x.slice), a(x.written);
}

template <typename Archive> void transfer(Archive &a, Is<SizeRef> auto &x) {
  a(x.kind, SizeRef::SplitLength), a(x.index), a(x.dim);
}

template <typename Archive> void transfer(Archive &a, Is<Partition> auto &x) {
  a(x.loops), a(x.parallel), a(x.weightLayout), a(x.proof);
}

template <typename Archive> void transfer(Archive &a, Is<DeviceMap> auto &x) {
  a(x.blockThreads), a(x.denseLanes), a(x.entryLanes), a(x.serial);
}

template <typename Archive> void transfer(Archive &a, Is<Cost::Term> auto &x) {
  a(x.factor), a(x.symbols);
}

template <typename Archive> void transfer(Archive &a, Is<SolveInfo> auto &x) {
  a(x.kind, SolveInfo::NormalEquations), a(x.mode, SolveInfo::C), a(x.solver),
      transfer(a, x.values), a(x.columns);
}

template <typename Archive> void transfer(Archive &a, Is<Stage> auto &x) {
  a(x.kind, Stage::KeepTriangle);
  a(x.name), a(x.arguments), a(x.sizes), transfer(a, x.partition),
      transfer(a, x.device);
  a(x.cost.flops), a(x.cost.bytes);
  transfer(a, x.source), transfer(a, x.destination), a(x.layout),
      transfer(a, x.solve);
}

template <typename Archive> void transfer(Archive &a, Is<Manifest> auto &x) {
  a(x.program), a(x.target), a(x.symbols), a(x.patterns), a(x.layouts),
      a(x.operands), transfer(a, x.result), a(x.scratch), a(x.stages);
}

} // namespace

std::vector<uint8_t> Manifest::serialize() const {
  Writer writer;
  writer.bytes.assign(magic, magic + sizeof(magic));
  writer.integer(manifestVersion, 4);
  const size_t lengthAt = writer.bytes.size();
  writer.integer(0, 8);
  transfer(writer, *this);
  const uint64_t length = writer.bytes.size();
  for (int i = 0; i < 8; ++i)
    writer.bytes[lengthAt + i] = static_cast<uint8_t>(length >> (8 * i));
  return std::move(writer.bytes);
}

Manifest Manifest::parse(const void *data, size_t size) {
  if (!data)
    fail(Status::CompileFailed, "the manifest is NULL");
  Reader reader(static_cast<const uint8_t *>(data), size);
  if (std::memcmp(reader.take(sizeof(magic)), magic, sizeof(magic)) != 0)
    fail(Status::CompileFailed, "these bytes are no manifest of tsgu");
  if (uint64_t version = reader.integer(4); version != manifestVersion)
    fail(Status::CompileFailed, "the manifest has version ", version,
         ", this runtime reads version ", manifestVersion,
         "; compile the program again with the same release");
  if (uint64_t length = reader.integer(8); length != size)
    fail(Status::CompileFailed, "the manifest is ", length, " bytes long, but ",
         size, " are there");
  Manifest manifest;
  transfer(reader, manifest);
  if (reader.remaining() != 0)
    fail(Status::CompileFailed, "the manifest ends ", reader.remaining(),
         " bytes early");
  runtime::checkManifest(manifest);
  return manifest;
}

} // namespace tsgu
