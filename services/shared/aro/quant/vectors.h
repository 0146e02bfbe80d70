/* What all files of the library share: functions of one number without branches, so that their loops become vectors. */
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

INLINE double least(double a, double b) { return a < b ? a : b; }
INLINE double most(double a, double b) { return a > b ? a : b; }
INLINE double absolute(double a) { return __builtin_fabs(a); }
INLINE double root(double a) { return __builtin_sqrt(a); }
INLINE int is_finite(double x) { return absolute(x) <= 1.7976931348623157e308; }

INLINE double from_bits(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

INLINE uint64_t to_bits(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* e^x, and e^±700 beyond: 2^j·e^r with |r| <= ln(2)/2 and a minimax polynomial (own fit, relative error 1.3e-17). */
INLINE double exponential(double x) {
    const double shift = 0x1.8p52;
    x = most(least(x, 700.0), -700.0);
    double j = x * 1.4426950408889634 + shift;
    uint64_t exponent = to_bits(j) << 52;
    j -= shift;
    double r = (x - j * 0x1.62e42fee00000p-1) - j * 0x1.a39ef35793c76p-33, r2 = r * r, r4 = r2 * r2;
    double a = 0.50000000000000010221 + r * 0.16666666666666667453;
    double b = 0.041666666666624127873 + r * 0.0083333333333300618325;
    double c = 0.0013888888917213716901 + r * 0.00019841269863053616878;
    double d = 2.4801521295954375131e-5 + r * 2.7557268459997064772e-6;
    double e = 2.7620088445409748161e-7 + r * 2.5100385495510319078e-8;
    double p = (a + r2 * b) + r4 * ((c + r2 * d) + r4 * e);
    return from_bits(to_bits(1.0 + (r + r2 * p)) + exponent);
}

/* ln x of a positive normal x: the argument reduction and the coefficients of FreeBSD's e_log.c (Sun, 1993). */
INLINE double logarithm(double x) {
    uint64_t bits = to_bits(x) + (0x3ff0000000000000 - 0x3fe6a09e667f3bcd);
    double j = from_bits((bits >> 52) | 0x4330000000000000) - (0x1p52 + 1023);
    double f = from_bits((bits & 0x000fffffffffffff) + 0x3fe6a09e667f3bcd) - 1.0;
    double s = f / (2.0 + f), z = s * s, w = z * z, half = 0.5 * f * f;
    double even = w * (0.3999999999940941908 + w * (0.2222219843214978396 + w * 0.1531383769920937332));
    double odd = z * (0.6666666666666735130 +
                      w * (0.2857142874366239149 + w * (0.1818357216161805012 + w * 0.1479819860511658591)));
    return j * 6.93147180369123816490e-01 -
           ((half - (s * (half + (even + odd)) + j * 1.90821492927058770002e-10)) - f);
}

#define LANES 8 /* partial sums of a sum, as many as the widest vector has */

INLINE double folded(const double *lanes) {
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

/* Code of one entry point at three levels of the processor's instructions, the widest of which is chosen at load. */
#ifdef __x86_64__
#ifdef __clang__
#define WIDE
#else
#define WIDE ",prefer-vector-width=512"
#endif
#define LEVEL_V3 __attribute__((target("avx2,fma,bmi2")))
#define LEVEL_V4 __attribute__((target("avx2,fma,bmi2,avx512f,avx512dq,avx512vl,avx512bw" WIDE)))
#define EACH_LEVEL(ENTRIES) ENTRIES(base, ) ENTRIES(v3, LEVEL_V3) ENTRIES(v4, LEVEL_V4)
#else
#define EACH_LEVEL(ENTRIES) ENTRIES(base, )
#endif
