//===- Iteration.h - What a Krylov method sees ------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A method solves A d = r from d = 0, for a block of columns that advance
// together and leave one by one. It stops to ask for products.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_SOLVERS_ITERATION_H
#define TSGU_SRC_SOLVERS_ITERATION_H

#include "solvers/Task.h"
#include "solvers/VectorOps.h"

#include <deque>

namespace tsgu::runtime {

enum class Ask : uint8_t { Nothing, Product, Adjoint, Precondition };

/// Of n x columns blocks: out = A in, A^H in or M^-1 in. If `sums` is not NULL:
/// sums[j] = with_j^H out_j and, if `with` is NULL or `squares`, the last
/// `columns` of the sums are norm(out_j)^2.
template <typename T> struct Request {
  Ask ask = Ask::Nothing;
  const T *in = nullptr;
  T *out = nullptr;
  int64_t columns = 0;
  const int64_t *ids = nullptr; ///< Which of all columns these are.
  const T *with = nullptr;
  bool squares = false;
  Wide<T> *sums = nullptr;
};

/// Where a coroutine waits for the answer to its request.
template <typename T> struct Channel {
  Request<T> request;
  std::coroutine_handle<> waiting;

  struct Awaiter {
    Channel &channel;
    Request<T> request;
    bool await_ready() noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) noexcept {
      channel.request = request;
      channel.waiting = handle;
    }
    void await_resume() noexcept {}
  };

  /// The request has been answered.
  void resume() {
    request = {};
    std::exchange(waiting, {}).resume();
  }
};

/// When columns end, beside the goal that each of them has.
struct Criteria {
  /// All at once, when the mean of norm(r) / goal is at most 1.
  bool mean = false;
  int64_t leastIterations = 0;
  /// For a column; 0: any number. How many it had is counted by who answers.
  int64_t mostProducts = 0;
  const std::vector<int64_t> *products = nullptr;
  /// Columns rest at norm(r) <= rest * goal, while others go on.
  double rest = 1;
  /// CG breaks down where p^H A p or r^H M^-1 r is below this times goal^2.
  double leastProduct = 0;

  /// Whether anything is asked for that concerns more than one column.
  bool joint() const { return mean || rest != 1; }
  /// Whether a column may have so many products more.
  bool allows(int64_t column, int64_t more) const {
    return mostProducts == 0 || (*products)[column] + more <= mostProducts;
  }
};

/// Whether columns at these multiples of their goals have ended together.
bool haveArrived(const Criteria &criteria,
                 const std::vector<double> &distances);

/// Why a column left the iteration.
enum class Exit : uint8_t {
  None,
  Goal,    ///< The method's own estimate of the residual is small enough.
  Rest,    ///< The same for a column that rests above its goal.
  Restart, ///< The method wants to begin again from the true residual.
  Limit,
  Breakdown,
  Inconsistent, ///< Only the least-squares solution is left to be found.
  IndefiniteMatrix,
  IndefinitePreconditioner,
  NotFinite,
  Stopped
};

/// What is told after every iteration, for all columns of the solve.
class Progress {
public:
  Progress(const tsgu_solver &solver, int64_t columns);

  /// The estimates of these columns have changed.
  void set(int64_t column, double norm) { norms[column] = norm; }
  /// Keeps them as history and tells the callback. False: stop.
  bool tell();

  std::vector<double> history; ///< [rows][columns].
  bool stopped = false;        ///< By the callback.

private:
  const tsgu_solver &solver;
  int32_t (*callback)(int64_t, int64_t, int64_t, const double *) = nullptr;
  int64_t told = 0;
  std::vector<double> norms;
};

/// The Lanczos matrices that CG's coefficients make.
struct Tridiagonals {
  int64_t wanted = 0; ///< Columns 0 .. wanted - 1.
  struct Column {
    std::vector<double> diagonal, offDiagonal;
    double step = 0, ratio = 0; ///< CG's last alpha and beta.
  };
  std::vector<Column> columns;

  void add(int64_t column, double alpha, double beta);
};

template <typename T> class Iteration {
public:
  /// For a matrix of `rows` x `length`.
  Iteration(const tsgu_solver &solver, int64_t rows, int64_t length,
            const tsgu_executor &executor, Channel<T> &channel,
            Progress &progress)
      : solver(solver), ops(length, executor), rowOps(rows, executor),
        channel(channel), progress(progress) {}

  const tsgu_solver &solver;
  bool preconditioned = false;
  VectorOps<T> ops;    ///< On blocks as long as d.
  VectorOps<T> rowOps; ///< On blocks as long as r.

  T *residual = nullptr;                ///< r; the method may overwrite it.
  T *correction = nullptr;              ///< d, zero at first.
  std::vector<double> goals, start;     ///< Of norm(r); norm(r) at first.
  std::vector<int64_t> ids;             ///< Which of all columns is active.
  std::vector<int64_t> attempts;        ///< How often this column broke down.
  Tridiagonals *tridiagonals = nullptr; ///< NULL: not wanted (now).
  Criteria criteria;
  /// With joint criteria: norm(r) / goal by column of the solve.
  std::vector<double> *distances = nullptr;
  /// Least squares: of norm(A^H r) / (norm(A) norm(r)), and where the estimates
  /// of norm(A) go, by column of the solve.
  std::vector<double> slopeGoals;
  std::vector<double> *matrixNorms = nullptr;

  int64_t active() const { return ops.columns; }

  /// A block as long as d that goes with the active columns. Not initialised.
  T *block() { return block(ops.length); }
  T *rowBlock() { return block(rowOps.length); }
  /// Scalars by column that go with the active columns, zero at first.
  std::vector<double> &reals() { return realLists.emplace_back(ids.size()); }
  std::vector<Wide<T>> &scalars() {
    return scalarLists.emplace_back(ids.size());
  }

  using Awaiter = typename Channel<T>::Awaiter;
  Awaiter product(const T *in, T *out, Ask ask = Ask::Product) {
    return {channel, {ask, in, out, active(), ids.data()}};
  }
  /// sums[j] = with_j^H out_j; if `squares`, sums[active + j] = norm(out_j)^2.
  Awaiter productAndDot(const T *in, T *out, const T *with, Wide<T> *sums,
                        bool squares = false) {
    return {channel,
            {Ask::Product, in, out, active(), ids.data(), with, squares, sums}};
  }
  Awaiter precondition(const T *in, T *out) {
    return {channel, {Ask::Precondition, in, out, active(), ids.data()}};
  }

  /// Column j leaves at the end of this iteration.
  void leave(int64_t j, Exit why) {
    if (exits[j] == Exit::None)
      exits[j] = why;
  }
  bool leaving(int64_t j) const { return exits[j] != Exit::None; }

  /// Ends an iteration that estimates the norms of the residuals: those at
  /// their goal, at the limit, or not finite leave. False: none is left.
  bool next(const std::vector<double> &norms);
  /// Its two halves: columns that are to leave stay until `retire`.
  void count(const std::vector<double> &norms);
  void retire();

  // The driver's side.

  /// Begins with ops.columns = ids.size() columns; `limit` and `counts` are by
  /// the columns of the solve.
  void begin(int64_t limit, std::vector<int64_t> &counts,
             const std::vector<double> &units);
  /// Corrections of all columns that began, after the last has left.
  T *corrections() { return kept ? kept : correction; }
  const std::vector<Exit> &outcome() const { return exitOfSlot; }
  void end();

private:
  struct Registered {
    T *data;
    int64_t length;
  };

  T *block(int64_t length);
  bool haveEnded(const std::vector<double> &norms);
  void compact(const std::vector<int64_t> &staying);

  Channel<T> &channel;
  Progress &progress;
  std::deque<Scratch> memory;
  std::vector<Registered> blocks;
  std::deque<std::vector<double>> realLists;
  std::deque<std::vector<Wide<T>>> scalarLists;
  std::vector<Exit> exits;      ///< Of active columns.
  std::vector<char> settled;    ///< Active columns that no longer count.
  std::vector<int64_t> slots;   ///< Of active columns: as they began.
  std::vector<Exit> exitOfSlot; ///< Of columns as they began.
  T *kept = nullptr;
  int64_t limit = 0;
  std::vector<int64_t> *counts = nullptr;
  const std::vector<double> *units = nullptr;
};

/// The methods. Each runs until its last column has left.
#define TSGU_KRYLOV_METHOD(number, enumerator, name, title, needs, products,   \
                           function)                                           \
  template <typename T> Task function(Iteration<T> &);
#include "tsgu/Methods.def"
template <typename T> Task lsmr(Iteration<T> &);

} // namespace tsgu::runtime

#endif // TSGU_SRC_SOLVERS_ITERATION_H
