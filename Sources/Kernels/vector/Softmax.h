// Softmax and its relatives over the rows of [rows, columns]. Each row is shifted by its largest
// entry, so no exponential overflows. A row is read two or three times, from the first-level cache
// after the first time.

struct softmax_job {
  const float *x, *y, *gy, *lse;
  const int32_t *labels;
  float *out, *lse_out, smoothing;
  int32_t ignored;
  size_t columns;
};

// A part vector is filled with minus infinity, which neither a maximum nor a sum of exponentials
// notices.
INLINE vf load_logits(const float *x, size_t left) {
  if (left >= LANES) return load(x);
  return select_(first_lanes(left), load_part(x, left), splat(-INFINITY));
}

// Passes over most NaN: who shifts by it meets them again in the exponentials.
INLINE float row_max(const float *x, size_t columns) {
  vf a = splat(-INFINITY), b = a;
  size_t i = 0;
  for (; i + 2 * LANES <= columns; i += 2 * LANES) {
    a = max_or_second(a, load(x + i));
    b = max_or_second(b, load(x + i + LANES));
  }
  for (; i < columns; i += LANES) a = max_or_second(a, load_logits(x + i, columns - i));
  return max_lanes(max_(a, b));
}

// exp for x <= 0, where what would be denormal is 0: the processor takes tens of cycles for each
// denormal number, and masks make minus infinity a common entry.
INLINE vf exp_negative(vf x) {
  vf y = exp_normal(max_(splat(-87), x));
  return select_(x >= splat(-87), y, max_or_second(splat(0), x));  // 0 or NaN
}

INLINE float log_one(float x) { return log_(splat(x))[0]; }

// log sum exp(x - shift), shift being the largest entry. A row of minus infinities (or none) has
// the logarithm minus infinity, a plus infinity itself: there the shift is 0, because
// infinity - infinity is no number.
INLINE float row_log_sum(const float *x, size_t columns, float *shift) {
  float largest = row_max(x, columns);
  bool finite = __builtin_isfinite(largest);
  *shift = finite ? largest : 0;
  vf sum = {0};
  if (finite)
    for (size_t i = 0; i < columns; i += LANES)
      sum += exp_negative(load_logits(x + i, columns - i) - largest);
  else
    for (size_t i = 0; i < columns; i += LANES) sum += exp_(load_logits(x + i, columns - i));
  return log_one(sum_lanes(sum));
}

static void softmax_rows(void *context, size_t begin, size_t end) {
  const struct softmax_job *job = context;
  size_t columns = job->columns;
  for (size_t row = begin; row < end; row++) {
    const float *x = job->x + row * columns;
    float *y = job->out + row * columns;
    float largest = row_max(x, columns);
    // The last vector stays in a register: reading back a part just written stalls, which would be
    // most of the time on a short row.
    vf sum = {0}, last = {0};
    for (size_t i = 0; i < columns; i += LANES) {
      last = exp_negative(load_logits(x + i, columns - i) - largest);
      sum += last;
      if (columns - i > LANES) store(y + i, last);
    }
    float scale = 1 / sum_lanes(sum);
    size_t i = 0;
    for (; i + LANES < columns; i += LANES) store(y + i, load(y + i) * scale);
    store_some(y + i, last * scale, columns - i);
  }
}

static void softmax(const float *x, float *y, size_t rows, size_t columns) {
  struct softmax_job job = {.x = x, .out = y, .columns = columns};
  callosum_parallel(rows, row_grain(columns), softmax_rows, &job);
}

static void softmax_backward_rows(void *context, size_t begin, size_t end) {
  const struct softmax_job *job = context;
  size_t columns = job->columns;
  for (size_t row = begin; row < end; row++) {
    const float *y = job->y + row * columns, *gy = job->gy + row * columns;
    float *gx = job->out + row * columns;
    // Four sums, because one would wait for itself at every step.
    vf product[4] = {{0}};
    size_t i = 0;
    for (; i + 4 * LANES <= columns; i += 4 * LANES)
      for (size_t j = 0; j < 4; j++)
        product[j] = fma_(load(y + i + j * LANES), load(gy + i + j * LANES), product[j]);
    for (size_t j = 0; i < columns; i += LANES, j++)
      product[j & 3] =
          fma_(load_some(y + i, columns - i), load_some(gy + i, columns - i), product[j & 3]);
    float sum = sum_lanes((product[0] + product[1]) + (product[2] + product[3]));
    for (i = 0; i + LANES <= columns; i += LANES)
      store(gx + i, load(y + i) * (load(gy + i) - sum));
    if (i < columns)
      store_part(gx + i, load_part(y + i, columns - i) * (load_part(gy + i, columns - i) - sum),
                 columns - i);
  }
}

static void softmax_backward(const float *y, const float *gy, float *gx, size_t rows,
                             size_t columns) {
  struct softmax_job job = {.y = y, .gy = gy, .out = gx, .columns = columns};
  callosum_parallel(rows, row_grain(columns), softmax_backward_rows, &job);
}

static void log_softmax_rows(void *context, size_t begin, size_t end) {
  const struct softmax_job *job = context;
  size_t columns = job->columns;
  for (size_t row = begin; row < end; row++) {
    const float *x = job->x + row * columns;
    float *y = job->out + row * columns;
    float largest = row_max(x, columns);
    vf sum = {0};
    for (size_t i = 0; i < columns; i += LANES)
      sum += exp_negative(load_logits(x + i, columns - i) - largest);
    float log_sum = log_one(sum_lanes(sum));
    for (size_t i = 0; i < columns; i += LANES)
      store_some(y + i, load_some(x + i, columns - i) - largest - log_sum, columns - i);
  }
}

static void log_softmax(const float *x, float *y, size_t rows, size_t columns) {
  struct softmax_job job = {.x = x, .out = y, .columns = columns};
  callosum_parallel(rows, row_grain(columns), log_softmax_rows, &job);
}

static void log_softmax_backward_rows(void *context, size_t begin, size_t end) {
  const struct softmax_job *job = context;
  size_t columns = job->columns;
  for (size_t row = begin; row < end; row++) {
    const float *y = job->y + row * columns, *gy = job->gy + row * columns;
    float *gx = job->out + row * columns;
    vf total = {0};
    for (size_t i = 0; i < columns; i += LANES) total += load_some(gy + i, columns - i);
    float sum = sum_lanes(total);
    for (size_t i = 0; i < columns; i += LANES) {
      vf p = exp_negative(load_some(y + i, columns - i));
      store_some(gx + i, load_some(gy + i, columns - i) - p * sum, columns - i);
    }
  }
}

static void log_softmax_backward(const float *y, const float *gy, float *gx, size_t rows,
                                 size_t columns) {
  struct softmax_job job = {.y = y, .gy = gy, .out = gx, .columns = columns};
  callosum_parallel(rows, row_grain(columns), log_softmax_backward_rows, &job);
}

static void log_sum_exp_rows(void *context, size_t begin, size_t end) {
  const struct softmax_job *job = context;
  for (size_t row = begin; row < end; row++) {
    float shift, log_sum = row_log_sum(job->x + row * job->columns, job->columns, &shift);
    job->out[row] = shift + log_sum;
  }
}

static void log_sum_exp(const float *x, float *y, size_t rows, size_t columns) {
  struct softmax_job job = {.x = x, .out = y, .columns = columns};
  callosum_parallel(rows, row_grain(columns), log_sum_exp_rows, &job);
}

// gx = scale exp(x - lse) - offset.
INLINE void exp_backward_row(const float *x, float lse, float scale, float offset, float *gx,
                             size_t columns) {
  for (size_t i = 0; i < columns; i += LANES) {
    vf p = exp_negative(load_some(x + i, columns - i) - lse);
    store_some(gx + i, p * scale - offset, columns - i);
  }
}

static void log_sum_exp_backward_rows(void *context, size_t begin, size_t end) {
  const struct softmax_job *job = context;
  size_t columns = job->columns;
  for (size_t row = begin; row < end; row++)
    exp_backward_row(job->x + row * columns, job->y[row], job->gy[row], 0,
                     job->out + row * columns, columns);
}

static void log_sum_exp_backward(const float *x, const float *y, const float *gy, float *gx,
                                 size_t rows, size_t columns) {
  struct softmax_job job = {.x = x, .y = y, .gy = gy, .out = gx, .columns = columns};
  callosum_parallel(rows, row_grain(columns), log_sum_exp_backward_rows, &job);
}

INLINE float row_mean(const float *x, size_t columns) {
  vf sum = {0};
  for (size_t i = 0; i < columns; i += LANES) sum += load_some(x + i, columns - i);
  return sum_lanes(sum) / (float)columns;
}

static void cross_entropy_rows(void *context, size_t begin, size_t end) {
  const struct softmax_job *job = context;
  size_t columns = job->columns;
  for (size_t row = begin; row < end; row++) {
    const float *x = job->x + row * columns;
    int32_t label = job->labels[row];
    float shift, log_sum = row_log_sum(x, columns, &shift), loss = 0;
    if (label != job->ignored) {
      // A label beyond the columns must not read beyond the row.
      float own = (uint32_t)label < columns ? x[label] : NAN;
      loss = log_sum - (own - shift);
      if (job->smoothing != 0) loss += job->smoothing * (own - row_mean(x, columns));
    }
    job->lse_out[row] = shift + log_sum;
    job->out[row] = loss;
  }
}

static void cross_entropy(const float *x, const int32_t *labels, float smoothing, int32_t ignored,
                          float *loss, float *lse, size_t rows, size_t columns) {
  struct softmax_job job = {.x = x, .labels = labels, .smoothing = smoothing, .ignored = ignored,
                            .out = loss, .lse_out = lse, .columns = columns};
  callosum_parallel(rows, row_grain(columns), cross_entropy_rows, &job);
}

static void cross_entropy_backward_rows(void *context, size_t begin, size_t end) {
  const struct softmax_job *job = context;
  size_t columns = job->columns;
  for (size_t row = begin; row < end; row++) {
    float *gx = job->out + row * columns, g = job->gy[row];
    int32_t label = job->labels[row];
    if (label == job->ignored) {
      memset(gx, 0, columns * sizeof(float));
      continue;
    }
    exp_backward_row(job->x + row * columns, job->lse[row], g,
                     g * job->smoothing / (float)columns, gx, columns);
    if ((uint32_t)label < columns) gx[label] -= g * (1 - job->smoothing);
  }
}

static void cross_entropy_backward(const float *x, const int32_t *labels, float smoothing,
                                   int32_t ignored, const float *lse, const float *gloss,
                                   float *gx, size_t rows, size_t columns) {
  struct softmax_job job = {.x = x, .labels = labels, .smoothing = smoothing, .ignored = ignored,
                            .lse = lse, .gy = gloss, .out = gx, .columns = columns};
  callosum_parallel(rows, row_grain(columns), cross_entropy_backward_rows, &job);
}
