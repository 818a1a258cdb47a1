//===- tsgu-compile.cpp - Programs to objects and a C header --------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A client of the C API: the text is read by tsgu-check first, and LLVM is no
// part of this program.
//
//===----------------------------------------------------------------------===//

#include "tsgu/tsgu.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace fs = std::filesystem;

namespace {

constexpr char usage[] =
    R"(usage: tsgu-compile PROGRAM -o FILE.o [options]

Compiles a program, PROGRAM.mlir or one of the library's by its path ("spmm",
"spmm/vjp0"), into an object file that needs libtsgu and no compiler, and
writes the C header FILE.h that declares it.

  -o FILE.o             where the object goes
  --types VALUE,INDEX   f32, f64, c64, c128, f16 or bf16, and i32 or i64: what
                        patterns have whose shape or entries need it
                        (default: f64,i32)
  --derive DERIVATION   also a program derived from it, as FILE_DERIVATION.o:
                        vjp0, jvp1, batch/vjp0, vjp1given4; may be repeated
  --width OPERAND.D=N   fixes the extent of dimension D of a dense operand, as in
                        B.1=32, which lets the kernels keep sums in registers;
                        may be repeated
  --cpu NAME            for LLVM's name of a processor, such as x86-64-v3
                        (default: that of this machine)
  --name NAME           the program's name (default: PROGRAM without .mlir)
  --help, --version
)";

/// What was typed is wrong.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Width {
  std::string operand;
  size_t dimension = 0;
  int64_t extent = 0;
};

struct Options {
  std::string program, output, name, cpu;
  tsgu_type value = TSGU_F64, index = TSGU_I32;
  std::vector<std::string> derivations;
  std::vector<Width> widths;
};

std::vector<std::string> split(const std::string &text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);)
    parts.push_back(part);
  return parts;
}

tsgu_type typeNamed(const std::string &name,
                    const std::vector<std::pair<std::string, tsgu_type>> &all) {
  std::string names;
  for (const auto &[known, type] : all) {
    if (known == name)
      return type;
    names += (names.empty() ? "" : ", ") + known;
  }
  throw UsageError("there is no type '" + name + "' here; there are " + names);
}

void readTypes(const std::string &text, Options &options) {
  const std::vector<std::string> types = split(text, ',');
  if (types.empty() || types.size() > 2)
    throw UsageError("--types takes a value and an index type, such as "
                     "f64,i32, not '" +
                     text + "'");
  options.value = typeNamed(types[0], {{"f32", TSGU_F32},
                                       {"f64", TSGU_F64},
                                       {"c64", TSGU_C64},
                                       {"c128", TSGU_C128},
                                       {"f16", TSGU_F16},
                                       {"bf16", TSGU_BF16}});
  if (types.size() == 2)
    options.index = typeNamed(types[1], {{"i32", TSGU_I32}, {"i64", TSGU_I64}});
}

Width readWidth(const std::string &text) {
  Width width;
  const size_t dot = text.find('.'), equals = text.find('=', dot);
  const char *end = text.data() + text.size();
  auto isNumber = [&](size_t at, auto &value, const char *stop) {
    return std::from_chars(text.data() + at, stop, value).ptr == stop;
  };
  if (dot == std::string::npos || dot == 0 || equals == std::string::npos ||
      !isNumber(dot + 1, width.dimension, text.data() + equals) ||
      !isNumber(equals + 1, width.extent, end) || width.extent <= 0)
    throw UsageError("--width takes an operand, a dimension and a number, such "
                     "as B.1=32, not '" +
                     text + "'");
  width.operand = text.substr(0, dot);
  return width;
}

Options readOptions(const std::vector<std::string> &arguments) {
  Options options;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string &argument = arguments[i];
    auto next = [&]() -> const std::string & {
      if (i + 1 == arguments.size())
        throw UsageError(argument + " needs a value");
      return arguments[++i];
    };
    if (argument == "-o")
      options.output = next();
    else if (argument == "--types")
      readTypes(next(), options);
    else if (argument == "--derive")
      options.derivations.push_back(next());
    else if (argument == "--width")
      options.widths.push_back(readWidth(next()));
    else if (argument == "--cpu")
      options.cpu = next();
    else if (argument == "--name")
      options.name = next();
    else if (argument.starts_with("-"))
      throw UsageError("there is no option " + argument);
    else if (options.program.empty())
      options.program = argument;
    else
      throw UsageError("one program at a time, not " + options.program +
                       " and " + argument);
  }
  if (options.program.empty())
    throw UsageError("which program?");
  if (!options.output.ends_with(".o"))
    throw UsageError("where to? Say -o FILE.o");
  return options;
}

std::string readFile(const fs::path &path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file || fs::is_directory(path))
    throw std::runtime_error(path.string() + " cannot be read");
  return text;
}

/// Whole or not at all: a build takes what is there for finished.
void writeFile(const fs::path &path, std::string_view bytes) {
  const fs::path unfinished = path.string() + ".tmp";
  std::ofstream file(unfinished, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  std::error_code error;
  if (file)
    fs::rename(unfinished, path, error);
  if (!file || error) {
    fs::remove(unfinished, error);
    throw std::runtime_error(path.string() + " cannot be written");
  }
}

std::string owned(char *text, size_t size) {
  const std::unique_ptr<char, void (*)(char *)> owner(text, tsgu_string_free);
  return {text, size};
}

/// The strings of the JSON list at or behind this place, which it moves there.
std::vector<std::string> readList(const std::string &json, size_t &at) {
  at = json.find('[', at) + 1;
  const size_t end = json.find(']', at);
  std::string text = json.substr(at, end - at);
  std::erase_if(text, [](char c) { return c == '"' || c == ' '; });
  at = end;
  return split(text, ',');
}

/// The names of a program's sizes, and of those that the operand's dimensions
/// have; none if there is no such operand.
struct Sizes {
  std::vector<std::string> all, ofOperand;

  Sizes(const tsgu_program *program, const std::string &operand) {
    const std::string json = tsgu_program_signature(program);
    size_t at = json.find("\"sizes\"");
    all = readList(json, at);
    at = json.find("{\"name\": \"" + operand + "\"",
                   json.find("\"operands\"", at));
    if (at != std::string::npos) {
      at = json.find("\"shape\"", at);
      ofOperand = readList(json, at);
    }
  }
};

/// The widths of a specialisation, in the program's order; 0 where none is
/// given. A derived program need not have all operands.
std::vector<int64_t> widthsOf(const tsgu_program *program,
                              const Options &options) {
  std::vector<int64_t> widths(Sizes(program, "").all.size());
  for (const Width &width : options.widths) {
    const Sizes sizes(program, width.operand);
    if (width.dimension < sizes.ofOperand.size()) {
      auto found =
          std::ranges::find(sizes.all, sizes.ofOperand[width.dimension]);
      widths.at(found - sizes.all.begin()) = width.extent;
    }
  }
  return widths;
}

std::string emit(const std::string &path, const Options &options) {
  tsgu_program *program = nullptr;
  tsgu::check(tsgu_program_open(path.c_str(), &program));
  const std::vector<int64_t> widths = widthsOf(program, options);
  tsgu_specialization specialization{};
  specialization.value_type = static_cast<uint8_t>(options.value);
  specialization.index_type = static_cast<uint8_t>(options.index);
  specialization.derived_index_type = specialization.index_type;
  specialization.widths = widths.data();
  specialization.width_count = static_cast<uint32_t>(widths.size());
  char *object = nullptr;
  uint64_t size = 0;
  tsgu::check(tsgu_program_emit(
      program, &specialization,
      options.cpu.empty() ? nullptr : options.cpu.c_str(), &object, &size));
  return owned(object, size);
}

std::string manifestIn(const std::string &object) {
  const size_t at = object.find(TSGU_MANIFEST_MAGIC);
  if (at == std::string::npos)
    throw std::runtime_error("the object has no manifest");
  char *text = nullptr;
  tsgu::check(
      tsgu_manifest_print(object.data() + at, object.size() - at, &text));
  return owned(text, std::char_traits<char>::length(text));
}

std::string symbolOf(std::string path) {
  std::ranges::replace(path, '/', '_');
  return path;
}

/// `extern const tsgu_object ...` below what a caller has to know of it.
std::string declarationOf(const std::string &symbol,
                          const std::string &object) {
  std::string text = "\n/*\n";
  for (std::string line : split(manifestIn(object), '\n')) {
    if (line.starts_with("program ")) // Not all features of the processor.
      line.erase(std::min(line.find(" +"), line.size()));
    text += " * " + line + "\n";
  }
  for (size_t at; (at = text.find("*/")) != std::string::npos;)
    text.replace(at, 2, "* /");
  return text + " */\nextern const tsgu_object " + symbol + ";\n";
}

std::string headerOf(const std::string &guard, const std::string &body) {
  return "/* Written by tsgu-compile " + std::string(tsgu_version()) +
         ": programs for tsgu_program_from_object. */\n\n#ifndef " + guard +
         "\n#define " + guard +
         "\n\n#include \"tsgu/tsgu.h\"\n\n#ifdef __cplusplus\nextern \"C\" "
         "{\n#endif\n" +
         body + "\n#ifdef __cplusplus\n}\n#endif\n\n#endif /* " + guard +
         " */\n";
}

void compile(const Options &options) {
  std::string root = options.program;
  if (const fs::path file = options.program; file.extension() == ".mlir") {
    root = options.name.empty() ? file.stem().string() : options.name;
    tsgu::Program::add(root, readFile(file));
  } else if (!options.name.empty()) {
    throw UsageError("a program of the library has its name already");
  }
  for (const Width &width : options.widths) {
    tsgu_program *program = nullptr;
    tsgu::check(tsgu_program_open(root.c_str(), &program));
    if (width.dimension >= Sizes(program, width.operand).ofOperand.size())
      throw UsageError(root + " has no dimension " +
                       std::to_string(width.dimension) + " of an operand " +
                       width.operand);
  }
  const std::string stem = options.output.substr(0, options.output.size() - 2);
  std::vector<std::pair<std::string, std::string>> files;
  std::string declarations;
  auto add = [&](const std::string &path, const std::string &file) {
    files.emplace_back(file, emit(path, options));
    declarations += declarationOf(symbolOf(path), files.back().second);
  };
  add(root, options.output);
  for (const std::string &derivation : options.derivations)
    add(root + "/" + derivation, stem + "_" + symbolOf(derivation) + ".o");
  const std::string guard = "TSGU_PROGRAM_" + symbolOf(root) + "_H";
  files.emplace_back(stem + ".h", headerOf(guard, declarations));
  for (const auto &[file, bytes] : files)
    writeFile(file, bytes);
}

} // namespace

int main(int argc, char **argv) try {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  for (const std::string &argument : arguments)
    if (argument == "--help" || argument == "-h") {
      std::fputs(usage, stdout);
      return 0;
    } else if (argument == "--version") {
      std::printf("tsgu-compile %s\n", tsgu_version());
      return 0;
    }
  compile(readOptions(arguments));
  return 0;
} catch (const UsageError &error) {
  std::fprintf(stderr, "tsgu-compile: %s\n%s", error.what(),
               "tsgu-compile --help says more\n");
  return 2;
} catch (const std::exception &error) {
  std::fprintf(stderr, "tsgu-compile: error: %s\n", error.what());
  return 1;
}
