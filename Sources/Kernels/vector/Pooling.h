// Pooling over windows of channels-last data: a row of outputs at a time, a vector of channels at a
// time. Backward, every image belongs to one thread, so overlapping windows add up in order.

struct pooling_job {
  callosum_pooling windows;
  const float *x, *gy;
  const int32_t *index;
  float *y, *gx;
  int32_t *index_out;
};

INLINE void store_indices(int32_t *p, vi x, size_t left) { store_some((float *)p, (vf)x, left); }

INLINE size_t image_pixels(const callosum_pooling *w) {
  return w->size[0] * w->size[1] * w->size[2];
}
INLINE size_t image_rows(const callosum_pooling *w) { return w->output[0] * w->output[1]; }

// What the windows of one row of outputs share.
struct pooling_row {
  size_t image;
  callosum_span z, y;
};

INLINE struct pooling_row pooling_row(const callosum_pooling *w, size_t row) {
  size_t within = row % image_rows(w);
  return (struct pooling_row){row / image_rows(w), w->spans[0][within / w->output[1]],
                              w->spans[1][within % w->output[1]]};
}

// Runs `statement` for every element of a window, with its `place` in the image, in order.
#define FOR_WINDOW(w, row, span, statement)                                               \
  for (size_t kz = 0; kz < (row).z.count; kz++)                                           \
    for (size_t ky = 0; ky < (row).y.count; ky++) {                                       \
      size_t plane = ((row).z.place + kz * (w)->dilation[0]) * (w)->size[1];              \
      size_t line = (plane + (row).y.place + ky * (w)->dilation[1]) * (w)->size[2];       \
      for (size_t kx = 0; kx < (span).count; kx++) {                                      \
        size_t place = line + (span).place + kx * (w)->dilation[2];                       \
        statement                                                                         \
      }                                                                                   \
    }

static void max_pool_rows(void *context, size_t begin, size_t end) {
  const struct pooling_job *job = context;
  const callosum_pooling *w = &job->windows;
  for (size_t at = begin; at < end; at++) {
    struct pooling_row row = pooling_row(w, at);
    const float *image = job->x + row.image * image_pixels(w) * w->channels;
    for (size_t out = 0; out < w->output[2]; out++) {
      callosum_span span = w->spans[2][out];
      size_t to = (at * w->output[2] + out) * w->channels;
      size_t first = (row.z.place * w->size[1] + row.y.place) * w->size[2] + span.place;
      for (size_t c = 0; c < w->channels; c += LANES) {
        size_t left = w->channels - c;
        vf best = splat(-INFINITY);
        // Where nothing exceeds minus infinity, the first entry stands.
        vi index = (vi){0} + (int32_t)first;
        FOR_WINDOW(w, row, span, {
          vf v = load_some(image + place * w->channels + c, left);
          // Not a number wins, and keeps: then nothing is greater, and `best` equals itself not.
          vi better = ~(v <= best) & (best == best);
          best = select_(better, v, best);
          index = (((vi){0} + (int32_t)place) & better) | (index & ~better);
        })
        store_some(job->y + to + c, best, left);
        store_indices(job->index_out + to + c, index, left);
      }
    }
  }
}

// Rows or images worth a thread of their own.
INLINE size_t pooling_grain(const callosum_pooling *w) {
  size_t most = 1;
  for (int axis = 0; axis < 3; axis++) most *= w->spans[axis][0].count;
  return 16384 / (w->output[2] * w->channels * most + 1) + 1;
}
INLINE size_t pooling_image_grain(const callosum_pooling *w) {
  return 16384 / (image_rows(w) * w->output[2] * w->channels + 1) + 1;
}

static void max_pool(const callosum_pooling *windows, const float *x, float *y, int32_t *index) {
  struct pooling_job job = {.windows = *windows, .x = x, .y = y, .index_out = index};
  callosum_parallel(windows->batch * image_rows(windows), pooling_grain(windows), max_pool_rows,
                    &job);
}

static void max_pool_backward_images(void *context, size_t begin, size_t end) {
  const struct pooling_job *job = context;
  const callosum_pooling *w = &job->windows;
  size_t image_size = image_pixels(w) * w->channels, outputs = image_rows(w) * w->output[2];
  for (size_t image = begin; image < end; image++) {
    float *gx = job->gx + image * image_size;
    memset(gx, 0, image_size * sizeof(float));
    for (size_t out = 0; out < outputs; out++) {
      size_t at = (image * outputs + out) * w->channels;
      for (size_t c = 0; c < w->channels; c++)
        gx[(size_t)job->index[at + c] * w->channels + c] += job->gy[at + c];
    }
  }
}

static void max_pool_backward(const callosum_pooling *windows, const float *gy,
                              const int32_t *index, float *gx) {
  struct pooling_job job = {.windows = *windows, .gy = gy, .index = index, .gx = gx};
  callosum_parallel(windows->batch, pooling_image_grain(windows), max_pool_backward_images, &job);
}

INLINE float window_share(struct pooling_row row, callosum_span span) {
  return 1 / (float)(row.z.divisor * row.y.divisor * span.divisor);
}

static void average_pool_rows(void *context, size_t begin, size_t end) {
  const struct pooling_job *job = context;
  const callosum_pooling *w = &job->windows;
  for (size_t at = begin; at < end; at++) {
    struct pooling_row row = pooling_row(w, at);
    const float *image = job->x + row.image * image_pixels(w) * w->channels;
    for (size_t out = 0; out < w->output[2]; out++) {
      callosum_span span = w->spans[2][out];
      float share = window_share(row, span);
      float *y = job->y + (at * w->output[2] + out) * w->channels;
      for (size_t c = 0; c < w->channels; c += LANES) {
        size_t left = w->channels - c;
        vf sum = {0};
        FOR_WINDOW(w, row, span, sum += load_some(image + place * w->channels + c, left);)
        store_some(y + c, sum * share, left);
      }
    }
  }
}

static void average_pool(const callosum_pooling *windows, const float *x, float *y) {
  struct pooling_job job = {.windows = *windows, .x = x, .y = y};
  callosum_parallel(windows->batch * image_rows(windows), pooling_grain(windows),
                    average_pool_rows, &job);
}

static void average_pool_backward_images(void *context, size_t begin, size_t end) {
  const struct pooling_job *job = context;
  const callosum_pooling *w = &job->windows;
  size_t image_size = image_pixels(w) * w->channels;
  memset(job->gx + begin * image_size, 0, (end - begin) * image_size * sizeof(float));
  for (size_t at = begin * image_rows(w); at < end * image_rows(w); at++) {
    struct pooling_row row = pooling_row(w, at);
    float *image = job->gx + row.image * image_size;
    for (size_t out = 0; out < w->output[2]; out++) {
      callosum_span span = w->spans[2][out];
      float share = window_share(row, span);
      const float *gy = job->gy + (at * w->output[2] + out) * w->channels;
      FOR_WINDOW(w, row, span, {
        float *gx = image + place * w->channels;
        for (size_t c = 0; c < w->channels; c += LANES) {
          size_t left = w->channels - c;
          store_some(gx + c, load_some(gx + c, left) + load_some(gy + c, left) * share, left);
        }
      })
    }
  }
}

static void average_pool_backward(const callosum_pooling *windows, const float *gy, float *gx) {
  struct pooling_job job = {.windows = *windows, .gy = gy, .gx = gx};
  callosum_parallel(windows->batch, pooling_image_grain(windows), average_pool_backward_images,
                    &job);
}
