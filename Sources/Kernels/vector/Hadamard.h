// The fast Walsh-Hadamard transform: sums and differences of ever farther neighbours.

#define HADAMARD(REAL) \
  static void hadamard_row_of_##REAL(size_t n, REAL scale, const REAL *x, REAL *restrict y) { \
    for (size_t i = 0; i < n; i++) y[i] = x[i] * scale; \
    size_t distance = 1; \
    for (; distance < n && distance < 8; distance *= 2) \
      for (size_t at = 0; at < n; at += 2 * distance) \
        for (size_t i = at; i < at + distance; i++) { \
          REAL a = y[i], b = y[i + distance]; \
          y[i] = a + b; \
          y[i + distance] = a - b; \
        } \
    /* Two distances in one pass over the memory. */ \
    for (; 4 * distance <= n; distance *= 4) \
      for (size_t at = 0; at < n; at += 4 * distance) { \
        REAL *restrict p = y + at; \
        for (size_t i = 0; i < distance; i++) { \
          REAL a = p[i], b = p[i + distance], c = p[i + 2 * distance], d = p[i + 3 * distance]; \
          p[i] = (a + b) + (c + d); \
          p[i + distance] = (a - b) + (c - d); \
          p[i + 2 * distance] = (a + b) - (c + d); \
          p[i + 3 * distance] = (a - b) - (c - d); \
        } \
      } \
    for (; distance < n; distance *= 2) \
      for (size_t i = 0; i < distance; i++) { \
        REAL a = y[i], b = y[i + distance]; \
        y[i] = a + b; \
        y[i + distance] = a - b; \
      } \
  }
HADAMARD(float)
HADAMARD(double)
#undef HADAMARD

struct hadamard_job {
  int type;
  size_t n;
  double scale;
  const void *x;
  void *y;
};

static void hadamard_rows(void *context, size_t begin, size_t end) {
  const struct hadamard_job *job = context;
  for (size_t row = begin; row < end; row++) {
    size_t at = row * job->n;
    if (job->type == callosum_double)
      hadamard_row_of_double(job->n, job->scale, (const double *)job->x + at, (double *)job->y + at);
    else
      hadamard_row_of_float(job->n, (float)job->scale, (const float *)job->x + at, (float *)job->y + at);
  }
}

static void hadamard(int type, size_t rows, size_t n, double scale, const void *x, void *y) {
  struct hadamard_job job = {type, n, scale, x, y};
  callosum_parallel(rows, 1 + 32768 / n, hadamard_rows, &job);
}
