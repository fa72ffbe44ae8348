// Depthwise convolution, channels last: every channel has its own small kernel. A job item is one
// vector of channels of one image (of a band of its rows, if it is large). Its pixels are first
// packed side by side into a buffer with the padding written out; then the loops know no borders,
// and neighbouring pixels share no cache set. The derivative for the input is the same job with
// gradient and flipped kernel: strides become zeros between the gradient's pixels.

enum {
  depthwise_block = 10,          // sums kept in registers
  depthwise_rows = 4,            // rows of gy that pass by before the sums for the weights change
  depthwise_buffer = 64 * 1024,  // floats in the buffer
};

struct depthwise_job {
  // What is packed: rows and columns of `source`, the first at low, the next `spread` further.
  const float *source;
  size_t height, width;
  ptrdiff_t low_y, low_x;
  size_t spread_y, spread_x;
  // What is computed: `out` (or read, for the weights' gradient: gy).
  float *out;
  const float *gy, *w, *bias;
  float *sums;
  bool flip;
  size_t out_height, out_width, stride_y, stride_x;
  size_t channels, kernel_y, kernel_x, dilation_y, dilation_x;
  // How it is cut.
  size_t buffer_width, band, bands, blocks, items, parts;
};

static void plan_depthwise(struct depthwise_job *job, size_t batch) {
  job->buffer_width =
      (job->out_width - 1) * job->stride_x + (job->kernel_x - 1) * job->dilation_x + 1;
  size_t rows = depthwise_buffer / (job->buffer_width * LANES);
  size_t halo = (job->kernel_y - 1) * job->dilation_y + 1;
  job->band = rows > halo ? (rows - halo) / job->stride_y + 1 : 1;
  job->bands = (job->out_height + job->band - 1) / job->band;
  job->blocks = (job->channels + LANES - 1) / LANES;
  job->items = batch * job->blocks * job->bands;
}

// Items worth a thread of their own: about 10 microseconds of multiplications.
static size_t depthwise_grain(const struct depthwise_job *job) {
  size_t band = job->band < job->out_height ? job->band : job->out_height;
  return 20000 / (band * job->out_width * job->kernel_y * job->kernel_x) + 1;
}

struct depthwise_item {
  size_t image, channel, left, row, rows;  // `left` channels remain from `channel` on
};

// Items of one image follow each other, so that it is read from memory once.
static struct depthwise_item depthwise_item(const struct depthwise_job *job, size_t item) {
  size_t block = item % job->blocks, band = item / job->blocks % job->bands;
  size_t row = band * job->band, rows = job->out_height - row;
  return (struct depthwise_item){item / job->blocks / job->bands, block * LANES,
                                 job->channels - block * LANES, row,
                                 rows < job->band ? rows : job->band};
}

static size_t buffer_rows(const struct depthwise_job *job, size_t rows) {
  return (rows - 1) * job->stride_y + (job->kernel_y - 1) * job->dilation_y + 1;
}

static float *depthwise_scratch(size_t bytes) {
  return callosum_allocate_or_stop(bytes, "a depthwise convolution");
}

// The first source index whose place low + index * spread is not negative, and the first whose
// place is beyond `count`.
static size_t index_from(ptrdiff_t place, ptrdiff_t low, size_t spread) {
  return place <= low ? 0 : (size_t)(place - low + (ptrdiff_t)spread - 1) / spread;
}

// Rows `from` to before `end` of the item's buffer, each shortly before it is needed.
static void pack_image_rows(const struct depthwise_job *job, struct depthwise_item item, float *buffer,
                      size_t from, size_t end) {
  size_t line = job->buffer_width * LANES, spread = job->spread_x * LANES;
  size_t first = index_from(0, job->low_x, job->spread_x);
  size_t last = index_from((ptrdiff_t)job->buffer_width, job->low_x, job->spread_x);
  if (last > job->width) last = job->width;
  for (size_t r = from; r < end; r++) {
    float *to = buffer + r * line;
    ptrdiff_t place = (ptrdiff_t)(item.row * job->stride_y + r) - job->low_y;
    ptrdiff_t row = place / (ptrdiff_t)job->spread_y;
    bool inside = place >= 0 && row * (ptrdiff_t)job->spread_y == place &&
                  row < (ptrdiff_t)job->height && first < last;
    if (!inside || job->spread_x > 1) memset(to, 0, line * sizeof(float));
    if (!inside) continue;
    size_t pixel = (item.image * job->height + (size_t)row) * job->width + first;
    const float *x = job->source + pixel * job->channels + item.channel;
    float *pixels = to + job->low_x * LANES + (ptrdiff_t)(first * spread);
    memset(to, 0, (size_t)(pixels - to) * sizeof(float));
    for (size_t i = first; i < last; i++, x += job->channels, pixels += spread)
      store(pixels, load_some(x, item.left));
    pixels -= spread - LANES;
    memset(pixels, 0, (size_t)(to + line - pixels) * sizeof(float));
  }
}

// The item's kernel, flipped for the derivative.
static void pack_weights(const struct depthwise_job *job, struct depthwise_item item,
                         float *weights) {
  size_t taps = job->kernel_y * job->kernel_x;
  for (size_t t = 0; t < taps; t++) {
    size_t from = job->flip ? taps - 1 - t : t;
    store(weights + t * LANES, load_some(job->w + from * job->channels + item.channel, item.left));
  }
}

// `count` neighbouring outputs of one row, x being the first pixel of the first window. `step` is
// the distance of neighbours, `next` that of taps, `line` that of taps' rows.
INLINE void depthwise_outputs(const struct depthwise_job *job, int count, size_t step, size_t next,
                              size_t line, const float *x, const float *w, vf start, float *y,
                              size_t left) {
  vf sum[depthwise_block];
  for (int j = 0; j < count; j++) sum[j] = start;
  for (size_t ky = 0; ky < job->kernel_y; ky++, x += line) {
    const float *p = x;
    for (size_t kx = 0; kx < job->kernel_x; kx++, p += next, w += LANES) {
      vf tap = load(w);
      for (int j = 0; j < count; j++) sum[j] = fma_(load(p + (size_t)j * step), tap, sum[j]);
    }
  }
  for (int j = 0; j < count; j++) store_some(y + (size_t)j * job->channels, sum[j], left);
}

// The compiler keeps the sums in registers only where it knows their number.
#define WITH_CONSTANT(count, call)             \
  switch (count) {                             \
    case 1: { enum { N = 1 }; call; break; }   \
    case 2: { enum { N = 2 }; call; break; }   \
    case 3: { enum { N = 3 }; call; break; }   \
    case 4: { enum { N = 4 }; call; break; }   \
    case 5: { enum { N = 5 }; call; break; }   \
    case 6: { enum { N = 6 }; call; break; }   \
    case 7: { enum { N = 7 }; call; break; }   \
    case 8: { enum { N = 8 }; call; break; }   \
    case 9: { enum { N = 9 }; call; break; }   \
    default: { enum { N = 10 }; call; break; } \
  }

static void depthwise_items(void *context, size_t begin, size_t end) {
  const struct depthwise_job *job = context;
  size_t taps = job->kernel_y * job->kernel_x, line = job->buffer_width * LANES;
  size_t size = (buffer_rows(job, job->band) * line + taps * LANES) * sizeof(float);
  float *weights = depthwise_scratch(size), *buffer = weights + taps * LANES;
  size_t step = job->stride_x * LANES, next = job->dilation_x * LANES;
  size_t down = job->dilation_y * line;
  size_t groups = (job->out_width + depthwise_block - 1) / depthwise_block;
  for (size_t i = begin; i < end; i++) {
    struct depthwise_item item = depthwise_item(job, i);
    pack_weights(job, item, weights);
    size_t packed = 0;
    vf start = job->bias ? load_some(job->bias + item.channel, item.left) : splat(0);
    for (size_t row = 0; row < item.rows; row++) {
      size_t needed = buffer_rows(job, row + 1);
      pack_image_rows(job, item, buffer, packed, needed);
      packed = needed;
      const float *x = buffer + row * job->stride_y * line;
      float *y = job->out + item.channel +
                 (item.image * job->out_height + item.row + row) * job->out_width * job->channels;
      for (size_t group = 0; group < groups; group++) {
        size_t from = job->out_width * group / groups;
        size_t count = job->out_width * (group + 1) / groups - from;
        const float *p = x + from * step;
        float *q = y + from * job->channels;
        if (step == LANES) {
          WITH_CONSTANT(count, depthwise_outputs(job, N, LANES, next, down, p, weights, start, q,
                                                 item.left))
        } else {
          WITH_CONSTANT(count, depthwise_outputs(job, N, step, next, down, p, weights, start, q,
                                                 item.left))
        }
      }
    }
  }
  callosum_free(weights, size);
}

static void depthwise(const callosum_window *c, const float *x, const float *w, const float *bias,
                      float *y) {
  struct depthwise_job job = {
      .source = x, .height = c->height, .width = c->width, .low_y = (ptrdiff_t)c->pad_y,
      .low_x = (ptrdiff_t)c->pad_x, .spread_y = 1, .spread_x = 1, .out = y, .w = w, .bias = bias,
      .out_height = c->out_height, .out_width = c->out_width, .stride_y = c->stride_y,
      .stride_x = c->stride_x, .channels = c->channels, .kernel_y = c->kernel_y,
      .kernel_x = c->kernel_x, .dilation_y = c->dilation_y, .dilation_x = c->dilation_x};
  plan_depthwise(&job, c->batch);
  callosum_parallel(job.items, depthwise_grain(&job), depthwise_items, &job);
}

static void depthwise_backward_input(const callosum_window *c, const float *w, const float *gy,
                                     float *gx) {
  struct depthwise_job job = {
      .source = gy, .height = c->out_height, .width = c->out_width,
      .low_y = (ptrdiff_t)((c->kernel_y - 1) * c->dilation_y) - (ptrdiff_t)c->pad_y,
      .low_x = (ptrdiff_t)((c->kernel_x - 1) * c->dilation_x) - (ptrdiff_t)c->pad_x,
      .spread_y = c->stride_y, .spread_x = c->stride_x, .out = gx, .w = w, .flip = true,
      .out_height = c->height, .out_width = c->width, .stride_y = 1, .stride_x = 1,
      .channels = c->channels, .kernel_y = c->kernel_y, .kernel_x = c->kernel_x,
      .dilation_y = c->dilation_y, .dilation_x = c->dilation_x};
  plan_depthwise(&job, c->batch);
  callosum_parallel(job.items, depthwise_grain(&job), depthwise_items, &job);
}

// Adds `rows` rows of gy times x to `count` taps, whose pixels lie at `offsets` from x. `step` is
// the distance of the pixels of neighbours in gy, `line` that of rows.
INLINE void depthwise_taps(int count, const float *x, size_t step, size_t line,
                           const size_t *offsets, const float *gy, size_t rows, size_t width,
                           float *sums, size_t apart) {
  vf sum[depthwise_block];
  for (int t = 0; t < count; t++) sum[t] = load(sums + (size_t)t * apart);
  for (size_t row = 0; row < rows; row++, x += line) {
    const float *p = x;
    for (size_t i = 0; i < width; i++, p += step, gy += LANES) {
      vf g = load(gy);
      for (int t = 0; t < count; t++) sum[t] = fma_(load(p + offsets[t]), g, sum[t]);
    }
  }
  for (int t = 0; t < count; t++) store(sums + (size_t)t * apart, sum[t]);
}

static void depthwise_weight_parts(void *context, size_t begin, size_t end) {
  const struct depthwise_job *job = context;
  size_t taps = job->kernel_y * job->kernel_x, line = job->buffer_width * LANES;
  size_t apart = padded(job->channels), step = job->stride_x * LANES;
  size_t buffer_size = buffer_rows(job, job->band) * line * sizeof(float);
  size_t row_size = depthwise_rows * job->out_width * LANES * sizeof(float);
  size_t size = buffer_size + row_size + taps * sizeof(size_t);
  float *buffer = depthwise_scratch(size), *gy_rows = buffer + buffer_size / sizeof(float);
  size_t *offsets = (size_t *)(void *)((char *)gy_rows + row_size);
  for (size_t t = 0; t < taps; t++)
    offsets[t] = t / job->kernel_x * job->dilation_y * line +
                 t % job->kernel_x * job->dilation_x * LANES;
  size_t groups = (taps + depthwise_block - 1) / depthwise_block;
  for (size_t part = begin; part < end; part++) {
    size_t stop = part_begin(job->items, job->parts, part + 1);
    for (size_t i = part_begin(job->items, job->parts, part); i < stop; i++) {
      struct depthwise_item item = depthwise_item(job, i);
      float *sums = job->sums + part * taps * apart + item.channel;
      size_t packed = 0;
      for (size_t row = 0, rows; row < item.rows; row += rows) {
        rows = item.rows - row < depthwise_rows ? item.rows - row : depthwise_rows;
        size_t needed = buffer_rows(job, row + rows);
        pack_image_rows(job, item, buffer, packed, needed);
        packed = needed;
        size_t pixel = (item.image * job->out_height + item.row + row) * job->out_width;
        const float *x = buffer + row * job->stride_y * line;
        const float *gy = job->gy + pixel * job->channels + item.channel;
        for (size_t j = 0; j < rows * job->out_width; j++)
          store(gy_rows + j * LANES, load_some(gy + j * job->channels, item.left));
        for (size_t group = 0; group < groups; group++) {
          size_t from = taps * group / groups, count = taps * (group + 1) / groups - from;
          WITH_CONSTANT(count,
                        depthwise_taps(N, x, step, job->stride_y * line, offsets + from, gy_rows,
                                       rows, job->out_width, sums + from * apart, apart))
        }
      }
    }
  }
  callosum_free(buffer, size);
}

static void depthwise_backward_weights(const callosum_window *c, const float *x, const float *gy,
                                       float *gw) {
  struct depthwise_job job = {
      .source = x, .height = c->height, .width = c->width, .low_y = (ptrdiff_t)c->pad_y,
      .low_x = (ptrdiff_t)c->pad_x, .spread_y = 1, .spread_x = 1, .gy = gy,
      .out_height = c->out_height, .out_width = c->out_width, .stride_y = c->stride_y,
      .stride_x = c->stride_x, .channels = c->channels, .kernel_y = c->kernel_y,
      .kernel_x = c->kernel_x, .dilation_y = c->dilation_y, .dilation_x = c->dilation_x};
  plan_depthwise(&job, c->batch);
  job.parts = callosum_part_count(job.items, depthwise_grain(&job));
  size_t taps = c->kernel_y * c->kernel_x, apart = padded(c->channels);
  job.sums = begin_sums(job.parts, taps * apart);
  callosum_parallel(job.parts, 1, depthwise_weight_parts, &job);
  for (size_t t = 0; t < taps; t++)
    add_parts(job.sums, job.parts, taps * apart, t * apart, gw + t * c->channels, c->channels);
  end_sums(job.sums, job.parts, taps * apart);
}
