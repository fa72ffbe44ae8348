// The derivative of causal linear attention: chunks from the last to the first, with the gradient
// of the state after the present one. States are kept every so many steps only; those between are
// computed again from there. With g the gradients of what LinearAttention.h names:
//
//     gu_j = sum_i pairs_ij gy_i + (R_j k_j) gS, and for the delta rule gr by the transposed solve
//     gpairs_ij = gy_i u_j, and -gr_i u_j
//     gq_i = P_i (S gy_i) + sum_j gpairs_ij D_ij k_j, and the same by -gr for keys as readers
//     gk_j = R_j (gS u_j) + sum_i gpairs_ij D_ij q_i
//     gS  <- P_last gS + sum_i (P_i q_i) gy_iᵀ - (P_i k_i) gr_iᵀ

/// What a chunk's way back needs beside the chunk itself.
struct chunk_gradients {
  struct chunk c;
  size_t states_per_keep;
  float *states;                // [states_per_keep, values, row], each transposed
  float *gstate, *gturned;      // [keys, value_row]; its transpose [values, row]
  float *arriving;              // gy over -gr, [32, value_row]
  float *gu, *uturned;          // [16, value_row]; uᵀ, [values, 16]
  float *gpairs;                // [32, 16]
  float *readers;               // gradients of q over those of k as a reader, [32, row]
  float *by_state, *gk;         // what the state adds to gk, and gk, [16, row] each
  float *at_or_after, *before;  // parts of the gates' gradients, [16, row] each
};

static size_t lay_out_gradients(const callosum_linear_attention_job *job, float *block,
                                struct chunk_gradients *g) {
  *g = (struct chunk_gradients){0};
  size_t at = lay_out_chunk(job, block, &g->c);
  size_t row = g->c.row, wide = g->c.value_row, values = g->c.values, half = chunk_steps * row;
  g->states_per_keep = chunk_count(job->kept_every);
  g->states = taken(block, &at, g->states_per_keep * values * row);
  g->gstate = taken(block, &at, g->c.keys * wide);
  g->gturned = taken(block, &at, values * row);
  g->arriving = taken(block, &at, 2 * chunk_steps * wide);
  g->gu = taken(block, &at, chunk_steps * wide);
  g->uturned = taken(block, &at, values * chunk_steps);
  g->gpairs = taken(block, &at, 2 * chunk_pairs);
  g->readers = taken(block, &at, 2 * half);
  g->by_state = taken(block, &at, half);
  g->gk = taken(block, &at, half);
  g->at_or_after = taken(block, &at, half);
  g->before = taken(block, &at, half);
  return at;
}

// u of a chunk: the values, or by the delta rule the kept residuals (left in v) times beta.
static void load_updates(const struct chunk *c, const float *residuals, size_t head, size_t first,
                         size_t count) {
  const callosum_linear_attention_job *job = c->job;
  if (!c->delta) {
    load_steps(job->v + PLACE(v, head, first), job->v_step, count, c->values, 1, c->u,
               c->value_row);
    return;
  }
  load_steps(residuals + (head * job->time + first) * c->values, c->values, count, c->values, 1,
             c->v, c->value_row);
  for (size_t i = 0; i < chunk_steps; i++) {
    float beta = i < count ? job->beta[head * job->time + first + i] : 0;
    for (size_t j = 0; j < c->value_row; j += LANES)
      store(c->u + i * c->value_row + j, load(c->v + i * c->value_row + j) * beta);
  }
}

// The transposed state after a chunk from that before it.
static void next_state(const struct chunk *c, const float *state, float *next) {
  const float *remains = c->since + (chunk_steps - 1) * c->row;
  for (size_t i = 0; i < c->values; i++)
    for (size_t j = 0; j < c->row; j += LANES) {
      vf x = load(state + i * c->row + j);
      store(next + i * c->row + j, c->gated ? x * load(remains + j) : x);
    }
  times(c->values, c->row, chunk_steps, c->u, 1, c->value_row, c->left, c->row, true, next, c->row);
}

// MARK: Through the pairs

// gq and gk through the pairs, and their share of the gradients of the gates, where a decay serves
// all channels.
static void pairs_backward(const struct chunk_gradients *g) {
  const struct chunk *c = &g->c;
  // What each pair adds to the gradients of the gates between both steps takes the place of pairs.
  if (c->gated) multiply_pairs(c->rows, g->gpairs, c->pairs, c->pairs);
  multiply_pairs(c->rows, g->gpairs, c->between, g->gpairs);
  const float *k = c->qk + chunk_steps * c->row;
  times_pairs(false, c->rows, c->row, g->gpairs, k, c->row, g->readers, c->row);
  times_pairs(true, c->rows, c->row, g->gpairs, c->qk, c->row, g->gk, c->row);
}

// The same where each channel has its own, by Horner's scheme from pair to pair. What changes with
// the gates leaves out the pairs of a step with itself, which would cancel only but for rounding.
static void pairs_backward_by_channel(const struct chunk_gradients *g) {
  const struct chunk *c = &g->c;
  const size_t row = c->row;
  const float *q = c->qk, *k = c->qk + chunk_steps * row, *a = c->decay;
  const float *by_query = g->gpairs, *by_key = g->gpairs + chunk_pairs;
  for (size_t channel = 0; channel < row; channel += LANES) {
    for (size_t i = 0; i < chunk_steps; i++) {
      vf sum_q = splat(0), sum_k = splat(0);
      const size_t at = i * row + channel;
      for (size_t j = 0; j < i; j++) {
        vf decay = load(a + (j + 1) * row + channel), key = load(k + j * row + channel);
        sum_q = fma_(splat(by_query[i * chunk_steps + j]), key, sum_q) * decay;
        if (c->delta) sum_k = fma_(splat(by_key[i * chunk_steps + j]), key, sum_k) * decay;
      }
      vf gq = load(g->readers + at), gates = load(g->at_or_after + at);
      gates = fma_(load(q + at), sum_q, gates);
      store(g->readers + at, fma_(splat(by_query[i * chunk_steps + i]), load(k + at), gq + sum_q));
      if (c->delta) {
        float *gk = g->readers + chunk_steps * row + at;
        store(gk, load(gk) + sum_k);
        gates = fma_(load(k + at), sum_k, gates);
      }
      store(g->at_or_after + at, gates);
    }
    for (size_t j = 0; j < chunk_steps; j++) {
      vf sum = splat(0);
      for (size_t i = chunk_steps; i-- > j + 1;) {
        sum = fma_(splat(by_query[i * chunk_steps + j]), load(q + i * row + channel), sum);
        if (c->delta)
          sum = fma_(splat(by_key[i * chunk_steps + j]), load(k + i * row + channel), sum);
        sum *= load(a + i * row + channel);
      }
      const size_t at = j * row + channel;
      vf gk = load(g->gk + at) + sum;
      store(g->gk + at, fma_(splat(by_query[j * chunk_steps + j]), load(q + at), gk));
      store(g->at_or_after + at, load(g->at_or_after + at) - load(k + at) * sum);
    }
  }
}

// MARK: Gates

// The part of gates' gradients that passes the state: reads at step i depend on the gates up to i,
// what is written at j on those after j.
static void gates_through_state(const struct chunk_gradients *g) {
  const struct chunk *c = &g->c;
  const size_t half = chunk_steps * c->row;
  multiply_rows(half, c->qk, g->readers, g->at_or_after);
  if (c->delta)
    for (size_t i = 0; i < half; i += LANES)
      store(g->at_or_after + i, fma_(load(c->qk + half + i), load(g->readers + half + i),
                                     load(g->at_or_after + i)));
  multiply_rows(half, c->qk + half, g->by_state, g->before);
}

// Sums all parts: gates of step m meet reads at or after m, writes before m, pairs around m, and
// the state that passes the whole chunk.
static void gate_gradients(const struct chunk_gradients *g, const float *state, size_t count,
                           float *gdecay) {
  const struct chunk *c = &g->c;
  const size_t row = c->row, last = (chunk_steps - 1) * row;
  for (size_t channel = 0; channel < row; channel += LANES) {
    vf passing = splat(0);
    for (size_t v = channel; v < c->values * row; v += row)
      passing = fma_(load(state + v), load(g->gturned + v), passing);
    passing *= load(c->since + last + channel);
    for (size_t m = chunk_steps; m-- > 0;) {
      float *place = g->at_or_after + m * row + channel;
      passing += load(place);
      store(place, passing);
    }
    vf written = splat(0);
    for (size_t m = 0; m < chunk_steps; m++) {
      float *place = g->at_or_after + m * row + channel;
      store(place, load(place) + written);
      written += load(g->before + m * row + channel);
    }
  }
  if (c->of_channels) {
    store_steps(g->at_or_after, row, count, c->keys, 1, gdecay, c->keys);
    return;
  }
  // One gate for all channels. The pairs around m are those of readers i >= m with writers j < m.
  vf around[chunk_steps / LANES] = {0};
  for (size_t m = chunk_steps; m-- > 0;) {
    vf sum = splat(0);
    for (size_t j = 0; j < chunk_steps; j += LANES) {
      const size_t at = m * chunk_steps + j;
      around[j / LANES] += load(c->pairs + at);
      if (c->delta) around[j / LANES] += load(c->pairs + chunk_pairs + at);
      sum += select_(lanes_from(j) < (int)m, around[j / LANES], splat(0));
    }
    for (size_t channel = 0; channel < row; channel += LANES)
      sum += load(g->at_or_after + m * row + channel);
    if (m < count) gdecay[m] = sum_lanes(sum);
  }
}

// MARK: A chunk back

static void chunk_backward(const struct chunk_gradients *g, const float *state) {
  const struct chunk *c = &g->c;
  const size_t row = c->row, wide = c->value_row, half = chunk_steps * row;
  float *resisting = g->arriving + chunk_steps * wide;  // -gr
  pack_transposed(c->u, (ptrdiff_t)wide, chunk_steps, c->values, 1, g->uturned, chunk_steps);
  pack_transposed(g->gstate, (ptrdiff_t)wide, c->keys, c->values, 1, g->gturned, row);

  times(chunk_steps, wide, c->keys, c->left, row, 1, g->gstate, wide, false, g->gu, wide);
  times_pairs(true, chunk_steps, wide, c->pairs, g->arriving, wide, g->gu, wide);
  if (c->delta) {
    solve_steps(true, c->pairs + chunk_pairs, c->beta, wide, g->gu, resisting);
    for (size_t i = 0; i < chunk_steps * wide; i += LANES)
      store(resisting + i, -load(resisting + i));
  }
  times(c->rows, chunk_steps, c->values, g->arriving, wide, 1, g->uturned, chunk_steps, false,
        g->gpairs, chunk_steps);
  times(c->rows, row, c->values, g->arriving, wide, 1, state, row, false, g->readers, row);
  times(chunk_steps, row, c->values, c->u, wide, 1, g->gturned, row, false, g->by_state, row);
  if (c->gated) {
    multiply_rows(half, g->readers, c->since, g->readers);
    if (c->delta) multiply_rows(half, g->readers + half, c->since, g->readers + half);
    multiply_rows(half, g->by_state, c->until, g->by_state);
    gates_through_state(g);
  }
  memcpy(g->gk, g->by_state, half * sizeof(float));
  if (c->of_channels)
    pairs_backward_by_channel(g);
  else
    pairs_backward(g);
  if (c->delta)
    for (size_t i = 0; i < half; i += LANES)
      store(g->gk + i, load(g->gk + i) + load(g->readers + half + i));
}

static void gstate_before(const struct chunk_gradients *g) {
  const struct chunk *c = &g->c;
  const float *remains = c->since + (chunk_steps - 1) * c->row;
  if (c->gated)
    for (size_t channel = 0; channel < c->keys; channel++) {
      float *gstate = g->gstate + channel * c->value_row;
      for (size_t i = 0; i < c->value_row; i += LANES)
        store(gstate + i, load(gstate + i) * remains[channel]);
    }
  times(c->keys, c->value_row, c->rows, c->seen, 1, c->row, g->arriving, c->value_row, true,
        g->gstate, c->value_row);
}

static void beta_gradients(const struct chunk_gradients *g, size_t count, float *gbeta) {
  const struct chunk *c = &g->c;
  for (size_t i = 0; i < count; i++) {
    vf sum = splat(0);
    for (size_t j = i * c->value_row; j < (i + 1) * c->value_row; j += LANES)
      sum = fma_(load(g->gu + j), load(c->v + j), sum);
    gbeta[i] = sum_lanes(sum);
  }
}

// The steps from `first` to `end`, before which the state `kept` was.
static void steps_backward(const struct linear_attention_work *work,
                           const struct chunk_gradients *g, size_t head, size_t first, size_t end,
                           const float *kept) {
  const callosum_linear_attention_job *job = work->job;
  const struct chunk *c = &g->c;
  const size_t area = c->values * c->row, chunks = chunk_count(end - first);
  pack_transposed(kept, (ptrdiff_t)c->values, c->keys, c->values, 1, g->states, c->row);
  for (size_t i = 0; i + 1 < chunks; i++) {
    load_keys(c, head, first + i * chunk_steps, chunk_steps);
    load_updates(c, work->residuals, head, first + i * chunk_steps, chunk_steps);
    next_state(c, g->states + i * area, g->states + (i + 1) * area);
  }
  for (size_t i = chunks; i-- > 0;) {
    const size_t at = first + i * chunk_steps, count = at_most(end - at, chunk_steps);
    const float *state = g->states + i * area;
    load_keys(c, head, at, count);
    load_queries(c, head, at, count);
    load_updates(c, work->residuals, head, at, count);
    if (at >= chunk_steps) {
      const size_t next = at - chunk_steps;
      ask_for_steps(job->q + PLACE(q, head, next), job->q_step, c->keys);
      ask_for_steps(job->k + PLACE(k, head, next), job->k_step, c->keys);
      ask_for_steps(work->gy + PLACE(y, head, next), job->y_step, c->values);
      ask_for_steps(work->gq + PLACE(q, head, next), job->q_step, c->keys);
      ask_for_steps(work->gk + PLACE(k, head, next), job->k_step, c->keys);
      ask_for_steps(work->gv + PLACE(v, head, next), job->v_step, c->values);
    }
    load_steps(work->gy + PLACE(y, head, at), job->y_step, count, c->values, 1, g->arriving,
               c->value_row);
    chunk_backward(g, state);

    const size_t step = head * job->time + at;
    store_steps(g->readers, c->row, count, c->keys, job->scale, work->gq + PLACE(q, head, at),
                job->q_step);
    store_steps(g->gk, c->row, count, c->keys, 1, work->gk + PLACE(k, head, at), job->k_step);
    // -gr serves as gv too: v enters where r does.
    store_steps(c->delta ? g->arriving + chunk_steps * c->value_row : g->gu, c->value_row, count,
                c->values, c->delta ? -1 : 1, work->gv + PLACE(v, head, at), job->v_step);
    if (c->delta) beta_gradients(g, count, work->gbeta + step);
    if (c->gated)
      gate_gradients(g, state, count, work->gdecay + step * (c->of_channels ? c->keys : 1));
    gstate_before(g);
  }
}

static void linear_attention_backward_heads(void *context, size_t begin, size_t end) {
  const struct linear_attention_work *work = context;
  const callosum_linear_attention_job *job = work->job;
  struct chunk_gradients g;
  size_t size = lay_out_gradients(job, NULL, &g);
  float *block = scratch(size);
  lay_out_gradients(job, block, &g);
  const struct chunk *c = &g.c;
  if (!c->gated) decays_between(c);
  const size_t area = c->keys * c->values;
  const size_t keeps = (job->time + job->kept_every - 1) / job->kept_every;
  for (size_t head = begin; head < end; head++) {
    if (work->glast)
      pack_rows(work->glast + head * area, (ptrdiff_t)c->values, c->keys, c->values, 1, g.gstate,
                c->value_row);
    else
      zero_rows(g.gstate, c->value_row, c->keys, c->value_row);
    for (size_t keep = keeps; keep-- > 0;) {
      size_t first = keep * job->kept_every;
      steps_backward(work, &g, head, first, at_most(first + job->kept_every, job->time),
                     work->kept + (head * keeps + keep) * area);
    }
    store_steps(g.gstate, c->value_row, c->keys, c->values, 1, work->ginitial + head * area,
                c->values);
  }
  callosum_free(block, size * sizeof(float));
}

static void linear_attention_backward(const callosum_linear_attention_job *job,
                                      const float *residuals, const float *kept, const float *gy,
                                      const float *glast, float *gq, float *gk, float *gv,
                                      float *gdecay, float *gbeta, float *ginitial) {
  struct linear_attention_work work = {
      .job = job, .residuals = (float *)residuals, .kept = (float *)kept, .gy = gy, .glast = glast,
      .gq = gq, .gk = gk, .gv = gv, .gdecay = gdecay, .gbeta = gbeta, .ginitial = ginitial};
  callosum_parallel(job->batch * job->heads, linear_attention_grain(job),
                    linear_attention_backward_heads, &work);
}
#undef PLACE
