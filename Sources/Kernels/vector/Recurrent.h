// Elman networks, GRU and LSTM over whole sequences, step by step, where the rows still under way
// come first. Rows of the batch do not meet, so a thread takes its rows through all of time without
// waiting for the others; the recurrent weights are packed once, and between two products one pass
// over the gates does the rest.

struct recurrent_job {
  const callosum_sequence *s;
  const float *bias, *start_c, *arriving;
  float *inner, *cells, *gx, *gproduct, *gstart, *gcell;
};

/// What a thread that has the rows begin..<end takes at a step: `rows` rows from `at` on, counted
/// over all steps; none once its longest row is over.
struct step {
  size_t at, rows;
};
INLINE struct step step_at(const callosum_sequence *s, size_t t, size_t begin, size_t end) {
  size_t active = s->first[t + 1] - s->first[t], last = active < end ? active : end;
  return (struct step){s->first[t] + begin, last > begin ? last - begin : 0};
}
/// The state before step t for the rows from `row` on.
INLINE const float *state_before(const callosum_sequence *s, size_t t, size_t row, const float *all,
                                 const float *start) {
  if (t == 0) return start + row * s->hidden;
  return all + (s->first[t - 1] + row) * s->hidden;
}

// MARK: Sharing out rows

struct row_sharing {
  const callosum_sequence *s;
  size_t parts;
  void (*rows)(void *, size_t, size_t);
  void *job;
};

// The first row of a part. Each part has about as many steps to take, so with different lengths not
// as many rows.
static size_t first_row(const callosum_sequence *s, size_t part, size_t parts) {
  if (part == parts) return s->batch;
  size_t all = s->first[s->time], steps = 0, length = s->time, row = 0;
  for (; row < s->batch && steps * parts < all * part; row++, steps += length)
    while (length > 0 && s->first[length] - s->first[length - 1] <= row) length--;
  return row;
}

static void share_parts(void *context, size_t begin, size_t end) {
  const struct row_sharing *sharing = context;
  for (size_t part = begin; part < end; part++) {
    size_t row = first_row(sharing->s, part, sharing->parts);
    size_t next = first_row(sharing->s, part + 1, sharing->parts);
    if (row < next) sharing->rows(sharing->job, row, next);
  }
}

static void share_rows(const callosum_sequence *s, size_t gates,
                       void (*rows)(void *, size_t, size_t), struct recurrent_job *job) {
  size_t grain = 100000 / (s->time * s->hidden * s->hidden * gates + 1) + 1;
  struct row_sharing sharing = {s, callosum_part_count(s->batch, grain), rows, job};
  callosum_parallel(sharing.parts, 1, share_parts, &sharing);
}

// MARK: Products

// The recurrent weights [gates hidden, hidden] in panels: transposed on the way from state to gates,
// as they are on the way back.
static float *packed_weights(const callosum_sequence *s, size_t gates, bool transposed) {
  size_t hidden = s->hidden, wide = gates * hidden;
  size_t k = transposed ? hidden : wide, n = transposed ? wide : hidden;
  float *packed = scratch(k * round_up(n, panel_columns));
  pack_panels(s->weight, transposed ? 1 : (ptrdiff_t)hidden, transposed ? (ptrdiff_t)hidden : 1, k, n,
              1, packed);
  return packed;
}
static void free_packed(const callosum_sequence *s, size_t gates, bool transposed, float *packed) {
  size_t hidden = s->hidden, wide = gates * hidden;
  size_t k = transposed ? hidden : wide, n = transposed ? wide : hidden;
  callosum_free(packed, k * round_up(n, panel_columns) * sizeof(float));
}
// c [rows, n] (+)= a [rows, k] times the packed weights.
static void times_packed(size_t rows, size_t n, size_t k, const float *a, const float *packed,
                         bool add, float *c) {
  product_job job = {rows, n, k, a, (ptrdiff_t)k, 1, packed, panel_columns, c, n, add, false};
  product(&job, k * panel_columns);
}

INLINE void add_rows(size_t count, const float *x, float *y) {
  for (size_t i = 0; i < count; i += LANES)
    store_some(y + i, load_some(y + i, count - i) + load_some(x + i, count - i), count - i);
}

// MARK: Elman network

// `states` holds W x and both biases, and is replaced by what the activation makes of it and U h.
static void rnn_rows(void *context, size_t begin, size_t end) {
  const callosum_sequence *s = ((const struct recurrent_job *)context)->s;
  size_t hidden = s->hidden;
  float *packed = packed_weights(s, 1, true);
  for (size_t t = 0; t < s->time; t++) {
    const struct step step = step_at(s, t, begin, end);
    if (step.rows == 0) break;
    float *h = s->states + step.at * hidden;
    times_packed(step.rows, hidden, hidden, state_before(s, t, begin, s->states, s->start), packed,
                 true, h);
    for (size_t i = 0, count = step.rows * hidden; i < count; i += LANES) {
      vf x = load_some(h + i, count - i);
      store_some(h + i, s->relu ? select_(x < 0, splat(0), x) : tanh_(x), count - i);
    }
  }
  free_packed(s, 1, true, packed);
}

static void rnn(const callosum_sequence *s) {
  struct recurrent_job job = {.s = s};
  share_rows(s, 1, rnn_rows, &job);
}

static void rnn_backward_rows(void *context, size_t begin, size_t end) {
  const struct recurrent_job *job = context;
  const callosum_sequence *s = job->s;
  size_t hidden = s->hidden;
  float *packed = packed_weights(s, 1, false), *gh = job->gstart + begin * hidden;
  memset(gh, 0, (end - begin) * hidden * sizeof(float));
  for (size_t t = s->time; t-- > 0;) {
    const struct step step = step_at(s, t, begin, end);
    if (step.rows == 0) continue;
    const float *h = s->states + step.at * hidden, *arriving = job->arriving + step.at * hidden;
    float *gx = job->gx + step.at * hidden;
    for (size_t i = 0, count = step.rows * hidden; i < count; i += LANES) {
      vf state = load_some(h + i, count - i);
      vf g = load_some(gh + i, count - i) + load_some(arriving + i, count - i);
      store_some(gx + i, s->relu ? select_(state > 0, g, splat(0)) : g * (1 - state * state),
                 count - i);
    }
    times_packed(step.rows, hidden, hidden, gx, packed, false, gh);
  }
  free_packed(s, 1, false, packed);
}

static void rnn_backward(const callosum_sequence *s, const float *gstates, float *gsums,
                         float *gstart) {
  struct recurrent_job job = {.s = s, .arriving = gstates, .gx = gsums, .gstart = gstart};
  share_rows(s, 1, rnn_backward_rows, &job);
}

// MARK: GRU

static void gru_gates(size_t rows, size_t hidden, float *gates, const float *product,
                      const float *bias, const float *h, float *inner, float *next) {
  for (size_t row = 0; row < rows; row++) {
    for (size_t i = 0; i < hidden; i += LANES) {
      size_t left = hidden - i, j = i + hidden, k = j + hidden;
      vf r = sigmoid_(load_some(gates + i, left) + load_some(product + i, left) +
                      load_some(bias + i, left));
      vf z = sigmoid_(load_some(gates + j, left) + load_some(product + j, left) +
                      load_some(bias + j, left));
      vf m = load_some(product + k, left) + load_some(bias + k, left);
      vf n = tanh_(fma_(r, m, load_some(gates + k, left)));
      store_some(gates + i, r, left);
      store_some(gates + j, z, left);
      store_some(gates + k, n, left);
      store_some(inner + i, m, left);
      store_some(next + i, fma_(z, load_some(h + i, left) - n, n), left);
    }
    gates += 3 * hidden, product += 3 * hidden;
    h += hidden, inner += hidden, next += hidden;
  }
}

static void gru_rows(void *context, size_t begin, size_t end) {
  const struct recurrent_job *job = context;
  const callosum_sequence *s = job->s;
  size_t hidden = s->hidden, wide = 3 * hidden, all = end - begin;
  float *packed = packed_weights(s, 3, true), *sums = scratch(all * wide);
  for (size_t t = 0; t < s->time; t++) {
    const struct step step = step_at(s, t, begin, end);
    const size_t at = step.at, rows = step.rows;
    if (rows == 0) break;
    const float *h = state_before(s, t, begin, s->states, s->start);
    times_packed(rows, wide, hidden, h, packed, false, sums);
    gru_gates(rows, hidden, s->gates + at * wide, sums, job->bias, h, job->inner + at * hidden,
              s->states + at * hidden);
  }
  callosum_free(sums, all * wide * sizeof(float));
  free_packed(s, 3, true, packed);
}

static void gru(const callosum_sequence *s, const float *bias, float *inner) {
  struct recurrent_job job = {.s = s, .bias = bias, .inner = inner};
  share_rows(s, 3, gru_rows, &job);
}

// gh holds the gradient of h' and is replaced by the part of that of h that passes no product.
static void gru_gates_backward(size_t rows, size_t hidden, const float *gates, const float *inner,
                               const float *h, float *gh, float *gx, float *gproduct) {
  for (size_t row = 0; row < rows; row++) {
    for (size_t i = 0; i < hidden; i += LANES) {
      size_t left = hidden - i, j = i + hidden, k = j + hidden;
      vf r = load_some(gates + i, left), z = load_some(gates + j, left);
      vf n = load_some(gates + k, left), g = load_some(gh + i, left);
      vf gn = g * (1 - z) * (1 - n * n);
      vf gr = gn * load_some(inner + i, left) * r * (1 - r);
      vf gz = g * (load_some(h + i, left) - n) * z * (1 - z);
      store_some(gx + i, gr, left);
      store_some(gx + j, gz, left);
      store_some(gx + k, gn, left);
      store_some(gproduct + i, gr, left);
      store_some(gproduct + j, gz, left);
      store_some(gproduct + k, gn * r, left);
      store_some(gh + i, g * z, left);
    }
    gates += 3 * hidden, gx += 3 * hidden, gproduct += 3 * hidden;
    inner += hidden, h += hidden, gh += hidden;
  }
}

static void gru_backward_rows(void *context, size_t begin, size_t end) {
  const struct recurrent_job *job = context;
  const callosum_sequence *s = job->s;
  size_t hidden = s->hidden, wide = 3 * hidden;
  float *packed = packed_weights(s, 3, false), *gh = job->gstart + begin * hidden;
  memset(gh, 0, (end - begin) * hidden * sizeof(float));
  for (size_t t = s->time; t-- > 0;) {
    const struct step step = step_at(s, t, begin, end);
    const size_t at = step.at, rows = step.rows;
    if (rows == 0) continue;
    const float *h = state_before(s, t, begin, s->states, s->start);
    add_rows(rows * hidden, job->arriving + at * hidden, gh);
    gru_gates_backward(rows, hidden, s->gates + at * wide, job->inner + at * hidden, h, gh,
                       job->gx + at * wide, job->gproduct + at * wide);
    times_packed(rows, hidden, wide, job->gproduct + at * wide, packed, true, gh);
  }
  free_packed(s, 3, false, packed);
}

static void gru_backward(const callosum_sequence *s, const float *inner, const float *gstates,
                         float *gx, float *gproduct, float *gstart) {
  struct recurrent_job job = {.s = s, .inner = (float *)inner, .arriving = gstates, .gx = gx,
                              .gproduct = gproduct, .gstart = gstart};
  share_rows(s, 3, gru_backward_rows, &job);
}

// MARK: LSTM

static void lstm_gates(size_t rows, size_t hidden, float *gates, const float *c, float *next_c,
                       float *next_h) {
  for (size_t row = 0; row < rows; row++) {
    for (size_t at = 0; at < hidden; at += LANES) {
      size_t left = hidden - at;
      vf i = sigmoid_(load_some(gates + at, left));
      vf f = sigmoid_(load_some(gates + at + hidden, left));
      vf g = tanh_(load_some(gates + at + 2 * hidden, left));
      vf o = sigmoid_(load_some(gates + at + 3 * hidden, left));
      vf cell = fma_(f, load_some(c + at, left), i * g);
      store_some(gates + at, i, left);
      store_some(gates + at + hidden, f, left);
      store_some(gates + at + 2 * hidden, g, left);
      store_some(gates + at + 3 * hidden, o, left);
      store_some(next_c + at, cell, left);
      store_some(next_h + at, o * tanh_(cell), left);
    }
    gates += 4 * hidden;
    c += hidden, next_c += hidden, next_h += hidden;
  }
}

static void lstm_rows(void *context, size_t begin, size_t end) {
  const struct recurrent_job *job = context;
  const callosum_sequence *s = job->s;
  size_t hidden = s->hidden, wide = 4 * hidden;
  float *packed = packed_weights(s, 4, true);
  for (size_t t = 0; t < s->time; t++) {
    const struct step step = step_at(s, t, begin, end);
    const size_t at = step.at, rows = step.rows;
    if (rows == 0) break;
    times_packed(rows, wide, hidden, state_before(s, t, begin, s->states, s->start), packed,
                 true, s->gates + at * wide);
    lstm_gates(rows, hidden, s->gates + at * wide,
               state_before(s, t, begin, job->cells, job->start_c),
               job->cells + at * hidden, s->states + at * hidden);
  }
  free_packed(s, 4, true, packed);
}

static void lstm(const callosum_sequence *s, const float *start_c, float *cells) {
  struct recurrent_job job = {.s = s, .start_c = start_c, .cells = cells};
  share_rows(s, 4, lstm_rows, &job);
}

// gc holds the gradient of c' and is replaced by that of c.
static void lstm_gates_backward(size_t rows, size_t hidden, const float *gates, const float *c,
                                const float *next_c, const float *gh, float *gc, float *ggates) {
  for (size_t row = 0; row < rows; row++) {
    for (size_t at = 0; at < hidden; at += LANES) {
      size_t left = hidden - at;
      vf i = load_some(gates + at, left), f = load_some(gates + at + hidden, left);
      vf g = load_some(gates + at + 2 * hidden, left), o = load_some(gates + at + 3 * hidden, left);
      vf bent = tanh_(load_some(next_c + at, left)), arriving = load_some(gh + at, left);
      vf cell = fma_(arriving * o, 1 - bent * bent, load_some(gc + at, left));
      store_some(ggates + at, cell * g * i * (1 - i), left);
      store_some(ggates + at + hidden, cell * load_some(c + at, left) * f * (1 - f), left);
      store_some(ggates + at + 2 * hidden, cell * i * (1 - g * g), left);
      store_some(ggates + at + 3 * hidden, arriving * bent * o * (1 - o), left);
      store_some(gc + at, cell * f, left);
    }
    gates += 4 * hidden, ggates += 4 * hidden;
    c += hidden, next_c += hidden, gh += hidden, gc += hidden;
  }
}

static void lstm_backward_rows(void *context, size_t begin, size_t end) {
  const struct recurrent_job *job = context;
  const callosum_sequence *s = job->s;
  size_t hidden = s->hidden, wide = 4 * hidden;
  float *packed = packed_weights(s, 4, false), *gh = job->gstart + begin * hidden;
  memset(gh, 0, (end - begin) * hidden * sizeof(float));
  for (size_t t = s->time; t-- > 0;) {
    const struct step step = step_at(s, t, begin, end);
    const size_t at = step.at, rows = step.rows;
    if (rows == 0) continue;
    if (job->arriving) add_rows(rows * hidden, job->arriving + at * hidden, gh);
    lstm_gates_backward(rows, hidden, s->gates + at * wide,
                        state_before(s, t, begin, job->cells, job->start_c),
                        job->cells + at * hidden, gh, job->gcell + begin * hidden,
                        job->gx + at * wide);
    times_packed(rows, hidden, wide, job->gx + at * wide, packed, false, gh);
  }
  free_packed(s, 4, false, packed);
}

static void lstm_backward(const callosum_sequence *s, const float *start_c, const float *cells,
                          const float *gstates, float *gcell, float *ggates, float *gstart) {
  struct recurrent_job job = {.s = s, .start_c = start_c, .cells = (float *)cells,
                              .arriving = gstates, .gcell = gcell, .gx = ggates, .gstart = gstart};
  share_rows(s, 4, lstm_backward_rows, &job);
}
