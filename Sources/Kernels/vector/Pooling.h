// Pooling over windows of a channels-last image: a row of outputs at a time, a vector of channels
// at a time. Backward, every image belongs to one thread, so overlapping windows add up in order.

struct pooling_job {
  callosum_window window;
  const float *x, *gy;
  const int32_t *index;
  float *y, *gx;
  int32_t *index_out;
  bool count_padding;
};

// The part of a window that lies within the image: taps from `first` to before `end`, the first at
// `place`.
struct window_span {
  size_t first, end;
  ptrdiff_t place;
};

INLINE struct window_span window_span(size_t out, size_t stride, size_t pad, size_t dilation,
                                      size_t kernel, size_t size) {
  ptrdiff_t start = (ptrdiff_t)(out * stride) - (ptrdiff_t)pad;
  size_t first = start < 0 ? ((size_t)-start + dilation - 1) / dilation : 0;
  size_t end = start >= (ptrdiff_t)size ? 0 : (size_t)((ptrdiff_t)size - 1 - start) / dilation + 1;
  if (end > kernel) end = kernel;
  if (first > end) first = end;
  return (struct window_span){first, end, start + (ptrdiff_t)(first * dilation)};
}

INLINE struct window_span span_y(const callosum_window *w, size_t out) {
  return window_span(out, w->stride_y, w->pad_y, w->dilation_y, w->kernel_y, w->height);
}
INLINE struct window_span span_x(const callosum_window *w, size_t out) {
  return window_span(out, w->stride_x, w->pad_x, w->dilation_x, w->kernel_x, w->width);
}

INLINE void store_indices(int32_t *p, vi x, size_t left) { store_some((float *)p, (vf)x, left); }

static void max_pool_rows(void *context, size_t begin, size_t end) {
  const struct pooling_job *job = context;
  const callosum_window *w = &job->window;
  for (size_t row = begin; row < end; row++) {
    struct window_span sy = span_y(w, row % w->out_height);
    const float *image = job->x + row / w->out_height * w->height * w->width * w->channels;
    for (size_t out = 0; out < w->out_width; out++) {
      struct window_span sx = span_x(w, out);
      size_t at = (row * w->out_width + out) * w->channels;
      for (size_t c = 0; c < w->channels; c += LANES) {
        size_t left = w->channels - c;
        vf best = splat(-INFINITY);
        // Where nothing exceeds minus infinity, the first entry stands.
        size_t corner = (size_t)sy.place * w->width + (size_t)sx.place;
        vi index = (vi){0} + (int32_t)(sy.first < sy.end && sx.first < sx.end ? corner : 0);
        for (size_t ky = sy.first; ky < sy.end; ky++) {
          size_t line = ((size_t)sy.place + (ky - sy.first) * w->dilation_y) * w->width;
          for (size_t kx = sx.first; kx < sx.end; kx++) {
            size_t place = line + (size_t)sx.place + (kx - sx.first) * w->dilation_x;
            vf v = load_some(image + place * w->channels + c, left);
            // Not a number wins, and keeps: then nothing is greater, and `best` equals itself not.
            vi better = ~(v <= best) & (best == best);
            best = select_(better, v, best);
            index = (((vi){0} + (int32_t)place) & better) | (index & ~better);
          }
        }
        store_some(job->y + at + c, best, left);
        store_indices(job->index_out + at + c, index, left);
      }
    }
  }
}

// Rows worth a thread of their own.
INLINE size_t pooling_grain(const callosum_window *w) {
  return 16384 / (w->out_width * w->channels * w->kernel_y * w->kernel_x + 1) + 1;
}
INLINE size_t pooling_image_grain(const callosum_window *w) {
  return 16384 / (w->out_height * w->out_width * w->channels + 1) + 1;
}

static void max_pool(const callosum_window *window, const float *x, float *y, int32_t *index) {
  struct pooling_job job = {.window = *window, .x = x, .y = y, .index_out = index};
  callosum_parallel(window->batch * window->out_height, pooling_grain(window), max_pool_rows, &job);
}

static void max_pool_backward_images(void *context, size_t begin, size_t end) {
  const struct pooling_job *job = context;
  const callosum_window *w = &job->window;
  size_t image_size = w->height * w->width * w->channels;
  size_t outputs = w->out_height * w->out_width;
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

static void max_pool_backward(const callosum_window *window, const float *gy, const int32_t *index,
                              float *gx) {
  struct pooling_job job = {.window = *window, .gy = gy, .index = index, .gx = gx};
  callosum_parallel(window->batch, pooling_image_grain(window), max_pool_backward_images, &job);
}

// 1 / the number of entries that the mean of a window counts: all, or those within the image.
INLINE float window_share(const struct pooling_job *job, struct window_span sy,
                          struct window_span sx) {
  const callosum_window *w = &job->window;
  size_t count = job->count_padding ? w->kernel_y * w->kernel_x
                                    : (sy.end - sy.first) * (sx.end - sx.first);
  return count ? 1 / (float)count : 0;
}

static void average_pool_rows(void *context, size_t begin, size_t end) {
  const struct pooling_job *job = context;
  const callosum_window *w = &job->window;
  for (size_t row = begin; row < end; row++) {
    struct window_span sy = span_y(w, row % w->out_height);
    const float *image = job->x + row / w->out_height * w->height * w->width * w->channels;
    for (size_t out = 0; out < w->out_width; out++) {
      struct window_span sx = span_x(w, out);
      float share = window_share(job, sy, sx);
      float *y = job->y + (row * w->out_width + out) * w->channels;
      for (size_t c = 0; c < w->channels; c += LANES) {
        size_t left = w->channels - c;
        vf sum = {0};
        for (size_t ky = sy.first; ky < sy.end; ky++) {
          size_t line = ((size_t)sy.place + (ky - sy.first) * w->dilation_y) * w->width;
          for (size_t kx = sx.first; kx < sx.end; kx++) {
            size_t place = line + (size_t)sx.place + (kx - sx.first) * w->dilation_x;
            sum += load_some(image + place * w->channels + c, left);
          }
        }
        store_some(y + c, sum * share, left);
      }
    }
  }
}

static void average_pool(const callosum_window *window, bool count_padding, const float *x,
                         float *y) {
  struct pooling_job job = {.window = *window, .x = x, .y = y, .count_padding = count_padding};
  callosum_parallel(window->batch * window->out_height, pooling_grain(window), average_pool_rows,
                    &job);
}

static void average_pool_backward_images(void *context, size_t begin, size_t end) {
  const struct pooling_job *job = context;
  const callosum_window *w = &job->window;
  size_t image_size = w->height * w->width * w->channels;
  for (size_t row = begin * w->out_height; row < end * w->out_height; row++) {
    struct window_span sy = span_y(w, row % w->out_height);
    float *image = job->gx + row / w->out_height * image_size;
    if (row % w->out_height == 0) memset(image, 0, image_size * sizeof(float));
    for (size_t out = 0; out < w->out_width; out++) {
      struct window_span sx = span_x(w, out);
      float share = window_share(job, sy, sx);
      const float *gy = job->gy + (row * w->out_width + out) * w->channels;
      for (size_t ky = sy.first; ky < sy.end; ky++) {
        size_t line = ((size_t)sy.place + (ky - sy.first) * w->dilation_y) * w->width;
        for (size_t kx = sx.first; kx < sx.end; kx++) {
          size_t place = line + (size_t)sx.place + (kx - sx.first) * w->dilation_x;
          float *gx = image + place * w->channels;
          for (size_t c = 0; c < w->channels; c += LANES) {
            size_t left = w->channels - c;
            store_some(gx + c, load_some(gx + c, left) + load_some(gy + c, left) * share, left);
          }
        }
      }
    }
  }
}

static void average_pool_backward(const callosum_window *window, bool count_padding,
                                  const float *gy, float *gx) {
  struct pooling_job job = {.window = *window, .gy = gy, .gx = gx, .count_padding = count_padding};
  callosum_parallel(window->batch, pooling_image_grain(window), average_pool_backward_images, &job);
}
