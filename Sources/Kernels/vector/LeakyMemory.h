// Leaky memory whose input a small network works out from the memory itself, over whole sequences,
// [time, batch, ...]. Rows of the batch do not meet, so a thread takes its rows through all of time;
// both matrices are packed once.

struct leaky_memory_job {
  const callosum_leaky_sequence *s;
  const float *arriving;
  float *gsums, *gbent, *gstates, *gkept, *gstart;
};

// The matrices [hidden, memory] and [memory, hidden] in panels of a product from `k` to `n` numbers.
static float *packed_product(const float *matrix, size_t k, size_t n, bool transposed) {
  float *packed = scratch(k * round_up(n, panel_columns));
  pack_panels(matrix, transposed ? 1 : (ptrdiff_t)n, transposed ? (ptrdiff_t)k : 1, k, n, 1, packed);
  return packed;
}
static void free_product(float *packed, size_t k, size_t n) {
  callosum_free(packed, k * round_up(n, panel_columns) * sizeof(float));
}

static size_t leaky_memory_grain(const callosum_leaky_sequence *s) {
  return 100000 / (2 * s->time * s->memory * s->hidden + 1) + 1;
}

// y = keep x, both [rows, memory].
static void keep_rows(size_t rows, size_t memory, const float *keep, const float *x, float *y) {
  for (size_t row = 0; row < rows; row++, x += memory, y += memory)
    for (size_t i = 0; i < memory; i += LANES)
      store_some(y + i, load_some(keep + i, memory - i) * load_some(x + i, memory - i), memory - i);
}

static void activate(size_t count, bool silu, const float *x, float *y) {
  for (size_t i = 0; i < count; i += LANES) {
    vf v = load_some(x + i, count - i);
    store_some(y + i, silu ? silu_(v) : max_(v, splat(0)), count - i);
  }
}

static void leaky_memory_rows(void *context, size_t begin, size_t end) {
  const struct leaky_memory_job *job = context;
  const callosum_leaky_sequence *s = job->s;
  size_t memory = s->memory, hidden = s->hidden, rows = end - begin;
  float *inner = packed_product(s->inner, memory, hidden, true);
  float *outer = packed_product(s->outer, hidden, memory, true);
  float *kept = scratch(rows * memory), *active = scratch(rows * hidden);
  const float *before = s->start + begin * memory;
  for (size_t t = 0; t < s->time; t++) {
    size_t at = t * s->batch + begin;
    float *sums = s->sums + at * hidden, *bent = s->bent + at * memory, *next = s->states + at * memory;
    keep_rows(rows, memory, s->keep, before, kept);
    times_packed(rows, hidden, memory, kept, inner, true, sums);
    activate(rows * hidden, s->silu, sums, active);
    times_packed(rows, memory, hidden, active, outer, false, bent);
    for (size_t row = 0; row < rows; row++) {
      for (size_t i = 0; i < memory; i += LANES) {
        size_t left = memory - i, j = row * memory + i;
        vf sum = load_some(bent + j, left) + load_some(s->bias + i, left);
        vf delta = 1.7159f * tanh_(sum * (2.0f / 3));
        store_some(bent + j, delta, left);
        store_some(next + j, fma_(load_some(s->gain + i, left), delta, load_some(kept + j, left)), left);
      }
    }
    before = next;
  }
  callosum_free(active, rows * hidden * sizeof(float));
  callosum_free(kept, rows * memory * sizeof(float));
  free_product(outer, hidden, memory);
  free_product(inner, memory, hidden);
}

static void leaky_memory(const callosum_leaky_sequence *s) {
  struct leaky_memory_job job = {.s = s};
  callosum_parallel(s->batch, leaky_memory_grain(s), leaky_memory_rows, &job);
}

static void leaky_memory_backward_rows(void *context, size_t begin, size_t end) {
  const struct leaky_memory_job *job = context;
  const callosum_leaky_sequence *s = job->s;
  size_t memory = s->memory, hidden = s->hidden, rows = end - begin;
  float *inner = packed_product(s->inner, hidden, memory, false);
  float *outer = packed_product(s->outer, memory, hidden, false);
  float *carried = job->gstart + begin * memory;
  memset(carried, 0, rows * memory * sizeof(float));
  for (size_t t = s->time; t-- > 0;) {
    size_t at = t * s->batch + begin;
    const float *bent = s->bent + at * memory, *sums = s->sums + at * hidden;
    const float *arriving = job->arriving + at * memory;
    float *gbent = job->gbent + at * memory, *gstates = job->gstates + at * memory;
    float *gkept = job->gkept + at * memory, *gsums = job->gsums + at * hidden;
    for (size_t row = 0; row < rows; row++) {
      for (size_t i = 0; i < memory; i += LANES) {
        size_t left = memory - i, j = row * memory + i;
        vf g = load_some(carried + j, left) + load_some(arriving + j, left);
        vf tangent = load_some(bent + j, left) * (1 / 1.7159f);
        vf slope = (1.7159f * 2 / 3) * (1 - tangent * tangent);
        store_some(gstates + j, g, left);
        store_some(gkept + j, g, left);
        store_some(gbent + j, g * load_some(s->gain + i, left) * slope, left);
      }
    }
    times_packed(rows, hidden, memory, gbent, outer, false, gsums);
    for (size_t i = 0, count = rows * hidden; i < count; i += LANES) {
      vf x = load_some(sums + i, count - i), g = load_some(gsums + i, count - i);
      vf passed = s->silu ? g * silu_derivative_(x) : select_(x > 0, g, splat(0));
      store_some(gsums + i, passed, count - i);
    }
    times_packed(rows, memory, hidden, gsums, inner, true, gkept);
    keep_rows(rows, memory, s->keep, gkept, carried);
  }
  free_product(outer, memory, hidden);
  free_product(inner, hidden, memory);
}

static void leaky_memory_backward(const callosum_leaky_sequence *s, const float *arriving, float *gsums,
                                  float *gbent, float *gstates, float *gkept, float *gstart) {
  struct leaky_memory_job job = {.s = s, .arriving = arriving, .gsums = gsums, .gbent = gbent,
                                 .gstates = gstates, .gkept = gkept, .gstart = gstart};
  callosum_parallel(s->batch, leaky_memory_grain(s), leaky_memory_backward_rows, &job);
}
