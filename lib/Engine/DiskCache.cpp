//===- DiskCache.cpp - Object files kept between processes ----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/Engine/DiskCache.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CachePruning.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SHA256.h"

#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace llvm;

namespace {

constexpr char magic[8] = {'t', 's', 'g', 'u', 'O', 'B', 'J', '1'};

struct Header {
  char magic[8];
  uint8_t key[32];
  uint64_t length;
  uint8_t hash[32];
};

/// Closes a file descriptor at the end of the scope.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0)
      ::close(fd);
  }
};

/// Ours, and writable by nobody else.
bool isPrivate(const struct stat &status, mode_t type) {
  return (status.st_mode & S_IFMT) == type && status.st_uid == ::geteuid() &&
         (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

bool isPrivateDirectory(const std::string &directory) {
  struct stat status;
  return ::lstat(directory.c_str(), &status) == 0 && isPrivate(status, S_IFDIR);
}

bool writeAll(int fd, const void *data, size_t size) {
  const char *next = static_cast<const char *>(data);
  while (size > 0) {
    ssize_t written = ::write(fd, next, size);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return false;
    next += written;
    size -= written;
  }
  return true;
}

bool readAll(int fd, void *data, size_t size) {
  char *next = static_cast<char *>(data);
  while (size > 0) {
    ssize_t count = ::read(fd, next, size);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return false;
    next += count;
    size -= count;
  }
  return true;
}

ArrayRef<uint8_t> bytesOf(StringRef text) {
  return {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
}

} // namespace

namespace tsgu {

DiskCache::DiskCache(std::string directory) : directory(std::move(directory)) {}

std::string DiskCache::defaultDirectory() {
  if (const char *chosen = std::getenv("TSGU_CACHE_DIR"))
    return chosen;
  SmallString<128> path;
  const char *base = std::getenv("XDG_CACHE_HOME");
  const char *home = std::getenv("HOME");
  if (base && *base)
    sys::path::append(path, base, "tsgu");
  else if (home && *home)
    sys::path::append(path, home, ".cache", "tsgu");
  return std::string(path);
}

/// The prefix is the one by which llvm::pruneCache knows its files.
std::string DiskCache::pathOf(const Key &key) const {
  return directory + "/llvmcache-" + toHex(key, /*LowerCase=*/true);
}

std::unique_ptr<MemoryBuffer> DiskCache::load(const Key &key) const {
  if (directory.empty() || !isPrivateDirectory(directory))
    return nullptr;
  // Not waiting for a writer, should a pipe stand there.
  Descriptor file{::open(pathOf(key).c_str(),
                         O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)};
  struct stat status;
  Header header;
  if (file.fd < 0 || ::fstat(file.fd, &status) != 0 ||
      !isPrivate(status, S_IFREG) ||
      !readAll(file.fd, &header, sizeof(header)) ||
      std::memcmp(header.magic, magic, sizeof(magic)) != 0 ||
      std::memcmp(header.key, key.data(), key.size()) != 0 ||
      header.length != status.st_size - sizeof(header))
    return nullptr;
  auto object = WritableMemoryBuffer::getNewUninitMemBuffer(header.length);
  if (!object || !readAll(file.fd, object->getBufferStart(), header.length))
    return nullptr;
  auto hash = SHA256::hash(
      bytesOf({object->getBufferStart(), object->getBufferSize()}));
  if (std::memcmp(header.hash, hash.data(), hash.size()) != 0)
    return nullptr;
  return object;
}

void DiskCache::store(const Key &key, StringRef object) const {
  if (directory.empty() ||
      sys::fs::create_directories(directory, true, sys::fs::owner_all) ||
      !isPrivateDirectory(directory))
    return;
  Header header;
  std::memcpy(header.magic, magic, sizeof(magic));
  std::memcpy(header.key, key.data(), key.size());
  header.length = object.size();
  auto hash = SHA256::hash(bytesOf(object));
  std::memcpy(header.hash, hash.data(), hash.size());

  std::string temporary = directory + "/write-XXXXXX";
  Descriptor file{::mkostemp(temporary.data(), O_CLOEXEC)}; // Mode 0600.
  if (file.fd < 0)
    return;
  bool written = writeAll(file.fd, &header, sizeof(header)) &&
                 writeAll(file.fd, object.data(), object.size()) &&
                 ::fsync(file.fd) == 0;
  if (!written || ::rename(temporary.c_str(), pathOf(key).c_str()) != 0) {
    ::unlink(temporary.c_str());
    return;
  }
  // The pruner writes to this one, whatever it is.
  std::string timestamp = directory + "/llvmcache.timestamp";
  struct stat status;
  if (::lstat(timestamp.c_str(), &status) == 0 && !S_ISREG(status.st_mode) &&
      ::unlink(timestamp.c_str()) != 0)
    return;
  CachePruningPolicy policy;
  policy.Expiration = std::chrono::hours(30 * 24);
  policy.MaxSizeBytes = uint64_t(1) << 30;
  pruneCache(directory, policy);
}

} // namespace tsgu
