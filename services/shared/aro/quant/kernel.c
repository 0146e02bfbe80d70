/* Implied volatilities and Greeks of many contracts: the formulas of normalised.py, implied.py and black.py, written
 * as loops without branches over chunks of contracts that stay in the first cache, so that any C compiler turns them
 * into vector instructions. No header of Python is needed; kernel.py loads the result with ctypes.
 *
 * Rows far outside what a market quotes are not solved here but marked HARD, and the caller solves them with numpy.
 * So this file may assume that nothing overflows, and what can take any float64 remains the Python code.
 */
#include <stdint.h>
#include <string.h>

#define REVISION 1 /* as in kernel.py */
#define SERIES_ORDER 21
#define ROUNDS 4
#define CHUNK 128 /* contracts: all arrays of a chunk together are 20 kB */

enum { OK, NO_PRICE, BELOW_INTRINSIC, ABOVE_MAXIMUM, EXPIRED, HARD = -1 };

static const double ORDINARY = 1e60; /* forward, strike, discount and years lie between 1/ORDINARY and it */
static const double FAINT = 1e-180;  /* no price, normalised or not, lies below; so no quotient of these underflows */
static const double SETTLED = 2e-4;   /* as in implied.py, as are the next two */
static const double TRUSTED = 0.1;
static const double INTRINSIC_ROUNDING = 0x1p-51;
static const double MOST_NORMAL = 1.0 - 0x1p-52;
static const double SQRT_2_PI = 2.5066282746310002, INV_SQRT_2_PI = 0.3989422804014327;
static const double LOG_SQRT_2_PI = 0.9189385332046727;

#define INLINE static inline __attribute__((always_inline))
#define EACH for (int i = 0; i < n; i++)
typedef double Lane[CHUNK];

INLINE double least(double a, double b) { return a < b ? a : b; }
INLINE double most(double a, double b) { return a > b ? a : b; }
INLINE double absolute(double a) { return __builtin_fabs(a); }
INLINE double root(double a) { return __builtin_sqrt(a); }

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

/* ln(1 + y), y >= 0, with the rounding of 1 + y put back. */
INLINE double logarithm_of_one_plus(double y) {
    double u = 1.0 + y;
    return logarithm(u) + (y - (u - 1.0)) / u;
}

/* Mills' ratio N(-z)/n(z), z >= 0: minimax rational functions with positive coefficients (own Remez fits to 60
 * digits; relative error 1e-17), which a sum of positive terms evaluates to the last bit or two. */
INLINE double mills(double z) {
    double p = 1.0000000000000000095, q = 1.0;
    p = p * z + 29.32866101567698224, q = q * z + 29.328661015677012924;
    p = p * z + 426.34458933882677838, q = q * z + 427.34458933881083828;
    p = p * z + 3981.7518225839665009, q = q * z + 4011.0804836028478802;
    p = p * z + 26225.005511915091692, q = q * z + 26649.350100919103729;
    p = p * z + 126650.72699611005054, q = q * z + 130573.82151784634506;
    p = p * z + 453250.3229337000073, q = q * z + 478632.63837494430176;
    p = p * z + 1187595.7633581893801, q = q * z + 1306576.2999777430364;
    p = p * z + 2188425.1600514537804, q = q * z + 2593414.3256206745333;
    p = p * z + 2581864.8557225307391, q = q * z + 3553816.4783908647382;
    p = p * z + 1504856.6083613693429, q = q * z + 3018051.5779213926573;
    return p / (q * z + 1200701.8540337007242);
}

/* R(-h-t) - R(-h+t): see normalised.py, _series. */
INLINE double series(double h, double t, double k, double mills_of_h) {
    static const double inverse[] = {0,        1.0,      1 / 2.0,  1 / 3.0,  1 / 4.0,  1 / 5.0,  1 / 6.0,  1 / 7.0,
                                     1 / 8.0,  1 / 9.0,  1 / 10.0, 1 / 11.0, 1 / 12.0, 1 / 13.0, 1 / 14.0, 1 / 15.0,
                                     1 / 16.0, 1 / 17.0, 1 / 18.0, 1 / 19.0, 1 / 20.0, 1 / 21.0};
    double p = -0.5 * k, q = t * t, previous = mills_of_h, current = t * (1.0 + h * mills_of_h), total = current;
#pragma GCC unroll 32
    for (int j = 1; j < SERIES_ORDER; j++) {
        double next = (p * current + q * previous) * inverse[j + 1];
        previous = current, current = next;
        total = j % 2 == 0 ? total + current : total;
    }
    return 2.0 * total;
}

INLINE int is_near(double k, double s) { return (k < 1.0) & (s < 1.0); }
INLINE int is_upper(double d1, double s) { return (d1 > 0.0) & (s >= 1.0); }

/* c(k, s) in the terms of normalised.py: c = ratio·n(d1), or 1 - c = ratio·n(d1) where is_upper(). */
INLINE void normalised(int n, const double *k, const double *s, double *d1, double *ratio) {
    _Alignas(64) Lane r1, r2;
    EACH {
        double t = 0.5 * s[i], h = -k[i] / s[i];
        d1[i] = h + t;
        r1[i] = mills(is_near(k[i], s[i]) ? -h : absolute(d1[i]));
        r2[i] = mills(t - h);
    }
    EACH {
        double near = series(-k[i] / s[i], 0.5 * s[i], k[i], r1[i]);
        double apart = is_upper(d1[i], s[i]) ? r1[i] + r2[i] : r1[i] - r2[i];
        ratio[i] = is_near(k[i], s[i]) ? near : apart;
    }
}

/* The first guess of implied.py, _guess; z = |F - K| / undiscounted out-of-the-money price = (e^k - 1)/c. */
INLINE void guess(int n, const double *k, const double *c, const double *z, double *s) {
    EACH {
        double w = logarithm_of_one_plus(z[i]), u = root(w);
        double p = 0.3990071146271651 + u * (0.05215614057450845 + u * (0.04308328258760974 +
                   u * (0.013217681324846738 + u * 0.010620072259718293)));
        double q = 1.0 + u * (0.13361061021038817 + u * (0.09476602752349146 + u * (0.05726789926972889 +
                   u * (0.010395106468727875 + u * 0.007495909683302254))));
        double y = z[i] > 0.0 ? (k[i] * q) / (SQRT_2_PI * w * p) : c[i];
        y = least(y, MOST_NORMAL);
        double v = -logarithm((1.0 - y) * (1.0 + y));
        p = 2.5065797649672623 + v * (0.8915377194856925 + v * (0.17472981467698742 + v * (0.021787995343062586 +
            v * 0.00011174151718522604)));
        q = 1.0 + v * (0.09356774038378302 + v * (0.03290379219418913 + v * 0.000887253431200903));
        s[i] = y * p / q;
    }
}

/* One fourth-order Householder step on logit c in ln s where `distance` is not yet small; see implied.py, _step. */
INLINE void step(int n, const double *k, const double *c, const double *complement, double *s, double *distance) {
    _Alignas(64) Lane d1, ratio;
    normalised(n, k, s, d1, ratio);
    EACH {
        int upper = is_upper(d1[i], s[i]);
        double half = 0.5 * d1[i] * d1[i], density = INV_SQRT_2_PI * exponential(-half);
        double rest = 1.0 - density * ratio[i], inverse = 1.0 / ratio[i], across = density / rest;
        double rise = upper ? across : inverse, fall = upper ? inverse : across;
        /* By logarithms of the ratio, so that n(d1) may underflow. */
        double odds = (upper ? rest : ratio[i]) * complement[i] / (c[i] * (upper ? ratio[i] : rest));
        double exponent = half + LOG_SQRT_2_PI, f = logarithm(odds) + (upper ? exponent : -exponent);
        double inverse_s = 1.0 / s[i], k_s = k[i] * inverse_s, k_ss = k_s * inverse_s;
        double slope = rise + fall, g = k_s * k_ss - 0.25 * s[i], second = g - rise + fall;
        double third = second * second - 3.0 * k_ss * k_ss - 0.25 - rise * (g - rise) + fall * (g + fall);
        double newton = -f / (slope * s[i]);
        third = s[i] * (s[i] * third + 3.0 * second) + 1.0, second = s[i] * second + 1.0;
        double full = newton * (1.0 + 0.5 * second * newton) /
                      (1.0 + newton * (second + newton * third * (1.0 / 6.0)));
        full = most(least(full / newton > TRUSTED ? full : newton, 3.0), -3.0);
        int open = !(distance[i] <= SETTLED);
        distance[i] = open ? absolute(newton) * most(s[i], 1.0) : distance[i];
        s[i] = open ? s[i] * exponential(full) : s[i];
    }
}

INLINE int any_open(int n, const double *distance) {
    int open = 0;
    EACH open |= !(distance[i] <= SETTLED);
    return open;
}

INLINE int ordinary(double x) { return (x >= 1.0 / ORDINARY) & (x <= ORDINARY); }

/* A chunk of one column; rows that pad it to whole vectors hold any number. */
INLINE void load(int real, int n, const double *from, double *to) {
    memcpy(to, from, real * sizeof *to);
    for (int i = real; i < n; i++) to[i] = 1.0;
}

INLINE int64_t implied_chunks(int64_t size, const double *columns, double *iv, int8_t *status) {
    _Alignas(64) Lane p, F, K, T, D, side, k, c, complement, z, s, distance, code;
    double *const chunk[] = {p, F, K, T, D, side};
    int64_t hard = 0;
    for (int64_t start = 0; start < size; start += CHUNK) {
        int real = size - start < CHUNK ? (int)(size - start) : CHUNK, n = (real + 7) & ~7;
        for (int j = 0; j < 6; j++) load(real, n, columns + j * size + start, chunk[j]);
        EACH {
            side[i] = side[i] == 0.0 ? -1.0 : 1.0;
            double low = least(F[i], K[i]), high = most(F[i], K[i]), intrinsic = high - low, u = p[i] / D[i];
            int inside = (F[i] - K[i]) * side[i] > 0.0;
            double value = inside ? u - intrinsic : u, share = value / low;
            double rest = inside ? (high - u) / low : 1.0 - share;
            double state = share < FAINT ? HARD : OK;
            state = rest > 0.0 ? state : ABOVE_MAXIMUM;
            state = p[i] >= D[i] * (inside ? high : low) ? ABOVE_MAXIMUM : state;
            state = value <= INTRINSIC_ROUNDING * u ? BELOW_INTRINSIC : state;
            state = ordinary(F[i]) ? state : HARD;
            state = ordinary(K[i]) ? state : HARD;
            state = ordinary(T[i]) ? state : HARD;
            state = ordinary(D[i]) ? state : HARD;
            state = (p[i] >= FAINT) & (p[i] <= ORDINARY) ? state : HARD;
            state = T[i] <= 0.0 ? EXPIRED : state;
            state = p[i] > 0.0 ? state : NO_PRICE;
            int ok = state == OK;
            code[i] = state;
            double far = logarithm_of_one_plus(intrinsic / low), times = intrinsic / value;
            k[i] = ok ? far : 0.0;
            c[i] = ok ? share : 0.25;
            complement[i] = ok ? rest : 0.75;
            z[i] = ok ? times : 0.0;
            distance[i] = 1.0;
        }
        guess(n, k, c, z, s);
        for (int round = 0; round < ROUNDS && any_open(n, distance); round++) step(n, k, c, complement, s, distance);
        EACH {
            code[i] = (code[i] == OK) & !(distance[i] <= SETTLED) ? HARD : code[i];
            s[i] = code[i] == OK ? s[i] / root(T[i]) : __builtin_nan("");
        }
        memcpy(iv + start, s, real * sizeof *iv);
        for (int i = 0; i < real; i++) status[start + i] = (int8_t)code[i], hard += code[i] == HARD;
    }
    return hard;
}

INLINE int64_t greeks_chunks(int64_t size, const double *columns, double *greeks, int8_t *status) {
    _Alignas(64) Lane F, K, T, sigma, D, side, k, s, d1, ratio, code, delta, gamma, vega, theta, rho;
    double *const chunk[] = {F, K, T, sigma, D, side}, *const results[] = {delta, gamma, vega, theta, rho};
    int64_t hard = 0;
    for (int64_t start = 0; start < size; start += CHUNK) {
        int real = size - start < CHUNK ? (int)(size - start) : CHUNK, n = (real + 7) & ~7;
        for (int j = 0; j < 6; j++) load(real, n, columns + j * size + start, chunk[j]);
        EACH {
            side[i] = side[i] == 0.0 ? -1.0 : 1.0;
            double low = least(F[i], K[i]), high = most(F[i], K[i]), total = sigma[i] * root(T[i]);
            double far = logarithm_of_one_plus((high - low) / low);
            double state = (total >= 1e-10) & (total <= 30.0) ? OK : HARD;
            state = far <= 30.0 * total ? state : HARD;
            state = ordinary(F[i]) ? state : HARD;
            state = ordinary(K[i]) ? state : HARD;
            state = ordinary(T[i]) ? state : HARD;
            state = ordinary(D[i]) ? state : HARD;
            state = (T[i] > 0.0) & (sigma[i] >= 0.0) ? state : NO_PRICE;
            code[i] = state;
            k[i] = state == OK ? far : 0.0;
            s[i] = state == OK ? total : 1.0;
        }
        normalised(n, k, s, d1, ratio);
        EACH {
            double low = least(F[i], K[i]), high = most(F[i], K[i]), root_t = root(T[i]), d2 = d1[i] - s[i];
            double density = INV_SQRT_2_PI * exponential(-0.5 * d1[i] * d1[i]), product = density * ratio[i];
            double share = is_upper(d1[i], s[i]) ? 1.0 - product : product, F_n = low * density;
            int inside = (F[i] - K[i]) * side[i] > 0.0;
            double value = D[i] * (low * share) + D[i] * (inside ? high - low : 0.0);
            /* The contract's d1 is that of the reduced one, or -d2 of it if F is above K; its delta is D·N(d1) or
             * -D·N(-d1). Each probability is taken from the tail that is small. */
            double z = F[i] > K[i] ? -d2 : d1[i], tail_density = F[i] > K[i] ? density * (low / high) : density;
            double tail = tail_density * mills(absolute(z)), cumulative = z * side[i] > 0.0 ? 1.0 - tail : tail;
            double nothing = __builtin_nan("");
            int ok = code[i] == OK;
            delta[i] = ok ? side[i] * (D[i] * cumulative) : nothing;
            gamma[i] = ok ? D[i] * (F_n / F[i] / F[i] / s[i]) : nothing;
            vega[i] = ok ? D[i] * F_n * root_t * 0.01 : nothing;
            double fade = -logarithm(ok ? D[i] : 1.0) / T[i] * value - D[i] * F_n * sigma[i] / (2.0 * root_t);
            theta[i] = ok ? fade * (1 / 365.0) : nothing;
            rho[i] = ok ? -T[i] * value * 0.01 : nothing;
        }
        for (int j = 0; j < 5; j++) memcpy(greeks + j * size + start, results[j], real * sizeof(double));
        for (int i = 0; i < real; i++) status[start + i] = (int8_t)code[i], hard += code[i] == HARD;
    }
    return hard;
}

/* Both take six columns of `size` end to end, the last being is_call, and return how many rows are marked HARD.
 * implied: price, forward, strike, years, discount. greeks: forward, strike, years, sigma, discount; out come five
 * columns, in the order of black.Greeks. */
#define ENTRIES(level, attributes)                                                                                    \
    attributes int64_t implied_##level(int64_t size, const double *columns, double *iv, int8_t *status) {            \
        return implied_chunks(size, columns, iv, status);                                                             \
    }                                                                                                                 \
    attributes int64_t greeks_##level(int64_t size, const double *columns, double *greeks, int8_t *status) {         \
        return greeks_chunks(size, columns, greeks, status);                                                          \
    }

int32_t revision(void) { return REVISION; }

ENTRIES(base, )

#ifdef __x86_64__
#ifdef __clang__
#define WIDE
#else
#define WIDE ",prefer-vector-width=512"
#endif
ENTRIES(v3, __attribute__((target("avx2,fma,bmi2"))))
ENTRIES(v4, __attribute__((target("avx2,fma,bmi2,avx512f,avx512dq,avx512vl,avx512bw" WIDE))))

/* The widest level that this processor has. */
const char *level(void) {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
        return "v4";
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2") ? "v3"
                                                                                                              : "base";
}
#else
const char *level(void) { return "base"; }
#endif
