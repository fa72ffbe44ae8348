// Float32 numbers in 1 to 8 bits between two ends for each group, rounded to the nearest level or at
// random to one of both neighbours, so that the mean is exact.

struct levels_job {
  const float *x, *low, *range;
  float *y;
  uint8_t *levels;
  size_t count, groups, inner;
  int bits;
  bool stochastic;
  uint64_t key, counter;
  size_t *clamped;
};

// Elements share bytes and random blocks, so the work is cut into runs of this many.
enum { levels_run = 4 * LANES };

static void to_levels_range(void *context, size_t begin, size_t end) {
  const struct levels_job *job = context;
  float top = (float)((1 << job->bits) - 1);
  size_t per_byte = 8 / (size_t)job->bits, clamped = 0;
  for (size_t run = begin; run < end; run++) {
    float offsets[levels_run];
    if (job->stochastic) {
      uint32_t words[4][LANES];
      philox(job->key, job->counter + run * LANES, words);
      for (size_t i = 0; i < levels_run; i++) {
        offsets[i] = (float)(words[i % 4][i / 4] >> 8) * 0x1p-24f;
      }
    } else {
      for (size_t i = 0; i < levels_run; i++) offsets[i] = 0.5f;
    }
    size_t first = run * levels_run, left = job->count - first;
    size_t n = left < levels_run ? left : levels_run;
    // Ends and steps of each element's group; then the same for all, which vectorises.
    float low[levels_run], scale[levels_run], levels[levels_run];
    size_t group = first / job->inner % job->groups, place = first % job->inner;
    for (size_t i = 0; i < n;) {
      size_t same = job->inner - place < n - i ? job->inner - place : n - i;
      float range = job->range[group], inverse = range > 0 ? top / range : 0;
      for (size_t k = i; k < i + same; k++) {
        low[k] = job->low[group];
        scale[k] = inverse;
      }
      i += same;
      place = 0;
      group = group + 1 == job->groups ? 0 : group + 1;
    }
    int outside = 0;
    for (size_t i = 0; i < n; i++) {
      float t = (job->x[first + i] - low[i]) * scale[i];
      outside += t < -0.5f || t > top + 0.5f;
      // Clamped before it is cut, which rounds down what is not negative.
      float level = t + offsets[i];
      level = level > 0 ? (level < top ? level : top) : 0;
      levels[i] = (float)(int)level;
    }
    clamped += (size_t)outside;
    if (job->bits == 8) {
      for (size_t i = 0; i < n; i++) job->levels[first + i] = (uint8_t)(int)levels[i];
      continue;
    }
    for (size_t start = 0; start < n; start += per_byte) {
      unsigned byte = 0;
      for (size_t i = start; i < n && i < start + per_byte; i++) {
        byte |= (unsigned)levels[i] << ((i - start) * (size_t)job->bits);
      }
      job->levels[(first + start) / per_byte] = (uint8_t)byte;
    }
  }
  __atomic_fetch_add(job->clamped, clamped, __ATOMIC_RELAXED);
}

static void to_levels(
    const float *x, uint8_t *y, const float *low, const float *range, size_t outer, size_t groups,
    size_t inner, int bits, bool stochastic, uint64_t key, uint64_t counter, size_t *clamped) {
  struct levels_job job = {
      .x = x, .levels = y, .low = low, .range = range, .count = outer * groups * inner,
      .groups = groups, .inner = inner, .bits = bits, .stochastic = stochastic, .key = key,
      .counter = counter, .clamped = clamped};
  size_t runs = (job.count + levels_run - 1) / levels_run;
  callosum_parallel(runs, 1 + 16384 / levels_run, to_levels_range, &job);
}

// Rows [begin, end) of [outer * groups, inner].
static void from_levels_range(void *context, size_t begin, size_t end) {
  const struct levels_job *job = context;
  size_t per_byte = 8 / (size_t)job->bits;
  unsigned mask = (1u << job->bits) - 1;
  for (size_t row = begin; row < end; row++) {
    size_t group = row % job->groups;
    float low = job->low[group], step = job->range[group] / (float)mask;
    if (job->bits == 8) {
      const uint8_t *levels = job->levels + row * job->inner;
      float *y = job->y + row * job->inner;
      for (size_t i = 0; i < job->inner; i++) y[i] = low + (float)levels[i] * step;
      continue;
    }
    for (size_t i = row * job->inner; i < (row + 1) * job->inner; i++) {
      unsigned level = job->levels[i / per_byte] >> (i % per_byte * (size_t)job->bits) & mask;
      job->y[i] = low + (float)level * step;
    }
  }
}

static void from_levels(
    const uint8_t *x, float *y, const float *low, const float *range, size_t outer, size_t groups,
    size_t inner, int bits) {
  struct levels_job job = {
      .levels = (uint8_t *)x, .y = y, .low = low, .range = range, .groups = groups, .inner = inner,
      .bits = bits};
  callosum_parallel(outer * groups, 1 + 16384 / (inner + 1), from_levels_range, &job);
}
