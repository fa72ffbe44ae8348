// Convolution of each channel with weights of its own, by Fourier transforms. Because the weights are
// real, two rows of the batch travel as real and imaginary part and need no taking apart.

struct convolution_run {
  const callosum_fourier_convolution_job *job;
  const struct fourier_plan *plan;
  const float *u, *w, *gy;
  float *y, *gu, *gw;
};

/// A spectrum of n numbers.
struct spectrum {
  float *re, *im;
};

/// y = scale a, into a place of its own.
static void keep(struct spectrum y, const struct planes_float *a, float scale, size_t n) {
  for (size_t k = 0; k < n; k++) y.re[k] = a->re[k] * scale;
  for (size_t k = 0; k < n; k++) y.im[k] = a->im[k] * scale;
}

/// a = a conj(b)
static void multiply_conjugate(struct planes_float *a, struct spectrum b, size_t n) {
  float *restrict re = a->re, *restrict im = a->im;
  const float *restrict b_re = b.re, *restrict b_im = b.im;
  for (size_t k = 0; k < n; k++) {
    float p = re[k], q = im[k];
    re[k] = p * b_re[k] + q * b_im[k];
    im[k] = q * b_re[k] - p * b_im[k];
  }
}

/// y += conj(a) b
static void add_correlation(struct spectrum y, const struct planes_float *a, struct spectrum b, size_t n) {
  float *restrict re = y.re, *restrict im = y.im;
  const float *restrict a_re = a->re, *restrict a_im = a->im, *restrict b_re = b.re, *restrict b_im = b.im;
  for (size_t k = 0; k < n; k++) {
    re[k] += a_re[k] * b_re[k] + a_im[k] * b_im[k];
    im[k] += a_re[k] * b_im[k] - a_im[k] * b_re[k];
  }
}

static void fill_row(float *plane, const float *row, size_t count, size_t n) {
  if (row) memcpy(plane, row, count * sizeof(float));
  if (!row) count = 0;
  memset(plane + count, 0, (n - count) * sizeof(float));
}

/// The spectrum of a + i b, rows of `count` numbers; b may be NULL.
static void pair_spectrum(const struct fourier_plan *plan, struct planes_float *x, const float *a,
                          const float *b, size_t count) {
  fill_row(x->re, a, count, plan->n);
  fill_row(x->im, b, count, plan->n);
  transform_row_float(plan, x);
}

/// The first `count` numbers of both rows of a spectrum; b may be NULL.
static void pair_back(const struct fourier_plan *plan, struct planes_float *x, float *a, float *b,
                      size_t count) {
  swap_parts_float(x);
  transform_row_float(plan, x);
  swap_parts_float(x);
  memcpy(a, x->re, count * sizeof(float));
  if (b) memcpy(b, x->im, count * sizeof(float));
}

static void convolve_channels(void *context, size_t begin, size_t end) {
  const struct convolution_run *run = context;
  const callosum_fourier_convolution_job *job = run->job;
  const struct fourier_plan *plan = run->plan;
  struct planes_float x;
  size_t n = job->n, bytes, more = 2 * n * sizeof(float);
  float *block = make_planes_float(plan, &x, &bytes);
  float *extra = callosum_allocate_or_stop(more, "a convolution by Fourier transforms");
  struct spectrum w = {extra, extra + n};
  for (size_t channel = begin; channel < end; channel++) {
    pair_spectrum(plan, &x, run->w + channel * job->kernel, NULL, job->kernel);
    keep(w, &x, 1 / (float)n, n);
    for (size_t row = 0; row < job->batch; row += 2) {
      bool two = row + 1 < job->batch;
      size_t a = row * job->channels + channel, b = a + job->channels;
      pair_spectrum(plan, &x, run->u + a * job->length, two ? run->u + b * job->length : NULL, job->length);
      multiply_float(n, x.re, x.im, w.re, w.im);
      pair_back(plan, &x, run->y + a * job->outputs, two ? run->y + b * job->outputs : NULL, job->outputs);
    }
  }
  callosum_free(block, bytes);
  callosum_free(extra, more);
}

static void convolve_channels_backward(void *context, size_t begin, size_t end) {
  const struct convolution_run *run = context;
  const callosum_fourier_convolution_job *job = run->job;
  const struct fourier_plan *plan = run->plan;
  struct planes_float x;
  size_t n = job->n, bytes, more = 6 * n * sizeof(float);
  float *block = make_planes_float(plan, &x, &bytes);
  float *extra = callosum_allocate_or_stop(more, "a convolution by Fourier transforms");
  struct spectrum w = {extra, extra + n}, g = {extra + 2 * n, extra + 3 * n};
  struct spectrum sum = {extra + 4 * n, extra + 5 * n};
  for (size_t channel = begin; channel < end; channel++) {
    if (run->gu) {
      pair_spectrum(plan, &x, run->w + channel * job->kernel, NULL, job->kernel);
      keep(w, &x, 1 / (float)n, n);
    }
    memset(sum.re, 0, n * sizeof(float));
    memset(sum.im, 0, n * sizeof(float));
    for (size_t row = 0; row < job->batch; row += 2) {
      bool two = row + 1 < job->batch;
      size_t a = row * job->channels + channel, b = a + job->channels;
      pair_spectrum(plan, &x, run->gy + a * job->outputs, two ? run->gy + b * job->outputs : NULL,
                    job->outputs);
      if (run->gw) keep(g, &x, 1 / (float)n, n);
      if (run->gu) {
        multiply_conjugate(&x, w, n);
        pair_back(plan, &x, run->gu + a * job->length, two ? run->gu + b * job->length : NULL, job->length);
      }
      if (run->gw) {
        pair_spectrum(plan, &x, run->u + a * job->length, two ? run->u + b * job->length : NULL,
                      job->length);
        add_correlation(sum, &x, g, n);
      }
    }
    if (run->gw) {
      memcpy(x.re, sum.re, n * sizeof(float));
      memcpy(x.im, sum.im, n * sizeof(float));
      pair_back(plan, &x, run->gw + channel * job->kernel, NULL, job->kernel);
    }
  }
  callosum_free(block, bytes);
  callosum_free(extra, more);
}

static void convolve(struct convolution_run run, void (*body)(void *, size_t, size_t)) {
  run.plan = callosum_fourier_plan(callosum_float, run.job->n);
  if (!run.plan)
    callosum_out_of_memory("the plan of a Fourier transform", run.job->n * sizeof(float));
  callosum_parallel(run.job->channels, 1 + 16384 / (run.job->n * run.job->batch), body, &run);
  callosum_fourier_release(run.plan);
}

static void fourier_convolution(const callosum_fourier_convolution_job *job, const float *u, const float *w,
                                float *y) {
  convolve((struct convolution_run){.job = job, .u = u, .w = w, .y = y}, convolve_channels);
}

static void fourier_convolution_backward(const callosum_fourier_convolution_job *job, const float *u,
                                         const float *w, const float *gy, float *gu, float *gw) {
  convolve((struct convolution_run){.job = job, .u = u, .w = w, .gy = gy, .gu = gu, .gw = gw},
           convolve_channels_backward);
}
