// Leaky integrate-and-fire neurons over [time, lanes], forward and back through time. A tile of
// lanes stays in the first cache while time passes.

enum { spiking_tile = 512 };

struct spiking_job {
  const callosum_spiking *spec;
  const float *current, *leak, *initial, *gspikes, *gpotentials, *glast;
  float *spikes, *potentials, *last, *gcurrent, *ginitial, *gleak;
};

INLINE vf after_reset(vf u, vi fires, const callosum_spiking *s) {
  switch (s->reset) {
    case callosum_reset_subtract: return select_(fires, u - s->threshold, u);
    case callosum_reset_zero: return select_(fires, splat(0), u);
    default: return u;
  }
}

// What stands for the derivative of the step at x = u - threshold.
INLINE vf surrogate_derivative(vf x, const callosum_spiking *s) {
  float slope = s->slope;
  switch (s->surrogate) {
    case callosum_fast_sigmoid: {
      vf root = 1 / fma_(abs_(x), splat(slope), splat(1));
      return root * root;
    }
    case callosum_arctangent: {
      vf bent = x * (1.57079632679f * slope);
      return slope * 0.5f / fma_(bent, bent, splat(1));
    }
    case callosum_triangle: return max_(splat(0), 1 - abs_(x) * slope);
    case callosum_logistic: {
      vf e = exp_(-abs_(x * slope)), whole = 1 / (1 + e);
      return slope * e * whole * whole;
    }
    case callosum_rectangle:
      return select_(abs_(x) * slope < 0.5f, splat(slope), select_(x == x, splat(0), x));
    case callosum_gaussian: {
      vf bent = x * slope;
      return 0.398942280f * slope * exp_(-0.5f * bent * bent);
    }
    default: return splat(1);
  }
}

// The leaks of lanes first..<first + n, one for each.
INLINE void spread_leaks(const struct spiking_job *job, size_t first, size_t n, float *leak) {
  size_t leaks = job->spec->leaks, at = first % leaks;
  for (size_t l = 0; l < n; l++) {
    leak[l] = job->leak[at];
    if (++at == leaks) at = 0;
  }
}

static void integrate_and_fire_range(void *context, size_t begin, size_t end) {
  const struct spiking_job *job = context;
  const callosum_spiking *s = job->spec;
  float leak[spiking_tile], v[spiking_tile];
  for (size_t first = begin; first < end; first += spiking_tile) {
    size_t n = end - first < spiking_tile ? end - first : spiking_tile;
    spread_leaks(job, first, n, leak);
    memcpy(v, job->initial + first, n * sizeof(float));
    for (size_t t = 0; t < s->time; t++) {
      const float *current = job->current + t * s->lanes + first;
      float *spikes = job->spikes + t * s->lanes + first;
      float *potentials = job->potentials + t * s->lanes + first;
      for (size_t l = 0; l < n; l += LANES) {
        size_t left = n - l;
        vf u = fma_(load_some(leak + l, left), load_some(v + l, left), load_some(current + l, left));
        vi fires = u >= s->threshold;
        store_some(potentials + l, u, left);
        // A potential that is not a number neither fires nor rests.
        store_some(spikes + l, select_(fires, splat(1), select_(u == u, splat(0), u)), left);
        store_some(v + l, after_reset(u, fires, s), left);
      }
    }
    memcpy(job->last + first, v, n * sizeof(float));
  }
}

static size_t spiking_grain(const callosum_spiking *s) { return 16384 / (s->time + 1) + 1; }

static void integrate_and_fire(const callosum_spiking *spec, const float *current, const float *leak,
                               const float *initial, float *spikes, float *potentials,
                               float *last) {
  struct spiking_job job = {.spec = spec, .current = current, .leak = leak, .initial = initial,
                            .spikes = spikes, .potentials = potentials, .last = last};
  callosum_parallel(spec->lanes, spiking_grain(spec), integrate_and_fire_range, &job);
}

static void integrate_and_fire_backward_range(void *context, size_t begin, size_t end) {
  const struct spiking_job *job = context;
  const callosum_spiking *s = job->spec;
  float leak[spiking_tile], gv[spiking_tile], gleak[spiking_tile];
  for (size_t first = begin; first < end; first += spiking_tile) {
    size_t n = end - first < spiking_tile ? end - first : spiking_tile;
    spread_leaks(job, first, n, leak);
    for (size_t l = 0; l < n; l++) {
      gv[l] = job->glast ? job->glast[first + l] : 0;
      gleak[l] = 0;
    }
    for (size_t t = s->time; t-- > 0;) {
      size_t row = t * s->lanes + first;
      for (size_t l = 0; l < n; l += LANES) {
        size_t left = n - l, i = row + l;
        vf u = load_some(job->potentials + i, left), later = load_some(gv + l, left);
        vf gspike = job->gspikes ? load_some(job->gspikes + i, left) : splat(0);
        vi fires = u >= s->threshold;
        vf kept = later;
        if (s->reset == callosum_reset_zero) kept = select_(fires, splat(0), later);
        if (!s->detach_reset && s->reset != callosum_reset_none)
          gspike -= (s->reset == callosum_reset_zero ? u : splat(s->threshold)) * later;
        vf gu = fma_(surrogate_derivative(u - s->threshold, s), gspike, kept);
        if (job->gpotentials) gu += load_some(job->gpotentials + i, left);
        store_some(job->gcurrent + i, gu, left);
        if (job->gleak) {
          vf before;
          if (t > 0) {
            vf earlier = load_some(job->potentials + i - s->lanes, left);
            before = after_reset(earlier, earlier >= s->threshold, s);
          } else {
            before = load_some(job->initial + first + l, left);
          }
          store_some(gleak + l, fma_(gu, before, load_some(gleak + l, left)), left);
        }
        store_some(gv + l, gu * load_some(leak + l, left), left);
      }
    }
    memcpy(job->ginitial + first, gv, n * sizeof(float));
    if (job->gleak) memcpy(job->gleak + first, gleak, n * sizeof(float));
  }
}

static void integrate_and_fire_backward(const callosum_spiking *spec, const float *leak,
                                        const float *initial, const float *potentials,
                                        const float *gspikes, const float *gpotentials,
                                        const float *glast, float *gcurrent, float *ginitial,
                                        float *gleak) {
  struct spiking_job job = {.spec = spec, .leak = leak, .initial = initial,
                            .potentials = (float *)potentials, .gspikes = gspikes,
                            .gpotentials = gpotentials, .glast = glast, .gcurrent = gcurrent,
                            .ginitial = ginitial, .gleak = gleak};
  callosum_parallel(spec->lanes, spiking_grain(spec), integrate_and_fire_backward_range, &job);
}
