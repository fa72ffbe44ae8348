// Random numbers whose drawing takes a number of attempts that nobody knows before. Plain double
// arithmetic, compiled once: the same bits on every instruction set.

#include <math.h>

#include "include/CallosumKernels.h"

// MARK: The stream of an element

// Philox 4x32-10 as in vector/Random.h, where the third word of the counter is 0: here it numbers the
// draws of one element, from 1.
struct draws {
  uint64_t key, block;
  uint32_t number;
  bool has_spare;
  double spare;
};

static void philox(const struct draws *draws, uint32_t c[4]) {
  c[0] = (uint32_t)draws->block;
  c[1] = (uint32_t)(draws->block >> 32);
  c[2] = draws->number;
  c[3] = 0;
  uint32_t k0 = (uint32_t)draws->key, k1 = (uint32_t)(draws->key >> 32);
  for (int round = 0; round < 10; round++) {
    uint64_t p0 = (uint64_t)0xD2511F53 * c[0], p1 = (uint64_t)0xCD9E8D57 * c[2];
    uint32_t n0 = (uint32_t)(p1 >> 32) ^ c[1] ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c[3] ^ k1;
    c[1] = (uint32_t)p1;
    c[3] = (uint32_t)p0;
    c[0] = n0;
    c[2] = n2;
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
}

/// In (0, 1), both ends excluded.
static double uniform(struct draws *draws) {
  if (draws->has_spare) {
    draws->has_spare = false;
    return draws->spare;
  }
  uint32_t words[4];
  draws->number++;
  philox(draws, words);
  double pair[2];
  for (int i = 0; i < 2; i++) {
    uint64_t bits = (uint64_t)words[2 * i] << 32 | words[2 * i + 1];
    // 52 bits, so that the half is not rounded away.
    pair[i] = ((double)(bits >> 12) + 0.5) * 0x1p-52;
  }
  draws->has_spare = true;
  draws->spare = pair[1];
  return pair[0];
}

/// Standard normal (Box and Muller 1958).
static double normal(struct draws *draws) {
  double radius = sqrt(-2 * log(uniform(draws)));
  return radius * cos(6.283185307179586 * uniform(draws));
}

// MARK: Distributions

/// The logarithm of a number with the gamma distribution: Marsaglia and Tsang, "A simple method for
/// generating gamma variables" (2000). Below shape 1, that of shape + 1 times uniform^(1 / shape).
static double log_gamma_number(struct draws *draws, double shape) {
  double d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3, c = 1 / sqrt(9 * d), log_v;
  for (;;) {
    double x = normal(draws), t = 1 + c * x;
    if (t <= 0) continue;
    double v = t * t * t;
    log_v = log(v);
    if (log(uniform(draws)) < 0.5 * x * x + d - d * v + d * log_v) break;
  }
  double result = log(d) + log_v;
  return shape < 1 ? fmax(result + log(uniform(draws)) / shape, -1e300) : result;
}

/// log k!, by Stirling's series where its error is below 1e-12.
static double log_factorial(double k) {
  if (k < 16) {
    double product = 1;
    for (int i = 2; i <= (int)k; i++) product *= i;
    return log(product);
  }
  double square = k * k;
  return (k + 0.5) * log(k) - k + 0.91893853320467274 +
         (1.0 / 12 - (1.0 / 360 - 1.0 / (1260 * square)) / square) / k;
}

/// By adding up probabilities until a uniform number is reached.
static double small_poisson(struct draws *draws, double rate) {
  double u = uniform(draws), p = exp(-rate), sum = p, k = 0;
  // Rounding may keep the sum below u for ever; nothing lies beyond some 60 at such rates.
  while (u > sum && k < 200) {
    k++;
    p *= rate / k;
    sum += p;
  }
  return k;
}

/// Hörmann, "The transformed rejection method for generating Poisson random variables" (1993), PTRS.
static double large_poisson(struct draws *draws, double rate) {
  double b = 0.931 + 2.53 * sqrt(rate), a = -0.059 + 0.02483 * b;
  double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), v_r = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    double u = uniform(draws) - 0.5, v = uniform(draws), us = 0.5 - fabs(u);
    double k = floor((2 * a / us + b) * u + rate + 0.43);
    if (us >= 0.07 && v <= v_r) return k;
    if (k < 0 || k > INT32_MAX || (us < 0.013 && v > us)) continue;
    if (log(v * inverse_alpha / (a / (us * us) + b)) <= k * log(rate) - rate - log_factorial(k)) return k;
  }
}

// MARK: Arrays

struct job {
  enum { exponential, log_gamma, poisson } kind;
  uint64_t key, counter;
  const double *parameter;
  size_t step;
  void *y;
};

static void draw_range(void *context, size_t begin, size_t end) {
  const struct job *job = context;
  for (size_t i = begin; i < end; i++) {
    struct draws draws = {.key = job->key, .block = job->counter + i};
    double parameter = job->parameter ? job->parameter[i * job->step] : 0;
    switch (job->kind) {
      case exponential: ((double *)job->y)[i] = -log(uniform(&draws)); break;
      case log_gamma: ((double *)job->y)[i] = log_gamma_number(&draws, parameter); break;
      case poisson:
        ((int32_t *)job->y)[i] =
            (int32_t)(parameter < 10 ? small_poisson(&draws, parameter) : large_poisson(&draws, parameter));
    }
  }
}

static void draw(struct job job, size_t n) { callosum_parallel(n, 512, draw_range, &job); }

void callosum_random_exponential(uint64_t key, uint64_t counter, size_t n, double *y) {
  draw((struct job){exponential, key, counter, NULL, 0, y}, n);
}

void callosum_random_log_gamma(uint64_t key, uint64_t counter, size_t n, const double *shape,
                               size_t step, double *y) {
  draw((struct job){log_gamma, key, counter, shape, step, y}, n);
}

void callosum_random_poisson(uint64_t key, uint64_t counter, size_t n, const double *rate, size_t step,
                             int32_t *y) {
  draw((struct job){poisson, key, counter, rate, step, y}, n);
}
