// A C++ program that has a product of the library compiled when it runs.

#include "tsgu/tsgu.hpp"

#include <cstdio>

int main() try {
  auto A = tsgu::Pattern::csr<int32_t>({2, 3}, {0, 2, 3}, {0, 2, 1});
  const std::vector<float> values{2, 3, 5}, B{1, 2, 3, 4, 5, 6};
  const std::vector<float> C =
      tsgu::Program("spmm").compute<float>({A}, {values, {B, {3, 2}}});
  std::printf("%g %g %g %g\n", C[0], C[1], C[2], C[3]);
  return C == std::vector<float>{17, 22, 15, 20} ? 0 : 1;
} catch (const tsgu::Error &error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
