// Causal linear attention: a state S [key width, value width] for each head goes through time,
//
//     S_t = a_t S_(t-1) + k_t u_tᵀ,   y_t = scale q_t S_t,
//
// with u = v, or by the delta rule u_t = beta_t r_t, r_t = v_t - k_t a_t S_(t-1). Steps are taken
// 16 at a time: within such a chunk everything is a product of small matrices (Yang et al.,
// arXiv:2312.06635 and, for the delta rule, arXiv:2406.06484), so the time is linear in the length.
// With P_i the decay from the beginning of the chunk to step i, R_j that from step j to its end,
// and D_ij that between both (elementwise over the key channels, none above 1 where no a is):
//
//     pairs_ij = q_i (D_ij k_j), j <= i          and for the delta rule k_i (D_ij k_j), j < i
//     r_i = v_i - (P_i k_i) S - sum_j pairs_ij u_j
//     y_i = (P_i q_i) S + sum_j pairs_ij u_j
//     S  <- P_last S + sum_j (R_j k_j) u_jᵀ
//
// D is made by running products, never by a quotient, so no decay is too strong. All matrices are
// filled up with zeros to 16 steps and whole vectors.
//
// Pairs of a step with later ones are 0, whatever the later ones hold; where that meets numbers that are not
// finite the products leave later steps out, so no step ever feels what comes after it.

enum { chunk_steps = 16, chunk_pairs = chunk_steps * chunk_steps };

/// A chunk on its way. Queries and keys, which meet the same matrices, lie in one matrix.
struct chunk {
  const callosum_linear_attention_job *job;
  bool gated, of_channels, delta;
  size_t keys, values, row, value_row, rows;  // widths, padded; rows of queries over keys
  float *qk, *seen, *left;                    // q over k; times P; k times R
  float *decay, *since, *until;               // a, P, R, [16, row]
  float *turned, *running, *between, *pairs;  // kᵀ; D, [32, 16]; pairs, [32, 16]
  float *beta, *v, *u, *out, *state;
};

INLINE vi lanes_from(size_t first) {
  vi lane;
  for (int i = 0; i < LANES; i++) lane[i] = i + (int)first;
  return lane;
}

static size_t chunk_count(size_t steps) { return (steps + chunk_steps - 1) / chunk_steps; }

// Takes the next `floats` of a block, or only counts them where there is no block yet.
INLINE float *taken(float *block, size_t *at, size_t floats) {
  float *place = block ? block + *at : NULL;
  *at += round_up(floats, 16);
  return place;
}

static size_t lay_out_chunk(const callosum_linear_attention_job *job, float *block,
                            struct chunk *c) {
  size_t at = 0;
  *c = (struct chunk){.job = job, .gated = job->log_decay, .delta = job->beta,
                      .of_channels = job->log_decay && job->decay_of_channels,
                      .keys = job->key_width, .values = job->value_width};
  c->row = round_up(c->keys, LANES), c->value_row = round_up(c->values, LANES);
  c->rows = c->delta ? 2 * chunk_steps : chunk_steps;
  size_t half = chunk_steps * c->row;
  c->qk = taken(block, &at, 2 * half);
  c->seen = c->gated ? taken(block, &at, 2 * half) : c->qk;
  c->left = c->gated ? taken(block, &at, half) : block ? c->qk + half : NULL;
  c->decay = taken(block, &at, half);
  c->since = taken(block, &at, half);
  c->until = taken(block, &at, half);
  c->turned = taken(block, &at, half);
  c->running = taken(block, &at, half);
  c->between = taken(block, &at, 2 * chunk_pairs);
  c->pairs = taken(block, &at, 2 * chunk_pairs);
  c->beta = taken(block, &at, chunk_steps);
  c->v = taken(block, &at, chunk_steps * c->value_row);
  c->u = taken(block, &at, chunk_steps * c->value_row);
  c->out = taken(block, &at, 2 * chunk_steps * c->value_row);
  c->state = taken(block, &at, c->keys * c->value_row);
  return at;
}

// MARK: Matrices of a chunk

static void load_steps(const float *x, size_t step, size_t count, size_t width, float factor,
                       float *y, size_t row) {
  pack_rows(x, (ptrdiff_t)step, count, width, factor, y, row);
  zero_rows(y + count * row, row, chunk_steps - count, row);
}
static void store_steps(const float *x, size_t row, size_t count, size_t width, float factor,
                        float *y, size_t step) {
  for (size_t i = 0; i < count; i++, x += row, y += step)
    for (size_t c = 0; c < width; c += LANES)
      store_some(y + c, load(x + c) * factor, width - c);
}
// z = x y for pairs, 0 where the later step is not seen.
INLINE void multiply_pairs(size_t rows, const float *x, const float *y, float *z) {
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < chunk_steps; j += LANES) {
      const size_t at = i * chunk_steps + j;
      vi seen = i < chunk_steps ? lanes_from(j) <= (int)i : lanes_from(j) < (int)(i - chunk_steps);
      store(z + at, select_(seen, load(x + at) * load(y + at), splat(0)));
    }
}
// The memory of a whole chunk, asked for while the one before it is computed. The processor does
// not foresee where the next begins, and long sequences do not stay in the caches.
INLINE void ask_for_steps(const float *x, size_t step, size_t width) {
  for (size_t i = 0; i < chunk_steps; i++, x += step)
    for (size_t c = 0; c < width; c += 64 / sizeof(float)) __builtin_prefetch(x + c);
}
// y (+)= a b over padded rows; a [m, k] has any strides.
static void times(size_t m, size_t n, size_t k, const float *a, size_t a_row, size_t a_column,
                  const float *b, size_t b_row, bool add, float *c, size_t c_row) {
  product_job job = {m, n, k, a, (ptrdiff_t)a_row, (ptrdiff_t)a_column, b, b_row, c, c_row, add,
                     .padded = true};
  product(&job, panel_columns);
}
// Which steps count for a row of pairs: of 16 readers by query those up to their own step, of 16 more by key
// those before. Transposed, which readers count for a step.
static bool step_is_seen(const void *context, size_t row, size_t step) {
  (void)context;
  return row < chunk_steps ? step <= row : step < row - chunk_steps;
}
static bool step_is_seen_by(const void *context, size_t step, size_t row) {
  return step_is_seen(context, row, step);
}
// c (+)= pairs b, or with `turned` pairsᵀ b, for the pairs of `rows` readers.
static void times_pairs(bool turned, size_t rows, size_t n, const float *pairs, const float *b,
                        size_t b_row, float *c, size_t c_row) {
  const size_t m = turned ? chunk_steps : rows, k = turned ? rows : chunk_steps;
  product_job job = {m, n, k, pairs, turned ? 1 : chunk_steps, turned ? chunk_steps : 1, b, b_row,
                     c, c_row, .add = true, .padded = true};
  if (all_finite(b, b_row, k, n)) product(&job, panel_columns);
  else product_of_seen(&job, turned ? step_is_seen_by : step_is_seen, NULL);
}
INLINE void multiply_rows(size_t count, const float *x, const float *y, float *z) {
  for (size_t i = 0; i < count; i += LANES) store(z + i, load(x + i) * load(y + i));
}

// Where step `first` of a head begins in each array.
INLINE size_t step_place(const callosum_linear_attention_job *job, size_t head, size_t first,
                         size_t by_batch, size_t by_head, size_t by_step) {
  return head / job->heads * by_batch + head % job->heads * by_head + first * by_step;
}
#define PLACE(x, head, first) \
  step_place(job, head, first, job->x##_batch, job->x##_head, job->x##_step)

// D where a decay serves all channels, for queries over keys; without gates it stays as it is.
static void decays_between(const struct chunk *c) {
  for (size_t i = 0; i < chunk_steps; i++)
    for (size_t j = 0; j < chunk_steps; j += LANES) {
      float *place = c->between + i * chunk_steps + j;
      vi here = lanes_from(j) == (int)i;
      vf now = i ? load(place - chunk_steps) : splat(0);
      if (c->gated) now *= c->decay[i * c->row];
      store(place, select_(here, splat(1), now));
      store(place + chunk_pairs, select_(here, splat(0), now));
    }
}

// Keys, decays and what follows from them.
static void load_keys(const struct chunk *c, size_t head, size_t first, size_t count) {
  const callosum_linear_attention_job *job = c->job;
  float *k = c->qk + chunk_steps * c->row;
  load_steps(job->k + PLACE(k, head, first), job->k_step, count, c->keys, 1, k, c->row);
  if (!c->gated) return;
  size_t at = head * job->time + first;
  if (c->of_channels) {
    load_steps(job->log_decay + at * c->keys, c->keys, count, c->keys, 1, c->decay, c->row);
    for (size_t i = 0; i < chunk_steps * c->row; i += LANES)
      store(c->decay + i, exp_(load(c->decay + i)));
  } else {
    for (size_t i = 0; i < chunk_steps; i++) {
      vf a = exp_(splat(i < count ? job->log_decay[at + i] : 0));
      for (size_t j = 0; j < c->row; j += LANES) store(c->decay + i * c->row + j, a);
    }
  }
  for (size_t j = 0; j < c->row; j += LANES) {
    vf product = splat(1);
    for (size_t i = 0; i < chunk_steps; i++)
      store(c->since + i * c->row + j, product *= load(c->decay + i * c->row + j));
    product = splat(1);
    for (size_t i = chunk_steps; i-- > 0;) {
      store(c->until + i * c->row + j, product);
      product *= load(c->decay + i * c->row + j);
    }
  }
  multiply_rows(chunk_steps * c->row, k, c->until, c->left);
}

// Pairs where each channel has its own decay: `running` holds D_ij k_j at step i, steps j in lanes.
static void pairs_by_channel(const struct chunk *c) {
  const float *q = c->qk, *k = c->qk + chunk_steps * c->row, *a = c->decay;
  memcpy(c->running, c->turned, c->keys * chunk_steps * sizeof(float));
  for (size_t i = 0; i < chunk_steps; i++, q += c->row, k += c->row, a += c->row)
    for (size_t j = 0; j < chunk_steps; j += LANES) {
      vi earlier = lanes_from(j) < (int)i, seen = lanes_from(j) <= (int)i;
      vf by_query = splat(0), by_key = splat(0);
      for (size_t channel = 0; channel < c->keys; channel++) {
        float *place = c->running + channel * chunk_steps + j;
        vf now = load(place) * select_(earlier, splat(a[channel]), splat(1));
        store(place, now);
        by_query = fma_(splat(q[channel]), now, by_query);
        by_key = fma_(splat(k[channel]), now, by_key);
      }
      float *place = c->pairs + i * chunk_steps + j;
      store(place, select_(seen, by_query, splat(0)));
      store(place + chunk_pairs, select_(earlier, by_key, splat(0)));
    }
}

// After load_keys: queries, and everything in which queries or keys meet keys.
static void load_queries(const struct chunk *c, size_t head, size_t first, size_t count) {
  const callosum_linear_attention_job *job = c->job;
  size_t half = chunk_steps * c->row;
  load_steps(job->q + PLACE(q, head, first), job->q_step, count, c->keys, job->scale, c->qk,
             c->row);
  if (c->delta) {
    memset(c->beta, 0, chunk_steps * sizeof(float));
    memcpy(c->beta, job->beta + head * job->time + first, count * sizeof(float));
  }
  if (c->gated) {
    multiply_rows(half, c->qk, c->since, c->seen);
    multiply_rows(half, c->qk + half, c->since, c->seen + half);
  }
  pack_transposed(c->qk + half, (ptrdiff_t)c->row, chunk_steps, c->keys, 1, c->turned, chunk_steps);
  if (c->of_channels) {
    pairs_by_channel(c);
    return;
  }
  if (c->gated) decays_between(c);
  times(c->rows, chunk_steps, c->keys, c->qk, c->row, 1, c->turned, chunk_steps, false, c->pairs,
        chunk_steps);
  multiply_pairs(c->rows, c->pairs, c->between, c->pairs);
}

// (I + pairs beta) x' = x, or with `back` the same by the transpose, step after step; y = beta x'.
INLINE void solve_steps(bool back, const float *pairs, const float *beta, size_t row, float *x,
                        float *y) {
  for (size_t v = 0; v < row; v += LANES) {
    vf rest[chunk_steps];
#pragma clang loop unroll(full)
    for (size_t i = 0; i < chunk_steps; i++) rest[i] = load(x + i * row + v);
#pragma clang loop unroll(full)
    for (size_t step = 0; step < chunk_steps; step++) {
      const size_t i = back ? chunk_steps - 1 - step : step;
      vf now = rest[i] * beta[i];
      store(y + i * row + v, now);
#pragma clang loop unroll(full)
      for (size_t j = 0; j < chunk_steps; j++)
        if (back ? j < i : j > i) {
          float pair = pairs[back ? i * chunk_steps + j : j * chunk_steps + i];
          rest[j] = fma_(splat(-pair), now, rest[j]);
        }
    }
#pragma clang loop unroll(full)
    for (size_t i = 0; i < chunk_steps; i++) store(x + i * row + v, rest[i]);
  }
}

// MARK: Forward

struct linear_attention_work {
  const callosum_linear_attention_job *job;
  float *y, *residuals, *kept, *last;
  const float *gy, *glast;
  float *gq, *gk, *gv, *gdecay, *gbeta, *ginitial;
};

static void attend_chunk(const struct chunk *c) {
  const size_t wide = c->value_row;
  times(c->rows, wide, c->keys, c->seen, c->row, 1, c->state, wide, false, c->out, wide);
  const float *u = c->v;
  if (c->delta) {
    for (size_t i = 0; i < chunk_steps * wide; i += LANES)
      store(c->v + i, load(c->v + i) - load(c->out + chunk_steps * wide + i));
    solve_steps(false, c->pairs + chunk_pairs, c->beta, wide, c->v, c->u);
    u = c->u;
  }
  times_pairs(false, chunk_steps, wide, c->pairs, u, wide, c->out, wide);
  if (c->gated)
    for (size_t channel = 0; channel < c->keys; channel++) {
      const vf remains = splat(c->since[(chunk_steps - 1) * c->row + channel]);
      float *state = c->state + channel * wide;
      for (size_t i = 0; i < wide; i += LANES) store(state + i, load(state + i) * remains);
    }
  times(c->keys, wide, chunk_steps, c->left, 1, c->row, u, wide, true, c->state, wide);
}

static void linear_attention_heads(void *context, size_t begin, size_t end) {
  const struct linear_attention_work *work = context;
  const callosum_linear_attention_job *job = work->job;
  struct chunk c;
  size_t size = lay_out_chunk(job, NULL, &c);
  float *block = scratch(size);
  lay_out_chunk(job, block, &c);
  if (!c.gated) decays_between(&c);
  const size_t area = c.keys * c.values;
  const size_t keeps = (job->time + job->kept_every - 1) / job->kept_every;
  for (size_t head = begin; head < end; head++) {
    pack_rows(job->initial + head * area, (ptrdiff_t)c.values, c.keys, c.values, 1, c.state,
              c.value_row);
    for (size_t first = 0; first < job->time; first += chunk_steps) {
      size_t count = at_most(job->time - first, chunk_steps);
      if (work->kept && first % job->kept_every == 0)
        store_steps(c.state, c.value_row, c.keys, c.values, 1,
                    work->kept + (head * keeps + first / job->kept_every) * area, c.values);
      load_keys(&c, head, first, count);
      load_queries(&c, head, first, count);
      load_steps(job->v + PLACE(v, head, first), job->v_step, count, c.values, 1, c.v, c.value_row);
      if (first + 2 * chunk_steps <= job->time) {
        const size_t next = first + chunk_steps;
        ask_for_steps(job->q + PLACE(q, head, next), job->q_step, c.keys);
        ask_for_steps(job->k + PLACE(k, head, next), job->k_step, c.keys);
        ask_for_steps(job->v + PLACE(v, head, next), job->v_step, c.values);
      }
      attend_chunk(&c);
      store_steps(c.out, c.value_row, count, c.values, 1, work->y + PLACE(y, head, first),
                  job->y_step);
      if (work->residuals)
        store_steps(c.v, c.value_row, count, c.values, 1,
                    work->residuals + (head * job->time + first) * c.values, c.values);
    }
    store_steps(c.state, c.value_row, c.keys, c.values, 1, work->last + head * area, c.values);
  }
  callosum_free(block, size * sizeof(float));
}

static size_t linear_attention_grain(const callosum_linear_attention_job *job) {
  return 100000 / (job->time * (job->key_width + 16) * (job->value_width + 16) + 1) + 1;
}

static void linear_attention(const callosum_linear_attention_job *job, float *y, float *residuals,
                             float *kept, float *last) {
  struct linear_attention_work work = {
      .job = job, .y = y, .residuals = residuals, .kept = kept, .last = last};
  callosum_parallel(job->batch * job->heads, linear_attention_grain(job), linear_attention_heads,
                    &work);
}
