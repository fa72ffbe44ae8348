// Layer and root-mean-square normalisation over the rows of [rows, columns]. Both passes read a row
// from memory once and then from the first-level cache; the backward one adds to the sums for the
// weights on the way. (Several rows side by side would touch those sums less often, but interleaved
// streams defeat the prefetcher: half the speed on large arrays.)

struct normalisation_job {
  const float *x, *weight, *bias, *mean, *rstd, *gy;
  float *y, *mean_out, *rstd_out, *gx, *sums, epsilon;
  size_t rows, columns, parts;
};

// Both weights are optional; a missing one is 1, a missing bias 0.
INLINE void layer_norm_row(const struct normalisation_job *job, size_t row) {
  size_t columns = job->columns;
  const float *x = job->x + row * columns;
  float *y = job->y + row * columns;
  vf sum = {0}, more = {0};
  size_t i = 0;
  for (; i + 2 * LANES <= columns; i += 2 * LANES) {
    sum += load(x + i);
    more += load(x + i + LANES);
  }
  for (; i < columns; i += LANES) sum += load_some(x + i, columns - i);
  float mean = sum_lanes(sum + more) / (float)columns;
  // Second pass for the variance: sum(x²) - mean² would lose digits where the mean is large. The mean of
  // what is left corrects the mean and the variance for the rounding of the first sum, without which a
  // constant row far from 0 would have a variance.
  vf squares = {0}, rest = {0}, more_rest = {0};
  more = (vf){0};
  for (i = 0; i + 2 * LANES <= columns; i += 2 * LANES) {
    vf a = load(x + i) - mean, b = load(x + i + LANES) - mean;
    squares = fma_(a, a, squares);
    more = fma_(b, b, more);
    rest += a;
    more_rest += b;
  }
  for (; i < columns; i += LANES) {
    vf a = load_some(x + i, columns - i) - mean;
    if (columns - i < LANES) a = select_(first_lanes(columns - i), a, splat(0));
    squares = fma_(a, a, squares);
    rest += a;
  }
  float error = sum_lanes(rest + more_rest) / (float)columns;
  float variance = sum_lanes(squares + more) / (float)columns - error * error;
  mean += error;
  float rstd = 1 / sqrtf((variance < 0 ? 0 : variance) + job->epsilon);
  for (i = 0; i < columns; i += LANES) {
    size_t left = columns - i;
    vf v = (load_some(x + i, left) - mean) * rstd;
    if (job->weight) v *= load_some(job->weight + i, left);
    if (job->bias) v += load_some(job->bias + i, left);
    store_some(y + i, v, left);
  }
  job->mean_out[row] = mean;
  job->rstd_out[row] = rstd;
}

static void layer_norm_rows(void *context, size_t begin, size_t end) {
  for (size_t row = begin; row < end; row++) layer_norm_row(context, row);
}

static void layer_norm(const float *x, const float *weight, const float *bias, float epsilon,
                       float *y, float *mean, float *rstd, size_t rows, size_t columns) {
  struct normalisation_job job = {.x = x, .weight = weight, .bias = bias, .epsilon = epsilon,
                                  .y = y, .mean_out = mean, .rstd_out = rstd, .columns = columns};
  callosum_parallel(rows, row_grain(columns), layer_norm_rows, &job);
}

static void rms_norm_rows(void *context, size_t begin, size_t end) {
  const struct normalisation_job *job = context;
  size_t columns = job->columns;
  for (size_t row = begin; row < end; row++) {
    const float *x = job->x + row * columns;
    float *y = job->y + row * columns;
    vf squares = {0};
    for (size_t i = 0; i < columns; i += LANES) {
      vf a = load_some(x + i, columns - i);
      squares = fma_(a, a, squares);
    }
    float rstd = 1 / sqrtf(sum_lanes(squares) / (float)columns + job->epsilon);
    for (size_t i = 0; i < columns; i += LANES) {
      vf v = load_some(x + i, columns - i) * rstd;
      if (job->weight) v *= load_some(job->weight + i, columns - i);
      store_some(y + i, v, columns - i);
    }
    job->rstd_out[row] = rstd;
  }
}

static void rms_norm(const float *x, const float *weight, float epsilon, float *y, float *rstd,
                     size_t rows, size_t columns) {
  struct normalisation_job job = {.x = x, .weight = weight, .epsilon = epsilon, .y = y,
                                  .rstd_out = rstd, .columns = columns};
  callosum_parallel(rows, row_grain(columns), rms_norm_rows, &job);
}

// With n = (x - mean) rstd and g = gy weight:
//   gx = rstd (g - mean(g) - n mean(g n)), gweight += gy n, gbias += gy.
// Without means (root mean square) mean and mean(g) are 0, and there is no gbias.
INLINE void norm_backward_row(const struct normalisation_job *job, bool means, size_t row,
                              float *gweight, float *gbias) {
  size_t columns = job->columns;
  const float *x = job->x + row * columns, *gy = job->gy + row * columns;
  float mean = means ? job->mean[row] : 0, rstd = job->rstd[row];
  vf sum_g = {0}, sum_gn = {0};
  for (size_t i = 0; i < columns; i += LANES) {
    size_t left = columns - i;
    vf n = (load_some(x + i, left) - mean) * rstd, g = load_some(gy + i, left);
    add_into(gweight + i, g * n);
    if (means) add_into(gbias + i, g);
    if (job->weight) g *= load_some(job->weight + i, left);
    sum_g += g;
    sum_gn = fma_(g, n, sum_gn);
  }
  if (!job->gx) return;
  float *gx = job->gx + row * columns;
  float mean_g = means ? sum_lanes(sum_g) / (float)columns : 0;
  float mean_gn = sum_lanes(sum_gn) / (float)columns;
  for (size_t i = 0; i < columns; i += LANES) {
    size_t left = columns - i;
    vf n = (load_some(x + i, left) - mean) * rstd, g = load_some(gy + i, left);
    if (job->weight) g *= load_some(job->weight + i, left);
    store_some(gx + i, (g - mean_g - n * mean_gn) * rstd, left);
  }
}

// The rows of one part.
INLINE void norm_backward_part(const struct normalisation_job *job, bool means, size_t part) {
  size_t row = part_begin(job->rows, job->parts, part), length = (means ? 2 : 1) * padded(job->columns);
  size_t end = part_begin(job->rows, job->parts, part + 1);
  float *sums = block_sums(job->sums, job->parts, length, part);
  for (; row < end; row++) {
    norm_backward_row(job, means, row, sums, means ? sums + padded(job->columns) : NULL);
    end_row(job->sums, job->parts, length, part, row, end);
  }
}

static void layer_norm_backward_parts(void *context, size_t begin, size_t end) {
  const struct normalisation_job *job = context;
  for (size_t part = begin; part < end; part++) norm_backward_part(job, true, part);
}

static void layer_norm_backward(const float *x, const float *weight, const float *mean,
                                const float *rstd, const float *gy, float *gx, float *gweight,
                                float *gbias, size_t rows, size_t columns) {
  size_t parts = callosum_part_count(rows, row_grain(columns)), length = 2 * padded(columns);
  float *sums = begin_sums(parts, length);
  struct normalisation_job job = {.x = x, .weight = weight, .mean = mean, .rstd = rstd, .gy = gy,
                                  .gx = gx, .sums = sums, .rows = rows, .columns = columns,
                                  .parts = parts};
  callosum_parallel(parts, 1, layer_norm_backward_parts, &job);
  add_parts(sums, parts, length, 0, gweight, columns);
  add_parts(sums, parts, length, padded(columns), gbias, columns);
  end_sums(sums, parts, length);
}

static void rms_norm_backward_parts(void *context, size_t begin, size_t end) {
  const struct normalisation_job *job = context;
  for (size_t part = begin; part < end; part++) norm_backward_part(job, false, part);
}

static void rms_norm_backward(const float *x, const float *weight, const float *rstd,
                              const float *gy, float *gx, float *gweight, size_t rows,
                              size_t columns) {
  size_t parts = callosum_part_count(rows, row_grain(columns)), length = padded(columns);
  float *sums = begin_sums(parts, length);
  struct normalisation_job job = {.x = x, .weight = weight, .rstd = rstd, .gy = gy, .gx = gx,
                                  .sums = sums, .rows = rows, .columns = columns, .parts = parts};
  callosum_parallel(parts, 1, rms_norm_backward_parts, &job);
  add_parts(sums, parts, length, 0, gweight, columns);
  end_sums(sums, parts, length);
}
