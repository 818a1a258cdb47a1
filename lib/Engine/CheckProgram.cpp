//===- CheckProgram.cpp - Text is read by a child first -------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/Engine/CheckProgram.h"

#include "tsgu/Engine/Interrupt.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace llvm;

namespace {

/// More is not a diagnostic.
constexpr size_t maxAnswer = 1 << 20;

/// Closes a file descriptor at the end of the scope.
struct Descriptor {
  int fd = -1;
  ~Descriptor() {
    if (fd >= 0)
      ::close(fd);
  }
};

/// How a child is started: the text is its input, the pipe takes whatever it
/// says. Nothing else that is open here is open there, and signals are as they
/// are for a new process, but for a terminal's, which are for its parent.
class SpawnOptions {
public:
  SpawnOptions(int input, int output) {
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&files, output, STDERR_FILENO);
    ::posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    ::posix_spawnattr_init(&attributes);
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setpgroup(&attributes, 0);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK |
                                                POSIX_SPAWN_SETSIGDEF |
                                                POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnOptions() {
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnOptions(const SpawnOptions &) = delete;

  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
};

Error failure(const Twine &what, int code) {
  return createStringError(
      what + ": " + std::error_code(code, std::generic_category()).message());
}

/// A file in memory from which the text is read.
Expected<int> openText(StringRef text) {
  int fd = ::memfd_create("tsgu-program", MFD_CLOEXEC);
  if (fd < 0)
    return failure("no file in memory for a program's text", errno);
  raw_fd_ostream(fd, /*shouldClose=*/false, /*unbuffered=*/true) << text;
  ::lseek(fd, 0, SEEK_SET);
  return fd;
}

using Clock = std::chrono::steady_clock;

/// What the child says until it ends; false: it was stopped before, because the
/// time was over, it said too much or the caller gave up.
bool readAnswer(int fd, Clock::time_point end, std::string &answer) {
  char buffer[4096];
  while (answer.size() <= maxAnswer) {
    auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
    if (left.count() <= 0 || tsgu::isInterrupted())
      return false;
    pollfd ready{fd, POLLIN, 0};
    const auto wait = std::min<int64_t>(left.count(), 100);
    if (::poll(&ready, 1, static_cast<int>(wait)) <= 0)
      continue;
    ssize_t count = ::read(fd, buffer, sizeof(buffer));
    if (count > 0)
      answer.append(buffer, count);
    else if (count == 0 || errno != EINTR)
      return true;
  }
  return false;
}

/// How a process ended; "" where somebody else took its status.
std::string waitFor(pid_t child) {
  int status = 0;
  pid_t ended;
  do
    ended = ::waitpid(child, &status, 0);
  while (ended < 0 && errno == EINTR);
  if (ended != child)
    return "";
  if (WIFSIGNALED(status))
    return (" of signal " + Twine(WTERMSIG(status)) + " (" +
            ::strsignal(WTERMSIG(status)) + ")")
        .str();
  return (" with status " + Twine(WEXITSTATUS(status))).str();
}

/// The beginning of what a child said that gave no verdict.
std::string quote(StringRef answer) {
  StringRef said = answer.trim().take_front(400);
  return said.empty() ? "" : ("; it said: " + said).str();
}

} // namespace

namespace tsgu {

Checker Checker::find() {
  if (const char *named = ::secure_getenv("TSGU_CHECKER"); named && *named)
    return {named};
  Dl_info here;
  if (!::dladdr(reinterpret_cast<const void *>(&checkProgram), &here))
    return {};
  StringRef directory = sys::path::parent_path(here.dli_fname);
  for (const char *place : {"tsgu-check", "../bin/tsgu-check"}) {
    SmallString<256> path(directory);
    sys::path::append(path, place);
    if (sys::fs::can_execute(path))
      return {std::string(path)};
  }
  return {};
}

Error checkProgram(const Checker &checker, StringRef name, StringRef text) {
  if (checker.path.empty())
    return createStringError(
        "a program's text is read by a process of its own first, tsgu-check, "
        "which is neither beside this library nor in ../bin; install it "
        "there, or say where it is with TSGU_CHECKER");
  Expected<int> opened = openText(text);
  if (!opened)
    return opened.takeError();
  Descriptor input{*opened}, output;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return failure("no pipe to " + checker.path, errno);
  output.fd = ends[0];

  std::string path = checker.path, named = name.str();
  char *arguments[] = {path.data(), named.data(), nullptr};
  pid_t child;
  int refused;
  {
    Descriptor writing{ends[1]};
    SpawnOptions options(input.fd, writing.fd);
    refused = ::posix_spawn(&child, path.c_str(), &options.files,
                            &options.attributes, arguments, environ);
  }
  if (refused)
    return failure(path + ", which reads programs, could not be started",
                   refused);

  std::string answer;
  bool ended = readAnswer(
      output.fd, Clock::now() + std::chrono::seconds(checker.seconds), answer);
  if (!ended)
    ::kill(-child, SIGKILL);
  std::string end = waitFor(child);
  StringRef verdict = answer;
  if (ended && verdict == programAccepted)
    return Error::success();
  if (ended && verdict.consume_front(programRefused))
    return createStringError(verdict);
  if (wasInterrupted())
    return createStringError("interrupted");
  if (ended)
    return createStringError("the process that read '" + name + "' died" + end +
                             ": the text is no program" + quote(answer));
  return createStringError("the process that read '" + name + "' was stopped" +
                           (answer.size() > maxAnswer
                                ? Twine(" for saying too much")
                                : " after " + Twine(checker.seconds) + " s") +
                           ": the text is no program" + quote(answer));
}

} // namespace tsgu
