// Depthwise convolution, channels last: every channel has its own small kernel. Nothing is copied
// (but see DepthwisePacked.h for large kernels): a few neighbouring outputs at a time are sums of
// pixels at fixed distances times weights, for one vector of channels after the other. The
// derivative for the input is the same job over the gradient, where only every stride-th tap meets
// a pixel: which ones repeats with the stride.

// Along one axis, output o = period * m + r sums the taps t of class r, those of `first[r]` to
// before `first[r + 1]`: weight `tap[t]` times the pixel at m * step + `offset[t]`. From m =
// `low[r]` to before `high[r]` all of these lie within the source.
struct depthwise_axis {
  size_t size, outputs, kernel, period, step;
  size_t *first, *tap, *low, *high;
  ptrdiff_t *offset;
};

struct depthwise_job {
  const float *source, *w, *bias, *gy;
  float *out, *sums;
  size_t batch, channels;
  struct depthwise_axis z, y, x;
  size_t parts;
};

static size_t axis_bytes(const struct depthwise_axis *a) {
  return (3 * a->period + 1 + 2 * a->kernel) * sizeof(size_t);
}

// Fills in classes and taps. `reversed` is the derivative for the input.
static void plan_axis(struct depthwise_axis *a, size_t stride, size_t dilation, size_t pad,
                      bool reversed) {
  a->period = reversed ? stride : 1;
  a->step = reversed ? 1 : stride;
  a->first = depthwise_scratch(axis_bytes(a));
  a->low = a->first + a->period + 1;
  a->high = a->low + a->period;
  a->tap = a->high + a->period;
  a->offset = (ptrdiff_t *)(void *)(a->tap + a->kernel);
  size_t count = 0;
  for (size_t r = 0; r < a->period; r++) {
    ptrdiff_t step = (ptrdiff_t)a->step, size = (ptrdiff_t)a->size;
    ptrdiff_t low = 0, high = (ptrdiff_t)((a->outputs + a->period - 1 - r) / a->period);
    a->first[r] = count;
    for (size_t i = 0; i < a->kernel; i++) {
      // Backwards, so that the derivative too reads pixels in order.
      size_t k = reversed ? a->kernel - 1 - i : i;
      ptrdiff_t offset = (ptrdiff_t)(k * dilation) - (ptrdiff_t)pad;
      if (reversed) {
        offset = (ptrdiff_t)r - offset;
        if (offset % (ptrdiff_t)stride != 0) continue;
        offset /= (ptrdiff_t)stride;
      }
      a->tap[count] = k;
      a->offset[count++] = offset;
      if (offset < 0 && low < (step - 1 - offset) / step) low = (step - 1 - offset) / step;
      ptrdiff_t end = size > offset ? (size - 1 - offset) / step + 1 : 0;
      if (high > end) high = end;
    }
    a->low[r] = (size_t)low;
    a->high[r] = (size_t)(high > low ? high : low);
  }
  a->first[a->period] = count;
}

static void end_axis(struct depthwise_axis *a) { callosum_free(a->first, axis_bytes(a)); }

// Whether tap t of output period * m + r lies within the source; `place` is where.
INLINE bool tap_place(const struct depthwise_axis *a, size_t t, size_t m, size_t *place) {
  *place = (size_t)((ptrdiff_t)(m * a->step) + a->offset[t]);
  return *place < a->size;
}

// The terms that outputs have in common: weight at w + tap[i], pixel at source + place[i].
struct depthwise_terms {
  size_t count, *tap, *place;
};

static struct depthwise_terms begin_terms(const struct depthwise_job *job) {
  size_t taps = job->z.kernel * job->y.kernel * job->x.kernel;
  size_t *tap = depthwise_scratch(2 * taps * sizeof(size_t));
  return (struct depthwise_terms){0, tap, tap + taps};
}
static void end_terms(const struct depthwise_job *job, struct depthwise_terms terms) {
  callosum_free(terms.tap, 2 * job->z.kernel * job->y.kernel * job->x.kernel * sizeof(size_t));
}

// The terms of output (row, period * m + r) of an image that lie within it.
static void find_terms(const struct depthwise_job *job, size_t row, size_t r, size_t m,
                       struct depthwise_terms *terms) {
  const struct depthwise_axis *z = &job->z, *y = &job->y, *x = &job->x;
  size_t out_z = row / y->outputs, out_y = row % y->outputs, plane, line, column;
  size_t rz = out_z % z->period, ry = out_y % y->period;
  terms->count = 0;
  for (size_t tz = z->first[rz]; tz < z->first[rz + 1]; tz++) {
    if (!tap_place(z, tz, out_z / z->period, &plane)) continue;
    for (size_t ty = y->first[ry]; ty < y->first[ry + 1]; ty++) {
      if (!tap_place(y, ty, out_y / y->period, &line)) continue;
      size_t taps = (z->tap[tz] * y->kernel + y->tap[ty]) * x->kernel;
      size_t pixels = (plane * y->size + line) * x->size;
      for (size_t tx = x->first[r]; tx < x->first[r + 1]; tx++) {
        if (!tap_place(x, tx, m, &column)) continue;
        terms->tap[terms->count] = (taps + x->tap[tx]) * job->channels;
        terms->place[terms->count++] = (pixels + column) * job->channels;
      }
    }
  }
}

// `count` outputs of a vector of channels, `apart` from each other, whose pixels are `step` apart.
INLINE void depthwise_outputs(int count, size_t left, const struct depthwise_terms *terms,
                              const float *x, size_t step, const float *w, vf start, float *y,
                              size_t apart) {
  vf sum[depthwise_block];
  for (int j = 0; j < count; j++) sum[j] = start;
  for (size_t t = 0; t < terms->count; t++) {
    vf tap = load_some(w + terms->tap[t], left);
    const float *p = x + terms->place[t];
    for (int j = 0; j < count; j++)
      sum[j] = fma_(load_some(p + (size_t)j * step, left), tap, sum[j]);
  }
  for (int j = 0; j < count; j++) store_some(y + (size_t)j * apart, sum[j], left);
}

// One output, of `count` vectors of channels: alone, each sum would wait for its last term.
INLINE void depthwise_output(int count, const struct depthwise_terms *terms, const float *x,
                             const float *w, const float *bias, float *y) {
  vf sum[4];
  for (int j = 0; j < count; j++) sum[j] = bias ? load(bias + j * LANES) : splat(0);
  for (size_t t = 0; t < terms->count; t++)
    for (int j = 0; j < count; j++)
      sum[j] = fma_(load(x + terms->place[t] + j * LANES), load(w + terms->tap[t] + j * LANES),
                    sum[j]);
  for (int j = 0; j < count; j++) store(y + j * LANES, sum[j]);
}

INLINE void depthwise_pixels(int count, const struct depthwise_job *job,
                             const struct depthwise_terms *terms, const float *image, float *y) {
  size_t c = 0, step = job->x.step * job->channels, apart = job->x.period * job->channels;
  if (count == 1)
    for (; c + 4 * LANES <= job->channels; c += 4 * LANES)
      depthwise_output(4, terms, image + c, job->w + c, job->bias ? job->bias + c : NULL, y + c);
  for (; c + LANES <= job->channels; c += LANES)
    depthwise_outputs(count, LANES, terms, image + c, step, job->w + c,
                      job->bias ? load(job->bias + c) : splat(0), y + c, apart);
  size_t left = job->channels - c;
  if (left)
    depthwise_outputs(count, left, terms, image + c, step, job->w + c,
                      job->bias ? load_part(job->bias + c, left) : splat(0), y + c, apart);
}

// Rows of outputs, and numbers in the source, of one image.
INLINE size_t rows_of(const struct depthwise_job *job) { return job->z.outputs * job->y.outputs; }
INLINE size_t image_size(const struct depthwise_job *job) {
  return job->z.size * job->y.size * job->x.size * job->channels;
}

static void depthwise_rows(void *context, size_t begin, size_t end) {
  const struct depthwise_job *job = context;
  const struct depthwise_axis *x = &job->x;
  struct depthwise_terms terms = begin_terms(job);
  for (size_t row = begin; row < end; row++) {
    const float *image = job->source + row / rows_of(job) * image_size(job);
    float *y = job->out + row * x->outputs * job->channels;
    for (size_t r = 0; r < x->period; r++) {
      size_t all = (x->outputs + x->period - 1 - r) / x->period;
      for (size_t m = 0, count; m < all; m += count) {
        // Outputs at the borders stand alone; those between have the same terms, in equal groups.
        size_t inner = m >= x->low[r] && m < x->high[r] ? x->high[r] - m : 1;
        count = inner / ((inner + depthwise_block - 1) / depthwise_block);
        find_terms(job, row % rows_of(job), r, m, &terms);
        float *q = y + (x->period * m + r) * job->channels;
        WITH_CONSTANT(count, depthwise_pixels(N, job, &terms, image, q))
      }
    }
  }
  end_terms(job, terms);
}

// Rows worth a thread of their own: about 10 microseconds of multiplications.
static size_t depthwise_grain(const struct depthwise_job *job) {
  size_t taps = job->z.kernel * job->y.kernel * job->x.kernel;
  return 20000 / (job->x.outputs * (job->channels / LANES + 1) * taps) + 1;
}

static void end_axes(struct depthwise_job *job) {
  end_axis(&job->z);
  end_axis(&job->y);
  end_axis(&job->x);
}

static void run_depthwise(struct depthwise_job *job) {
  callosum_parallel(job->batch * rows_of(job), depthwise_grain(job), depthwise_rows, job);
  end_axes(job);
}

static struct depthwise_axis depthwise_axis(size_t size, size_t outputs, size_t kernel,
                                            size_t stride, size_t dilation, size_t pad,
                                            bool reversed) {
  struct depthwise_axis a = {.size = size, .outputs = outputs, .kernel = kernel};
  if (reversed) a.size = outputs, a.outputs = size;
  plan_axis(&a, stride, dilation, pad, reversed);
  return a;
}

static struct depthwise_job depthwise_job(const callosum_window *c, bool reversed) {
  struct depthwise_job job = {.batch = c->batch, .channels = c->channels};
  job.z = depthwise_axis(c->depth, c->out_depth, c->kernel_z, c->stride_z, c->dilation_z, c->pad_z,
                         reversed);
  job.y = depthwise_axis(c->height, c->out_height, c->kernel_y, c->stride_y, c->dilation_y,
                         c->pad_y, reversed);
  job.x = depthwise_axis(c->width, c->out_width, c->kernel_x, c->stride_x, c->dilation_x, c->pad_x,
                         reversed);
  return job;
}

// Many taps per output pay for a copy of the pixels.
static bool packs(const callosum_window *c) {
  return c->depth == 1 && c->kernel_z == 1 && c->kernel_y * c->kernel_x > 9 && c->stride_y == 1 &&
         c->stride_x == 1;
}

static void depthwise(const callosum_window *c, const float *x, const float *w, const float *bias,
                      float *y) {
  if (packs(c)) {
    depthwise_packed(c, x, w, bias, y);
    return;
  }
  struct depthwise_job job = depthwise_job(c, false);
  job.source = x, job.w = w, job.bias = bias, job.out = y;
  run_depthwise(&job);
}

static void depthwise_backward_input(const callosum_window *c, const float *w, const float *gy,
                                     float *gx) {
  if (packs(c)) {
    depthwise_packed_backward_input(c, w, gy, gx);
    return;
  }
  struct depthwise_job job = depthwise_job(c, true);
  job.source = gy, job.w = w, job.out = gx;
  run_depthwise(&job);
}

// MARK: The derivative for the weights

// Adds `width` pixels of gy times those of x, at `place` from x, to the weights at `tap`.
INLINE void depthwise_taps(int count, size_t left, const float *x, size_t step,
                           const size_t *tap, const size_t *place, const float *gy, size_t apart,
                           size_t width, float *sums) {
  vf sum[depthwise_block];
  for (int t = 0; t < count; t++) sum[t] = load_some(sums + tap[t], left);
  for (size_t i = 0; i < width; i++, x += step, gy += apart) {
    vf g = load_some(gy, left);
    for (int t = 0; t < count; t++) sum[t] = fma_(load_some(x + place[t], left), g, sum[t]);
  }
  for (int t = 0; t < count; t++) store_some(sums + tap[t], sum[t], left);
}

static void depthwise_weight_rows(const struct depthwise_job *job, size_t row, float *sums,
                                  struct depthwise_terms *terms) {
  const struct depthwise_axis *x = &job->x;
  size_t channels = job->channels, step = x->step * channels;
  const float *image = job->source + row / rows_of(job) * image_size(job);
  for (size_t m = 0, count; m < x->outputs; m += count) {
    count = m >= x->low[0] && m < x->high[0] ? x->high[0] - m : 1;
    find_terms(job, row % rows_of(job), 0, m, terms);
    const float *gy = job->gy + (row * x->outputs + m) * channels;
    size_t groups = (terms->count + depthwise_block - 1) / depthwise_block;
    for (size_t c = 0; c < channels; c += LANES) {
      size_t left = channels - c;
      for (size_t group = 0; group < groups; group++) {
        size_t from = terms->count * group / groups;
        size_t taps = terms->count * (group + 1) / groups - from;
        const size_t *tap = terms->tap + from, *place = terms->place + from;
        if (left >= LANES) {
          WITH_CONSTANT(taps, depthwise_taps(N, LANES, image + c, step, tap, place, gy + c,
                                             channels, count, sums + c))
        } else {
          WITH_CONSTANT(taps, depthwise_taps(N, left, image + c, step, tap, place, gy + c,
                                             channels, count, sums + c))
        }
      }
    }
  }
}

static void depthwise_weight_parts(void *context, size_t begin, size_t end) {
  const struct depthwise_job *job = context;
  size_t rows = job->batch * rows_of(job), taps = job->z.kernel * job->y.kernel * job->x.kernel;
  size_t length = padded(taps * job->channels);
  struct depthwise_terms terms = begin_terms(job);
  for (size_t part = begin; part < end; part++) {
    size_t stop = part_begin(rows, job->parts, part + 1);
    for (size_t row = part_begin(rows, job->parts, part); row < stop; row++) {
      depthwise_weight_rows(job, row, block_sums(job->sums, job->parts, length, part), &terms);
      end_row(job->sums, job->parts, length, part, row, stop);
    }
  }
  end_terms(job, terms);
}

static void depthwise_backward_weights(const callosum_window *c, const float *x, const float *gy,
                                       float *gw) {
  if (packs(c)) {
    depthwise_packed_backward_weights(c, x, gy, gw);
    return;
  }
  struct depthwise_job job = depthwise_job(c, false);
  job.source = x, job.gy = gy;
  size_t count = c->kernel_z * c->kernel_y * c->kernel_x * c->channels, length = padded(count);
  job.parts = callosum_part_count(job.batch * rows_of(&job), depthwise_grain(&job));
  job.sums = begin_sums(job.parts, length);
  callosum_parallel(job.parts, 1, depthwise_weight_parts, &job);
  add_parts(job.sums, job.parts, length, 0, gw, count);
  end_sums(job.sums, job.parts, length);
  end_axes(&job);
}
