//===- heat.cpp - A differentiable heat equation, compiled beforehand -----===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Heat flows between the cells of a plate for a while. How does the distance
// from the wanted temperatures at the end change with the conductivity of each
// contact, the time step, and the temperatures at the beginning? heat.mlir says
// what a step is; its gradient programs were derived and compiled when this
// example was built. Neither LLVM nor the compiler is part of it.
//
//===----------------------------------------------------------------------===//

#include "tsgu/tsgu.hpp"

#include <cmath>
#include <cstdio>

extern "C" const tsgu_object heat, heat_vjp4, heat_vjp1given4, heat_vjp3given4;

using Values = std::vector<double>;
using tsgu::View;

/// What the end depends on, or the gradient by it.
struct Inputs {
  Values conductivities, initial;
  double dt = 0;
};

/// A contact of conductivity k between cells i and j adds
/// k (e_i - e_j) (e_i - e_j)^T to L: k at (i, i) and (j, j), -k at (i, j) and
/// (j, i).
constexpr double signs[] = {1, 1, -1, -1};

/// The entries of all contacts in turn; the pattern merges equal ones.
static tsgu::Pattern squarePlate(int32_t side) {
  std::vector<int32_t> rows, columns;
  auto touch = [&](int32_t i, int32_t j) {
    rows.insert(rows.end(), {i, j, i, j});
    columns.insert(columns.end(), {i, j, j, i});
  };
  const int32_t cells = side * side;
  for (int32_t cell = 0; cell < cells; ++cell) {
    if ((cell + 1) % side != 0)
      touch(cell, cell + 1);
    if (cell + side < cells)
      touch(cell, cell + side);
  }
  return tsgu::Pattern::coo<int32_t>({cells, cells}, {rows, columns});
}

class Simulation {
public:
  Simulation(const tsgu::Pattern &plate, int steps)
      : plate(plate), info(plate.info()), steps(steps), identity(info.stored) {
    for (int64_t entry = 0; entry < info.entries; ++entry)
      if (entry % 4 < 2)
        identity[info.entry_map[entry]] = 1;
    solver.method = TSGU_CG;
    solver.preconditioner = TSGU_IC0;
    solver.rtol = 1e-13;
    solver.on_fail = TSGU_RAISE;
  }

  /// Half the squared distance from temperature 1 after all steps.
  double loss(const Inputs &in, Inputs *gradient = nullptr) const {
    Values L(info.stored);
    for (int64_t entry = 0; entry < info.entries; ++entry)
      L[info.entry_map[entry]] +=
          signs[entry % 4] * in.conductivities[entry / 4];
    auto run = [&](const tsgu::Program &program,
                   std::initializer_list<const Values *> temperatures) {
      std::vector<View> operands{solver, L, identity, View(&in.dt, {})};
      for (const Values *u : temperatures)
        operands.push_back({*u, {info.shape[0], 1}});
      return program.compute<double>({plate}, operands);
    };

    std::vector<Values> u{in.initial};
    for (int s = 0; s < steps; ++s)
      u.push_back(run(step, {&u[s]}));
    double loss = 0;
    Values G = u[steps];
    for (double &g : G) {
      g -= 1;
      loss += 0.5 * g * g;
    }
    if (!gradient)
      return loss;

    // Backward through time. G and H are the cotangents of u[s + 1] and u[s].
    *gradient = {Values(in.conductivities.size()), {}, 0};
    for (int s = steps; s-- > 0;) {
      const Values H = run(byU, {&u[s], &G});
      const Values dL = run(byL, {&u[s], &u[s + 1], &G, &H});
      for (int64_t entry = 0; entry < info.entries; ++entry)
        gradient->conductivities[entry / 4] +=
            signs[entry % 4] * dL[info.entry_map[entry]];
      gradient->dt += run(byDt, {&u[s], &u[s + 1], &G, &H})[0];
      G = H;
    }
    gradient->initial = G;
    return loss;
  }

private:
  tsgu::Program step{heat}, byU{heat_vjp4}, byL{heat_vjp1given4},
      byDt{heat_vjp3given4};
  tsgu::Pattern plate;
  tsgu_pattern_info info;
  int steps;
  Values identity;
  tsgu_solver solver{};
};

static double dot(const Values &a, const Values &b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i)
    sum += a[i] * b[i];
  return sum;
}

int main() try {
  const int32_t side = 16;
  const Simulation simulation(squarePlate(side), /*steps=*/12);
  Inputs in, way; // and a direction in which the gradient is checked
  for (int c = 0; c < 2 * side * (side - 1); ++c) {
    in.conductivities.push_back(1 + 0.9 * std::sin(0.37 * c));
    way.conductivities.push_back(std::cos(c));
  }
  for (int cell = 0; cell < side * side; ++cell) {
    in.initial.push_back(cell < 3 * side ? 5 + std::cos(cell) : 0);
    way.initial.push_back(std::sin(cell));
  }
  in.dt = 0.3;
  way.dt = 1;

  Inputs gradient;
  std::printf("loss %.6f\n", simulation.loss(in, &gradient));
  tsgu_counters counters;
  tsgu_get_counters(&counters);
  bool right = counters.compiled == 0 && counters.setups == 1;
  std::printf("preconditioners computed for 24 solves: %d\n",
              static_cast<int>(counters.setups));

  auto check = [&](const char *what, double slope, auto &&move) {
    const double h = 1e-5;
    Inputs ahead = in, behind = in;
    move(ahead, h);
    move(behind, -h);
    const double difference =
        (simulation.loss(ahead) - simulation.loss(behind)) / (2 * h);
    std::printf("by %-15s gradient %+.9f  finite difference %+.9f\n", what,
                slope, difference);
    right &= std::fabs(slope - difference) < 1e-7 * std::fabs(slope);
  };
  auto along = [&](Values Inputs::*part) {
    return [&, part](Inputs &inputs, double h) {
      for (size_t i = 0; i < (way.*part).size(); ++i)
        (inputs.*part)[i] += h * (way.*part)[i];
    };
  };
  check("conductivities", dot(gradient.conductivities, way.conductivities),
        along(&Inputs::conductivities));
  check("initial state", dot(gradient.initial, way.initial),
        along(&Inputs::initial));
  check("time step", gradient.dt,
        [](Inputs &inputs, double h) { inputs.dt += h; });
  return right ? 0 : 1;
} catch (const tsgu::Error &error) {
  std::fprintf(stderr, "tsgu: %s\n", error.what());
  return 1;
}
