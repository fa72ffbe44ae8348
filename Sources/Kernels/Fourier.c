// Plans of Fourier transforms and their cache. The transforms are in vector/Fourier.h.

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "FourierPlan.h"
#include "include/CallosumKernels.h"

enum {
  most_plans = 64,
  /// From here on a transform is worth cutting in two directions.
  shortest_in_two = 256,
  /// Rows of `between` are padded to this many elements, the widest vector.
  row_alignment = 16,
};

static const double pi = 3.14159265358979323846;

static void set(int type, void *array, size_t at, double value) {
  if (type == callosum_double)
    ((double *)array)[at] = value;
  else
    ((float *)array)[at] = (float)value;
}

static void *array(int type, size_t count) {
  return calloc(count + 1, type == callosum_double ? sizeof(double) : sizeof(float));
}

/// exp(-2 pi i k / n), with k reduced first so that the angle is exact.
static void root(size_t k, size_t n, double *re, double *im) {
  double angle = 2 * pi * (double)(k % n) / (double)n;
  *re = cos(angle);
  *im = -sin(angle);
}

static size_t next_radix(size_t n) {
  if (n % 8 == 0 && n != 16) return 8;
  for (size_t radix = 4; radix >= 2; radix -= 2)
    if (n % radix == 0) return radix;
  for (size_t radix = 3; radix <= fourier_largest_radix; radix += 2)
    if (n % radix == 0) return radix;
  return 0;
}

static bool has_small_factors(size_t n) {
  while (n > 1) {
    size_t radix = next_radix(n);
    if (!radix) return false;
    n /= radix;
  }
  return true;
}

static bool plan_passes(struct fourier_plan *plan) {
  size_t rest = plan->n;
  while (rest > 1) {
    size_t radix = next_radix(rest), m = rest / radix;
    int at = plan->passes++;
    plan->radix[at] = (int)radix;
    plan->twiddles[at] = array(plan->type, 2 * m * (radix - 1));
    plan->roots[at] = array(plan->type, 2 * radix);
    if (!plan->twiddles[at] || !plan->roots[at]) return false;
    for (size_t p = 0; p < m; p++)
      for (size_t j = 1; j < radix; j++) {
        double re, im;
        root(p * j, rest, &re, &im);
        size_t place = 2 * (p * (radix - 1) + j - 1);
        set(plan->type, plan->twiddles[at], place, re);
        set(plan->type, plan->twiddles[at], place + 1, im);
      }
    for (size_t j = 0; j < radix; j++) {
      double re, im;
      root(j, radix, &re, &im);
      set(plan->type, plan->roots[at], j, re);
      set(plan->type, plan->roots[at], radix + j, -im);
    }
    rest = m;
  }
  return true;
}

/// The largest divisor up to the square root.
static size_t short_side(size_t n) {
  size_t side = (size_t)sqrt((double)n);
  while (n % side) side--;
  return side;
}

static bool plan_two_directions(struct fourier_plan *plan, size_t rows) {
  size_t columns = plan->n / rows;
  plan->between_stride = (columns + row_alignment - 1) / row_alignment * row_alignment;
  plan->between_re = array(plan->type, rows * plan->between_stride);
  plan->between_im = array(plan->type, rows * plan->between_stride);
  plan->rows = callosum_fourier_plan(plan->type, rows);
  plan->columns = callosum_fourier_plan(plan->type, columns);
  if (!plan->between_re || !plan->between_im || !plan->rows || !plan->columns) return false;
  for (size_t k = 0; k < rows; k++)
    for (size_t j = 0; j < columns; j++) {
      double re, im;
      root(k * j, plan->n, &re, &im);
      set(plan->type, plan->between_re, k * plan->between_stride + j, re);
      set(plan->type, plan->between_im, k * plan->between_stride + j, im);
    }
  return true;
}

static bool plan_convolution(struct fourier_plan *plan) {
  size_t n = plan->n, size = shortest_in_two;
  while (size < 2 * n - 1) size *= 2;
  plan->padded = callosum_fourier_plan(plan->type, size);
  plan->chirp_re = array(plan->type, n);
  plan->chirp_im = array(plan->type, n);
  plan->spectrum_re = array(plan->type, size);
  plan->spectrum_im = array(plan->type, size);
  double *circle = calloc(2 * size, sizeof(double));
  bool complete = plan->padded && plan->chirp_re && plan->chirp_im && plan->spectrum_re &&
                  plan->spectrum_im && circle;
  if (complete) {
    for (size_t j = 0, square = 0; j < n; j++) {
      // square = j² mod 2n
      double re, im;
      root(square, 2 * n, &re, &im);
      set(plan->type, plan->chirp_re, j, re);
      set(plan->type, plan->chirp_im, j, im);
      size_t mirrored = j ? size - j : 0;
      circle[2 * j] = circle[2 * mirrored] = re;
      circle[2 * j + 1] = circle[2 * mirrored + 1] = -im;
      square = (square + 2 * j + 1) % (2 * n);
    }
    // By the transform of that length itself, in double; 1 / size is that of the way back.
    callosum_fourier_job job = {.type = callosum_double, .kind = callosum_complex_to_complex,
                                .count = 1, .n = size, .scale = 1 / (double)size};
    callosum_fourier(&job, circle, circle);
    for (size_t k = 0; k < size; k++) {
      set(plan->type, plan->spectrum_re, k, circle[2 * k]);
      set(plan->type, plan->spectrum_im, k, circle[2 * k + 1]);
    }
  }
  free(circle);
  return complete;
}

static bool plan_halves(struct fourier_plan *plan) {
  plan->half_re = array(plan->type, plan->n);
  plan->half_im = array(plan->type, plan->n);
  if (!plan->half_re || !plan->half_im) return false;
  for (size_t k = 0; k < plan->n; k++) {
    double re, im;
    root(k, 2 * plan->n, &re, &im);
    set(plan->type, plan->half_re, k, re);
    set(plan->type, plan->half_im, k, im);
  }
  return true;
}

static void discard(struct fourier_plan *plan) {
  for (int at = 0; at < plan->passes; at++) {
    free(plan->twiddles[at]);
    free(plan->roots[at]);
  }
  callosum_fourier_release(plan->rows);
  callosum_fourier_release(plan->columns);
  callosum_fourier_release(plan->padded);
  free(plan->between_re);
  free(plan->between_im);
  free(plan->chirp_re);
  free(plan->chirp_im);
  free(plan->spectrum_re);
  free(plan->spectrum_im);
  free(plan->half_re);
  free(plan->half_im);
  free(plan);
}

static struct fourier_plan *made(int type, size_t n) {
  struct fourier_plan *plan = calloc(1, sizeof *plan);
  if (!plan) return NULL;
  plan->type = type;
  plan->n = n;
  bool complete;
  if (!has_small_factors(n)) {
    complete = plan_convolution(plan);
  } else {
    // The passes serve whoever has this length as one of two directions.
    size_t rows = n >= shortest_in_two ? short_side(n) : 1;
    complete = plan_passes(plan) && (rows == 1 || plan_two_directions(plan, rows));
  }
  if (complete && plan_halves(plan)) return plan;
  discard(plan);
  return NULL;
}

// MARK: The cache

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct fourier_plan *cache;
static size_t cached, uses;

static struct fourier_plan *found(int type, size_t n) {
  for (struct fourier_plan *plan = cache; plan; plan = plan->next)
    if (plan->n == n && plan->type == type) {
      plan->users++;
      plan->last_use = ++uses;
      return plan;
    }
  return NULL;
}

/// Takes the plan out that nobody uses for the longest time, if there are too many.
static struct fourier_plan *surplus(void) {
  if (cached <= most_plans) return NULL;
  struct fourier_plan **oldest = NULL;
  for (struct fourier_plan **at = &cache; *at; at = &(*at)->next)
    if ((*at)->users == 0 && (!oldest || (*at)->last_use < (*oldest)->last_use)) oldest = at;
  if (!oldest) return NULL;
  struct fourier_plan *plan = *oldest;
  *oldest = plan->next;
  cached--;
  return plan;
}

const struct fourier_plan *callosum_fourier_plan(int type, size_t n) {
  pthread_mutex_lock(&lock);
  struct fourier_plan *plan = found(type, n);
  pthread_mutex_unlock(&lock);
  if (plan) return plan;
  struct fourier_plan *fresh = made(type, n);
  if (!fresh) return NULL;
  pthread_mutex_lock(&lock);
  plan = found(type, n);  // Another thread may have made it meanwhile.
  struct fourier_plan *unneeded = fresh;
  if (!plan) {
    plan = fresh;
    plan->users = 1;
    plan->last_use = ++uses;
    plan->next = cache;
    cache = plan;
    cached++;
    unneeded = surplus();
  }
  pthread_mutex_unlock(&lock);
  if (unneeded) discard(unneeded);
  return plan;
}

void callosum_fourier_release(const struct fourier_plan *plan) {
  if (!plan) return;
  pthread_mutex_lock(&lock);
  ((struct fourier_plan *)plan)->users--;
  pthread_mutex_unlock(&lock);
}
