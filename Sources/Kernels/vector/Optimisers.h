// Optimiser steps: one pass over parameter, gradient and moments.

struct adam_job {
  float *x, *m, *v;
  const float *g;
  float rate, beta1, beta2, inverse_root, epsilon, l2, decay;
};

static void adam_range(void *context, size_t begin, size_t end) {
  const struct adam_job *job = context;
  float keep1 = 1 - job->beta1, keep2 = 1 - job->beta2, shrink = 1 - job->decay;
  for (size_t i = begin; i < end; i += LANES) {
    size_t left = end - i;
    vf x = load_some(job->x + i, left);
    vf g = fma_(x, splat(job->l2), load_some(job->g + i, left));
    vf m = fma_(load_some(job->m + i, left), splat(job->beta1), g * keep1);
    vf v = fma_(load_some(job->v + i, left), splat(job->beta2), g * g * keep2);
    store_some(job->m + i, m, left);
    store_some(job->v + i, v, left);
    vf denominator = fma_(sqrt_(v), splat(job->inverse_root), splat(job->epsilon));
    store_some(job->x + i, x * shrink - m * job->rate / denominator, left);
  }
}

static void adam(float *x, const float *g, float *m, float *v, size_t n, float rate, float beta1,
                 float beta2, float inverse_root, float epsilon, float l2, float decay) {
  struct adam_job job = {x, m, v, g, rate, beta1, beta2, inverse_root, epsilon, l2, decay};
  callosum_parallel(n, 16384, adam_range, &job);
}

struct sgd_job {
  float *x, *v;
  const float *g;
  float rate, momentum, l2;
  bool nesterov;
};

static void sgd_range(void *context, size_t begin, size_t end) {
  const struct sgd_job *job = context;
  vf momentum = splat(job->momentum);
  for (size_t i = begin; i < end; i += LANES) {
    size_t left = end - i;
    vf x = load_some(job->x + i, left);
    vf step = fma_(x, splat(job->l2), load_some(job->g + i, left));
    if (job->v) {
      vf v = fma_(load_some(job->v + i, left), momentum, step);
      store_some(job->v + i, v, left);
      step = job->nesterov ? fma_(v, momentum, step) : v;
    }
    store_some(job->x + i, x - step * job->rate, left);
  }
}

static void sgd(float *x, const float *g, float *v, size_t n, float rate, float momentum,
                bool nesterov, float l2) {
  struct sgd_job job = {x, v, g, rate, momentum, l2, nesterov};
  callosum_parallel(n, 16384, sgd_range, &job);
}

struct rmsprop_job {
  float *x, *v, *m, *b;
  const float *g;
  float rate, alpha, epsilon, momentum, l2;
};

static void rmsprop_range(void *context, size_t begin, size_t end) {
  const struct rmsprop_job *job = context;
  vf alpha = splat(job->alpha);
  float keep = 1 - job->alpha;
  for (size_t i = begin; i < end; i += LANES) {
    size_t left = end - i;
    vf x = load_some(job->x + i, left);
    vf g = fma_(x, splat(job->l2), load_some(job->g + i, left));
    vf v = fma_(load_some(job->v + i, left), alpha, g * g * keep);
    store_some(job->v + i, v, left);
    if (job->m) {
      vf m = fma_(load_some(job->m + i, left), alpha, g * keep);
      store_some(job->m + i, m, left);
      v = max_(v - m * m, splat(0));  // Rounding must not make a variance negative.
    }
    vf step = g / (sqrt_(v) + job->epsilon);
    if (job->b) {
      step = fma_(load_some(job->b + i, left), splat(job->momentum), step);
      store_some(job->b + i, step, left);
    }
    store_some(job->x + i, x - step * job->rate, left);
  }
}

static void rmsprop(float *x, const float *g, float *v, float *m, float *b, size_t n, float rate,
                    float alpha, float epsilon, float momentum, float l2) {
  struct rmsprop_job job = {x, v, m, b, g, rate, alpha, epsilon, momentum, l2};
  callosum_parallel(n, 16384, rmsprop_range, &job);
}

// 1, -1, 0 or NaN.
INLINE vf direction_(vf x) { return select_(x > 0, splat(1), select_(x < 0, splat(-1), x)); }

struct lion_job {
  float *x, *m;
  const float *g;
  float rate, beta1, beta2, decay;
};

static void lion_range(void *context, size_t begin, size_t end) {
  const struct lion_job *job = context;
  float keep1 = 1 - job->beta1, keep2 = 1 - job->beta2, shrink = 1 - job->decay;
  for (size_t i = begin; i < end; i += LANES) {
    size_t left = end - i;
    vf g = load_some(job->g + i, left), m = load_some(job->m + i, left);
    vf step = direction_(fma_(m, splat(job->beta1), g * keep1));
    store_some(job->m + i, fma_(m, splat(job->beta2), g * keep2), left);
    store_some(job->x + i, load_some(job->x + i, left) * shrink - step * job->rate, left);
  }
}

static void lion(float *x, const float *g, float *m, size_t n, float rate, float beta1, float beta2,
                 float decay) {
  struct lion_job job = {x, m, g, rate, beta1, beta2, decay};
  callosum_parallel(n, 16384, lion_range, &job);
}

struct rprop_job {
  float *x, *previous, *size;
  const float *g;
  float factor, shrink, grow, smallest, largest;
};

static void rprop_range(void *context, size_t begin, size_t end) {
  const struct rprop_job *job = context;
  for (size_t i = begin; i < end; i += LANES) {
    size_t left = end - i;
    vf g = load_some(job->g + i, left);
    // Signs, because the product of two small gradients could become 0.
    vf agreement = direction_(g) * direction_(load_some(job->previous + i, left));
    vf change = select_(agreement > 0, splat(job->grow),
                        select_(agreement < 0, splat(job->shrink), splat(1)));
    vf size = load_some(job->size + i, left) * change;
    size = min_(max_(size, splat(job->smallest)), splat(job->largest));
    g = select_(agreement < 0, splat(0), g);
    store_some(job->size + i, size, left);
    store_some(job->previous + i, g, left);
    vf x = load_some(job->x + i, left);
    store_some(job->x + i, x - direction_(g) * size * job->factor, left);
  }
}

static void rprop(float *x, const float *g, float *previous, float *size, size_t n, float factor,
                  float shrink, float grow, float smallest, float largest) {
  struct rprop_job job = {x, previous, size, g, factor, shrink, grow, smallest, largest};
  callosum_parallel(n, 16384, rprop_range, &job);
}

struct average_job {
  float *average;
  const float *x;
  float weight;
};

static void average_range(void *context, size_t begin, size_t end) {
  const struct average_job *job = context;
  for (size_t i = begin; i < end; i += LANES) {
    size_t left = end - i;
    vf average = load_some(job->average + i, left);
    vf distance = load_some(job->x + i, left) - average;
    store_some(job->average + i, fma_(distance, splat(job->weight), average), left);
  }
}

static void move_average(float *average, const float *x, size_t n, float weight) {
  struct average_job job = {average, x, weight};
  callosum_parallel(n, 16384, average_range, &job);
}
