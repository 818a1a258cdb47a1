/* A C program with a pattern and, where there is a compiler, a program of its
 * own and that program's gradient, compiled ahead of time. */

#ifdef WITHOUT_PROGRAM
#include "tsgu/tsgu.h"
#else
#include "scaled.h"
#endif

#include <stdio.h>

#define CHECK(call)                                                            \
  if ((call) != TSGU_OK) {                                                     \
    fprintf(stderr, "%s: %s\n", #call, tsgu_last_error());                     \
    return 1;                                                                  \
  }

int main(void) {
  /* [[2, 0, 3], [0, 5, 0]] */
  const int64_t shape[] = {2, 3};
  const int32_t positions[] = {0, 2, 3}, columns[] = {0, 2, 1};
  tsgu_pattern *pattern;
  CHECK(tsgu_pattern_from_csr(2, shape, TSGU_I32, positions, columns, 3,
                              &pattern));
#ifndef WITHOUT_PROGRAM
  const int64_t one = 1, two[] = {2}, three[] = {3};
  double values[] = {2, 3, 5}, x[] = {1, 10, 100}, d[] = {7, -1}, g[] = {1, 2};
  double y[2], gradient[3];
  tsgu_tensor operands[] = {{values, TSGU_F64, 1, three, &one},
                            {x, TSGU_F64, 1, three, &one},
                            {d, TSGU_F64, 1, two, &one},
                            {g, TSGU_F64, 1, two, &one}};
  tsgu_tensor result = {y, TSGU_F64, 1, two, &one};
  tsgu_tensor by_values = {gradient, TSGU_F64, 1, three, &one};
  tsgu_program *program, *derived;
  CHECK(tsgu_program_from_object(&scaled, &program));
  CHECK(tsgu_program_from_object(&scaled_vjp0, &derived));
  CHECK(tsgu_program_run(program, &pattern, 1, operands, 3, &result, NULL));
  CHECK(tsgu_program_run(derived, &pattern, 1, operands, 4, &by_values, NULL));
  printf("y = %g %g, gradient = %g %g %g\n", y[0], y[1], gradient[0],
         gradient[1], gradient[2]);
  /* y = d_i sum a_ij x_j; the gradient by a_ij is g_i d_i x_j. */
  if (y[0] != 7 * (2 * 1 + 3 * 100) || y[1] != -5 * 10 || gradient[0] != 7 ||
      gradient[1] != 700 || gradient[2] != -20)
    return 1;
#endif
  tsgu_pattern_release(pattern);
  return 0;
}
