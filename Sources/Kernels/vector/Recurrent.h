// The gates of GRU and LSTM for one step over [batch, hidden], forward and backward: everything
// between the matrix products, in one pass.

struct gates_job {
  size_t hidden;
  float *gates, *m, *next, *next_c, *gx, *gproduct, *gprevious, *gc;
  const float *product, *bias, *active, *kept, *h, *c, *gh;
};

static size_t gates_grain(size_t hidden) { return 2048 / (hidden + 1) + 1; }

static void gru_gates_rows(void *context, size_t begin, size_t end) {
  const struct gates_job *job = context;
  size_t hidden = job->hidden;
  const float *bias = job->bias;
  for (size_t row = begin; row < end; row++) {
    float *gates = job->gates + row * 3 * hidden;
    const float *product = job->product + row * 3 * hidden, *h = job->h + row * hidden;
    float *m = job->m + row * hidden, *next = job->next + row * hidden;
    for (size_t i = 0; i < hidden; i += LANES) {
      size_t left = hidden - i, j = i + hidden, k = j + hidden;
      vf r = sigmoid_(load_some(gates + i, left) + load_some(product + i, left) +
                      load_some(bias + i, left));
      vf z = sigmoid_(load_some(gates + j, left) + load_some(product + j, left) +
                      load_some(bias + j, left));
      vf inner = load_some(product + k, left) + load_some(bias + k, left);
      vf n = tanh_(fma_(r, inner, load_some(gates + k, left)));
      store_some(gates + i, r, left);
      store_some(gates + j, z, left);
      store_some(gates + k, n, left);
      store_some(m + i, inner, left);
      store_some(next + i, fma_(z, load_some(h + i, left) - n, n), left);
    }
  }
}

static void gru_gates(size_t batch, size_t hidden, float *gates, const float *product,
                      const float *bias, const float *h, float *m, float *next) {
  struct gates_job job = {.hidden = hidden, .gates = gates, .product = product, .bias = bias,
                          .h = h, .m = m, .next = next};
  callosum_parallel(batch, gates_grain(hidden), gru_gates_rows, &job);
}

static void gru_gates_backward_rows(void *context, size_t begin, size_t end) {
  const struct gates_job *job = context;
  size_t hidden = job->hidden;
  for (size_t row = begin; row < end; row++) {
    const float *gates = job->active + row * 3 * hidden, *m = job->kept + row * hidden;
    const float *h = job->h + row * hidden, *gh = job->gh + row * hidden;
    float *gx = job->gx + row * 3 * hidden, *gproduct = job->gproduct + row * 3 * hidden;
    float *gprevious = job->gprevious + row * hidden;
    for (size_t i = 0; i < hidden; i += LANES) {
      size_t left = hidden - i, j = i + hidden, k = j + hidden;
      vf r = load_some(gates + i, left), z = load_some(gates + j, left);
      vf n = load_some(gates + k, left), g = load_some(gh + i, left);
      vf gn = g * (1 - z) * (1 - n * n);
      vf gr = gn * load_some(m + i, left) * r * (1 - r);
      vf gz = g * (load_some(h + i, left) - n) * z * (1 - z);
      store_some(gx + i, gr, left);
      store_some(gx + j, gz, left);
      store_some(gx + k, gn, left);
      store_some(gproduct + i, gr, left);
      store_some(gproduct + j, gz, left);
      store_some(gproduct + k, gn * r, left);
      store_some(gprevious + i, g * z, left);
    }
  }
}

static void gru_gates_backward(size_t batch, size_t hidden, const float *gates, const float *m,
                               const float *h, const float *gh, float *gx, float *gproduct,
                               float *gprevious) {
  struct gates_job job = {.hidden = hidden, .active = gates, .kept = m, .h = h, .gh = gh, .gx = gx,
                          .gproduct = gproduct, .gprevious = gprevious};
  callosum_parallel(batch, gates_grain(hidden), gru_gates_backward_rows, &job);
}

INLINE vf biased(const float *gates, const float *bias, size_t i, size_t left) {
  vf x = load_some(gates + i, left);
  return bias ? x + load_some(bias + i, left) : x;
}

static void lstm_gates_rows(void *context, size_t begin, size_t end) {
  const struct gates_job *job = context;
  size_t hidden = job->hidden;
  for (size_t row = begin; row < end; row++) {
    float *gates = job->gates + row * 4 * hidden;
    const float *c = job->c + row * hidden;
    float *next_c = job->next_c + row * hidden, *next_h = job->next + row * hidden;
    for (size_t at = 0; at < hidden; at += LANES) {
      size_t left = hidden - at;
      vf i = sigmoid_(biased(gates, job->bias, at, left));
      vf f = sigmoid_(biased(gates, job->bias, at + hidden, left));
      vf g = tanh_(biased(gates, job->bias, at + 2 * hidden, left));
      vf o = sigmoid_(biased(gates, job->bias, at + 3 * hidden, left));
      vf cell = fma_(f, load_some(c + at, left), i * g);
      store_some(gates + at, i, left);
      store_some(gates + at + hidden, f, left);
      store_some(gates + at + 2 * hidden, g, left);
      store_some(gates + at + 3 * hidden, o, left);
      store_some(next_c + at, cell, left);
      store_some(next_h + at, o * tanh_(cell), left);
    }
  }
}

static void lstm_gates(size_t batch, size_t hidden, float *gates, const float *bias, const float *c,
                       float *next_c, float *next_h) {
  struct gates_job job = {.hidden = hidden, .gates = gates, .bias = bias, .c = c,
                          .next_c = next_c, .next = next_h};
  callosum_parallel(batch, gates_grain(hidden), lstm_gates_rows, &job);
}

static void lstm_gates_backward_rows(void *context, size_t begin, size_t end) {
  const struct gates_job *job = context;
  size_t hidden = job->hidden;
  for (size_t row = begin; row < end; row++) {
    const float *gates = job->active + row * 4 * hidden;
    const float *c = job->c + row * hidden, *next_c = job->kept + row * hidden;
    const float *gh = job->gh + row * hidden;
    float *gc = job->gc + row * hidden, *out = job->gx + row * 4 * hidden;
    for (size_t at = 0; at < hidden; at += LANES) {
      size_t left = hidden - at;
      vf i = load_some(gates + at, left), f = load_some(gates + at + hidden, left);
      vf g = load_some(gates + at + 2 * hidden, left), o = load_some(gates + at + 3 * hidden, left);
      vf bent = tanh_(load_some(next_c + at, left)), arriving = load_some(gh + at, left);
      vf cell = fma_(arriving * o, 1 - bent * bent, load_some(gc + at, left));
      store_some(out + at, cell * g * i * (1 - i), left);
      store_some(out + at + hidden, cell * load_some(c + at, left) * f * (1 - f), left);
      store_some(out + at + 2 * hidden, cell * i * (1 - g * g), left);
      store_some(out + at + 3 * hidden, arriving * bent * o * (1 - o), left);
      store_some(gc + at, cell * f, left);
    }
  }
}

static void lstm_gates_backward(size_t batch, size_t hidden, const float *gates, const float *c,
                                const float *next_c, const float *gh, float *gc, float *ggates) {
  struct gates_job job = {.hidden = hidden, .active = gates, .c = c, .kept = next_c, .gh = gh,
                          .gc = gc, .gx = ggates};
  callosum_parallel(batch, gates_grain(hidden), lstm_gates_backward_rows, &job);
}
