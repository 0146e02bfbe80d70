/* Implied volatilities and Greeks of many contracts: the formulas of normalised.py, implied.py, black.py and
 * higher_greeks.py, written as loops without branches over chunks of contracts that stay in the first cache, so that
 * any C compiler makes vector instructions of them. No header of Python is needed; kernel.py loads the result with
 * ctypes.
 *
 * Rows far outside what a market quotes are not solved here but marked HARD, and the caller solves them with numpy.
 * So this file may assume that nothing overflows, and what can take any float64 remains the Python code.
 */
#include "vectors.h"

#define REVISION 2 /* as in kernel.py; of all files of the library */
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

#define EACH for (int i = 0; i < n; i++)
typedef double Lane[CHUNK];

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

/* k and s of contracts of known volatility, and whether they are OK. */
INLINE void reduce(int n, const double *F, const double *K, const double *T, const double *sigma, const double *D,
                   double *k, double *s, double *code) {
    EACH {
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
}

INLINE int64_t greeks_chunks(int64_t size, const double *columns, double *greeks, int8_t *status) {
    _Alignas(64) Lane F, K, T, sigma, D, side, k, s, d1, ratio, code, delta, gamma, vega, theta, rho;
    double *const chunk[] = {F, K, T, sigma, D, side}, *const results[] = {delta, gamma, vega, theta, rho};
    int64_t hard = 0;
    for (int64_t start = 0; start < size; start += CHUNK) {
        int real = size - start < CHUNK ? (int)(size - start) : CHUNK, n = (real + 7) & ~7;
        for (int j = 0; j < 6; j++) load(real, n, columns + j * size + start, chunk[j]);
        EACH side[i] = side[i] == 0.0 ? -1.0 : 1.0;
        reduce(n, F, K, T, sigma, D, k, s, code);
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

/* higher_greeks.py, in the contract's own d1. */
INLINE int64_t higher_chunks(int64_t size, const double *columns, double *greeks, int8_t *status) {
    _Alignas(64) Lane F, K, T, sigma, D, side, k, s, code, vanna, charm, volga;
    double *const chunk[] = {F, K, T, sigma, D, side}, *const results[] = {vanna, charm, volga};
    int64_t hard = 0;
    for (int64_t start = 0; start < size; start += CHUNK) {
        int real = size - start < CHUNK ? (int)(size - start) : CHUNK, n = (real + 7) & ~7;
        for (int j = 0; j < 6; j++) load(real, n, columns + j * size + start, chunk[j]);
        EACH side[i] = side[i] == 0.0 ? -1.0 : 1.0;
        reduce(n, F, K, T, sigma, D, k, s, code);
        EACH {
            double root_t = root(T[i]), tilt = (F[i] > K[i] ? k[i] : -k[i]) / s[i];
            double d1 = tilt + 0.5 * s[i], d2 = tilt - 0.5 * s[i];
            double D_n = D[i] * (INV_SQRT_2_PI * exponential(-0.5 * d1 * d1));
            double tail = D_n * mills(absolute(d1)), delta = side[i] * (d1 * side[i] > 0.0 ? D[i] - tail : tail);
            double by_sigma = d2 / sigma[i], nothing = __builtin_nan("");
            double drift = D_n * (d2 / (2.0 * T[i])) - logarithm(code[i] == OK ? D[i] : 1.0) / T[i] * delta;
            int ok = code[i] == OK;
            vanna[i] = ok ? -D_n * by_sigma * 0.01 : nothing;
            charm[i] = ok ? drift * (1 / 365.0) : nothing;
            volga[i] = ok ? F[i] * D_n * root_t * d1 * by_sigma * 1e-4 : nothing;
        }
        for (int j = 0; j < 3; j++) memcpy(greeks + j * size + start, results[j], real * sizeof(double));
        for (int i = 0; i < real; i++) status[start + i] = (int8_t)code[i], hard += code[i] == HARD;
    }
    return hard;
}

/* All take six columns of `size` end to end, the last being is_call, and return how many rows are marked HARD.
 * implied: price, forward, strike, years, discount. greeks and higher: forward, strike, years, sigma, discount; out
 * come five columns in the order of black.Greeks, three in that of HigherGreeks. */
#define ENTRIES(level, attributes)                                                                                    \
    attributes int64_t implied_##level(int64_t size, const double *columns, double *iv, int8_t *status) {            \
        return implied_chunks(size, columns, iv, status);                                                             \
    }                                                                                                                 \
    attributes int64_t greeks_##level(int64_t size, const double *columns, double *greeks, int8_t *status) {         \
        return greeks_chunks(size, columns, greeks, status);                                                          \
    }                                                                                                                 \
    attributes int64_t higher_##level(int64_t size, const double *columns, double *greeks, int8_t *status) {         \
        return higher_chunks(size, columns, greeks, status);                                                          \
    }

int32_t revision(void) { return REVISION; }

EACH_LEVEL(ENTRIES)

/* The widest level that this processor has. */
const char *level(void) {
#ifdef __x86_64__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
        return "v4";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"))
        return "v3";
#endif
    return "base";
}
