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
