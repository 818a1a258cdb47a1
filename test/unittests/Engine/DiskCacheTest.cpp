//===- DiskCacheTest.cpp - What the cache believes ------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/Engine/DiskCache.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using tsgu::DiskCache;
namespace fs = std::filesystem;

namespace {

/// A folder of its own for each test, removed at the end.
class DiskCacheTest : public testing::Test {
protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "tsgu-cache-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root = name;
    directory = root / "cache";
  }
  void TearDown() override { fs::remove_all(root); }

  DiskCache cache() { return DiskCache(directory.string()); }
  fs::path entry() {
    for (const auto &file : fs::directory_iterator(directory))
      if (file.path().filename().string().starts_with("llvmcache-"))
        return file.path();
    return {};
  }

  fs::path root, directory;
  DiskCache::Key key{1, 2, 3};
  std::string object = std::string(1000, 'x') + "an object";
};

std::string read(const fs::path &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const fs::path &path, const std::string &bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

TEST_F(DiskCacheTest, ReturnsWhatWasStored) {
  EXPECT_EQ(cache().load(key), nullptr);
  cache().store(key, object);
  auto found = cache().load(key);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->getBuffer().str(), object);
  EXPECT_EQ(cache().load({9}), nullptr);
}

TEST_F(DiskCacheTest, IsForItsUserAlone) {
  cache().store(key, object);
  EXPECT_EQ(fs::status(directory).permissions(), fs::perms(0700));
  EXPECT_EQ(fs::status(entry()).permissions(), fs::perms(0600));
}

/// Opening a pipe waits for a writer.
TEST_F(DiskCacheTest, DoesNotWaitForWhatIsNoFile) {
  cache().store(key, object);
  const fs::path path = entry();
  auto replace = [&](auto &&make) {
    fs::remove_all(path);
    ASSERT_TRUE(make());
    EXPECT_EQ(cache().load(key), nullptr);
  };
  ::alarm(60);
  replace([&] { return ::mkfifo(path.c_str(), 0600) == 0; });
  cache().store(key, object);
  EXPECT_NE(cache().load(key), nullptr);
  replace([&] { return fs::create_directory(path); });
  replace([&] { return ::mknod(path.c_str(), S_IFSOCK | 0600, 0) == 0; });
  replace([&] { return ::symlink("/dev/zero", path.c_str()) == 0; });

  // What the pruner writes to.
  const fs::path timestamp = directory / "llvmcache.timestamp";
  fs::remove_all(path);
  fs::remove(timestamp);
  ASSERT_EQ(::mkfifo(timestamp.c_str(), 0600), 0);
  cache().store(key, object);
  EXPECT_NE(cache().load(key), nullptr);
  ::alarm(0);
}

TEST_F(DiskCacheTest, DetectsEveryFlippedByte) {
  cache().store(key, object);
  const std::string bytes = read(entry());
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] ^= 0x40;
    write(entry(), damaged);
    EXPECT_EQ(cache().load(key), nullptr) << "byte " << i;
  }
  write(entry(), bytes);
  EXPECT_NE(cache().load(key), nullptr);
}

TEST_F(DiskCacheTest, DetectsEveryTruncation) {
  cache().store(key, object);
  const std::string bytes = read(entry());
  for (size_t length = 0; length < bytes.size(); length += 7) {
    write(entry(), bytes.substr(0, length));
    EXPECT_EQ(cache().load(key), nullptr) << "length " << length;
  }
  write(entry(), bytes + "more");
  EXPECT_EQ(cache().load(key), nullptr);
}

TEST_F(DiskCacheTest, DoesNotBelieveAnotherEntrysFile) {
  cache().store(key, object);
  fs::path first = entry();
  fs::copy(first, first.string().substr(0, first.string().size() - 64) +
                      std::string(64, '0'));
  EXPECT_EQ(cache().load({}), nullptr);
}

TEST_F(DiskCacheTest, RefusesWhatOthersCanWrite) {
  cache().store(key, object);
  ASSERT_EQ(::chmod(entry().c_str(), 0666), 0);
  EXPECT_EQ(cache().load(key), nullptr);
  ASSERT_EQ(::chmod(entry().c_str(), 0600), 0);
  ASSERT_EQ(::chmod(directory.c_str(), 0777), 0);
  EXPECT_EQ(cache().load(key), nullptr);
  cache().store({7}, object);
  ASSERT_EQ(::chmod(directory.c_str(), 0700), 0);
  EXPECT_EQ(cache().load({7}), nullptr);
  EXPECT_NE(cache().load(key), nullptr);
}

TEST_F(DiskCacheTest, FollowsNoLink) {
  cache().store(key, object);
  fs::path moved = root / "elsewhere";
  fs::rename(entry(), moved);
  fs::create_symlink(moved,
                     directory / ("llvmcache-010203" + std::string(58, '0')));
  EXPECT_EQ(cache().load(key), nullptr);
  fs::remove_all(directory);
  fs::create_directory(root / "real");
  fs::create_directory_symlink(root / "real", directory);
  cache().store(key, object);
  EXPECT_TRUE(fs::is_empty(root / "real"));
}

TEST_F(DiskCacheTest, CanBeOffOrImpossible) {
  DiskCache off("");
  off.store(key, object);
  EXPECT_EQ(off.load(key), nullptr);
  write(root / "file", "in the way");
  DiskCache blocked((root / "file" / "cache").string());
  blocked.store(key, object);
  EXPECT_EQ(blocked.load(key), nullptr);
}

TEST_F(DiskCacheTest, SurvivesWritersThatAreKilled) {
  cache().store(key, object);
  std::mt19937 random(1);
  for (int i = 0; i < 50; ++i) {
    pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0)
      for (uint8_t n = 0;; ++n) {
        cache().store({n, 1}, std::string(20000, char('a' + n % 26)));
        cache().store(key, object);
      }
    ::usleep(random() % 3000);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    auto found = cache().load(key);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->getBuffer().str(), object);
    for (uint8_t n = 0; n < 5; ++n)
      if (auto other = cache().load({n, 1}))
        EXPECT_EQ(other->getBuffer().str(),
                  std::string(20000, char('a' + n % 26)));
  }
}

TEST_F(DiskCacheTest, SharesAmongProcesses) {
  auto content = [](uint8_t n) { return std::string(500 + n, char(n)); };
  for (int process = 0; process < 8; ++process)
    if (::fork() == 0) {
      bool right = true;
      for (uint8_t n = 0; n < 100; ++n) {
        if (auto found = cache().load({n}))
          right &= found->getBuffer().str() == content(n);
        cache().store({n}, content(n));
      }
      ::_exit(right ? 0 : 1);
    }
  for (int process = 0; process < 8; ++process) {
    int status = 0;
    ASSERT_GT(::wait(&status), 0);
    EXPECT_EQ(status, 0);
  }
  for (uint8_t n = 0; n < 100; ++n) {
    auto found = cache().load({n});
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->getBuffer().str(), content(n));
  }
}

} // namespace
