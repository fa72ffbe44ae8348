// B-splines over knots of equal distance. Every number lies in one interval, where degree + 1 of
// the basis functions are not 0; only those are computed, by de Boor's recursion, a vector of
// numbers at a time.

struct spline_job {
  const callosum_splines *s;
  const float *x, *gy;
  float *out;
};

enum { most_spline_degree = 7, no_spline_cell = -1000 };

// The place of x in intervals from `low`, held near the splines' reach. NaN stays.
INLINE vf spline_place(const callosum_splines *s, vf x) {
  const float reach = (float)(s->degree + 1), end = (float)s->intervals + reach;
  vf t = (x - s->low) * s->scale;
  return select_(t < -reach, splat(-reach), select_(t > end, splat(end), t));
}

// w[j] = the value of basis function cell + j at u after the beginning of its interval.
INLINE void spline_weights(const size_t degree, vf u, vf *w) {
  w[0] = splat(1);
  for (size_t p = 1; p <= degree; p++) {
    vf carried = splat(0);
    for (size_t j = 0; j < p; j++) {
      vf part = w[j] * (1 / (float)p);
      w[j] = fma_((float)(j + 1) - u, part, carried);
      carried = (u + (float)(p - 1 - j)) * part;
    }
    w[p] = carried;
  }
}

// The cell of each lane, or that there is none for NaN, and the place within it.
INLINE void spline_cells(vf t, vf *u, int32_t *cells) {
  vf floor = __builtin_elementwise_floor(t);
  *u = t - floor;
  vi cell = __builtin_convertvector(select_(t == t, floor, splat(no_spline_cell)), vi);
  memcpy(cells, &cell, sizeof cell);
}

INLINE void spline_values(const struct spline_job *job, const size_t degree, size_t begin,
                          size_t end) {
  const callosum_splines *s = job->s;
  const int32_t count = (int32_t)(s->intervals + degree);
  for (size_t at = begin; at < end; at += LANES) {
    size_t lanes = end - at < LANES ? end - at : LANES;
    vf u, w[most_spline_degree + 1];
    int32_t cells[LANES];
    spline_cells(spline_place(s, load_some(job->x + at, lanes)), &u, cells);
    spline_weights(degree, u, w);
    float weights[most_spline_degree + 1][LANES];
    for (size_t j = 0; j <= degree; j++) store(weights[j], w[j]);
    float *y = job->out + at * (size_t)count;
    memset(y, 0, lanes * (size_t)count * sizeof(float));
    for (size_t lane = 0; lane < lanes; lane++, y += count) {
      int32_t first = cells[lane];
      if (first >= 0 && first < (int32_t)s->intervals) {
        for (size_t j = 0; j <= degree; j++) y[first + (int32_t)j] = weights[j][lane];
      } else if (first == no_spline_cell) {
        for (int32_t j = 0; j < count; j++) y[j] = NAN;
      } else {
        for (int32_t j = 0; j <= (int32_t)degree; j++)
          if (first + j >= 0 && first + j < count) y[first + j] = weights[j][lane];
      }
    }
  }
}

// gx = sum over j of gy[cell + j] w'[j], with w'[j] = (v[j - 1] - v[j]) scale for the weights v of
// one degree less.
INLINE void spline_gradients(const struct spline_job *job, const size_t degree, size_t begin,
                             size_t end) {
  const callosum_splines *s = job->s;
  const int32_t count = (int32_t)(s->intervals + degree);
  for (size_t at = begin; at < end; at += LANES) {
    size_t lanes = end - at < LANES ? end - at : LANES;
    vf u, v[most_spline_degree + 1], sum = splat(0);
    float g[most_spline_degree + 1][LANES];
    int32_t cells[LANES];
    vf t = spline_place(s, load_some(job->x + at, lanes));
    spline_cells(t, &u, cells);
    const float *gy = job->gy + at * (size_t)count;
    memset(g, 0, (degree + 1) * sizeof g[0]);
    for (size_t lane = 0; lane < lanes; lane++, gy += count)
      for (int32_t j = 0, place = cells[lane]; j <= (int32_t)degree; j++, place++)
        if (place >= 0 && place < count) g[j][lane] = gy[place];
    if (degree > 0) {
      spline_weights(degree - 1, u, v);
      for (size_t j = 0; j < degree; j++) sum = fma_(v[j], load(g[j + 1]) - load(g[j]), sum);
    }
    store_some(job->out + at, select_(t == t, sum * s->scale, t), lanes);
  }
}

// The usual degrees as constants, so that the weights stay in registers.
#define SPLINE_RANGE(name, function)                                       \
  static void name(void *context, size_t begin, size_t end) {              \
    const struct spline_job *job = context;                                \
    switch (job->s->degree) {                                              \
      case 1: function(job, 1, begin, end); break;                         \
      case 2: function(job, 2, begin, end); break;                         \
      case 3: function(job, 3, begin, end); break;                         \
      default: function(job, job->s->degree, begin, end);                  \
    }                                                                      \
  }
SPLINE_RANGE(spline_value_range, spline_values)
SPLINE_RANGE(spline_gradient_range, spline_gradients)
#undef SPLINE_RANGE

static void bspline_basis(const callosum_splines *s, size_t n, const float *x, float *y) {
  struct spline_job job = {.s = s, .x = x, .out = y};
  callosum_parallel(n, 4096, spline_value_range, &job);
}

static void bspline_basis_backward(const callosum_splines *s, size_t n, const float *x,
                                   const float *gy, float *gx) {
  struct spline_job job = {.s = s, .x = x, .gy = gy, .out = gx};
  callosum_parallel(n, 4096, spline_gradient_range, &job);
}
