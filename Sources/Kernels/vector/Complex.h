// Products of complex numbers, pairs of neighbours.

#define COMPLEX_ROW(REAL) \
  static void complex_row_of_##REAL(size_t count, REAL sign, const REAL *restrict a, ptrdiff_t step_a, \
                                    const REAL *restrict b, ptrdiff_t step_b, REAL *restrict y) { \
    if (step_a == 2 && step_b == 2) { \
      for (size_t i = 0; i < count; i++) { \
        y[2 * i] = a[2 * i] * b[2 * i] - sign * a[2 * i + 1] * b[2 * i + 1]; \
        y[2 * i + 1] = a[2 * i] * b[2 * i + 1] + sign * a[2 * i + 1] * b[2 * i]; \
      } \
      return; \
    } \
    for (size_t i = 0; i < count; i++, a += step_a, b += step_b) { \
      y[2 * i] = a[0] * b[0] - sign * a[1] * b[1]; \
      y[2 * i + 1] = a[0] * b[1] + sign * a[1] * b[0]; \
    } \
  }
COMPLEX_ROW(float)
COMPLEX_ROW(double)
#undef COMPLEX_ROW

struct complex_product {
  const struct axes *axes;
  int type;
  double sign;
  const void *a, *b;
  void *y;
};

static void complex_rows(void *context, size_t begin, size_t end) {
  const struct complex_product *job = context;
  const struct axes *axes = job->axes;
  int last = axes->rank - 1;
  size_t count = axes->shape[last];
  ptrdiff_t step_a = axes->strides[0][last], step_b = axes->strides[1][last];
  for (size_t row = begin; row < end; row++) {
    ptrdiff_t a = row_offset(axes, 0, row), b = row_offset(axes, 1, row);
    if (job->type == callosum_double)
      complex_row_of_double(count, job->sign, (const double *)job->a + a, step_a,
                            (const double *)job->b + b, step_b, (double *)job->y + 2 * row * count);
    else
      complex_row_of_float(count, (float)job->sign, (const float *)job->a + a, step_a,
                           (const float *)job->b + b, step_b, (float *)job->y + 2 * row * count);
  }
}

static void complex_multiply(int type, bool conjugates, int rank, const size_t *shape, const void *a,
                             const ptrdiff_t *strides_a, const void *b, const ptrdiff_t *strides_b,
                             void *y) {
  const ptrdiff_t *strides[] = {strides_a, strides_b};
  struct axes axes = merged_axes(rank, shape, 2, strides);
  if (axes.count == 0) return;
  struct complex_product job = {&axes, type, conjugates ? -1 : 1, a, b, y};
  size_t count = axes.shape[axes.rank - 1];
  callosum_parallel(axes.count / count, 1 + 32768 / count, complex_rows, &job);
}
