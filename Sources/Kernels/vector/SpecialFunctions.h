// Rarer functions, in double for both types and lane by lane: they are not where time goes.

/// The logarithmic derivative of the gamma function: recurrence up to 8, then Stirling's series;
/// reflection for negative numbers. NaN at 0, -1, -2, ...
static double digamma(double x) {
  if (x <= 0) {
    if (x == floor(x)) return NAN;
    return digamma(1 - x) - M_PI / tan(M_PI * x);
  }
  double sum = 0;
  for (; x < 8; x++) sum -= 1 / x;
  double r = 1 / x, r2 = r * r;
  double series = r2 * (1.0 / 12 - r2 * (1.0 / 120 - r2 * (1.0 / 252 - r2 * (1.0 / 240 - r2 * (1.0 / 132 -
                  r2 * (691.0 / 32760 - r2 / 12))))));
  return sum + log(x) - 0.5 * r - series;
}

/// exp(x²) erfc(x), where erfc underflows by the asymptotic series.
static double erfcx(double x) {
  if (x < 25) return exp(x * x) * erfc(x);
  double r = 1 / (2 * x * x);
  return (1 - r * (1 - r * (3 - r * (15 - r * 105)))) / (x * 1.7724538509055160273);
}

/// log erfc(x), also where erfc underflows.
static double log_erfc(double x) { return x < 1 ? log(erfc(x)) : log(erfcx(x)) - x * x; }

/// log |Γ(x)|. lgamma would store the sign in a variable that all threads share.
static double log_gamma(double x) {
  int sign;
  return lgamma_r(x, &sign);
}
