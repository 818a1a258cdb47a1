//===- Engine.cpp - Programs to kernels in this process -------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/Engine/Engine.h"

#include "tsgu/Engine/BuildId.h"

#include "llvm/Config/llvm-config.h"
#include "llvm/Support/SHA256.h"

using namespace llvm;

namespace tsgu {

Engine::Engine(std::string cacheDirectory, Checker checker)
    : disk(std::move(cacheDirectory)), checker(std::move(checker)) {}

static void add(SHA256 &hash, StringRef part) {
  uint64_t length = part.size();
  hash.update(StringRef(reinterpret_cast<const char *>(&length), 8));
  hash.update(part);
}

/// Once for each text and build, whoever of this user's processes reads it.
Error Engine::addProgram(StringRef name, StringRef text) {
  SHA256 hash;
  add(hash, "checked");
  add(hash, getBuildId());
  add(hash, LLVM_VERSION_STRING);
  add(hash, text);
  DiskCache::Key key = hash.final();
  std::lock_guard lock(mutex);
  if (!checked.count(key)) {
    if (!disk.load(key)) {
      if (Error error = checkProgram(checker, name, text))
        return error;
      disk.store(key, "");
    }
    checked.insert(key);
  }
  return compiler.addProgram(name, text);
}

/// Everything that decides the object's bytes: the program's text and path, the
/// specialisation, the target, and this build of the compiler.
Expected<DiskCache::Key>
Engine::getKey(StringRef path, const tsgu_specialization &specialization) {
  Expected<std::string> text = compiler.getText(path);
  if (!text)
    return text.takeError();
  const std::string described = target.describe();
  SHA256 hash;
  for (StringRef part :
       {getBuildId(), StringRef(LLVM_VERSION_STRING), StringRef(target.triple),
        StringRef(described), path, StringRef(*text)})
    add(hash, part);
  const uint8_t types[] = {specialization.value_type, specialization.index_type,
                           specialization.derived_index_type,
                           specialization.target, specialization.alignment};
  hash.update(ArrayRef(types));
  hash.update(ArrayRef(specialization.hollow));
  hash.update(ArrayRef(reinterpret_cast<const uint8_t *>(specialization.blocks),
                       sizeof(specialization.blocks)));
  add(hash, StringRef(reinterpret_cast<const char *>(specialization.widths),
                      specialization.width_count * sizeof(int64_t)));
  return hash.final();
}

Expected<const tsgu_object *>
Engine::find(const DiskCache::Key &key, StringRef path,
             const tsgu_specialization &specialization) {
  std::string symbol = Compiler::getSymbol(path);
  if (auto object = disk.load(key)) {
    auto loaded = loader.load(std::move(object), symbol);
    if (loaded) {
      ++fromDisk;
      return loaded;
    }
    consumeError(loaded.takeError()); // Compiled again instead.
  }
  auto object = compiler.compile(path, specialization, target);
  if (!object)
    return object.takeError();
  ++compiled;
  disk.store(key, (*object)->getBuffer());
  return loader.load(std::move(*object), symbol);
}

Expected<const tsgu_object *>
Engine::get(StringRef path, const tsgu_specialization &specialization) {
  Expected<DiskCache::Key> key = getKey(path, specialization);
  if (!key)
    return key.takeError();
  StringRef name(reinterpret_cast<const char *>(key->data()), key->size());
  std::lock_guard lock(mutex);
  auto known = objects.find(name);
  if (known != objects.end())
    return known->second;
  auto object = find(*key, path, specialization);
  if (object)
    objects[name] = *object;
  return object;
}

} // namespace tsgu
