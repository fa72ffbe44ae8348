// Runs kernels of each kind of work sharing (rows, elements, sorting, transforms with their cache of
// plans, own memory per range) on four threads, for the thread sanitiser: Scripts/sanitize thread.

#include <stdio.h>
#include "CallosumKernels.h"
int main(void) {
  callosum_set_thread_count(4);
  callosum_set_grain_divisor((size_t)1 << 40);
  enum { rows = 37, columns = 93, n = rows * columns };
  static float x[n], y[n], z[n];
  static double d[n];
  static int32_t k[n];
  for (int round = 0; round < 3; round++) {
    callosum_random_uniform(1, 2, callosum_float, n, x);
    callosum_random_normal(1, 2, callosum_float, n, z);
    callosum_random_exponential(1, 2, n, d);
    double rate = 20;
    callosum_random_poisson(1, 2, n, &rate, 0, k);
    callosum_random_log_gamma(1, 2, n, &rate, 0, d);
    callosum_softmax(x, y, rows, columns);
    callosum_softmax_backward(y, x, z, rows, columns);
    callosum_log_softmax(x, y, rows, columns);
    callosum_log_sum_exp(x, y, rows, columns);
    callosum_arg_sort(callosum_float, false, rows, columns, x, k);
    callosum_arg_top(callosum_float, true, rows, columns, 5, x, k);
    callosum_hadamard(callosum_float, 29, 64, 1, x, y);
    for (int length = 30; length <= 310; length += 70) {
      callosum_fourier_job job = {.type = callosum_float, .kind = callosum_real_to_complex,
                                  .count = 10, .n = (size_t)length, .scale = 1, .weight = 1};
      callosum_fourier(&job, x, y);
    }
  }
  printf("done %g %d %g\n", d[5], k[7], y[3]);
  return 0;
}
