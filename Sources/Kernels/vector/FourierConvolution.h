// Convolution of each channel with weights of its own, by Fourier transforms, every row by itself: n real
// numbers travel as m = n / 2 complex ones (see FourierTransform.h). The product of spectra, taken apart
// and joined again, is Z'[k] = a[k] Z[k] + b[k] conj Z[m-k]; with S = Z + conj Z' and T = (Z - conj Z') t / i
// of the weights, Z' being that at m - k and t = c + i s = exp(-2 pi i k / n), a = S + s T and b = i c T.

struct convolution_run {
  const callosum_fourier_convolution_job *job;
  const struct fourier_plan *plan;
  const float *u, *w, *gy;
  float *y, *gu, *gw;
};

/// Numbers of m frequencies.
struct spectrum {
  float *re, *im;
};

/// The spectrum Z of a row of `count` numbers, filled up with 0.
static void row_spectrum(const struct fourier_plan *plan, struct planes_float *x, const float *row,
                         size_t count) {
  size_t pairs = count / 2, filled = (count + 1) / 2;
  separate_float(pairs, row, x->re, x->im);
  if (filled > pairs) x->re[pairs] = row[count - 1], x->im[pairs] = 0;
  memset(x->re + filled, 0, (plan->n - filled) * sizeof(float));
  memset(x->im + filled, 0, (plan->n - filled) * sizeof(float));
  transform_row_float(plan, x);
}

/// The first `count` numbers of the row whose spectrum is Z, times n.
static void row_back(const struct fourier_plan *plan, struct planes_float *x, float *row, size_t count) {
  swap_parts_float(x);
  transform_row_float(plan, x);
  swap_parts_float(x);
  join_float(count / 2, x->re, x->im, 1, row);
  if (count % 2) row[count - 1] = x->re[count / 2];
}

/// a and b of weights with the spectrum Z, times `scale`; with sign -1 those of its conjugate.
static void weight_factors(const struct fourier_plan *plan, const struct planes_float *z, float scale,
                           float sign, struct spectrum a, struct spectrum b) {
  size_t m = plan->n;
  float turned = scale * sign;
  const float *restrict c = plan->half_re, *restrict s = plan->half_im;
  const float *restrict re = z->re, *restrict im = z->im;
  float *restrict a_re = a.re, *restrict a_im = a.im, *restrict b_re = b.re, *restrict b_im = b.im;
  for (size_t k = 1; k < m; k++) {
    float odd_re = im[k] + im[m - k], odd_im = re[m - k] - re[k];
    float t_re = c[k] * odd_re - s[k] * odd_im, t_im = c[k] * odd_im + s[k] * odd_re;
    a_re[k] = (re[k] + re[m - k] + s[k] * t_re) * scale;
    a_im[k] = (im[k] - im[m - k] + s[k] * t_im) * turned;
    b_re[k] = -c[k] * t_im * turned;
    b_im[k] = c[k] * t_re * scale;
  }
  a_re[0] = 2 * re[0] * scale, b_im[0] = 2 * im[0] * scale;
  a_im[0] = b_re[0] = 0;
}

/// Z[k] = a[k] Z[k] + b[k] conj Z[m-k]
static void multiply_spectrum(struct planes_float *z, struct spectrum a, struct spectrum b, size_t m) {
  const float *restrict re = z->re, *restrict im = z->im;
  const float *restrict a_re = a.re, *restrict a_im = a.im, *restrict b_re = b.re, *restrict b_im = b.im;
  float *restrict to_re = z->other_re, *restrict to_im = z->other_im;
  for (size_t k = 1; k < m; k++) {
    float p = re[m - k], q = im[m - k];
    to_re[k] = a_re[k] * re[k] - a_im[k] * im[k] + b_re[k] * p + b_im[k] * q;
    to_im[k] = a_re[k] * im[k] + a_im[k] * re[k] + b_im[k] * p - b_re[k] * q;
  }
  to_re[0] = (a_re[0] + b_re[0]) * re[0] + (b_im[0] - a_im[0]) * im[0];
  to_im[0] = (a_re[0] - b_re[0]) * im[0] + (b_im[0] + a_im[0]) * re[0];
  exchange_float(z);
}

/// a[k] += conj(U[k]) G[k], b[k] += conj(U[k] G[m-k])
static void add_correlation(struct spectrum a, struct spectrum b, const struct planes_float *u,
                            struct spectrum g, size_t m) {
  float *restrict a_re = a.re, *restrict a_im = a.im, *restrict b_re = b.re, *restrict b_im = b.im;
  const float *restrict re = u->re, *restrict im = u->im, *restrict g_re = g.re, *restrict g_im = g.im;
  for (size_t k = 1; k < m; k++) {
    float p = g_re[m - k], q = g_im[m - k];
    a_re[k] += re[k] * g_re[k] + im[k] * g_im[k];
    a_im[k] += re[k] * g_im[k] - im[k] * g_re[k];
    b_re[k] += re[k] * p - im[k] * q;
    b_im[k] -= re[k] * q + im[k] * p;
  }
  a_re[0] += re[0] * g_re[0] + im[0] * g_im[0];
  a_im[0] += re[0] * g_im[0] - im[0] * g_re[0];
  b_re[0] += re[0] * g_re[0] - im[0] * g_im[0];
  b_im[0] -= re[0] * g_im[0] + im[0] * g_re[0];
}

/// The spectrum Z of the correlation whose sums a and b are, times `scale`: with a' and b' at m - k,
/// Z = a + conj a' + (s + i c) (s (a - conj a') + i c (b - conj b')).
static void correlation_spectrum(const struct fourier_plan *plan, struct spectrum a, struct spectrum b,
                                 float scale, struct planes_float *z) {
  size_t m = plan->n;
  const float *restrict c = plan->half_re, *restrict s = plan->half_im;
  const float *restrict a_re = a.re, *restrict a_im = a.im, *restrict b_re = b.re, *restrict b_im = b.im;
  float *restrict re = z->re, *restrict im = z->im;
  for (size_t k = 1; k < m; k++) {
    float rest_re = s[k] * (a_re[k] - a_re[m - k]) - c[k] * (b_im[k] + b_im[m - k]);
    float rest_im = s[k] * (a_im[k] + a_im[m - k]) + c[k] * (b_re[k] - b_re[m - k]);
    re[k] = (a_re[k] + a_re[m - k] + s[k] * rest_re - c[k] * rest_im) * scale;
    im[k] = (a_im[k] - a_im[m - k] + s[k] * rest_im + c[k] * rest_re) * scale;
  }
  re[0] = 2 * a_re[0] * scale, im[0] = -2 * b_im[0] * scale;
}

static void convolve_channels(void *context, size_t begin, size_t end) {
  const struct convolution_run *run = context;
  const callosum_fourier_convolution_job *job = run->job;
  const struct fourier_plan *plan = run->plan;
  struct planes_float x;
  size_t m = plan->n, bytes, more = 4 * m * sizeof(float);
  float *block = make_planes_float(plan, &x, &bytes);
  float *extra = callosum_allocate_or_stop(more, "a convolution by Fourier transforms");
  struct spectrum a = {extra, extra + m}, b = {extra + 2 * m, extra + 3 * m};
  for (size_t channel = begin; channel < end; channel++) {
    row_spectrum(plan, &x, run->w + channel * job->kernel, job->kernel);
    weight_factors(plan, &x, 1 / (float)job->n, 1, a, b);
    for (size_t item = 0; item < job->batch; item++) {
      size_t row = item * job->channels + channel;
      row_spectrum(plan, &x, run->u + row * job->length, job->length);
      multiply_spectrum(&x, a, b, m);
      row_back(plan, &x, run->y + row * job->outputs, job->outputs);
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
  size_t m = plan->n, bytes, more = 10 * m * sizeof(float);
  float *block = make_planes_float(plan, &x, &bytes);
  float *extra = callosum_allocate_or_stop(more, "a convolution by Fourier transforms");
  struct spectrum a = {extra, extra + m}, b = {extra + 2 * m, extra + 3 * m};
  struct spectrum sum_a = {extra + 4 * m, extra + 5 * m}, sum_b = {extra + 6 * m, extra + 7 * m};
  struct spectrum g = {extra + 8 * m, extra + 9 * m};
  for (size_t channel = begin; channel < end; channel++) {
    if (run->gu) {
      row_spectrum(plan, &x, run->w + channel * job->kernel, job->kernel);
      weight_factors(plan, &x, 1 / (float)job->n, -1, a, b);
    }
    memset(sum_a.re, 0, 4 * m * sizeof(float));
    for (size_t item = 0; item < job->batch; item++) {
      size_t row = item * job->channels + channel;
      row_spectrum(plan, &x, run->gy + row * job->outputs, job->outputs);
      if (run->gw) {
        memcpy(g.re, x.re, m * sizeof(float));
        memcpy(g.im, x.im, m * sizeof(float));
      }
      if (run->gu) {
        multiply_spectrum(&x, a, b, m);
        row_back(plan, &x, run->gu + row * job->length, job->length);
      }
      if (run->gw) {
        row_spectrum(plan, &x, run->u + row * job->length, job->length);
        add_correlation(sum_a, sum_b, &x, g, m);
      }
    }
    if (run->gw) {
      correlation_spectrum(plan, sum_a, sum_b, 1 / (float)job->n, &x);
      row_back(plan, &x, run->gw + channel * job->kernel, job->kernel);
    }
  }
  callosum_free(block, bytes);
  callosum_free(extra, more);
}

static void convolve(struct convolution_run run, void (*body)(void *, size_t, size_t)) {
  run.plan = callosum_fourier_plan(callosum_float, run.job->n / 2);
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
