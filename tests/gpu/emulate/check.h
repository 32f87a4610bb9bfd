// Pass or fail, a line a case; and how numbers are compared.
#pragma once
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

inline int failures = 0, passes = 0;
inline double worst = 0.0;

// max|found - expected| / max|expected|; infinite where one is not a number.
template <class A, class B> double error(const std::vector<A> &found, const std::vector<B> &expected) {
  if (found.size() != expected.size()) return INFINITY;
  double difference = 0.0, scale = 1e-6;
  for (size_t i = 0; i < found.size(); ++i) {
    double d = std::fabs(static_cast<double>(found[i]) - static_cast<double>(expected[i]));
    if (!(d <= difference)) difference = std::isnan(d) ? INFINITY : d;
    scale = std::fmax(scale, std::fabs(static_cast<double>(expected[i])));
  }
  return difference / scale;
}

// Notes a result; prints it if it failed.
inline bool expect(bool good, const std::string &what) {
  ++(good ? passes : failures);
  if (!good) printf("FAIL  %s\n", what.c_str());
  return good;
}
inline bool expect_error(double found, double bound, const std::string &what) {
  worst = std::fmax(worst, found);
  return expect(found <= bound, what + ": error " + std::to_string(found * 1e6) + "e-6 above the bound");
}

// Ends a group of cases with its line of the list.
inline void summary(const char *what) {
  static int failed_before = 0, passed_before = 0;
  printf("%s  %-46s %5d checks, largest error %.1e\n", failures == failed_before ? "pass" : "FAIL", what,
         passes + failures - passed_before - failed_before, worst);
  failed_before = failures, passed_before = passes, worst = 0.0;
  fflush(stdout);
}
