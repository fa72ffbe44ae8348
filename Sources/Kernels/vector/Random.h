// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): block b of
// four words is a bijection of the counter b under the key, so any thread can make any part.

// Words of LANES consecutive blocks: word w of block i at words[w][i].
INLINE void philox(uint64_t key, uint64_t first_block, uint32_t words[4][LANES]) {
  uint32_t c0[LANES], c1[LANES], c2[LANES] = {0}, c3[LANES] = {0};
  for (int i = 0; i < LANES; i++) {
    uint64_t block = first_block + (uint64_t)i;
    c0[i] = (uint32_t)block;
    c1[i] = (uint32_t)(block >> 32);
  }
  uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
  for (int round = 0; round < 10; round++) {
    for (int i = 0; i < LANES; i++) {
      uint64_t p0 = (uint64_t)0xD2511F53 * c0[i], p1 = (uint64_t)0xCD9E8D57 * c2[i];
      uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1[i] ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3[i] ^ k1;
      c1[i] = (uint32_t)p1;
      c3[i] = (uint32_t)p0;
      c0[i] = n0;
      c2[i] = n2;
    }
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  memcpy(words[0], c0, sizeof c0);
  memcpy(words[1], c1, sizeof c1);
  memcpy(words[2], c2, sizeof c2);
  memcpy(words[3], c3, sizeof c3);
}

enum random_kind { random_kind_bits, random_kind_uniform, random_kind_normal };

struct random_job {
  enum random_kind kind;
  int type;
  uint64_t key, counter;
  size_t n;
  void *y;
};

// (0, 1], so that its logarithm is finite.
INLINE vf open_uniform(const uint32_t *words) {
  float u[LANES];
  for (int i = 0; i < LANES; i++) u[i] = (float)((words[i] >> 8) + 1) * 0x1p-24f;
  return load(u);
}

INLINE double uniform_double(uint32_t high, uint32_t low) {
  return (double)((((uint64_t)high << 32) | low) >> 11) * 0x1p-53;
}

// Normal numbers in pairs: radius from words 0 and 2, angle from words 1 and 3 of each block.
INLINE void normal_block(uint32_t words[4][LANES], float out[4][LANES]) {
  for (int pair = 0; pair < 2; pair++) {
    vf radius = sqrt_(-2 * log_(open_uniform(words[2 * pair])));
    vf angle = 6.28318530717958648f * (open_uniform(words[2 * pair + 1]) - 0.5f);
    store(out[2 * pair], radius * cos_(angle));
    store(out[2 * pair + 1], radius * sin_(angle));
  }
}

// Groups [begin, end) of LANES blocks each. A block makes four bits or floats, or two doubles.
static void random_groups(void *context, size_t begin, size_t end) {
  const struct random_job *job = context;
  size_t per_block = job->type == callosum_double ? 2 : 4;
  for (size_t group = begin; group < end; group++) {
    uint32_t words[4][LANES];
    philox(job->key, job->counter + group * LANES, words);
    size_t first = group * LANES * per_block;
    size_t n = job->n - first < LANES * per_block ? job->n - first : LANES * per_block;
    if (job->type == callosum_double) {
      double *y = (double *)job->y + first;
      for (size_t i = 0; i < n; i++) {
        size_t block = i / 2;
        double u = uniform_double(words[0][block], words[1][block]);
        double v = uniform_double(words[2][block], words[3][block]);
        if (job->kind == random_kind_uniform) y[i] = i % 2 ? v : u;
        else {
          double radius = sqrt(-2 * log(1 - u)), angle = 2 * M_PI * v;
          y[i] = radius * (i % 2 ? sin(angle) : cos(angle));
        }
      }
      continue;
    }
    float made[4][LANES];
    if (job->kind == random_kind_normal) normal_block(words, made);
    else if (job->kind == random_kind_uniform)
      for (int w = 0; w < 4; w++)
        for (int i = 0; i < LANES; i++) made[w][i] = (float)(words[w][i] >> 8) * 0x1p-24f;
    else
      memcpy(made, words, sizeof made);
    uint32_t *y = (uint32_t *)job->y + first;
    for (size_t i = 0; i < n; i++) memcpy(y + i, &made[i % 4][i / 4], 4);
  }
}

static void random_fill(enum random_kind kind, uint64_t key, uint64_t counter, int type, size_t n,
                        void *y) {
  struct random_job job = {kind, type, key, counter, n, y};
  size_t per_group = (type == callosum_double ? 2 : 4) * LANES;
  callosum_parallel((n + per_group - 1) / per_group, 8192 / per_group + 1, random_groups, &job);
}

static void random_bits(uint64_t key, uint64_t counter, size_t n, uint32_t *y) {
  random_fill(random_kind_bits, key, counter, callosum_int, n, y);
}
static void random_uniform(uint64_t key, uint64_t counter, int type, size_t n, void *y) {
  random_fill(random_kind_uniform, key, counter, type, n, y);
}
static void random_normal(uint64_t key, uint64_t counter, int type, size_t n, void *y) {
  random_fill(random_kind_normal, key, counter, type, n, y);
}
