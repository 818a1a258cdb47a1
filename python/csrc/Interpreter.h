//===- Interpreter.h - Python, as solvers call it ---------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Solvers call users' functions, and ask from time to time whether a signal has
// come (Ctrl-C). Whatever is raised then must reach the caller of the solve,
// but not through C++: it is kept for the thread, the solve ends, and Python
// raises it. ctypes' own callbacks lose what is raised before their first
// statement, which is where signals are seen; hence the calls from here.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TORCH_INTERPRETER_H
#define TSGU_TORCH_INTERPRETER_H

#include <cstdint>

namespace tsgu::torch_plugin {

/// What is used of Python's stable C API, for this library is built without its
/// headers, and our callables. Objects are void *. Filled in by `_library`.
struct Interpreter {
  int (*ensure)();                          ///< PyGILState_Ensure
  void (*release)(int);                     ///< PyGILState_Release
  int (*checkSignals)();                    ///< PyErr_CheckSignals
  void *(*call)(void *, const char *, ...); ///< PyObject_CallFunction
  long (*asLong)(void *);                   ///< PyLong_AsLong
  void (*decrease)(void *);                 ///< Py_DecRef
  void (*fetch)(void **, void **, void **); ///< PyErr_Fetch
  void (*restore)(void *, void *, void *);  ///< PyErr_Restore
  ///< PyObject_CallMethod
  void *(*callMethod)(void *, const char *, const char *, ...);
  ///< PyCapsule_New
  void *(*newCapsule)(void *, const char *, void (*)(void *));
  void *(*pointerIn)(void *, const char *); ///< PyCapsule_GetPointer
  void *(*noMemory)();                      ///< PyErr_NoMemory
  void *solve, *progress, *outcome;
};

/// Calls a callable that returns an int. False: it raised, which is kept.
bool callPython(void *callable, int64_t argument);

/// A new object of Python's that has the pointer; `end(object)` is called when
/// it goes. NULL, and MemoryError raised: there is none, or no pointer. This
/// and what follows is for callers with the GIL.
void *newCapsule(void *pointer, void (*end)(void *capsule));
void *pointerIn(void *capsule);

} // namespace tsgu::torch_plugin

#endif // TSGU_TORCH_INTERPRETER_H
