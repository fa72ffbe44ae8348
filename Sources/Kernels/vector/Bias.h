// A bias added to every row of [rows, columns], its derivative (column sums), and both fused with
// GELU so that the large array passes through memory once.

struct bias_job {
  const float *x, *bias, *gy;
  float *x_out, *y, *gx, *sums;
  size_t rows, columns, parts;
};

static void bias_rows(void *context, size_t begin, size_t end) {
  const struct bias_job *job = context;
  size_t columns = job->columns;
  for (size_t row = begin; row < end; row++)
    for (size_t i = 0, at = row * columns; i < columns; i += LANES) {
      size_t left = columns - i;
      store_some(job->y + at + i, load_some(job->x + at + i, left) + load_some(job->bias + i, left),
                 left);
    }
}

static void bias(const float *x, const float *bias, float *y, size_t rows, size_t columns) {
  struct bias_job job = {.x = x, .bias = bias, .y = y, .columns = columns};
  callosum_parallel(rows, row_grain(columns), bias_rows, &job);
}

static void column_sum_parts(void *context, size_t begin, size_t end) {
  const struct bias_job *job = context;
  size_t columns = job->columns;
  for (size_t part = begin; part < end; part++) {
    float *sums = block_sums(job->sums, job->parts, padded(columns), part);
    size_t stop = part_begin(job->rows, job->parts, part + 1);
    for (size_t row = part_begin(job->rows, job->parts, part); row < stop; row++) {
      for (size_t i = 0; i < columns; i += LANES)
        add_into(sums + i, load_some(job->x + row * columns + i, columns - i));
      end_row(job->sums, job->parts, padded(columns), part, row, stop);
    }
  }
}

static void column_sum(const float *x, float *y, size_t rows, size_t columns) {
  size_t parts = callosum_part_count(rows, row_grain(columns)), length = padded(columns);
  float *sums = begin_sums(parts, length);
  struct bias_job job = {.x = x, .sums = sums, .rows = rows, .columns = columns, .parts = parts};
  callosum_parallel(parts, 1, column_sum_parts, &job);
  add_parts(sums, parts, length, 0, y, columns);
  end_sums(sums, parts, length);
}

static void bias_gelu_rows(void *context, size_t begin, size_t end) {
  const struct bias_job *job = context;
  size_t columns = job->columns;
  for (size_t row = begin; row < end; row++) {
    float *x = job->x_out + row * columns, *y = job->y + row * columns;
    for (size_t i = 0; i < columns; i += LANES) {
      size_t left = columns - i;
      vf v = load_some(x + i, left) + load_some(job->bias + i, left);
      store_some(x + i, v, left);
      store_some(y + i, gelu_(v), left);
    }
  }
}

static void bias_gelu(float *x, const float *bias, float *y, size_t rows, size_t columns) {
  struct bias_job job = {.x_out = x, .bias = bias, .y = y, .columns = columns};
  callosum_parallel(rows, row_grain(columns), bias_gelu_rows, &job);
}

// The gradient gx of x + bias behind a function, and its column sums, which are that of the bias.
// `slope` turns the arguments of the function (or its results) and the gradients behind it into gx.
INLINE void bias_backward_parts(const struct bias_job *job, size_t begin, size_t end,
                                vf (*slope)(vf x, vf gy)) {
  size_t columns = job->columns;
  for (size_t part = begin; part < end; part++) {
    float *sums = block_sums(job->sums, job->parts, padded(columns), part);
    size_t stop = part_begin(job->rows, job->parts, part + 1);
    for (size_t row = part_begin(job->rows, job->parts, part); row < stop; row++) {
      for (size_t i = 0, at = row * columns; i < columns; i += LANES) {
        size_t left = columns - i;
        vf g = slope(load_some(job->x + at + i, left), load_some(job->gy + at + i, left));
        store_some(job->gx + at + i, g, left);
        add_into(sums + i, g);
      }
      end_row(job->sums, job->parts, padded(columns), part, row, stop);
    }
  }
}

static void bias_backward(void (*parts_body)(void *, size_t, size_t), const float *x,
                          const float *gy, float *gx, float *gbias, size_t rows, size_t columns) {
  size_t parts = callosum_part_count(rows, row_grain(columns)), length = padded(columns);
  float *sums = begin_sums(parts, length);
  struct bias_job job = {.x = x, .gy = gy, .gx = gx, .sums = sums, .rows = rows,
                         .columns = columns, .parts = parts};
  callosum_parallel(parts, 1, parts_body, &job);
  add_parts(sums, parts, length, 0, gbias, columns);
  end_sums(sums, parts, length);
}

INLINE vf gelu_slope(vf x, vf gy) { return gy * gelu_derivative_(x); }

static void bias_gelu_backward_parts(void *context, size_t begin, size_t end) {
  bias_backward_parts(context, begin, end, gelu_slope);
}

static void bias_gelu_backward(const float *x, const float *gy, float *gx, float *gbias,
                               size_t rows, size_t columns) {
  bias_backward(bias_gelu_backward_parts, x, gy, gx, gbias, rows, columns);
}

// MARK: ReLU

static void bias_relu_rows(void *context, size_t begin, size_t end) {
  const struct bias_job *job = context;
  size_t columns = job->columns;
  for (size_t row = begin; row < end; row++)
    for (size_t i = 0, at = row * columns; i < columns; i += LANES) {
      size_t left = columns - i;
      vf v = load_some(job->x + at + i, left) + load_some(job->bias + i, left);
      store_some(job->y + at + i, select_(v < 0, splat(0), v), left);
    }
}

static void bias_relu(const float *x, const float *bias, float *y, size_t rows, size_t columns) {
  struct bias_job job = {.x = x, .bias = bias, .y = y, .columns = columns};
  callosum_parallel(rows, row_grain(columns), bias_relu_rows, &job);
}

INLINE vf relu_slope(vf y, vf gy) { return select_(y > 0, gy, splat(0)); }

static void bias_relu_backward_parts(void *context, size_t begin, size_t end) {
  bias_backward_parts(context, begin, end, relu_slope);
}

static void bias_relu_backward(const float *y, const float *gy, float *gx, float *gbias,
                               size_t rows, size_t columns) {
  bias_backward(bias_relu_backward_parts, y, gy, gx, gbias, rows, columns);
}
