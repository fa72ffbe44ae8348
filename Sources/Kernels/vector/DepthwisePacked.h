// Depthwise convolution with a large kernel and stride 1 (the rest is in DepthwiseConvolution.h). A
// job item is one vector of channels of one image (of a band of its rows, if it is large). Its
// pixels are first packed side by side into a buffer with the padding written out; then the loops
// know no borders, and neighbouring pixels share no cache set, which pays where each is read many
// times. The derivative for the input is the same job with gradient and flipped kernel.

enum {
  depthwise_block = 10,       // sums kept in registers
  packed_rows = 4,            // rows of gy that pass by before the sums for the weights change
  packed_buffer = 64 * 1024,  // floats in the buffer
};

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

struct packed_job {
  // What is packed: rows and columns of `source`, the first at low.
  const float *source;
  size_t height, width;
  ptrdiff_t low_y, low_x;
  // What is computed: `out` (or read, for the weights' gradient: gy).
  float *out;
  const float *gy, *w, *bias;
  float *sums;
  bool flip;
  size_t out_height, out_width, channels;
  size_t kernel_y, kernel_x, dilation_y, dilation_x;
  // How it is cut.
  size_t buffer_width, band, bands, blocks, items, parts;
};

static void plan_packed(struct packed_job *job, size_t batch) {
  job->buffer_width = job->out_width + (job->kernel_x - 1) * job->dilation_x;
  size_t rows = packed_buffer / (job->buffer_width * LANES);
  size_t halo = (job->kernel_y - 1) * job->dilation_y + 1;
  job->band = rows > halo ? rows - halo + 1 : 1;
  job->bands = (job->out_height + job->band - 1) / job->band;
  job->blocks = (job->channels + LANES - 1) / LANES;
  job->items = batch * job->blocks * job->bands;
}

// Items worth a thread of their own: about 10 microseconds of multiplications.
static size_t packed_grain(const struct packed_job *job) {
  size_t band = job->band < job->out_height ? job->band : job->out_height;
  return 20000 / (band * job->out_width * job->kernel_y * job->kernel_x) + 1;
}

struct packed_item {
  size_t image, channel, left, row, rows;  // `left` channels remain from `channel` on
};

// Items of one image follow each other, so that it is read from memory once.
static struct packed_item packed_item(const struct packed_job *job, size_t item) {
  size_t block = item % job->blocks, band = item / job->blocks % job->bands;
  size_t row = band * job->band, rows = job->out_height - row;
  return (struct packed_item){item / job->blocks / job->bands, block * LANES,
                                 job->channels - block * LANES, row,
                                 rows < job->band ? rows : job->band};
}

static size_t buffer_rows(const struct packed_job *job, size_t rows) {
  return rows + (job->kernel_y - 1) * job->dilation_y;
}

static void *depthwise_scratch(size_t bytes) {
  return callosum_allocate_or_stop(bytes, "a depthwise convolution");
}

// Rows `from` to before `end` of the item's buffer, each shortly before it is needed.
static void pack_image_rows(const struct packed_job *job, struct packed_item item, float *buffer,
                            size_t from, size_t end) {
  size_t line = job->buffer_width * LANES;
  // Columns of the source that the buffer holds.
  size_t first = job->low_x < 0 ? (size_t)-job->low_x : 0;
  ptrdiff_t beyond = (ptrdiff_t)job->buffer_width - job->low_x;
  size_t last = beyond < 0 ? 0 : (size_t)beyond;
  if (last > job->width) last = job->width;
  for (size_t r = from; r < end; r++) {
    float *to = buffer + r * line;
    ptrdiff_t row = (ptrdiff_t)(item.row + r) - job->low_y;
    if (row < 0 || row >= (ptrdiff_t)job->height || first >= last) {
      memset(to, 0, line * sizeof(float));
      continue;
    }
    size_t pixel = (item.image * job->height + (size_t)row) * job->width + first;
    const float *x = job->source + pixel * job->channels + item.channel;
    float *pixels = to + (job->low_x + (ptrdiff_t)first) * LANES;
    memset(to, 0, (size_t)(pixels - to) * sizeof(float));
    for (size_t i = first; i < last; i++, x += job->channels, pixels += LANES)
      store(pixels, load_some(x, item.left));
    memset(pixels, 0, (size_t)(to + line - pixels) * sizeof(float));
  }
}

// The item's kernel, flipped for the derivative.
static void pack_weights(const struct packed_job *job, struct packed_item item,
                         float *weights) {
  size_t taps = job->kernel_y * job->kernel_x;
  for (size_t t = 0; t < taps; t++) {
    size_t from = job->flip ? taps - 1 - t : t;
    store(weights + t * LANES, load_some(job->w + from * job->channels + item.channel, item.left));
  }
}

// `count` neighbouring outputs of one row, x being the first pixel of the first window. `next` is
// the distance of taps, `line` that of taps' rows.
INLINE void packed_outputs(const struct packed_job *job, int count, size_t next, size_t line,
                           const float *x, const float *w, vf start, float *y, size_t left) {
  vf sum[depthwise_block];
  for (int j = 0; j < count; j++) sum[j] = start;
  for (size_t ky = 0; ky < job->kernel_y; ky++, x += line) {
    const float *p = x;
    for (size_t kx = 0; kx < job->kernel_x; kx++, p += next, w += LANES) {
      vf tap = load(w);
      for (int j = 0; j < count; j++) sum[j] = fma_(load(p + j * LANES), tap, sum[j]);
    }
  }
  for (int j = 0; j < count; j++) store_some(y + (size_t)j * job->channels, sum[j], left);
}

static void packed_items(void *context, size_t begin, size_t end) {
  const struct packed_job *job = context;
  size_t taps = job->kernel_y * job->kernel_x, line = job->buffer_width * LANES;
  size_t size = (buffer_rows(job, job->band) * line + taps * LANES) * sizeof(float);
  float *weights = depthwise_scratch(size), *buffer = weights + taps * LANES;
  size_t next = job->dilation_x * LANES, down = job->dilation_y * line;
  size_t groups = (job->out_width + depthwise_block - 1) / depthwise_block;
  for (size_t i = begin; i < end; i++) {
    struct packed_item item = packed_item(job, i);
    pack_weights(job, item, weights);
    size_t packed = 0;
    vf start = job->bias ? load_some(job->bias + item.channel, item.left) : splat(0);
    for (size_t row = 0; row < item.rows; row++) {
      size_t needed = buffer_rows(job, row + 1);
      pack_image_rows(job, item, buffer, packed, needed);
      packed = needed;
      const float *x = buffer + row * line;
      float *y = job->out + item.channel +
                 (item.image * job->out_height + item.row + row) * job->out_width * job->channels;
      for (size_t group = 0; group < groups; group++) {
        size_t from = job->out_width * group / groups;
        size_t count = job->out_width * (group + 1) / groups - from;
        const float *p = x + from * LANES;
        float *q = y + from * job->channels;
        WITH_CONSTANT(count, packed_outputs(job, N, next, down, p, weights, start, q, item.left))
      }
    }
  }
  callosum_free(weights, size);
}

static void depthwise_packed(const callosum_window *c, const float *x, const float *w,
                             const float *bias, float *y) {
  struct packed_job job = {
      .source = x, .height = c->height, .width = c->width, .low_y = (ptrdiff_t)c->pad_y,
      .low_x = (ptrdiff_t)c->pad_x, .out = y, .w = w, .bias = bias, .out_height = c->out_height,
      .out_width = c->out_width, .channels = c->channels, .kernel_y = c->kernel_y,
      .kernel_x = c->kernel_x, .dilation_y = c->dilation_y, .dilation_x = c->dilation_x};
  plan_packed(&job, c->batch);
  callosum_parallel(job.items, packed_grain(&job), packed_items, &job);
}

static void depthwise_packed_backward_input(const callosum_window *c, const float *w,
                                            const float *gy, float *gx) {
  struct packed_job job = {
      .source = gy, .height = c->out_height, .width = c->out_width,
      .low_y = (ptrdiff_t)((c->kernel_y - 1) * c->dilation_y) - (ptrdiff_t)c->pad_y,
      .low_x = (ptrdiff_t)((c->kernel_x - 1) * c->dilation_x) - (ptrdiff_t)c->pad_x,
      .out = gx, .w = w, .flip = true, .out_height = c->height, .out_width = c->width,
      .channels = c->channels, .kernel_y = c->kernel_y, .kernel_x = c->kernel_x,
      .dilation_y = c->dilation_y, .dilation_x = c->dilation_x};
  plan_packed(&job, c->batch);
  callosum_parallel(job.items, packed_grain(&job), packed_items, &job);
}

// Adds `rows` rows of gy times x to `count` taps, whose pixels lie at `offsets` from x. `line` is
// the distance of rows of x.
INLINE void packed_taps(int count, const float *x, size_t line, const size_t *offsets,
                        const float *gy, size_t rows, size_t width, float *sums, size_t apart) {
  vf sum[depthwise_block];
  for (int t = 0; t < count; t++) sum[t] = load(sums + (size_t)t * apart);
  for (size_t row = 0; row < rows; row++, x += line) {
    const float *p = x;
    for (size_t i = 0; i < width; i++, p += LANES, gy += LANES) {
      vf g = load(gy);
      for (int t = 0; t < count; t++) sum[t] = fma_(load(p + offsets[t]), g, sum[t]);
    }
  }
  for (int t = 0; t < count; t++) store(sums + (size_t)t * apart, sum[t]);
}

static void packed_weight_parts(void *context, size_t begin, size_t end) {
  const struct packed_job *job = context;
  size_t taps = job->kernel_y * job->kernel_x, line = job->buffer_width * LANES;
  size_t apart = padded(job->channels);
  size_t buffer_size = buffer_rows(job, job->band) * line * sizeof(float);
  size_t row_size = packed_rows * job->out_width * LANES * sizeof(float);
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
      struct packed_item item = packed_item(job, i);
      float *all = job->sums + part * taps * apart + item.channel;
      float *sums = block_sums(job->sums, job->parts, taps * apart, part) + item.channel;
      size_t packed = 0;
      for (size_t row = 0, rows; row < item.rows; row += rows) {
        rows = item.rows - row < packed_rows ? item.rows - row : packed_rows;
        size_t needed = buffer_rows(job, row + rows);
        pack_image_rows(job, item, buffer, packed, needed);
        packed = needed;
        size_t pixel = (item.image * job->out_height + item.row + row) * job->out_width;
        const float *x = buffer + row * line;
        const float *gy = job->gy + pixel * job->channels + item.channel;
        for (size_t j = 0; j < rows * job->out_width; j++)
          store(gy_rows + j * LANES, load_some(gy + j * job->channels, item.left));
        for (size_t group = 0; group < groups; group++) {
          size_t from = taps * group / groups, count = taps * (group + 1) / groups - from;
          WITH_CONSTANT(count,
                        packed_taps(N, x, line, offsets + from, gy_rows, rows, job->out_width,
                                    sums + from * apart, apart))
        }
      }
      for (size_t t = 0; t < taps; t++) {
        add_into(all + t * apart, load(sums + t * apart));
        store(sums + t * apart, splat(0));
      }
    }
  }
  callosum_free(buffer, size);
}

static void depthwise_packed_backward_weights(const callosum_window *c, const float *x,
                                              const float *gy, float *gw) {
  struct packed_job job = {
      .source = x, .height = c->height, .width = c->width, .low_y = (ptrdiff_t)c->pad_y,
      .low_x = (ptrdiff_t)c->pad_x, .gy = gy, .out_height = c->out_height,
      .out_width = c->out_width, .channels = c->channels, .kernel_y = c->kernel_y,
      .kernel_x = c->kernel_x, .dilation_y = c->dilation_y, .dilation_x = c->dilation_x};
  plan_packed(&job, c->batch);
  job.parts = callosum_part_count(job.items, packed_grain(&job));
  size_t taps = c->kernel_y * c->kernel_x, apart = padded(c->channels);
  job.sums = begin_sums(job.parts, taps * apart);
  callosum_parallel(job.parts, 1, packed_weight_parts, &job);
  for (size_t t = 0; t < taps; t++)
    add_parts(job.sums, job.parts, taps * apart, t * apart, gw + t * c->channels, c->channels);
  end_sums(job.sums, job.parts, taps * apart);
}
