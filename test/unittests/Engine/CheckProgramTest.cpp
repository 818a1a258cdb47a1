//===- CheckProgramTest.cpp - Text that is read by a child first ----------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/Engine/CheckProgram.h"
#include "tsgu/Engine/Engine.h"
#include "tsgu/Programs/ProgramLibrary.h"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace tsgu;
namespace fs = std::filesystem;

namespace {

/// A program, as if somebody had written it.
const std::string &program() {
  static const std::string text = [] {
    for (const LibraryProgram &program : getProgramLibrary())
      if (program.name == "spmm")
        return program.text.str();
    return std::string();
  }();
  return text;
}

/// Stand-ins for tsgu-check are shell scripts in a folder of the test's own.
class CheckProgramTest : public testing::Test {
protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "tsgu-check-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory = name;
  }
  void TearDown() override { fs::remove_all(directory); }

  Checker script(const std::string &commands, unsigned seconds = 60) {
    fs::path path = directory / ("script" + std::to_string(scripts++));
    std::ofstream(path) << "#!/bin/sh\n" << commands << "\n";
    fs::permissions(path, fs::perms::owner_all);
    return {path.string(), seconds};
  }
  /// The error's text; "" where there is none.
  std::string check(const Checker &checker,
                    const std::string &text = program()) {
    return llvm::toString(checkProgram(checker, "mine", text));
  }
  /// Leaves one line in a file for each run.
  Checker counting() {
    return script("echo >> " + log() + "\nexec " TSGU_TEST_CHECKER " \"$@\"");
  }
  std::string log() { return (directory / "log").string(); }
  long runs() {
    std::ifstream file(log());
    return std::count(std::istreambuf_iterator<char>(file), {}, '\n');
  }

  fs::path directory;
  int scripts = 0;
  const Checker real{TSGU_TEST_CHECKER};
};

bool has(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

TEST_F(CheckProgramTest, AcceptsPrograms) { EXPECT_EQ(check(real), ""); }

TEST_F(CheckProgramTest, RefusesInTheWordsOfTheCompiler) {
  for (std::string text :
       {"func.func @x(", "module {}", "", "func.func @x() { return }"}) {
    Compiler compiler;
    EXPECT_EQ(check(real, text),
              llvm::toString(compiler.addProgram("mine", text)));
    EXPECT_NE(check(real, text), "");
  }
}

TEST_F(CheckProgramTest, ADeathIsAnError) {
  EXPECT_TRUE(has(check(script("kill -SEGV $$")), "died of signal 11"));
  EXPECT_TRUE(has(check(script("kill -KILL $$")), "died of signal 9"));
  EXPECT_TRUE(has(check(script("exit 0")), "died with status 0"));
  std::string said = check(script("echo no library >&2; exit 127"));
  EXPECT_TRUE(has(said, "status 127") && has(said, "no library")) << said;
}

TEST_F(CheckProgramTest, AVerdictIsAllThatIsSaid) {
  EXPECT_EQ(check(script("echo 'tsgu: a program'")), "");
  EXPECT_NE(check(script("echo 'tsgu: a program'; echo more")), "");
  EXPECT_NE(check(script("echo more; echo 'tsgu: a program'")), "");
  EXPECT_EQ(check(script("echo 'tsgu: no program'; printf why")), "why");
}

TEST_F(CheckProgramTest, StopsOneThatHangs) {
  EXPECT_TRUE(has(check(script("exec sleep 300", 1)), "stopped after 1 s"));
  EXPECT_TRUE(has(check(script("sleep 300", 1)), "stopped after 1 s"));
}

TEST_F(CheckProgramTest, StopsOneThatFloods) {
  EXPECT_TRUE(has(check(script("exec yes", 300)), "saying too much"));
}

TEST_F(CheckProgramTest, NeedNotBeRead) {
  std::string text(10 << 20, ' ');
  EXPECT_TRUE(has(check(script("exit 3"), text), "status 3"));
  EXPECT_EQ(check(script("[ $(wc -c) = " + std::to_string(text.size()) +
                         " ] && echo 'tsgu: a program'"),
                  text),
            "");
}

TEST_F(CheckProgramTest, SaysThatItIsMissing) {
  EXPECT_TRUE(has(check({}), "TSGU_CHECKER"));
  EXPECT_TRUE(has(check({"/no/such/tsgu-check"}), "/no/such/tsgu-check"));
}

TEST_F(CheckProgramTest, InheritsNothing) {
  ASSERT_EQ(::dup2(STDERR_FILENO, 77), 77);
  auto before = std::signal(SIGPIPE, SIG_IGN);
  std::string shell =
      "[ -e /proc/$$/fd/77 ] && exit 4\n"
      "grep '^SigIgn:.*[13579bdf]...$' /proc/$$/status && exit 5\n"
      "echo 'tsgu: a program'";
  EXPECT_EQ(check(script(shell)), "");
  std::signal(SIGPIPE, before);
  ::close(77);
}

TEST_F(CheckProgramTest, NeedsNoStatus) {
  auto before = std::signal(SIGCHLD, SIG_IGN); // As some servers do.
  EXPECT_EQ(check(real), "");
  EXPECT_TRUE(has(check(script("kill -SEGV $$")), "died"));
  std::signal(SIGCHLD, before);
}

TEST_F(CheckProgramTest, HappensOnceForAText) {
  const std::string cache = (directory / "cache").string();
  Engine engine(cache, counting());
  for (const char *name : {"a", "a", "b"})
    EXPECT_EQ(llvm::toString(engine.addProgram(name, program())), "");
  EXPECT_EQ(runs(), 1);
  Engine later(cache, counting());
  EXPECT_EQ(llvm::toString(later.addProgram("a", program())), "");
  EXPECT_EQ(runs(), 1);
  EXPECT_EQ(llvm::toString(later.addProgram("b", program() + " ")), "");
  EXPECT_EQ(runs(), 2);
  Engine alone("", counting()); // Without a cache on disk.
  EXPECT_EQ(llvm::toString(alone.addProgram("a", program())), "");
  EXPECT_EQ(runs(), 3);
}

TEST_F(CheckProgramTest, ARefusalIsNotRemembered) {
  const std::string cache = (directory / "cache").string();
  Engine broken(cache, script("kill -SEGV $$"));
  EXPECT_TRUE(
      has(llvm::toString(broken.addProgram("a", program())), "signal 11"));
  EXPECT_TRUE(
      has(llvm::toString(broken.addProgram("a", program())), "signal 11"));
  Engine mended(cache, counting());
  EXPECT_EQ(llvm::toString(mended.addProgram("a", program())), "");
  EXPECT_EQ(runs(), 1);
}

TEST_F(CheckProgramTest, IsNotForTheLibrarysPrograms) {
  Engine engine("", script("kill -SEGV $$"));
  for (const char *path : {"spmm", "softmax/vjp0", "spmm/batch/vjp1/vjp0"}) {
    auto signature = engine.getCompiler().getSignature(path);
    EXPECT_TRUE(bool(signature)) << llvm::toString(signature.takeError());
  }
}

} // namespace
