//===- Manifest.cpp - Manifests as bytes ----------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The fields one after the other. What is read is only as long as the bytes say
// it can be.
//
//===----------------------------------------------------------------------===//

#include "program/ManifestBytes.h"
#include "tsgu/Error.h"
#include "tsgu/ManifestFields.h"

#include <algorithm>
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
  template <typename T>
  void operator()(const char * /*name*/, const T &value, FieldInfo = {}) {
    write(value);
  }

private:
  void write(const std::string &text) {
    integer(text.size(), 4);
    bytes.insert(bytes.end(), text.begin(), text.end());
  }
  void write(double value) { integer(std::bit_cast<uint64_t>(value), 8); }
  template <typename T>
    requires(std::is_integral_v<T> || std::is_enum_v<T>)
  void write(T value) {
    integer(static_cast<uint64_t>(value), sizeof(T));
  }
  template <typename T> void write(const std::vector<T> &list) {
    integer(list.size(), 4);
    for (const T &item : list)
      write(item);
  }
  template <typename T>
    requires std::is_class_v<T>
  void write(const T &value) {
    fields(*this, value);
  }
};

class Reader {
public:
  Reader(const uint8_t *data, size_t size) : data(data), left(size) {}

  uint64_t integer(size_t size) {
    const uint8_t *from = take(size);
    uint64_t value = 0;
    for (size_t i = 0; i < size; ++i)
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

  template <typename T>
  void operator()(const char * /*name*/, T &value, FieldInfo = {}) {
    read(value);
  }

private:
  void read(std::string &text) {
    size_t size = integer(4);
    text.assign(reinterpret_cast<const char *>(take(size)), size);
  }
  void read(bool &value) {
    uint64_t byte = integer(1);
    if (byte > 1)
      fail(Status::CompileFailed, "the manifest has ", byte,
           " where 0 or 1 must stand");
    value = byte == 1;
  }
  void read(double &value) { value = std::bit_cast<double>(integer(8)); }
  template <typename T>
    requires(std::is_integral_v<T> || std::is_enum_v<T>)
  void read(T &value) {
    const uint64_t bits = integer(sizeof(T));
    if constexpr (std::is_enum_v<T>)
      if (bits > static_cast<uint64_t>(lastOf(T())))
        fail(Status::CompileFailed, "the manifest has the unknown kind ", bits);
    value = static_cast<T>(bits);
  }
  template <typename T> void read(std::vector<T> &list) {
    // Grows with what is there, whatever length is claimed.
    list.clear();
    for (size_t size = integer(4); size > 0; --size)
      read(list.emplace_back());
  }
  template <typename T>
    requires std::is_class_v<T>
  void read(T &value) {
    fields(*this, value);
  }

  const uint8_t *data;
  size_t left;
};

} // namespace

std::vector<uint8_t> Manifest::serialize() const {
  Writer writer;
  writer.bytes.assign(magic, magic + sizeof(magic));
  writer.integer(manifestVersion, 4);
  const size_t lengthAt = writer.bytes.size();
  writer.integer(0, 8);
  fields(writer, *this);
  const uint64_t length = writer.bytes.size();
  for (int i = 0; i < 8; ++i)
    writer.bytes[lengthAt + i] = static_cast<uint8_t>(length >> (8 * i));
  return std::move(writer.bytes);
}

size_t runtime::manifestLength(const void *data, size_t size) {
  const size_t lengthAt = sizeof(magic) + 4;
  if (size < lengthAt + 8)
    return size;
  uint64_t length = 0;
  for (size_t i = 8; i-- > 0;)
    length = length << 8 | static_cast<const uint8_t *>(data)[lengthAt + i];
  return static_cast<size_t>(std::min<uint64_t>(length, size));
}

Manifest runtime::readManifest(const void *data, size_t size) {
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
  fields(reader, manifest);
  if (reader.remaining() != 0)
    fail(Status::CompileFailed, "the manifest ends ", reader.remaining(),
         " bytes early");
  return manifest;
}

} // namespace tsgu
