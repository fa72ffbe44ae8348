// Squared distances between points as sums of squared differences: slower than a product of matrices, and
// right however far the points lie apart.

struct distance_job {
  int type;
  size_t m, width;
  const void *a, *b;
  void *y;
};

static void squared_distance_rows(void *context, size_t begin, size_t end) {
  const struct distance_job *job = context;
  const size_t m = job->m, width = job->width;
  for (size_t i = begin; i < end; i++) {
    if (job->type == callosum_double) {
      const double *a = (const double *)job->a + i * width, *b = job->b;
      double *y = (double *)job->y + i * m;
      memset(y, 0, m * sizeof(double));
      for (size_t k = 0; k < width; k++)
        for (size_t j = 0; j < m; j++) y[j] += (a[k] - b[k * m + j]) * (a[k] - b[k * m + j]);
      continue;
    }
    const float *a = (const float *)job->a + i * width;
    float *y = (float *)job->y + i * m;
    enum { some = 4 };  // sums side by side
    size_t j = 0;
    for (; j + some * LANES <= m; j += some * LANES) {
      vf sum[some] = {{0}};
      for (size_t k = 0; k < width; k++)
        for (size_t s = 0; s < some; s++) {
          vf d = load((const float *)job->b + k * m + j + s * LANES) - a[k];
          sum[s] = fma_(d, d, sum[s]);
        }
      for (size_t s = 0; s < some; s++) store(y + j + s * LANES, sum[s]);
    }
    for (; j < m; j += LANES) {
      vf sum = {0};
      for (size_t k = 0; k < width; k++) {
        vf d = load_some((const float *)job->b + k * m + j, m - j) - a[k];
        sum = fma_(d, d, sum);
      }
      store_some(y + j, sum, m - j);
    }
  }
}

static void squared_distances(int type, size_t n, size_t m, size_t width, const void *a,
                              const void *b, void *y) {
  struct distance_job job = {type, m, width, a, b, y};
  callosum_parallel(n, 65536 / (m * width + 1) + 1, squared_distance_rows, &job);
}
