// Elementary functions of a vector, over the whole float range: NaN stays NaN, overflow gives
// infinity, underflow passes through the denormal numbers to 0. Polynomials are weighted minimax
// fits. Ranked: special values, then accuracy, then speed. "ulp" is the largest error measured,
// with FMA (AVX2, AVX-512; the baseline's own figure follows where it differs).

// Polynomial in x by Horner's rule, coefficients from the constant upwards.
INLINE vf polynomial(vf x, const float *c, int count) {
  vf y = splat(c[count - 1]);
#pragma clang loop unroll(full)
  for (int i = count - 2; i >= 0; i--) y = fma_(y, x, splat(c[i]));
  return y;
}
#define POLYNOMIAL(x, ...) \
  polynomial(x, (const float[]){__VA_ARGS__}, sizeof((float[]){__VA_ARGS__}) / sizeof(float))

INLINE bool any_(vi mask) { return __builtin_reduce_or(mask) != 0; }
INLINE vf abs_(vf x) { return (vf)((vi)x & 0x7fffffff); }
INLINE vf with_sign(vf magnitude, vf sign) {
  return (vf)(((vi)magnitude & 0x7fffffff) | ((vi)sign & (vi)splat(-0.0f)));
}
INLINE vf sqrt_(vf x) { return __builtin_elementwise_sqrt(x); }

// A function of the C library, lane by lane, where `rare` says so, for what vectors do badly.
static __attribute__((noinline)) void by_lane(float (*function)(float), const vi *rare, const vf *x,
                                              vf *y) {
  for (int i = 0; i < LANES; i++)
    if ((*rare)[i]) (*y)[i] = function((*x)[i]);
}

// Adding this rounds |x| < 2^22 to the nearest integer, which the low bits of the sum then hold.
static const float rounding = 12582912.0f;

// x = n ln 2 + r with |r| <= ln(2) / 2: returns r and n, the latter also as an integer.
INLINE vf reduce_exp(vf x, vf *n, vi *integer) {
  vf shifted = fma_(x, splat(1.44269504f), splat(rounding));
  *n = shifted - rounding;
  *integer = (vi)shifted - (vi)splat(rounding);
  return fma_(*n, splat(-1.42860677e-6f), fma_(*n, splat(-0.693145752f), x));
}
INLINE vf exponential_polynomial(vf r) {  // (exp(r) - 1 - r) / r²
  return POLYNOMIAL(r, 0.5f, 0.166665211f, 0.041668389f, 0.00836874545f, 0.00138145406f);
}
INLINE vf power_of_two(vi n) { return (vf)((n + 127) << 23); }

// exp for x in [-87, 88], where no result over- or underflows. Fewer steps than exp_; adding to the exponent
// makes some NaN a number, so callers look after NaN.
INLINE vf exp_normal(vf x) {
  vf n;
  vi integer;
  vf r = reduce_exp(x, &n, &integer);
  vf p = fma_(r * r, exponential_polynomial(r), r) + 1;
  return (vf)((vi)p + (integer << 23));
}

// exp with results from 1.6e-38 to 1.6e38, which take the place of what lies beyond; NaN stays NaN.
// 1.2 ulp between, in fewer steps than exp_: for decays, where 1.6e-38 is as good as nothing.
INLINE vf exp_bounded(vf x) {
  vf n;
  vi integer;
  vf r = reduce_exp(max_(splat(-87), min_(splat(88), x)), &n, &integer);
  vf p = fma_(r * r, exponential_polynomial(r), r) + 1;
  return p * power_of_two(integer);
}

// 1.2 ulp.
INLINE vf exp_(vf x) {
  vf n;
  vi integer;
  vf r = reduce_exp(max_(splat(-104), min_(splat(89), x)), &n, &integer);
  vf p = fma_(r * r, exponential_polynomial(r), r) + 1;
  // 2^n in two factors: either alone is a normal number.
  vi half = integer >> 1;
  return p * power_of_two(half) * power_of_two(integer - half);
}

// 1.8 ulp.
INLINE vf expm1_(vf x) {
  vf n;
  vi integer;
  vf r = reduce_exp(max_(splat(-30), min_(splat(89), x)), &n, &integer);
  vf p = fma_(r * r, exponential_polynomial(r), r);
  vf half = power_of_two(integer - 1);  // 2^n / 2: 2^128 would be infinity
  vf y = 2 * fma_(half, p, half - 0.5f);
  return select_(abs_(x) < 1e-7f, x, y);
}

// log(2^n (1 + f)) for f in [sqrt(1/2) - 1, sqrt(2) - 1].
INLINE vf log_parts(vf n, vf f) {
  vf p = POLYNOMIAL(f, 0.333333313f, -0.250008196f, 0.200012267f, -0.166233569f, 0.142017573f,
                    -0.131601855f, 0.127615884f, -0.0763450488f);
  vf square = f * f;
  vf tail = fma_(square, splat(-0.5f), fma_(n, splat(-2.12194440e-4f), square * f * p));
  return fma_(n, splat(0.693359375f), f + tail);
}
// u = 2^n (1 + f), for a positive normal u.
INLINE vf split_logarithm(vf u, vi *n) {
  vi bits = (vi)u - 0x3f3504f3;  // sqrt(1/2)
  *n = bits >> 23;
  return (vf)((bits & 0x7fffff) + 0x3f3504f3) - 1;
}
INLINE vf log_special(vf x, vf y) {
  y = select_(x < INFINITY, y, x);  // infinity, NaN
  y = select_(x < 0, splat(NAN), y);
  return select_(x == 0, splat(-INFINITY), y);
}

// 0.9 ulp.
INLINE vf log_(vf x) {
  vi tiny = x < 1.17549435e-38f, n;
  vf f = split_logarithm(select_(tiny, x * 8388608.0f, x), &n);
  n -= tiny & 23;
  return log_special(x, log_parts(__builtin_convertvector(n, vf), f));
}

// 1.5 ulp.
INLINE vf log1p_(vf x) {
  vf u = 1 + x;
  vf lost = select_(x > 1, 1 - (u - x), x - (u - 1));  // 1 + x - u, exactly
  vi n;
  vf f = split_logarithm(u, &n);
  f += lost * power_of_two(-n + ((n > 126) & 2));  // not 2^-128
  vf y = log_special(u, log_parts(__builtin_convertvector(n, vf), f));
  return select_(abs_(x) < 1e-7f, x, y);
}

// MARK: Circular functions

// x = n pi / 2 + r with |r| <= pi / 4, for |x| < 1e5; returns r.
INLINE vf reduce_circle(vf x, vi *n) {
  vf shifted = fma_(x, splat(0.636619772f), splat(rounding));
  vf turns = shifted - rounding;
  *n = (vi)shifted - (vi)splat(rounding);
#if LANES == 4
  // Without FMA the products round, so in double: the first has 33 bits and is exact.
  typedef double vd __attribute__((vector_size(LANES * 8)));
  vd exact = __builtin_convertvector(x, vd), count = __builtin_convertvector(turns, vd);
  exact = exact - count * 1.57079632673412561417 - count * 6.07710050650619224932e-11;
  return __builtin_convertvector(exact, vf);
#else
  vf r = fma_(turns, splat(-1.57079625f), x);
  r = fma_(turns, splat(-7.54978942e-8f), r);
  return fma_(turns, splat(-5.39030253e-15f), r);
#endif
}
INLINE vf sine_polynomial(vf r, vf square) {
  vf p = POLYNOMIAL(square, -0.166666552f, 0.00833215564f, -0.000195146305f);
  return fma_(square * r, p, r);
}
INLINE vf cosine_polynomial(vf square) {
  vf p = POLYNOMIAL(square, 0.0416666456f, -0.00138873095f, 2.44324128e-05f);
  return fma_(square, fma_(square, p, splat(-0.5f)), splat(1));
}
// sin(x + quarter pi / 2)
INLINE vf circular(vf x, int quarter, float (*exact)(float)) {
  vi n;
  vf r = reduce_circle(x, &n), square = r * r;
  n += quarter;
  vf y = select_((n & 1) != 0, cosine_polynomial(square), sine_polynomial(r, square));
  y = (vf)((vi)y ^ ((n & 2) << 30));
  vi large = ~(abs_(x) < 1e5f);
  if (any_(large)) by_lane(exact, &large, &x, &y);
  return y;
}
// 1.6 ulp for |x| < 1e5, then the C library's error.
INLINE vf sin_(vf x) { return select_(x == 0, x, circular(x, 0, sinf)); }
INLINE vf cos_(vf x) { return circular(x, 1, cosf); }
// 3.6 ulp.
INLINE vf tan_(vf x) {
  vi n;
  vf r = reduce_circle(x, &n), square = r * r;
  vf s = sine_polynomial(r, square), c = cosine_polynomial(square);
  vi odd = (n & 1) != 0;
  vf y = select_(odd, -c, s) / select_(odd, s, c);
  vi large = ~(abs_(x) < 1e5f);
  if (any_(large)) by_lane(tanf, &large, &x, &y);
  return select_(x == 0, x, y);
}

#define BY_LIBRARY(name, function)                \
  INLINE vf name(vf x) {                          \
    vi all = ~(vi){0};                            \
    vf y = x;                                     \
    by_lane(function, &all, &x, &y);              \
    return y;                                     \
  }
BY_LIBRARY(asin_, asinf)
BY_LIBRARY(acos_, acosf)
BY_LIBRARY(atan_, atanf)

// MARK: Hyperbolic functions, sigmoid and its kin

BY_LIBRARY(sinh_, sinhf)
BY_LIBRARY(cosh_, coshf)

// 2.5 ulp.
INLINE vf tanh_(vf x) {
  vf t = expm1_(-2 * abs_(x));
  return with_sign(t / (t + 2), x);
}

// 2.4 ulp.
INLINE vf sigmoid_(vf x) {
  vf e = exp_(-abs_(x));
  return select_(x < 0, e, splat(1)) / (1 + e);
}

// 4 ulp, or 1e-43 absolute where sigmoid is denormal; -infinity gives -0.
INLINE vf silu_(vf x) { return max_(splat(-3.4e38f), x) * sigmoid_(x); }

// 2e-7 absolute.
INLINE vf silu_derivative_(vf x) {
  vf near = max_(splat(-200), min_(splat(200), x));
  vf e = exp_(-abs_(x)), whole = 1 / (1 + e), part = e * whole;
  vi negative = x < 0;
  vf s = select_(negative, part, whole), rest = select_(negative, whole, part);
  return fma_(s * rest, near, s);
}

// 1.8 ulp.
INLINE vf softplus_(vf x) { return max_(x, splat(0)) + log1p_(exp_(-abs_(x))); }

// MARK: The normal distribution

// 1.2 ulp (baseline 1.4).
INLINE vf erf_(vf x) {
  vf t = min_(splat(4), abs_(x)), square = x * x;
  vf small = POLYNOMIAL(square, 0.128379151f, -0.376124948f, 0.112818033f, -0.02676557f,
                        0.00499098469f, -0.000597691163f);
  vf logarithm = POLYNOMIAL(t, -0.000195672474f, -1.12767565f, -0.637182236f, -0.103931613f,
                            0.0222269297f, -0.00304321968f, 0.000195937479f);  // of 1 - erf(t)
  vf large = with_sign(1 - exp_normal(logarithm), x);
  return select_(t > 0.92f, large, fma_(x, small, x));
}

// exp(t² / 2) times the normal distribution's upper tail beyond t, for t in [0, 13].
INLINE vf tail_ratio(vf t) {
  vf u = 1 / fma_(t, splat(0.29375f), splat(1));
  return u * POLYNOMIAL(u, 0.117066868f, 0.119353913f, 0.0910185575f, 0.152090222f, -0.0986250713f,
                        0.25688991f, -0.175051376f, 0.0372569673f);
}
// x P(X < x) = max(x, 0) - |x| P(X > |x|). Beyond 13 the last term counts as 1e-37, not as 0.
// 2.4e-7 absolute for |x| < 8, 7 ulp for x > 0; the negative tail keeps 14 ulp down to -5.
INLINE vf gelu_(vf x) {
  vf t = min_(splat(13), abs_(x));
  return max_(x, splat(0)) - t * exp_normal(t * t * -0.5f) * tail_ratio(t);
}
// P(X < x) + x p(x), p being the density. 2.3e-7 absolute.
INLINE vf gelu_derivative_(vf x) {
  vf t = min_(splat(13), abs_(x));
  vf low = exp_normal(t * t * -0.5f) * fma_(t, splat(-0.398942280f), tail_ratio(t));
  return select_(x < 0, low, 1 - low);
}
